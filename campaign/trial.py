"""One experiment: its folder, its chance, its time, and what it found wrong."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

SHOWN = 5  # wrongs of one experiment that are told in words


@dataclass
class Trial:
    """What an experiment works with. ``seconds`` bound when it begins another round, not what a round takes."""

    name: str
    folder: Path
    seconds: float
    random: random.Random
    counts: Counter[str] = field(default_factory=Counter)
    wrongs: list[str] = field(default_factory=list)
    skipped: str = ""

    def rounds(self) -> Iterator[int]:
        """Numbers from 0 on until the time is over; at least one."""
        end, number = time.monotonic() + self.seconds, 0
        while number == 0 or time.monotonic() < end:
            yield number
            number += 1

    def count(self, what: str, number: int = 1) -> None:
        """So many more of something were done or seen."""
        self.counts[what] += number

    def check(self, holds: bool, otherwise: object) -> bool:
        """Note what is wrong unless something holds; the result is whether it does."""
        self.count("checks")
        if not holds:
            self.wrongs.append(str(otherwise)[:600])
        return holds

    def check_run(self, finished: object, *codes: int) -> bool:
        """A command ended with one of these codes and without Python's own words."""
        code, said = getattr(finished, "returncode", None), str(getattr(finished, "stderr", ""))
        fine = code in codes and "Traceback" not in said and "Exception ignored" not in said
        return self.check(fine, f"exit code {code}: {said[-400:]}")

    def check_log(self, log: Path) -> bool:
        """A service had nothing to be ashamed of in its log."""
        text = log.read_text(errors="replace")
        start = text.find("Traceback")
        shown = [line for line in text[start:].splitlines()[1:] if not line.startswith((" ", "{"))]
        return self.check(start < 0, f"in the log: {shown[0] if shown else text[start:]}")

    def report(self) -> str:
        """For the runner, which is another process."""
        return json.dumps({"counts": self.counts, "wrongs": self.wrongs, "skipped": self.skipped})
