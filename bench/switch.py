"""From how many rows on cells are quicker than comparing everything: for one photo, and for all pairs of a fit.

python bench/switch.py --rows 10000 30000 100000
"""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from harness import arguments, pin, report, table

if TYPE_CHECKING:
    from collections.abc import Callable

K, NEAREST, QUERIES = 10, 64, 50


def main() -> None:
    """Both ways at every size, in turn, and the report."""
    parser = arguments(__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[5_000, 20_000])
    parser.add_argument("--dimension", type=int, default=512)
    chosen = parser.parse_args()
    threads = pin(chosen.threads)
    lines = []
    for rows in chosen.rows:
        with TemporaryDirectory() as folder:
            lines.append(_size(Path(folder), rows, chosen.dimension))
    header = list(lines[0])
    title = f"Exact and by cells, {chosen.dimension} dimensions, {threads} threads"
    report("switch", {"sizes": lines}, [f"{title}\n\n{table(header, [list(line.values()) for line in lines])}"])


def _size(folder: Path, rows: int, dimension: int) -> dict[str, Any]:
    from truth import exact, recall
    from vectors import catalogue

    from image_similarity.neighbours.allpairs.exact import all_pairs
    from image_similarity.neighbours.cells.index import CellsIndex
    from image_similarity.neighbours.cells.pairs import cell_pairs
    from image_similarity.neighbours.exact import ExactIndex

    drawn = catalogue(folder, rows, dimension, QUERIES)
    (folder / "cells").mkdir()
    built = _seconds(lambda: CellsIndex.build(drawn.vectors, folder / "cells"))
    cells, whole = CellsIndex.open(drawn.vectors, folder / "cells"), ExactIndex(drawn.vectors)
    asked = [drawn.queries[i : i + 1] for i in range(QUERIES)]
    ways = {
        name: statistics.median(_seconds(lambda q=q, i=i: i.search(q, K)) for q in asked)  # type: ignore[misc]
        for name, i in (("exact", whole), ("cells", cells))
    }
    all_exact = _seconds(lambda: all_pairs(drawn.vectors, NEAREST, folder / "exact"))
    all_cells = _seconds(lambda: cell_pairs(cells, NEAREST, folder / "near"))
    return {
        "rows": rows,
        "one query: exact ms": 1e3 * ways["exact"],
        "cells ms": 1e3 * ways["cells"],
        f"recall@{K}": recall(cells.search(drawn.queries, K).rows, exact(drawn.vectors, drawn.queries, K)),
        "all pairs: exact s": all_exact,
        "cells s": all_cells,
        "cells built in s": built,
    }


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
