"""How a command ends: whatever comes in its way, a sentence and an exit code."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from image_similarity.cli.terminal import OutputClosedError, finish, flag, open_streams, say, with_flags
from image_similarity.errors import ImageSimilarityError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

INTERRUPTED = 130
BY_SIGNAL = 128
"""What a shell adds to a signal's number: 143 is SIGTERM, which a scheduler must not take for success."""


def ended(command: Callable[[], int], flag: Callable[[str], str] = flag) -> int:
    """Run a command; its exit code, once all that it wrote has been written. ``flag``: how an option is typed."""
    open_streams()
    with _told_to_stop() as told:
        code = _ended(command, flag)
    return BY_SIGNAL + told[0] if told and code == INTERRUPTED else code


def _ended(command: Callable[[], int], flag: Callable[[str], str]) -> int:
    try:
        code = command()
        if code == INTERRUPTED:
            say("stopped")
        finish()
        return code
    except OutputClosedError as gone:
        return gone.exit_code
    except ImageSimilarityError as error:
        code = _failed(with_flags(str(error), flag), error.exit_code)
    except KeyboardInterrupt:
        say("stopped")
        code = INTERRUPTED
    except BrokenPipeError:
        code = OutputClosedError.exit_code
    except OSError as error:
        code = _failed(f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror or error))
    except MemoryError:
        code = _failed("out of memory")
    with suppress(ImageSimilarityError):  # one sentence is enough
        finish()
    return code


@contextmanager
def _told_to_stop() -> Iterator[list[int]]:
    """End as with Ctrl-C when a scheduler or a closed terminal says so: what is half done is put away. Gives which."""
    told: list[int] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        told.append(number)
        raise KeyboardInterrupt

    names = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    if threading.current_thread() is not threading.main_thread():
        names = []
    before = {each: signal.getsignal(each) for each in names}
    for each, handler in before.items():
        if handler is not signal.SIG_IGN:  # who is started with nohup goes on
            signal.signal(each, stop)
    try:
        yield told
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _failed(sentence: str, code: int = 1) -> int:
    say(f"error: {sentence}")
    return code
