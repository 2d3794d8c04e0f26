"""search.py, the first section: one query among all rows."""

from __future__ import annotations

import statistics
import sys
import time
from typing import TYPE_CHECKING, Any

import numpy as np
from harness import Side, in_turn, table
from truth import recall
from tuning import tune

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from peers import Peer
    from sides import Bench, Built


def plain(bench: Bench, sides: Sequence[Built]) -> tuple[dict[str, Any], list[str]]:
    """Sweep each side, then measure all in turn: first one query at a time, then many at once."""
    right = bench.right(bench.asked)
    tuned = {}
    for side in sides:
        print(f"{side.name}: sweep", file=sys.stderr, flush=True)
        tuned[side.name] = tune(
            side.peer, bench.chosen.recall, lambda peer=side.peer: recall(peer.search_all(bench.asked, bench.k), right)
        )
    found = {side.name: recall(one_by_one(side.peer, bench.asked, bench.k), right) for side in sides}
    latencies: dict[str, list[float]] = {side.name: [] for side in sides}
    singly = [Side(s.name, timed(s.peer, bench.asked, bench.k, latencies[s.name].extend)) for s in sides]
    in_turn(singly, bench.chosen.rounds, warm=0)  # the recall above was the warm-up
    many = np.concatenate([bench.asked] * 2)
    at_once = [Side(s.name, lambda p=s.peer: p.search_all(many, bench.k), len(many)) for s in sides]
    rates = {timing.side.name: timing.rate for timing in in_turn(at_once, bench.chosen.rounds)}
    figures = {
        side.name: {
            "effort": tuned[side.name].effort,
            "recall": found[side.name],
            "reached": tuned[side.name].reached,
            "latency_ms_median": 1e3 * statistics.median(latencies[side.name]),
            "latency_ms_p95": 1e3 * float(np.quantile(latencies[side.name], 0.95)),
            "queries_a_second": rates[side.name],
            "build_s": side.seconds,
            "grown_mb": side.megabytes,
            **side.note,
        }
        for side in sides
    }
    header = ["side", f"recall@{bench.k}", "median ms", "95 % ms", "queries/s", "build s", "MB", "effort", "how built"]
    columns = ("recall", "latency_ms_median", "latency_ms_p95", "queries_a_second", "build_s", "grown_mb", "effort")
    lines = [[name, *(line[c] for c in (*columns, "built"))] for name, line in figures.items()]
    title = f"One query among {len(bench.data.vectors)} x {bench.chosen.dimension}, {bench.threads} threads"
    return {"rows": len(bench.data.vectors), "sides": figures}, [f"{title}\n\n{table(header, lines)}"]


def one_by_one(peer: Peer, queries: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    """The answers to queries asked singly."""
    return np.concatenate([peer.search(queries[i : i + 1], k) for i in range(len(queries))])


def timed(peer: Peer, queries: NDArray[np.float32], k: int, put: Callable[[list[float]], None]) -> Callable[[], None]:
    """A round of single queries that puts away the seconds of each."""

    def run() -> None:
        seconds = []
        for i in range(len(queries)):
            start = time.perf_counter()
            peer.search(queries[i : i + 1], k)
            seconds.append(time.perf_counter() - start)
        put(seconds)

    return run
