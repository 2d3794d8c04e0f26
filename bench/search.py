"""One query among many rows, and the same under conditions: ours and the peers, at the same recall, in turn.

    python bench/search.py --scale quick

Each side is built on the same rows, then swept to the least effort that reaches the wanted recall@10 on a sample of
queries. Latency is of single queries, the sides in turn; throughput is of many at once on all threads. Under a
condition a side keeps the effort that it needed without one, and besides is swept for that condition alone.
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from harness import arguments, pin, report

if TYPE_CHECKING:
    import argparse

PLAIN = ("ours", "faiss-hnsw", "usearch", "faiss-sq8")
FILTERED = ("ours", "lancedb", "qdrant-edge", "milvus-lite")
SCALES = {"quick": {"plain": 50_000, "filtered": 20_000}, "full": {"plain": 1_000_000, "filtered": 200_000}}


def options() -> argparse.Namespace:
    """The command line."""
    parser = arguments(__doc__.partition("\n")[0])
    parser.add_argument("--scale", choices=SCALES, default="quick", help="how many rows, where --rows does not say")
    parser.add_argument("--section", choices=("plain", "filtered"), help="one of the two only")
    parser.add_argument("--rows", type=int, help="rows searched")
    parser.add_argument("--dimension", type=int, default=512)
    parser.add_argument("--queries", type=int, default=500, help="single queries a round (a fifth under conditions)")
    parser.add_argument("--k", type=int, default=10)
    parser.add_argument("--recall", type=float, default=0.99, help="recall@k that every side is swept to")
    parser.add_argument("--only", nargs="+", metavar="PEER", help=f"of {', '.join(dict.fromkeys(PLAIN + FILTERED))}")
    parser.add_argument("--folder", type=Path, help="where the vectors and the peers' files lie for the time being")
    return parser.parse_args()


def main() -> None:
    """Run what was asked for and write the report."""
    chosen = options()
    threads = pin(chosen.threads)
    from sides import Bench
    from sides_filtered import filtered
    from sides_plain import plain

    results, tables = {}, []
    for section, names, run in (("plain", PLAIN, plain), ("filtered", FILTERED, filtered)):
        if chosen.section not in (None, section):
            continue
        rows = chosen.rows or SCALES[chosen.scale][section]
        with TemporaryDirectory(dir=chosen.folder) as folder:
            bench = Bench(chosen, Path(folder), rows, threads)
            print(f"{section}: {rows} x {chosen.dimension}", file=sys.stderr, flush=True)
            sides = bench.build([name for name in names if not chosen.only or name in chosen.only], section)
            results[section], written = run(bench, sides)
            tables += written
            for side in sides:
                side.peer.close()
    name = "search" if not (chosen.section or chosen.only) else f"search-{chosen.section or 'some'}"
    report(name, {"scale": chosen.scale, **results}, tables)


if __name__ == "__main__":
    main()
