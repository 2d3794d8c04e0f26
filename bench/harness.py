"""How every bench measures: the same threads for all, the sides in turn (A B A B), medians, a table, a JSON file."""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from image_similarity.models.model import ModelPart
    from image_similarity.options import ModelChoice
    from image_similarity.settings import Settings

RESULTS = Path(__file__).parent / "results"
POOLS = ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "RAYON", "TOKIO_WORKER")


@dataclass(frozen=True)
class Side:
    """One of the things that are compared. ``run`` does the work once; ``work`` is how much of it, for a rate."""

    name: str
    run: Callable[[], object]
    work: float = 1.0
    note: Mapping[str, Any] = field(default_factory=dict)  # what else is known of it: recall, versions, sizes


@dataclass(frozen=True)
class Timing:
    """The seconds of a side's rounds."""

    side: Side
    seconds: list[float]

    @property
    def median(self) -> float:
        """Seconds of the middle round."""
        return statistics.median(self.seconds)

    @property
    def rate(self) -> float:
        """Work a second, by the median."""
        return self.side.work / self.median


def pin(threads: int) -> int:
    """Bind this process, and all that it starts, to ``threads`` processors. Before any other import, or pools are made.

    Returns the number of processors that there really are to be had, at most ``threads``.
    """
    mine = sorted(os.sched_getaffinity(0))[:threads]
    os.sched_setaffinity(0, mine)
    for pool in POOLS:
        os.environ[f"{pool}_NUM_THREADS" if pool != "TOKIO_WORKER" else "TOKIO_WORKER_THREADS"] = str(len(mine))
    return len(mine)


def in_turn(sides: Sequence[Side], rounds: int, *, warm: int = 1) -> list[Timing]:
    """Each side once, then each again, so that a machine that slows down slows all alike.

    The first ``warm`` rounds are run and not counted.
    """
    seconds: dict[str, list[float]] = {side.name: [] for side in sides}
    for turn in range(warm + rounds):
        for side in sides:
            start = time.perf_counter()
            side.run()
            taken = time.perf_counter() - start
            if turn >= warm:
                seconds[side.name].append(taken)
            print(f"  {side.name}: {taken:.3f} s{'' if turn >= warm else ' (warm-up)'}", file=sys.stderr, flush=True)
    return [Timing(side, seconds[side.name]) for side in sides]


def part_of(choice: ModelChoice, settings: Settings) -> ModelPart:
    """The one network that a choice names."""
    from image_similarity.dataset import Dataset
    from image_similarity.models.resolver import define_model

    (part,) = define_model(choice, Dataset.named("bench"), settings).parts
    return part


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table, as it stands in docs/performance.md."""
    cells = [[f"{cell:.4g}" if isinstance(cell, float) else str(cell) for cell in row] for row in rows]
    lines = [f"| {' | '.join(row)} |" for row in [list(header), *cells]]
    lines.insert(1, f"|{'---|' * len(header)}")
    return "\n".join(lines)


def report(name: str, results: Mapping[str, Any], tables: Sequence[str]) -> None:
    """Print the tables and write ``results/NAME.json`` with the machine and the command beside the figures."""
    print("\n\n".join(tables))
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps({"command": sys.argv, "machine": machine(), **results}, indent=1) + "\n")
    print(f"\n{path}", file=sys.stderr)


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    facts = _cpuinfo()
    return {
        "processor": facts.get("model name", platform.processor()),
        "family": f"{facts.get('cpu family', '?')}/{facts.get('model', '?')}",
        "processors": len(os.sched_getaffinity(0)),
        "extensions": [f for f in ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16") if f in facts["flags"]],
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
    }


def versions(*packages: str) -> dict[str, str]:
    """The versions of installed packages."""
    return {package: importlib.metadata.version(package) for package in packages}


def arguments(description: str) -> argparse.ArgumentParser:
    """The options that every bench has."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--rounds", type=int, default=5, help="counted rounds of each side")
    parser.add_argument("--threads", type=int, default=2, help="processors to use")
    return parser


def _cpuinfo() -> dict[str, Any]:
    facts: dict[str, Any] = {"flags": []}
    path = Path("/proc/cpuinfo")
    if path.exists():
        for line in path.read_text().splitlines():
            name, _, value = line.partition(":")
            facts.setdefault(name.strip(), value.strip())
            if name.strip() == "flags":
                facts["flags"] = value.split()
                break
    return facts
