"""The command line as a process of its own, and how it is killed."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

PROGRAM = (sys.executable, "-m", "image_similarity")
MODEL = "colour-shape"
HUNG = 120.0  # seconds: no command here takes a tenth of that


def fit(workspace: Path, table: Path, *more: str) -> list[str]:
    """The arguments of a fit of the dataset ``shop``."""
    places = ["--workspace", str(workspace), "--catalogue", str(table)]
    return ["fit", "--dataset", "shop", "--model", MODEL, *places, *more]


def run(arguments: Sequence[str], **options: object) -> subprocess.CompletedProcess[str]:
    """To its end."""
    every: dict[str, object] = {"capture_output": True, "text": True, "timeout": HUNG, **options}
    return subprocess.run([*PROGRAM, *arguments], check=False, **every)  # type: ignore[call-overload,no-any-return]


def begun(arguments: Sequence[str]) -> subprocess.Popen[str]:
    """Running; its words wait in a pipe."""
    return subprocess.Popen([*PROGRAM, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def ended(process: subprocess.Popen[str]) -> subprocess.CompletedProcess[str]:
    """What became of one that was begun."""
    said = process.communicate(timeout=HUNG)[1]
    return subprocess.CompletedProcess(process.args, process.returncode, "", said)


def stopped(arguments: Sequence[str], after: float, how: signal.Signals = signal.SIGKILL) -> tuple[bool, str, int]:
    """Run, and send a signal after so many seconds: whether it was in time, what was said, and the exit code."""
    process = begun(arguments)
    try:
        process.wait(after)
        in_time = False
    except subprocess.TimeoutExpired:
        process.send_signal(how)
        in_time = True
    done = ended(process)
    return in_time, done.stderr, done.returncode


def seconds(arguments: Sequence[str]) -> float:
    """How long a command takes that nobody disturbs."""
    began = time.monotonic()
    done = run(arguments)
    assert done.returncode in (0, 3), done.stderr
    return time.monotonic() - began
