"""The protocol: eight seeded halves of the products; learn on one, ask among the images of the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from shop import Shop

Array = np.ndarray[Any, Any]
HALVES, SEED = 8, 0
QUESTIONS = ("leave one image out", "own colour left out", "main shots, own colour left out")
# Learns from vectors and products of one half; the returned function turns any vectors into unit vectors.
Learner = Callable[[Array, Array], Callable[[Array], Array]]


@dataclass(frozen=True)
class Half:
    """Rows to learn from and rows to test on. No product has rows in both."""

    learn: Array
    test: Array


def halves(shop: Shop, count: int = HALVES) -> Iterator[Half]:
    """Half of all products by chance, seeded; all images of a product are on one side."""
    random, names = np.random.default_rng(SEED), np.unique(shop.product)
    for _ in range(count):
        chosen = random.permutation(names)[: len(names) // 2]
        inside = np.isin(shop.product, chosen)
        yield Half(np.flatnonzero(inside), np.flatnonzero(~inside))


def r_at_1(vectors: Array, shop: Shop, rows: Array) -> dict[str, float]:
    """The share of images whose nearest other image of the test half is of the same product, for each question.

    Args:
        vectors: of the test half alone, ``(rows, dimension)``, unit length.
        shop: the catalogue.
        rows: which of its images these are.
    """
    return by_scores(vectors @ vectors.T, shop, rows)


def by_scores(scores: Array, shop: Shop, rows: Array) -> dict[str, float]:
    """The same from similarities ``(rows, rows)``. Own colour left out: every image, of whatever product, whose colour
    attribute is that of the asking image."""
    product, colour, main = shop.product[rows], shop.colour[rows], shop.shot[rows] == "main"
    same, another = product[:, None] == product, colour[:, None] != colour
    others, shots = ~np.eye(len(rows), dtype=bool), main[:, None] & main
    figures = [_share(scores, same, allowed) for allowed in (others, another, another & shots)]
    return dict(zip(QUESTIONS, figures, strict=True))


def _share(scores: Array, same: Array, allowed: Array) -> float:
    asking = (same & allowed).any(axis=1)
    best = np.where(allowed, scores, -np.inf).argmax(axis=1)
    return float(same[np.arange(len(same)), best][asking].mean())
