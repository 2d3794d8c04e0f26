"""From the nearest rows of all rows to products: what grouping, own product out and ranking add to all pairs.

python bench/products.py --rows 100000
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from harness import Side, arguments, in_turn, pin, report, table

IMAGES, NUMBER = 4, 10  # of a product; products in an answer


def main() -> None:
    """Measure both halves of a fit's last part in turn, and write the report."""
    parser = arguments(__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--dimension", type=int, default=512)
    chosen = parser.parse_args()
    threads = pin(chosen.threads)
    from vectors import catalogue

    from image_similarity.fitting.recommendations import recommendations
    from image_similarity.images.views import ORIGINAL
    from image_similarity.neighbours.allpairs.exact import all_pairs
    from image_similarity.ranking.aggregate import FIRST_DEPTH
    from image_similarity.ranking.gallery import Gallery
    from image_similarity.types import Features, no_progress

    rows = chosen.rows
    with TemporaryDirectory() as place:
        vectors = catalogue(Path(place), rows, chosen.dimension, 1).vectors
        names = [f"{row:08}.jpg" for row in range(rows)]
        products = [f"{row // IMAGES:08}" for row in range(rows)]
        gallery = Gallery(Features(names, products, [ORIGINAL] * rows, vectors))
        rounds = iter(range(chosen.rounds + 1))

        def pairs() -> None:
            gallery.precomputed = all_pairs(vectors, FIRST_DEPTH, Path(place) / f"work{next(rounds)}", no_progress)

        def grouped() -> None:
            for _ in recommendations(gallery, NUMBER, "best", no_progress):
                pass

        both = in_turn([Side("all pairs", pairs), Side("products", grouped)], chosen.rounds, warm=0)
    share = both[1].median / both[0].median
    lines = [[timing.side.name, timing.median] for timing in both]
    title = f"{rows} x {chosen.dimension}, {IMAGES} images a product, {threads} threads: products add {share:.1%}"
    report("products", {"rows": rows, "share": share}, [f"{title}\n\n{table(['part', 'median s'], lines)}"])


if __name__ == "__main__":
    main()
