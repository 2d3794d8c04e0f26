"""Models side by side: each part of unit length, scaled by the root of its weight, joined, of unit length again.

A weight is thus the part's share in the similarity. Where a mixture has several weightings, one is chosen by
cross-validation over the products that are learned from, together with what the learning itself has to choose.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import protocol
import ways as w

import shop as shops

MORE = ":pad+mirrored+tight"  # the mean vector of three inputs
MANY = ":pad+mirrored+tight+stretch"


@dataclass(frozen=True)
class Mixture:
    """Names of parts with their weights; ``colour`` are weights to choose among for the parts that count colours."""

    parts: Mapping[str, float]
    colour: Sequence[float] = (1.0,)
    apart: bool = False  # each part whitened alone, then joined
    settings: Sequence[tuple[float, float]] = ((0.1, 0.0), (0.1, 0.5), (0.3, 0.5))  # regularisation, share


MIXTURES: dict[str, Mixture] = {
    "mobilenetv2 + 0.1 lab": Mixture({"mobilenetv2": 1, "lab": 0.1}, settings=((0.1, 0.0),)),
    "lab-fine": Mixture({"lab-fine": 1}),
    "mobilenetv2, three inputs": Mixture({"mobilenetv2" + MORE: 1}),
    "mobilenetv2, four inputs": Mixture({"mobilenetv2" + MANY: 1}),
    "mobilenetv2, padded beside stretched": Mixture({"mobilenetv2": 1, "mobilenetv2:stretch": 1}),
    "mobilenetv2 at 448 pixels": Mixture({"mobilenetv2:448": 1}),
    "mobilenetv2 at 448 pixels + lab-fine": Mixture({"mobilenetv2:448": 1, "lab-fine": 1}, (0.1, 0.2, 0.4)),
    "mobilenetv2 at 448 pixels + inception + lab-fine": Mixture(
        {"mobilenetv2:448": 1, "inception": 1, "lab-fine": 2}, (0.1, 0.2, 0.4)
    ),
    "mobilenetv2 at 448 pixels + colour-shape's three parts": Mixture(
        {"mobilenetv2:448": 1, "shape": 0.1, "colour": 1, "layout": 0.1}, (0.1, 0.3)
    ),
    "mobilenetv2 + inception + googlenet": Mixture({"mobilenetv2": 1, "inception": 1, "googlenet": 0.5}),
    "mobilenetv2 + colour-shape": Mixture({"mobilenetv2": 1, "colour-shape": 1}, (0.1, 0.3, 1.0)),
    "mobilenetv2 + inception + colour-shape's three parts": Mixture(
        {"mobilenetv2": 1, "inception": 1, "shape": 0.1, "colour": 1, "layout": 0.1}, (0.1, 0.3)
    ),
    "mobilenetv2 + lab": Mixture({"mobilenetv2": 1, "lab": 1}, (0.1, 0.2, 0.4)),
    "colour": Mixture({"colours": 1}),
    "mobilenetv2 + colour": Mixture({"mobilenetv2": 1, "colours": 1}, (0.1, 0.2, 0.4)),
    "mobilenetv2 at 448 pixels + colour": Mixture({"mobilenetv2:448": 1, "colours": 1}, (0.1, 0.2, 0.4)),
    "mobilenetv2 at 448 pixels + inception + colour": Mixture(
        {"mobilenetv2:448": 1, "inception": 1, "colours": 2}, (0.1, 0.2, 0.4)
    ),
    "mobilenetv2 at 448 pixels + inception + colour + colour-shape": Mixture(
        {"mobilenetv2:448": 1, "inception": 1, "colours": 2, "shape": 0.1}, (0.1, 0.2, 0.4)
    ),
    "mobilenetv2 + lab-fine": Mixture({"mobilenetv2": 1, "lab-fine": 1}, (0.1, 0.2, 0.4)),
    "mobilenetv2 + lab-fine, each whitened alone": Mixture({"mobilenetv2": 1, "lab-fine": 1}, (0.3, 0.6), True),
    "inception + lab-fine + shape": Mixture({"inception": 1, "lab-fine": 1, "shape": 0.2}, (0.1, 0.2, 0.4)),
    "inception + lab-fine + colour-shape": Mixture(
        {"inception": 1, "lab-fine": 1, "colour-shape": 0.2}, (0.1, 0.2, 0.4)
    ),
    "inception + lab-fine": Mixture({"inception": 1, "lab-fine": 1}, (0.1, 0.2, 0.4)),
    "mobilenetv2 + inception + lab-fine": Mixture({"mobilenetv2": 1, "inception": 1, "lab-fine": 2}, (0.1, 0.2, 0.4)),
    "the same + lab-thirds": Mixture(
        {"mobilenetv2": 1, "inception": 1, "lab-fine": 2, "lab-thirds": 1}, (0.1, 0.2, 0.4)
    ),
    "the same, three inputs of each network": Mixture(
        {"mobilenetv2" + MORE: 1, "inception" + MORE: 1, "lab-fine": 2, "lab-thirds": 1}, (0.1, 0.2, 0.4)
    ),
    "the same + googlenet + shape": Mixture(
        {
            "mobilenetv2" + MORE: 1,
            "inception" + MORE: 1,
            "googlenet" + MORE: 0.5,
            "lab-fine": 2,
            "lab-thirds": 1,
            "shape": 0.3,
        },
        (0.1, 0.2, 0.4),
    ),
}


def mixtures(shop: shops.Shop, vectors: shops.Vectors, only: str = "") -> Iterator[tuple[str, list[dict[str, float]]]]:
    """Each mixture before and after learning; before, with the first of its weightings."""
    for name, mixture in MIXTURES.items():
        if only not in name:
            continue
        parts = [compact(vectors[part]) for part in mixture.parts]
        weightings = [_weights(mixture, colour) for colour in mixture.colour]
        joined = np.concatenate(parts, axis=1)
        if not mixture.apart:
            joined = np.concatenate([compact(_joined(parts, weights)) for weights in weightings], axis=1)
        learnt = w.chosen(
            [_way(mixture, at, setting, weightings) for at in range(len(weightings)) for setting in mixture.settings]
        )
        plain = _joined(parts, weightings[0])
        before, after = [], []
        for half in protocol.halves(shop):
            before.append(protocol.r_at_1(plain[half.test], shop, half.test))
            turn = learnt(joined[half.learn], shop.product[half.learn])
            after.append(protocol.r_at_1(turn(joined[half.test]), shop, half.test))
        yield name, before
        yield f"{name}, learnt", after


def compact(vectors: w.Array) -> w.Array:
    """The same vectors in as many numbers as there are images: turned, so that no angle and no length changes.

    Whitening and its kin ask for inner products only, and so give the same answers, many times sooner.
    """
    values, axes = np.linalg.eigh(vectors.astype(np.float64) @ vectors.T)
    return axes * np.sqrt(np.maximum(values, 1e-12))


def _joined(parts: Sequence[w.Array], weights: Sequence[float]) -> w.Array:
    return w.unit(np.concatenate([np.sqrt(weight) * part for weight, part in zip(weights, parts, strict=True)], axis=1))


def _weights(mixture: Mixture, colour: float) -> list[float]:
    return [weight * (colour if name.startswith(("lab", "colour")) else 1.0) for name, weight in mixture.parts.items()]


def _way(mixture: Mixture, at: int, setting: tuple[float, float], weightings: list[list[float]]) -> w.Way:
    """One weighting with one setting. The vectors are all weightings side by side, or the parts."""
    inner = w.within_then_weighed(*setting)
    count = len(mixture.parts) if mixture.apart else len(weightings)

    def together(vectors: w.Array, product: w.Array) -> w.Turn:
        learnt = inner(np.split(vectors, count, axis=1)[at], product)
        return lambda asked: learnt(np.split(asked, count, axis=1)[at])

    def apart(vectors: w.Array, product: w.Array) -> w.Turn:
        learnt = [inner(part, product) for part in np.split(vectors, count, axis=1)]
        return lambda asked: _joined(
            [turn(part) for turn, part in zip(learnt, np.split(asked, count, axis=1), strict=True)], weightings[at]
        )

    return apart if mixture.apart else together
