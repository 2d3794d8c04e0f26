"""Combine the vectors of a query's photos and text, and apply ``match``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from image_similarity.errors import ImageError, UsageError
from image_similarity.models import ZERO_VECTOR, is_usable, mean_vector
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
    text: Vectors | ImageError | None,
    model: Model,
) -> Vectors:
    """A query's vectors, ``(photos, dimension)``, from the vectors of its photos and its text.

    Args:
        query: the query.
        photos: for each photo the vectors ``(dimension,)`` of itself and its crops, each possibly an error.
        text: the vector of the text ``(dimension,)``, or its error; None if there is no text.
        model: the model.

    Raises:
        ImageError: a photo has no vector, or the combined vector is zero.
        UsageError: the text has no vector, or the model has no part for ``match``, or none that reads the text.
    """
    if isinstance(text, ImageError):
        raise UsageError(f"the text {query.query.text!r} cannot be used: {text.reason}")
    own = []
    for rows in photos:
        failed = next((row for row in rows if isinstance(row, ImageError)), None)
        if failed is not None:
            raise failed
        own.append(_usable(mean_vector(np.stack([row for row in rows if not isinstance(row, ImageError)]))))
    match = query.options.match
    weighted = part_weighting(match, model)
    if text is not None and not is_usable(weighted(text[None])):
        raise UsageError(f"a `text` cannot be compared by {match}: leave `match` out")
    photo = _usable(weighted(np.concatenate(own))) if own else None
    return _usable(query_vector(None if text is None else text[None], photo, query.query.text_weight))


def query_vector(text: Vectors | None, photo: Vectors | None, text_weight: float) -> Vectors:
    """``text_weight * text + (1 - text_weight) * photo``, ``(photos, dimension)``: a score is the same sum of both's.

    If one of the two is None: the other.

    Args:
        text: the vector of the text, ``(1, dimension)``.
        photo: the vectors of the photos, ``(photos, dimension)``.
        text_weight: the weight of the text, 0 to 1.
    """
    if text is None or photo is None:
        (alone,) = (vector for vector in (text, photo) if vector is not None)
        return alone
    return (text_weight * text + (1 - text_weight) * photo).astype(np.float32)


def _usable(vector: Vectors) -> Vectors:
    """The vector, checked: photos, text and weights can cancel out."""
    if not is_usable(vector):
        raise ImageError("embed", ZERO_VECTOR)
    return vector
