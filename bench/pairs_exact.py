"""allpairs.py, the first section: every score of every pair, each side in a process of its own."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from harness import Side, in_turn, table, versions
from truth import exact, recall
from vectors import catalogue

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from numpy.typing import NDArray

K = 50
SIDES = {
    "ours": ("peers.ours:all_pairs", ()),
    "faiss-knn": ("peers.faiss_knn:all_pairs", ("faiss-cpu",)),
    "sklearn": ("peers.sklearn_brute:all_pairs", ("scikit-learn",)),
}
SMALLER = {"sklearn": 10_000}  # the most rows that this side is given
STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def exact_pairs(
    chosen: argparse.Namespace, folder: Path, rows: int, threads: int, names: Sequence[str]
) -> tuple[dict[str, Any], list[str]]:
    """All sides in turn; seconds, recall@50 and memory of each."""
    vectors = catalogue(folder, rows, chosen.dimension, 1).vectors
    children = {name: child for name in names if (child := _start(name, folder, min(rows, SMALLER.get(name, rows))))}
    sides = [Side(name, child.work_once, child.rows**2) for name, child in children.items()]
    timings = in_turn(sides, chosen.rounds)
    figures = {}
    for timing in timings:
        child = children[timing.side.name]
        sample = np.sort(np.random.default_rng(1).choice(child.rows, min(chosen.queries, child.rows), replace=False))
        seen = vectors[: child.rows]
        figures[timing.side.name] = {
            "rows": child.rows,
            "seconds_median": timing.median,
            "pairs_a_second": timing.rate,
            "recall": recall(child.found()[sample], exact(seen, seen[sample].astype(np.float32), K)),
            "peak_mb": child.peak,
            **child.note,
        }
        child.stop()
    columns = ("rows", "seconds_median", "pairs_a_second", "recall", "peak_mb")
    header = ["side", "rows", "median s", "pairs/s", f"recall@{K}", "peak MB above the process before"]
    lines = [[name, *(line[column] for column in columns)] for name, line in figures.items()]
    title = f"All pairs exactly, {chosen.dimension} dimensions, {K} nearest, {threads} threads"
    return {"sides": figures}, [f"{title}\n\n{table(header, lines)}"]


class Child:
    """The other end of a side's process."""

    def __init__(self, name: str, folder: Path, rows: int) -> None:
        self.rows, self.peak, self.note = rows, 0, versions(*SIDES[name][1])
        self._out = folder / f"{name}.npy"
        command = [sys.executable, __file__, name, str(folder / "vectors.npy"), str(rows), str(self._out)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.ready = self._answer() == "ready"

    def work_once(self) -> None:
        """Tell it to compute, and wait."""
        self._tell("go")
        self.peak = max(self.peak, json.loads(self._answer())["peak_mb"])

    def found(self) -> NDArray[np.int64]:
        """What the last round found."""
        self._tell("save")
        self._answer()
        return np.load(self._out)

    def stop(self) -> None:
        """End the process."""
        if self._process.stdin:
            self._process.stdin.close()
        self._process.wait()

    def _tell(self, word: str) -> None:
        print(word, file=self._process.stdin, flush=True)

    def _answer(self) -> str:
        line = self._process.stdout.readline().strip() if self._process.stdout else ""
        if not line:
            raise SystemExit(f"a side's process ended with {self._process.wait()}; what it said stands above")
        return line


def _start(name: str, folder: Path, rows: int) -> Child | None:
    try:
        importlib.import_module(SIDES[name][0].partition(":")[0])
    except ImportError as error:
        print(f"{name}: left out, {error}", file=sys.stderr, flush=True)
        return None
    return Child(name, folder, rows)


def _peak_mb(*, reset: bool = False) -> int:
    """The most memory this process has held, files mapped included; 0 where the system does not say (not Linux)."""
    if not STATUS.exists():
        return 0
    if reset:
        CLEAR.write_text("5")
    return int(STATUS.read_text().partition("VmHWM:")[2].split()[0]) // 1024


def _serve(name: str, path: str, rows: str, out: str) -> None:
    module, _, attribute = SIDES[name][0].partition(":")
    work = getattr(importlib.import_module(module), attribute)
    vectors = np.array(np.load(path, mmap_mode="r")[: int(rows)])  # read: pages of a mapped file would count as growth
    before = _peak_mb(reset=True)
    found: NDArray[np.integer] = np.empty((0, K), np.int64)
    print("ready", flush=True)
    for line in sys.stdin:
        if line.strip() == "go":
            start = time.perf_counter()
            found = work(vectors, K)
            taken = time.perf_counter() - start
            print(json.dumps({"seconds": taken, "peak_mb": _peak_mb() - before}), flush=True)
        else:
            np.save(out, found)
            print("saved", flush=True)


if __name__ == "__main__":
    _serve(*sys.argv[1:])
