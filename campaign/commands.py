"""Runs the command line in separate processes, and kills it."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

PROGRAM = (sys.executable, "-m", "image_similarity")
MODEL = "colour-shape"
HUNG = 120.0  # seconds after which a command counts as hung; none takes a tenth of that


def fit(workspace: Path, table: Path, *more: str) -> list[str]:
    """The arguments of a fit of the dataset ``shop``."""
    places = ["--workspace", str(workspace), "--catalogue", str(table)]
    return ["fit", "--dataset", "shop", "--model", MODEL, "--no-learn", *places, *more]


def run(arguments: Sequence[str], **options: object) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    every: dict[str, object] = {"capture_output": True, "text": True, "timeout": HUNG, **options}
    return subprocess.run([*PROGRAM, *arguments], check=False, **every)  # type: ignore[call-overload,no-any-return]


def started(arguments: Sequence[str]) -> subprocess.Popen[str]:
    """Start a command; its stderr is read from a pipe by :func:`finished`."""
    return subprocess.Popen([*PROGRAM, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def finished(process: subprocess.Popen[str]) -> subprocess.CompletedProcess[str]:
    """Wait for a started command: its exit code and stderr."""
    output = process.communicate(timeout=HUNG)[1]
    return subprocess.CompletedProcess(process.args, process.returncode, "", output)


def stopped(arguments: Sequence[str], after: float, how: signal.Signals = signal.SIGKILL) -> tuple[bool, str, int]:
    """Run, and send a signal after so many seconds: whether it still ran then, its stderr, and the exit code."""
    process = started(arguments)
    try:
        process.wait(after)
        in_time = False
    except subprocess.TimeoutExpired:
        process.send_signal(how)
        in_time = True
    done = finished(process)
    return in_time, done.stderr, done.returncode


def duration(arguments: Sequence[str]) -> float:
    """How many seconds a command takes without disturbance."""
    began = time.monotonic()
    done = run(arguments)
    assert done.returncode in (0, 3), done.stderr
    return time.monotonic() - began
