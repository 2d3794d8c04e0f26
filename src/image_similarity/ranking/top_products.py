"""The best hit of each product, for many queries at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from image_similarity.neighbours import MAX_PACKED, Packing, distances


def first_of_each_product(products: NDArray[np.integer], scores: NDArray[np.floating], number: int) -> NDArray[np.intp]:
    """The columns of the best hits of the ``number`` best products of each query, best first.

    Args:
        products: ``(queries, hits)``, the product of each hit; -1 for a hit that does not count.
        scores: ``(queries, hits)``, -1 to 1.
        number: products per query.

    Returns:
        ``(queries, min(number, hits))``, -1 after the last product.
    """
    hits = products.shape[1]
    number = int(min(number, hits))
    places = np.arange(hits, dtype=np.int64)
    # Ties go to the smaller product, then to the first pair of images. 21 bits of distance leave room for a million
    # products and two million hits.
    with_distance = Packing(int(products.max(initial=0)).bit_length(), hits.bit_length())
    alone = Packing(hits.bit_length())
    ranked = with_distance.pack(distances(scores), products, places)
    ranked[products < 0] = MAX_PACKED
    ranked.sort(axis=1)
    nothing = ranked == MAX_PACKED
    # Sorted by product, better hits first: the first of each run is the product's best.
    by_product = alone.pack(with_distance.part(1, ranked), places)
    by_product[nothing] = MAX_PACKED
    by_product.sort(axis=1)
    first = by_product != MAX_PACKED
    first[:, 1:] &= alone.part(0, by_product[:, 1:]) != alone.part(0, by_product[:, :-1])
    ranks = np.sort(np.where(first, alone.part(1, by_product), hits), axis=1)[:, :number]
    filled = ranks < hits
    found = np.full((len(products), number), -1, np.intp)
    chosen = with_distance.part(2, np.take_along_axis(ranked, np.where(filled, ranks, 0), axis=1))
    found[:, : ranks.shape[1]] = np.where(filled, chosen, -1)
    return found
