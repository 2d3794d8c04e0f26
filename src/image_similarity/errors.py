"""The package's errors. Each message says what happened, where, and what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from image_similarity.types import Stage

SOME_FAILED = 3
"""The exit code of a run that finished, but could not use every image."""

BELOW_BAR = 4
"""The exit code of an evaluation that finished, but found a model below a required threshold."""


class ImageSimilarityError(Exception):
    """The base class of all errors that this package raises. Its text says what to do; ``exit_code`` is the command's.

    >>> from image_similarity import ImageSimilarityError
    >>> try:
    ...     workspace.search("shop", "missing.jpg")
    ... except ImageSimilarityError as error:
    ...     print(error)
    the photo missing.jpg cannot be used: No such file or directory
    """

    exit_code = 1


class UsageError(ImageSimilarityError):
    """The request is invalid: an unknown name, a number out of range, a photo that cannot be decoded."""

    exit_code = 2


class CatalogueError(ImageSimilarityError):
    """The catalogue cannot be read: a missing table or column, or a listing that cannot be reached."""


class WeightsError(ImageSimilarityError):
    """A network's weights are missing, or their digest differs from the expected one."""


class ModelError(ImageSimilarityError):
    """An embedding model cannot be built or run."""


class StoreError(ImageSimilarityError):
    """The feature store is locked, full or damaged, or does not contain what is needed."""


class IndexDamagedError(StoreError):
    """An index's files do not agree with its manifest. Nothing is lost: it is rebuilt from the feature store."""


class RemovalError(ImageSimilarityError):
    """A run would remove so many products that its catalogue is probably incomplete."""


class OutputError(ImageSimilarityError):
    """A result could not be written; the previous file is unchanged."""


class NotFittedError(ImageSimilarityError):
    """The dataset is not fitted with this model, or a step that the request needs was not run."""


class AdaptationError(ImageSimilarityError):
    """Adaptation failed: too few products have several images, or it does not improve held-out products."""


class CalibrationError(ImageSimilarityError):
    """Calibration failed: the catalogue has too few products with a readable image."""


class KeysError(ImageSimilarityError):
    """The file of API keys cannot be read or is damaged. All requests are rejected until it is repaired."""


class ImageError(ImageSimilarityError):
    """One image cannot be used. ``stage`` and ``reason`` become a :class:`~image_similarity.types.Failure`."""

    def __init__(self, stage: Stage, reason: str) -> None:
        super().__init__(reason)
        self.stage = stage
        self.reason = reason
