"""Ways of learning from a catalogue, and mixtures of models, under one protocol: the tables of docs/quality.md.

python bench/quality/run.py --cache /tmp/vectors ways --model mobilenetv2
python bench/quality/run.py --cache /tmp/vectors mixtures
python bench/quality/run.py --cache /tmp/vectors inputs
python bench/quality/run.py --cache /tmp/vectors ranking --model mobilenetv2
python bench/quality/run.py --cache /tmp/vectors like
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]
import harness  # noqa: E402
import like  # noqa: E402
import mixtures  # noqa: E402
import numpy as np  # noqa: E402
import protocol  # noqa: E402
import ranking  # noqa: E402
import ways as w  # noqa: E402

import shop as shops  # noqa: E402

Row = tuple[str, list[dict[str, float]]]


def ways(shop: shops.Shop, vectors: w.Array) -> Iterator[Row]:
    """Every way on the vectors of one model."""
    for name, way in WAYS.items():
        yield (
            name,
            [
                protocol.r_at_1(way(vectors[half.learn], shop.product[half.learn])(vectors[half.test]), shop, half.test)
                for half in protocol.halves(shop)
            ],
        )


def soft(dimensions: tuple[int, ...], shares: tuple[float, ...] = (0.0, 0.5)) -> w.Way:
    """The default: regularisation, dimension and weight of what tells products apart chosen by cross-validation."""
    return w.chosen(
        [
            w.in_components(dimension, inner) if dimension < 10_000 else inner
            for dimension in dimensions
            for regularisation in (0.1, 0.3)
            for share in shares
            for inner in [w.within_then_weighed(regularisation, share)]
        ]
    )


WAYS: dict[str, w.Way] = {
    "nothing learnt": w.plain,
    "within, 0.1 (the first experiment)": w.within(0.1),
    "within, regularisation chosen": w.chosen([w.within(r) for r in w.REGULARISATIONS]),
    "within in principal components, both chosen": w.chosen(
        [w.in_components(d, w.within(r)) for d in w.DIMENSIONS for r in w.REGULARISATIONS]
    ),
    "within, then weighed by what tells products apart (default)": soft((10_000,)),
    "the default, in 256 components or all": soft((256, 10_000)),
    "square roots, then the default": w.roots_then(soft((10_000,))),
    "within blended with total": w.chosen([w.blended(s, 0.1) for s in (0.1, 0.3, 0.5)]),
    "PCA whitening": w.chosen([w.pca_whitening(d) for d in w.DIMENSIONS]),
    "LDA": w.chosen([w.lda(d, r) for d in (32, 64) for r in (0.1, 0.5)]),
    "learned whitening (Radenovic et al.)": w.chosen([w.learned_whitening(d) for d in w.DIMENSIONS]),
    "linear head, contrastive": w.chosen([w.contrastive_head(w.plain, 128, s) for s in (30, 100)]),
    "linear head on top of within": w.chosen([w.contrastive_head(w.within(0.1), 256, s) for s in (10, 30)]),
}


def inputs(shop: shops.Shop, vectors: shops.Vectors) -> Iterator[Row]:
    """How the picture is brought to the network's square."""
    for network in shops.NETWORKS:
        for way in ("pad", "stretch", "tight", "mirrored"):
            name = f"{network}:{way}"
            yield name, [protocol.r_at_1(vectors[name][half.test], shop, half.test) for half in protocol.halves(shop)]


def table(rows: Iterator[Row]) -> tuple[str, dict[str, Any]]:
    """Means of the halves, and all of them for the file."""
    cells, figures = [], {}
    for name, found in rows:
        means = {question: float(np.mean([each[question] for each in found])) for question in protocol.QUESTIONS}
        print(f"  {time.strftime('%H:%M:%S')} {name}: {means}", file=sys.stderr, flush=True)
        cells.append([name, *(f"{mean:.3f}" for mean in means.values())])
        figures[name] = {"mean": means, "halves": found}
    return harness.table(["", *protocol.QUESTIONS], cells), figures


def main() -> None:
    """Compute, print, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("section", choices=["ways", "mixtures", "inputs", "ranking", "like"])
    parser.add_argument("--catalogue", type=Path, default=shops.SHARED / "data" / "luma")
    parser.add_argument("--cache", type=Path, default=harness.RESULTS / "vectors", help="keeps the vectors of images")
    parser.add_argument("--seed", type=int, default=protocol.SEED, help="of the halves")
    parser.add_argument("--only", default="", help="mixtures whose name holds this")
    parser.add_argument("--model", default="mobilenetv2", help="of ways and ranking; as mobilenetv2, inception:tight")
    asked = parser.parse_args()
    protocol.SEED = asked.seed
    shop = shops.read_shop(asked.catalogue)
    vectors = shops.Vectors(shop, asked.cache)
    if asked.section == "like":
        whole = dict(like.like(shop, vectors))
        header = ["", *next(iter(whole.values()))]
        cells = [[name, *(f"{value:.3f}" for value in found.values())] for name, found in whole.items()]
        harness.report("quality-like", {"rows": whole}, [harness.table(header, cells)])
        return
    if asked.section == "ways":
        rows = ways(shop, vectors[asked.model])
    elif asked.section == "ranking":
        rows = ranking.rankings(shop, vectors[asked.model])
    else:
        rows = inputs(shop, vectors) if asked.section == "inputs" else mixtures.mixtures(shop, vectors, asked.only)
    text, figures = table(rows)
    name = f"quality-{asked.section}" + (f"-{asked.model}" if asked.section in ("ways", "ranking") else "")
    name += f"-seed{asked.seed}" if asked.seed else ""
    harness.report(name, {"rows": figures, "seed": protocol.SEED}, [text])


if __name__ == "__main__":
    main()
