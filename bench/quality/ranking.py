"""Orders of the same vectors: hubness taken away, the gallery smoothed; with nothing learnt and after whitening."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import protocol
import ways as w

import shop as shops

Order = Callable[[w.Array], w.Array]  # unit vectors to similarities


def cosine(vectors: w.Array) -> w.Array:
    """As they are."""
    return vectors @ vectors.T


def csls(near: int) -> Order:
    """Less the mean similarity to the nearest of either side (Conneau et al., ICLR 2018): against hubs."""

    def order(vectors: w.Array) -> w.Array:
        scores = vectors @ vectors.T
        np.fill_diagonal(scores, -np.inf)
        hub = np.sort(scores, axis=1)[:, -near:].mean(axis=1)
        return 2 * scores - hub[:, None] - hub

    return order


def smoothed(near: int, power: float) -> Order:
    """Every image moved towards its neighbours in the gallery, weighed by similarity (Radenovic et al., alpha-QE)."""

    def order(vectors: w.Array) -> w.Array:
        scores = np.maximum(vectors @ vectors.T, 0)
        cut = np.sort(scores, axis=1)[:, -near - 1 : -near]
        turned = w.unit(np.where(scores >= cut, scores, 0) ** power @ vectors)
        return turned @ turned.T

    return order


ORDERS: dict[str, Order] = {"cosine": cosine, "CSLS, 10 nearest": csls(10), "CSLS, 3 nearest": csls(3)}
ORDERS |= {"gallery smoothed, 2 nearest": smoothed(2, 3), "gallery smoothed, 5 nearest": smoothed(5, 3)}


def rankings(shop: shops.Shop, vectors: w.Array) -> Iterator[tuple[str, list[dict[str, float]]]]:
    """Each order with nothing learnt, and after whitening within products."""
    for learnt, way in (("nothing learnt", w.plain), ("within, 0.1", w.within(0.1))):
        turned = [
            way(vectors[half.learn], shop.product[half.learn])(vectors[half.test]) for half in protocol.halves(shop)
        ]
        for name, order in ORDERS.items():
            yield (
                f"{learnt}; {name}",
                [
                    protocol.by_scores(order(each), shop, half.test)
                    for each, half in zip(turned, protocol.halves(shop), strict=True)
                ],
            )
