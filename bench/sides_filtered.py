"""search.py, the second section: one query among the rows that a condition lets pass."""

from __future__ import annotations

import statistics
import sys
import time
from typing import TYPE_CHECKING, Any

import filters
import numpy as np
from harness import Side, in_turn, table
from truth import filled, recall
from tuning import tune

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from filters import Condition
    from numpy.typing import NDArray
    from sides import Bench, Built


def filtered(bench: Bench, sides: Sequence[Built]) -> tuple[dict[str, Any], list[str]]:
    """Two tables: at the effort that each side needs without a condition, and at what it needs with each."""
    free = _sweep(bench, sides, bench.asked, None)
    asked = bench.asked[: max(bench.chosen.queries // 5, 20)]
    figures: dict[str, Any] = {}
    for share, where in filters.ready(bench.data.attributes).items():
        print(f"condition {share}", file=sys.stderr, flush=True)
        without = _measure(bench, sides, where, asked, free)
        lacking = [side for side in sides if without[side.name]["recall"] < bench.chosen.recall]
        figures[share] = {
            "passing": float(filters.mask(where, bench.data.attributes).mean()),
            "condition": filters.sql(where),
            "as_without": without,
            "swept": _measure(bench, sides, where, asked, free | _sweep(bench, lacking, asked, where)),
        }
    rows = len(bench.data.vectors)
    notes = {side.name: side.note | {"build_s": side.seconds} for side in sides}
    return {"rows": rows, "sides": notes, "conditions": figures}, [
        f"Filtered, {rows} x {bench.chosen.dimension}, {title}\n\n{_table(figures, key, bench.k)}"
        for key, title in (("as_without", "the effort needed without a condition"), ("swept", "effort swept for each"))
    ]


def _sweep(bench: Bench, sides: Sequence[Built], asked: NDArray[np.float32], where: Condition | None) -> dict[str, int]:
    right = bench.right(asked, where)

    def sweep(side: Built) -> int:
        if side.peer.tuned:
            return 0  # what its users get
        print(f"{side.name}: sweep", file=sys.stderr, flush=True)
        judge = lambda: recall(side.peer.search(asked, bench.k, where), right)  # noqa: E731
        return tune(side.peer, bench.chosen.recall, judge).effort

    return {side.name: sweep(side) for side in sides}


def _measure(
    bench: Bench, sides: Sequence[Built], where: Condition, asked: NDArray[np.float32], efforts: dict[str, int]
) -> dict[str, Any]:
    right = bench.right(asked, where)
    answers: dict[str, NDArray[np.int64]] = {}
    seconds: dict[str, list[float]] = {side.name: [] for side in sides}

    def ask(side: Built) -> Callable[[], None]:
        def run() -> None:
            side.peer.try_harder(efforts[side.name])
            found = []
            for i in range(len(asked)):
                start = time.perf_counter()
                found.append(side.peer.search(asked[i : i + 1], bench.k, where))
                seconds[side.name].append(time.perf_counter() - start)
            answers[side.name] = np.concatenate(found)

        return run

    in_turn([Side(side.name, ask(side)) for side in sides], max(bench.chosen.rounds // 2, 1), warm=0)
    passing = filters.mask(where, bench.data.attributes)
    return {
        side.name: {
            "recall": recall(answers[side.name], right),
            "full_answers": filled(answers[side.name], right),
            "not_passing": int(sum(not passing[row] for row in answers[side.name].ravel() if row >= 0)),
            "latency_ms_median": 1e3 * statistics.median(seconds[side.name]),
            "effort": efforts[side.name],
        }
        for side in sides
    }


def _table(figures: dict[str, Any], key: str, k: int) -> str:
    header = ["passing", "side", f"recall@{k}", f"queries with {k} rows", "median ms", "effort"]
    columns = ("recall", "full_answers", "latency_ms_median", "effort")
    lines = [
        [share, name, *(line[column] for column in columns)]
        for share, figure in figures.items()
        for name, line in figure[key].items()
    ]
    return table(header, lines)
