"""The nearest rows of every row: exactly, ours beside faiss.knn; and nearly, ours beside graphs that must be built.

    python bench/allpairs.py --scale quick

Exact: a child process a side, that reads the vectors once and then computes when told; the sides in turn; recall@50
against float32 by numpy on a sample; memory is the child's peak above what it held before. Near: each side is built,
swept to the wanted recall@10 on a sample of rows, and then asked for all rows; build and search are both counted. A row
finds itself: exactly it counts as any other, nearly it is left out.
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from harness import arguments, pin, report

if TYPE_CHECKING:
    import argparse

EXACT = ("ours", "faiss-knn", "sklearn")
NEAR = ("ours", "faiss-hnsw", "usearch")
SCALES = {"quick": {"exact": 20_000, "near": 50_000}, "full": {"exact": 100_000, "near": 1_000_000}}


def options() -> argparse.Namespace:
    """The command line."""
    parser = arguments(__doc__.partition("\n")[0])
    parser.add_argument("--scale", choices=SCALES, default="quick", help="how many rows, where --rows does not say")
    parser.add_argument("--section", choices=("exact", "near"), help="one of the two only")
    parser.add_argument("--rows", type=int, help="rows")
    parser.add_argument("--dimension", type=int, default=512)
    parser.add_argument("--queries", type=int, default=500, help="rows of the sample that recall is judged on")
    parser.add_argument("--recall", type=float, default=0.95, help="recall@10 that every side of near is swept to")
    parser.add_argument("--only", nargs="+", metavar="PEER", help=f"of {', '.join(dict.fromkeys(EXACT + NEAR))}")
    parser.add_argument("--folder", type=Path, help="where the vectors lie for the time being")
    return parser.parse_args()


def main() -> None:
    """Run what was asked for and write the report."""
    chosen = options()
    threads = pin(chosen.threads)
    from pairs_exact import exact_pairs
    from pairs_near import near_pairs

    results, tables = {}, []
    for section, names, run in (("exact", EXACT, exact_pairs), ("near", NEAR, near_pairs)):
        if chosen.section not in (None, section):
            continue
        rows = chosen.rows or SCALES[chosen.scale][section]
        with TemporaryDirectory(dir=chosen.folder) as folder:
            print(f"{section}: {rows} x {chosen.dimension}", file=sys.stderr, flush=True)
            sides = [name for name in names if not chosen.only or name in chosen.only]
            results[section], written = run(chosen, Path(folder), rows, threads, sides)
            tables += written
    name = "allpairs" if not (chosen.section or chosen.only) else f"allpairs-{chosen.section or 'some'}"
    report(name, {"scale": chosen.scale, **results}, tables)


if __name__ == "__main__":
    main()
