"""Run every experiment within the given time, each in its own process group; a table and an exit code at the end.

    python -m campaign [--minutes 9] [--seed 1] [--only NAME ...]

0: nothing wrong. 1: something was lost, hung, or exceeded a limit; the table says what, the seed reproduces it.
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

from campaign import attacks, disks, images, kills, races
from campaign.trial import SHOWN, Trial

EXPERIMENTS = {
    **kills.EXPERIMENTS,
    **races.EXPERIMENTS,
    **disks.EXPERIMENTS,
    **images.EXPERIMENTS,
    **attacks.EXPERIMENTS,
}
"""By name: the function to run, and its weight in the division of the time."""
GRACE = 60.0  # seconds beyond its share after which an experiment counts as hung


@dataclass
class Row:
    """The result of an experiment."""

    name: str
    seconds: float
    counts: dict[str, int]
    failures: list[str]
    skipped: str = ""

    @property
    def verdict(self) -> str:
        return (
            f"skipped: {self.skipped}" if self.skipped else f"{len(self.failures)} WRONG" if self.failures else "fine"
        )

    def __str__(self) -> str:
        counts = ", ".join(f"{number} {what}" for what, number in self.counts.items())
        return f"{self.name:34} {self.seconds:6.0f} s  {self.verdict:12} {counts}"


def main() -> int:
    """Run the selected experiments."""
    parser = argparse.ArgumentParser(prog="python -m campaign", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=9.0, help="of all together")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="another seed, other moments")
    parser.add_argument("--only", nargs="+", choices=sorted(EXPERIMENTS), default=list(EXPERIMENTS), metavar="NAME")
    parser.add_argument("--inside", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        name, seconds, folder = options.inside
        return run_inside(name, seconds, folder, options.seed)
    print(f"seed {options.seed}, {options.minutes:g} minutes", flush=True)
    end, rows = time.monotonic() + options.minutes * 60, []
    for place, name in enumerate(options.only):
        left = sum(EXPERIMENTS[each][1] for each in options.only[place:])
        share = max(5.0, (end - time.monotonic()) * EXPERIMENTS[name][1] / left)
        rows.append(run_apart(name, share, options.seed))
        print(rows[-1], flush=True)
        for failure in rows[-1].failures[:SHOWN]:
            print(f"    {failure}", flush=True)
    bad = [row for row in rows if row.failures]
    print("\n" + "\n".join(map(str, rows)))
    print(f"\n{sum(len(row.failures) for row in bad)} wrong in {len(bad)} of {len(rows)} experiments")
    return 1 if bad else 0


def run_apart(name: str, seconds: float, seed: int) -> Row:
    """Run an experiment in its own process group and temporary folder, both removed at its end."""
    began = time.monotonic()
    if name in disks.NEED_MOUNTS and not disks.may_mount():
        return Row(name, 0, {}, [], "disks cannot be mounted on this machine")
    with tempfile.TemporaryDirectory(prefix="campaign-", ignore_cleanup_errors=True) as folder:
        prefix = disks.MOUNTS if name in disks.NEED_MOUNTS else ()
        command = [
            *prefix,
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
        log = Path(folder) / "log.txt"
        with log.open("wb") as file:
            process = subprocess.Popen(command, stdout=file, stderr=file, start_new_session=True)
            try:
                process.wait(seconds + GRACE)
                hung = ""
            except subprocess.TimeoutExpired:
                hung = f"hung: not ended {GRACE:.0f} s after its time. "
            finally:
                _end_group(process)
        report = Path(folder) / "report.json"
        if hung or not report.exists():
            output = log.read_text(errors="replace")[-600:]
            return Row(name, time.monotonic() - began, {}, [f"{hung or 'broke: '}{output}"])
        result = json.loads(report.read_text())
    return Row(name, time.monotonic() - began, result["counts"], result["failures"], result["skipped"])


def _end_group(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    finally:
        process.wait()


def run_inside(name: str, seconds: str, folder: str, seed: int) -> int:
    """Run one experiment in this process, and write its report."""
    trial = Trial(name, Path(folder) / "work", float(seconds), Random(f"{seed} {name}"))
    trial.folder.mkdir()
    try:
        EXPERIMENTS[name][0](trial)
    except Exception:  # failures found before count as well
        trial.failures.append("broke: " + traceback.format_exc()[-900:])
    (Path(folder) / "report.json").write_text(trial.report())
    return 0


if __name__ == "__main__":
    sys.exit(main())
