"""The command line in a process of its own, with something terrible happening at a chosen moment."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

# Moment: the nth call of a function, told as `module:place name n`. Disaster: what to run just before that call.
SCRIPT = """
import os, pkgutil, resource, signal, sys
place, name, number, disaster = sys.argv[1:5]
sys.argv = ["image-similarity", *sys.argv[5:]]
home = pkgutil.resolve_name(place)
whole, calls = getattr(home, name), []

def limit(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

def interrupted(*arguments, **named):
    calls.append(1)
    if len(calls) == int(number):
        exec(disaster)
    return whole(*arguments, **named)

setattr(home, name, interrupted)
from image_similarity.cli import main
try:
    main()
finally:
    # Whoever measures coverage has something to write yet.
    limit(resource.RLIM_INFINITY)
    os.seteuid(os.getuid())
"""
COUNTS = re.compile(r"(\d+) images seen: (\d+) embedded, (\d+) already known, (\d+) failed")


@dataclass(frozen=True)
class Moment:
    """Just before the ``number``-th call of ``place``'s ``name``."""

    place: str
    name: str
    number: int = 1


START = Moment("image_similarity.workspace:Workspace", "fit")
KILLED = "os.kill(os.getpid(), signal.SIGKILL)"
NOBODY = "os.getuid() or os.seteuid(65534)"  # root may write anywhere


def disk_full_at(size: int) -> str:
    """From then on no file can be written past ``size`` bytes; Python ignores the signal that comes with it."""
    return f"limit({size})"


def fit_command(workspace: Path, catalogue: Path, *options: str) -> list[str]:
    """A fit with ``colour-shape``, the model that needs no weights."""
    places = ["--workspace", str(workspace), "--catalogue", str(catalogue)]
    return ["fit", "--dataset", "shop", "--model", "colour-shape", *places, *options]


def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run a command line to its end."""
    return _run([sys.executable, "-m", "image_similarity", *command])


def run_into(disaster: str, moment: Moment, command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run a command line into a disaster."""
    return _run([sys.executable, "-c", SCRIPT, moment.place, moment.name, str(moment.number), disaster, *command])


def counts(finished: subprocess.CompletedProcess[str]) -> tuple[int, int, int]:
    """Embedded, known and failed images of a fit that ended well."""
    assert finished.returncode == 0, finished.stderr
    match = COUNTS.search(finished.stderr)
    assert match, finished.stderr
    seen, done, known, failed = map(int, match.groups())
    assert seen == done + known + failed
    return done, known, failed


def _run(arguments: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(arguments, capture_output=True, text=True, timeout=120, check=False)
