"""allpairs.py, the second section: nearly all of the nearest rows of every row, the building counted."""

from __future__ import annotations

import gc
import sys
import time
from typing import TYPE_CHECKING, Any

import numpy as np
from harness import table, versions
from peers import installed
from truth import exact, recall
from tuning import Tuned, tune
from vectors import catalogue

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from peers import Peer

K = 10  # besides the row itself


def near_pairs(
    chosen: argparse.Namespace, folder: Path, rows: int, threads: int, names: Sequence[str]
) -> tuple[dict[str, Any], list[str]]:
    """One side after the other, each once: only one is in memory at a time, and minutes of work even out the noise."""
    vectors = catalogue(folder, rows, chosen.dimension, 1).vectors
    sample = np.sort(np.random.default_rng(1).choice(rows, min(chosen.queries, rows), replace=False))
    right = _others(exact(vectors, vectors[sample].astype(np.float32), K + 1), sample)
    figures: dict[str, Any] = {}
    for name, kind in installed(names):
        (folder / name).mkdir()
        peer = kind(folder / name, threads)
        figures[name] = _side(peer, vectors, sample, right, chosen.recall) | versions(*kind.packages)
        figures[name]["built"] = kind.settings
        peer.close()
        del peer
        gc.collect()
    header = ["side", "build s", "search s", "both s", f"recall@{K}", "effort", "how built"]
    columns = ("build_s", "search_s", "both_s", "recall", "effort", "built")
    lines = [[name, *(line[column] for column in columns)] for name, line in figures.items()]
    title = f"All pairs nearly, {rows} x {chosen.dimension}, {K} nearest, {threads} threads"
    return {"rows": rows, "sides": figures}, [f"{title}\n\n{table(header, lines)}"]


def _side(
    peer: Peer, vectors: NDArray[np.float16], sample: NDArray[np.intp], right: NDArray[np.int64], wanted: float
) -> dict[str, Any]:
    name = type(peer).__name__
    print(f"{name}: build", file=sys.stderr, flush=True)
    start = time.perf_counter()
    peer.build(vectors)
    built = time.perf_counter() - start
    asked = vectors[sample].astype(np.float32)
    tuned = Tuned(0, 1.0, True)
    if not peer.tuned:
        tuned = tune(peer, wanted, lambda: recall(_others(peer.search_all(asked, K + 1), sample), right))
    print(f"{name}: search", file=sys.stderr, flush=True)
    start = time.perf_counter()
    found = peer.search_rows(vectors, K + 1)
    searched = time.perf_counter() - start
    return {
        "build_s": built,
        "search_s": searched,
        "both_s": built + searched,
        "recall": recall(_others(found[sample], sample), right),
        "effort": tuned.effort or "its own",
        "reached": tuned.reached,
    }


def _others(found: NDArray[np.int64], rows: NDArray[np.intp]) -> NDArray[np.int64]:
    """The answers without the row that was asked about."""
    return np.where(found == rows[:, None], -1, found)
