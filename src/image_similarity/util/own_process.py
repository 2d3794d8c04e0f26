"""Work in a process of its own: for packages that change the program that they are imported into.

The parent names a module of ours, which ends with ``sys.exit(in_own_process(work))``.
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

MOST = 500  # characters of a reason
NOTHING: Mapping[str, str] = {}


class OwnProcessError(Exception):
    """The work failed; the message is the last line that it said about it."""


def run_module(
    module: str,
    arguments: Sequence[str],
    environment: Mapping[str, str] = NOTHING,
    told: Callable[[str], None] | None = None,
) -> str:
    """Run a module's work.

    Args:
        module: its name.
        arguments: for it.
        environment: what its environment has beside this process's.
        told: told each line that the work says, soon.

    Returns:
        What the work gave.

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
                    if told is not None:
                        told(last)
                process.wait()  # before its standard input is closed, which would end it
            except BaseException:
                process.kill()
                raise
        if process.returncode:
            errors.seek(0)
            raise OwnProcessError((errors.read().strip().splitlines() or ["no reason given"])[-1])
    return last


def in_own_process(work: Callable[[Sequence[str], Callable[[str], None]], str]) -> int:
    """Do the work that :func:`run_module` asks for; the exit status.

    Args:
        work: gets the arguments, and what says a line to the parent. What it prints is of no account, but for the last
            line before it fails.
    """
    parent = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whoever prints, in C too

    def say(line: str) -> None:
        parent.write(json.dumps(line) + "\n")
        parent.flush()

    Thread(target=_end_with_the_parent, daemon=True).start()
    try:
        say(work(sys.argv[1:], say))
    except Exception as error:  # the parent takes the last line
        sys.stderr.write("\n" + json.dumps(f"{type(error).__name__}: {error}", ensure_ascii=False)[:MOST] + "\n")
        return 1
    return 0


def _end_with_the_parent() -> None:
    """Whoever is killed closes the pipe, and nobody is left to work for."""
    sys.stdin.read()
    os._exit(1)
