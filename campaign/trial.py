"""One experiment: its folder, random numbers and time, and the failures that it found."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

SHOWN = 5  # failures of one experiment that are printed


@dataclass
class Trial:
    """The context of an experiment. ``seconds`` limits when another round begins, not how long a round takes."""

    name: str
    folder: Path
    seconds: float
    random: random.Random
    counts: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    skipped: str = ""

    def rounds(self) -> Iterator[int]:
        """Count rounds from 0 until the time is over; at least one."""
        end, number = time.monotonic() + self.seconds, 0
        while number == 0 or time.monotonic() < end:
            yield number
            number += 1

    def count(self, what: str, number: int = 1) -> None:
        """Add to a counter of the report."""
        self.counts[what] += number

    def check(self, holds: bool, otherwise: object) -> bool:
        """Record the failure ``otherwise`` unless ``holds``; returns ``holds``."""
        self.count("checks")
        if not holds:
            self.failures.append(str(otherwise)[:600])
        return holds

    def check_run(self, finished: object, *codes: int) -> bool:
        """Check that a command ended with one of these codes and without a traceback."""
        code, output = getattr(finished, "returncode", None), str(getattr(finished, "stderr", ""))
        fine = code in codes and "Traceback" not in output and "Exception ignored" not in output
        return self.check(fine, f"exit code {code}: {output[-400:]}")

    def check_log(self, log: Path) -> bool:
        """Check that a service's log has no traceback."""
        text = log.read_text(errors="replace")
        start = text.find("Traceback")
        shown = [line for line in text[start:].splitlines()[1:] if not line.startswith((" ", "{"))]
        return self.check(start < 0, f"in the log: {shown[0] if shown else text[start:]}")

    def report(self) -> str:
        """The result as JSON, for the process that runs the experiments."""
        return json.dumps({"counts": self.counts, "failures": self.failures, "skipped": self.skipped})
