"""Run a command so that every error, signal or closed pipe becomes one message and an exit code."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from image_similarity.cli.terminal import OutputClosedError, finish, flag, log, open_streams, with_flags
from image_similarity.errors import ImageSimilarityError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

INTERRUPTED = 130
BY_SIGNAL = 128
"""Added to a signal's number for the exit code, as shells do: 143 for SIGTERM."""


def exit_code_of(command: Callable[[], int], flag: Callable[[str], str] = flag) -> int:
    """Run a command, flush its output and return the exit code. ``flag``: an option's name to its flag."""
    open_streams()
    with _stop_signals() as received:
        code = _exit_code(command, flag)
    return BY_SIGNAL + received[0] if received and code == INTERRUPTED else code


def _exit_code(command: Callable[[], int], flag: Callable[[str], str]) -> int:
    try:
        code = command()
        if code == INTERRUPTED:
            log("stopped")
        finish()
        return code
    except OutputClosedError as closed:
        return closed.exit_code
    except ImageSimilarityError as error:
        code = _failed(with_flags(str(error), flag), error.exit_code)
    except KeyboardInterrupt:
        log("stopped")
        code = INTERRUPTED
    except BrokenPipeError:
        code = OutputClosedError.exit_code
    except OSError as error:
        code = _failed(f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror or error))
    except MemoryError:
        code = _failed("out of memory")
    with suppress(ImageSimilarityError):  # one message is enough
        finish()
    return code


@contextmanager
def _stop_signals() -> Iterator[list[int]]:
    """Treat SIGTERM and SIGHUP like Ctrl-C, so that temporary files are removed. Yields the signals received."""
    received: list[int] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        received.append(number)
        raise KeyboardInterrupt

    names = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    if threading.current_thread() is not threading.main_thread():
        names = []
    before = {each: signal.getsignal(each) for each in names}
    for each, handler in before.items():
        if handler is not signal.SIG_IGN:  # started with nohup: keep ignoring it
            signal.signal(each, stop)
    try:
        yield received
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _failed(message: str, code: int = 1) -> int:
    log(f"error: {message}")
    return code
