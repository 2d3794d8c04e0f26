"""How a command ends: whatever comes in its way, a sentence and an exit code."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from image_similarity.cli.terminal import ReaderGoneError, finish, open_streams, say
from image_similarity.errors import ImageSimilarityError, RemovalError

if TYPE_CHECKING:
    from collections.abc import Callable

INTERRUPTED = 130


def ended(command: Callable[[], int]) -> int:
    """Run a command; its exit code, once all that it wrote has been written."""
    open_streams()
    try:
        code = command()
        if code == INTERRUPTED:
            say("stopped")
        finish()
        return code
    except ReaderGoneError as gone:
        return gone.exit_code
    except RemovalError as error:
        code = _failed(f"{error} (--allow-removal)", error.exit_code)
    except ImageSimilarityError as error:
        code = _failed(str(error), error.exit_code)
    except KeyboardInterrupt:
        say("stopped")
        code = INTERRUPTED
    except BrokenPipeError:
        code = ReaderGoneError.exit_code
    except OSError as error:
        code = _failed(f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror or error))
    except MemoryError:
        code = _failed("there is not enough memory for this")
    with suppress(ImageSimilarityError):  # one sentence is enough
        finish()
    return code


def _failed(sentence: str, code: int = 1) -> int:
    say(f"error: {sentence}")
    return code
