"""From sorted image hits to products, many questions at once: no product twice, the question's own left out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from image_similarity.neighbours.packed_scores import SCORE_STEPS

NOTHING = np.iinfo(np.int64).max


def first_of_each_product(products: NDArray[np.integer], scores: NDArray[np.floating], number: int) -> NDArray[np.intp]:
    """The places of the best hit of each of the ``number`` best products of each line, best first.

    Args:
        products: ``(questions, hits)``, the product of each hit; -1 for a hit that does not count.
        scores: ``(questions, hits)``, -1 to 1.
        number: products wanted.

    Returns:
        ``(questions, number)``, -1 after the last product; no wider than there are hits.
    """
    hits = products.shape[1]
    number = int(min(number, hits))
    places = np.arange(hits, dtype=np.int64)
    place_bits = hits.bit_length()
    product_bits = int(products.max(initial=0)).bit_length()
    # Score upside down, product, place in one integer: equal scores fall to the smaller product, then to the first pair
    # of pictures. 21 bits of score leave room for a million products and two million hits.
    below = np.rint((1 - np.clip(scores, -1, 1)) * SCORE_STEPS).astype(np.int64)
    ranked = (below << (product_bits + place_bits)) | (products.astype(np.int64) << place_bits) | places
    ranked[products < 0] = NOTHING
    ranked.sort(axis=1)
    nothing = ranked == NOTHING
    # Now by product, the better hit first: the first of each run is the one that counts.
    by_product = (((ranked >> place_bits) & ((1 << product_bits) - 1)) << place_bits) | places
    by_product[nothing] = NOTHING
    by_product.sort(axis=1)
    first = by_product != NOTHING
    first[:, 1:] &= (by_product[:, 1:] >> place_bits) != (by_product[:, :-1] >> place_bits)
    ranks = np.sort(np.where(first, by_product & ((1 << place_bits) - 1), hits), axis=1)[:, :number]
    known = ranks < hits
    found = np.full((len(products), number), -1, np.intp)
    chosen = np.take_along_axis(ranked, np.where(known, ranks, 0), axis=1) & ((1 << place_bits) - 1)
    found[:, : ranks.shape[1]] = np.where(known, chosen, -1)
    return found
