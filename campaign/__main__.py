"""Run every experiment within the time given, each in a process group of its own; a table and an exit code at the end.

    python -m campaign [--minutes 9] [--seed 1] [--only NAME ...]

0: nothing wrong. 1: something was lost, hung, or went over a limit; the table says what, the seed gives it again.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from random import Random

from campaign import attacks, disks, kills, pictures, races
from campaign.trial import SHOWN, Trial

EXPERIMENTS = {
    **kills.EXPERIMENTS,
    **races.EXPERIMENTS,
    **disks.EXPERIMENTS,
    **pictures.EXPERIMENTS,
    **attacks.EXPERIMENTS,
}
"""By name: what to run, and its part of the time."""
GRACE = 60.0  # seconds beyond its share that an experiment may take to end; then it hangs


@dataclass
class Row:
    """What became of an experiment."""

    name: str
    seconds: float
    counts: dict[str, int]
    wrongs: list[str]
    skipped: str = ""

    @property
    def verdict(self) -> str:
        """In a word."""
        return f"skipped: {self.skipped}" if self.skipped else f"{len(self.wrongs)} WRONG" if self.wrongs else "fine"

    def __str__(self) -> str:
        counts = ", ".join(f"{number} {what}" for what, number in self.counts.items())
        return f"{self.name:34} {self.seconds:6.0f} s  {self.verdict:12} {counts}"


def main() -> int:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(prog="python -m campaign", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=9.0, help="of all together")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="another seed, other moments")
    parser.add_argument("--only", nargs="+", choices=sorted(EXPERIMENTS), default=list(EXPERIMENTS), metavar="NAME")
    parser.add_argument("--inside", nargs=3, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.inside:
        name, seconds, folder = asked.inside
        return inside(name, seconds, folder, asked.seed)
    print(f"seed {asked.seed}, {asked.minutes:g} minutes", flush=True)
    end, rows = time.monotonic() + asked.minutes * 60, []
    for place, name in enumerate(asked.only):
        left = sum(EXPERIMENTS[each][1] for each in asked.only[place:])
        share = max(5.0, (end - time.monotonic()) * EXPERIMENTS[name][1] / left)
        rows.append(apart(name, share, asked.seed))
        print(rows[-1], flush=True)
        for wrong in rows[-1].wrongs[:SHOWN]:
            print(f"    {wrong}", flush=True)
    bad = [row for row in rows if row.wrongs]
    print("\n" + "\n".join(map(str, rows)))
    print(f"\n{sum(len(row.wrongs) for row in bad)} wrong in {len(bad)} of {len(rows)} experiments")
    return 1 if bad else 0


def apart(name: str, seconds: float, seed: int) -> Row:
    """An experiment in a group of processes that is ended with it, and a folder that goes with it."""
    began = time.monotonic()
    if name in disks.NEED_MOUNTS and not disks.may_mount():
        return Row(name, 0, {}, [], "this machine lets nobody mount a disk")
    with tempfile.TemporaryDirectory(prefix="campaign-", ignore_cleanup_errors=True) as folder:
        alone = disks.MOUNTS if name in disks.NEED_MOUNTS else ()
        command = [
            *alone,
            sys.executable,
            "-m",
            "campaign",
            "--seed",
            str(seed),
            "--inside",
            name,
            str(seconds),
            folder,
        ]
        words = Path(folder) / "words.txt"
        with words.open("wb") as output:
            process = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)
            try:
                process.wait(seconds + GRACE)
                hung = ""
            except subprocess.TimeoutExpired:
                hung = f"hung: not ended {GRACE:.0f} s after its time. "
            finally:
                _end_group(process)
        report = Path(folder) / "report.json"
        if hung or not report.exists():
            said = words.read_text(errors="replace")[-600:]
            return Row(name, time.monotonic() - began, {}, [f"{hung or 'broke: '}{said}"])
        told = json.loads(report.read_text())
    return Row(name, time.monotonic() - began, told["counts"], told["wrongs"], told["skipped"])


def _end_group(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    finally:
        process.wait()


def inside(name: str, seconds: str, folder: str, seed: int) -> int:
    """One experiment, in its own process."""
    trial = Trial(name, Path(folder) / "work", float(seconds), Random(f"{seed} {name}"))
    trial.folder.mkdir()
    try:
        EXPERIMENTS[name][0](trial)
    except Exception:  # what was found until then counts as well
        trial.wrongs.append("broke: " + traceback.format_exc()[-900:])
    (Path(folder) / "report.json").write_text(trial.report())
    return 0


if __name__ == "__main__":
    sys.exit(main())
