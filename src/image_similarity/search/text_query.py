"""Searching by words, and by words and a photo together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from image_similarity.models import unit_length

if TYPE_CHECKING:
    from numpy.typing import NDArray


def query_vector(
    text: NDArray[np.float32] | None, photo: NDArray[np.float32] | None, text_weight: float
) -> NDArray[np.float32]:
    """What to search with: ``text_weight * text + (1 - text_weight) * photo``, of unit length, ``(photos, dimension)``.

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
