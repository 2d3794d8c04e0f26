"""The errors that people see. Each says what happened, where, and what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from image_similarity.types import Stage

SOME_FAILED = 3
"""The exit code of a run that went to its end, but could not use every image."""

BELOW_BAR = 4
"""The exit code of an evaluation that went to its end, but found a model below a bar that it had to reach."""


class ImageSimilarityError(Exception):
    """The base of every error that this package raises on purpose. ``exit_code`` is the command line's.

    >>> from image_similarity import ImageSimilarityError
    >>> try:
    ...     workspace.search("shop", "missing.jpg")
    ... except ImageSimilarityError as error:
    ...     print(error)
    the photo missing.jpg cannot be used: No such file or directory
    """

    exit_code = 1


class UsageError(ImageSimilarityError):
    """The request itself cannot be right: an unknown name, a number out of range, a dataset name that is no name."""

    exit_code = 2


class CatalogueError(ImageSimilarityError):
    """The catalogue cannot be read: no such table, no such column, a listing out of reach."""


class WeightsError(ImageSimilarityError):
    """A network's weights are missing, or are not the ones that its record names."""


class ModelError(ImageSimilarityError):
    """An embedding model cannot be built or run as described."""


class StoreError(ImageSimilarityError):
    """The feature store is locked, full, damaged or holds nothing that was asked for."""


class IndexDamagedError(StoreError):
    """An index's files are not what its manifest says. Nothing is lost: it is built again from the feature store."""


class RemovalError(ImageSimilarityError):
    """A run would take away so many products that its catalogue is more likely cut short than meant."""


class OutputError(ImageSimilarityError):
    """A result could not be written; what stood there before still stands."""


class NotFittedError(ImageSimilarityError):
    """A query was asked before the dataset was fitted with this model."""


class AdaptationError(ImageSimilarityError):
    """A catalogue has nothing to teach: too few products with several images, or it does not help the others."""


class CalibrationError(ImageSimilarityError):
    """A catalogue cannot say how sure an answer is: too few products to ask about."""


class KeysError(ImageSimilarityError):
    """The file of API keys cannot be read or is damaged. Nobody gets in until it is put right."""


class ImageError(ImageSimilarityError):
    """One image cannot be used. ``stage`` and the message become a :class:`~image_similarity.types.Failure`."""

    def __init__(self, stage: Stage, reason: str) -> None:
        super().__init__(reason)
        self.stage = stage
        self.reason = reason
