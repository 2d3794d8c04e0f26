"""Searching by words, and by words and a photo together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from image_similarity.errors import ImageError, UsageError
from image_similarity.models.unit_vectors import each_row, unit_length

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from image_similarity.models.choice import ModelChoice
    from image_similarity.settings import Settings
    from image_similarity.types import Progress

HALF = 0.5


@dataclass(frozen=True, slots=True)
class Words:
    """What was asked for in words, and its share beside a photo: 0 is the photo alone, 1 the words alone.

    Raises:
        UsageError: there are no words, or the weight is no share.
    """

    text: str
    weight: float = HALF

    def __post_init__(self) -> None:
        if not self.text.strip():
            raise UsageError("there are no words to search for")
        if not 0 <= self.weight <= 1:
            raise UsageError(f"`text_weight` is a share from 0 to 1, not {self.weight}")


def check_words(words: Words | None, choice: ModelChoice, *, wanted: bool) -> None:
    """Before anything is read.

    Args:
        words: what was asked for in words; None for nothing.
        choice: the model.
        wanted: whether there is a question without a photo.

    Raises:
        UsageError: there is nothing to search for, or the model knows no words.
    """
    if words is not None:
        from image_similarity.models.text import text_side

        text_side(choice)
    elif wanted:
        raise UsageError("there is nothing to search for: give a photo, or words with `text`")


def words_vector(
    words: Words | None, choice: ModelChoice, settings: Settings, progress: Progress
) -> NDArray[np.float32] | None:
    """The unit vector of what was asked for in words, ``(1, dimension)``; None where nothing was.

    Raises:
        UsageError: the model knows no words, or makes nothing of these.
        WeightsError, ModelError: its side for words cannot be had.
    """
    if words is None:
        return None
    from image_similarity.models.text import load_text_model

    (row,) = each_row(load_text_model(choice, settings, progress).embed, [words.text])
    if isinstance(row, ImageError):
        raise UsageError(f"the words {words.text!r} cannot be used: {row.reason}")
    return row[None]


def query_vector(
    text: NDArray[np.float32] | None, photo: NDArray[np.float32] | None, words: Words | None
) -> NDArray[np.float32]:
    """What to search with: ``weight * text + (1 - weight) * photo``, all of unit length, ``(1, dimension)``.

    Its cosine with an image ranks as the weighted sum of the two cosines does. Where there is but one of them, that.
    """
    if text is None or photo is None or words is None:
        (alone,) = (vector for vector in (text, photo) if vector is not None)
        return alone
    return unit_length((words.weight * text + (1 - words.weight) * photo).astype(np.float32), "the query")
