"""``--like shape`` and ``--like colour``, nothing learned: the whole shop asks, through the package's own weighing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import protocol

import shop as shops
from image_similarity.models.table import model_spec
from image_similarity.search.chosen import Chosen
from image_similarity.search.part_weights import weighing

MODELS: dict[str, Mapping[str, float]] = {
    "colour-shape": {"colour-shape": 1},
    "mobilenetv2 + 0.2 colour": {"mobilenetv2": 1, "colours": 0.2},
    "mobilenetv2 + 0.1 colour-shape": {"mobilenetv2": 1, "colour-shape": 0.1},
    "inception + 0.2 colour": {"inception": 1, "colours": 0.2},
    "mobilenetv2 at 448 pixels + 0.2 colour": {"mobilenetv2:448": 1, "colours": 0.2},
    "mobilenetv2 at 448 pixels + 0.1 colour-shape": {"mobilenetv2:448": 1, "colour-shape": 0.1},
    "mobilenetv2 at 448 pixels + 0.1 colour-shape + 0.2 colour": {
        "mobilenetv2:448": 1,
        "colour-shape": 0.1,
        "colours": 0.2,
    },
}


def like(shop: shops.Shop, vectors: shops.Vectors) -> Iterator[tuple[str, dict[str, float]]]:
    """For each mixture: the share of `main` shots that find their product in another colour, with all parts and with
    ``shape``; the share of images whose first answer has their own colour attribute, with all and with ``colour``."""
    rows = np.arange(len(shop.files))
    for name, parts in MODELS.items():
        choices = tuple(vectors.choice(part) for part in parts)
        model = Chosen(name, choices, tuple(model_spec(each) for each in choices), tuple(parts.values()))
        joined = model.recipe().joined([vectors[part] for part in parts])
        scores = {each: weighing(each, model)(joined) @ joined.T for each in (None, "shape", "colour")}
        main = {each: list(protocol.by_scores(scores[each], shop, rows).values())[2] for each in (None, "shape")}
        own = {each: _own_colour(scores[each], shop) for each in (None, "colour")}
        yield (
            name,
            {
                "`main`, own colour out": main[None],
                "the same, `--like shape`": main["shape"],
                "own colour first": own[None][0],
                "the same, `--like colour`": own["colour"][0],
                "the same, own product left out": own["colour"][1],
            },
        )


def _own_colour(scores: shops.Array, shop: shops.Shop) -> tuple[float, float]:
    """Of the images of a colour that others have too: whose first answer has it; and with its own product left out."""
    alike = shop.colour[:, None] == shop.colour
    others = ~np.eye(len(scores), dtype=bool)
    foreign = shop.product[:, None] != shop.product
    shares = []
    for allowed in (others, foreign):
        asking = (alike & allowed).any(axis=1)
        first = np.where(allowed, scores, -np.inf).argmax(axis=1)
        shares.append(float(alike[np.arange(len(scores)), first][asking].mean()))
    return shares[0], shares[1]
