"""Run work in a child process: for packages that change the program that imports them.

The parent names a module of this package, which ends with ``sys.exit(in_own_process(work))``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from threading import Thread
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

MAX_REASON = 500  # characters
SAME_ENVIRONMENT: Mapping[str, str] = {}


class OwnProcessError(Exception):
    """The work failed; the message is the last line of its standard error."""


def run_module(
    module: str,
    arguments: Sequence[str],
    environment: Mapping[str, str] = SAME_ENVIRONMENT,
    on_line: Callable[[str], None] | None = None,
) -> str:
    """Run a module's work in a child process and wait for it.

    Args:
        module: its name.
        arguments: the command line.
        environment: variables added to this process's.
        on_line: called with each line that the work sends, as it arrives, the result included.

    Returns:
        The work's result.

    Raises:
        OwnProcessError: it failed.
    """
    last = ""
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as errors:
        with subprocess.Popen(  # noqa: S603 (our own interpreter and module)
            [sys.executable, "-m", module, *arguments],
            env=os.environ | environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            encoding="utf-8",
        ) as process:
            try:
                for line in process.stdout or ():
                    last = json.loads(line)
                    if on_line is not None:
                        on_line(last)
                process.wait()  # before its standard input is closed, which would end it
            except BaseException:
                process.kill()
                raise
        if process.returncode:
            errors.seek(0)
            raise OwnProcessError((errors.read().strip().splitlines() or ["no reason given"])[-1])
    return last


def in_own_process(work: Callable[[Sequence[str], Callable[[str], None]], str]) -> int:
    """The child's side of :func:`run_module`: run the work, send its result, and return the exit status.

    Args:
        work: called with the arguments and a function that sends a line to the parent. What it prints is ignored,
            except for the last line before it fails.
    """
    parent = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what is printed, by C code too, goes to standard error

    def send(line: str) -> None:
        parent.write(json.dumps(line) + "\n")
        parent.flush()

    Thread(target=_end_with_the_parent, daemon=True).start()
    try:
        send(work(sys.argv[1:], send))
    except Exception as error:  # the parent reads the last line
        sys.stderr.write("\n" + json.dumps(f"{type(error).__name__}: {error}", ensure_ascii=False)[:MAX_REASON] + "\n")
        return 1
    return 0


def _end_with_the_parent() -> None:
    """Exit when the parent closes the pipe to standard input: also when it was killed."""
    sys.stdin.read()
    os._exit(1)
