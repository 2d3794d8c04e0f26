"""The vector that a query searches with: its photos', its words', or both, and only the parts that count."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from image_similarity.errors import ImageError, UsageError
from image_similarity.models import NOTHING, is_usable, mean_vector, unit_length
from image_similarity.search.part_weights import part_weighting

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from image_similarity.models import Model
    from image_similarity.search.prepared_query import PreparedQuery

    Vectors = NDArray[np.float32]


def search_vectors(
    query: PreparedQuery,
    photos: Sequence[Sequence[Vectors | ImageError]],
    words: Vectors | ImageError | None,
    model: Model,
) -> Vectors:
    """A query's vectors, ``(photos, dimension)``, out of what the network makes of it.

    Args:
        query: what is searched for.
        photos: of each photo the vectors ``(dimension,)`` of itself and of its crops, or why there is none.
        words: the vector of the text ``(dimension,)``, or why there is none; None where there is no text.
        model: the model.

    Raises:
        ImageError: the network makes nothing of a photo, or nothing is left of it.
        UsageError: the same for the text; or the model has no part that alone counts.
    """
    if isinstance(words, ImageError):
        raise UsageError(f"the words {query.query.text!r} cannot be used: {words.reason}")
    own = []
    for rows in photos:
        failed = next((row for row in rows if isinstance(row, ImageError)), None)
        if failed is not None:
            raise failed
        own.append(_usable(mean_vector(np.stack([row for row in rows if not isinstance(row, ImageError)]))))
    text = None if words is None else words[None]
    vector = query_vector(text, np.concatenate(own) if own else None, query.query.text_weight)
    return _usable(part_weighting(query.options.match, model)(vector))


def query_vector(text: Vectors | None, photo: Vectors | None, text_weight: float) -> Vectors:
    """``text_weight * text + (1 - text_weight) * photo``, of unit length, ``(photos, dimension)``.

    Its cosine with an image ranks as the weighted sum of the two cosines does. Where there is but one of them, that.

    Args:
        text: the unit vector of the words, ``(1, dimension)``.
        photo: the unit vectors of the photos, ``(photos, dimension)``.
        text_weight: the share of the words, 0 to 1.
    """
    if text is None or photo is None:
        (alone,) = (vector for vector in (text, photo) if vector is not None)
        return alone
    return unit_length((text_weight * text + (1 - text_weight) * photo).astype(np.float32), "the query")


def _usable(vector: Vectors) -> Vectors:
    """What is to be searched with, which is like nothing where photos, words and weights leave nothing of it."""
    if not is_usable(vector):
        raise ImageError("embed", NOTHING)
    return vector
