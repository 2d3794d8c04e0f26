"""Warnings about licences that forbid commercial use, once for each workspace and model."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from image_similarity.errors import ImageSimilarityError
from image_similarity.settings import Folders

if TYPE_CHECKING:
    from collections.abc import Iterator

    from image_similarity.models.model import Model
    from image_similarity.settings import Settings


def warnings_of(model: Model, settings: Settings) -> Iterator[str]:
    """The warnings about the licences of a model's parts, each only the first time."""
    for spec in model.specs:
        if not spec.commercial_use:
            yield from first_warning(spec.name, spec.licence, settings)


def first_warning(name: str, licence: str, settings: Settings) -> Iterator[str]:
    """The warning that a model must not be used commercially, unless this workspace has given it before."""
    from image_similarity.models.model_folder import ModelFolder

    folder = ModelFolder(Folders(settings.root).models)
    with suppress(ImageSimilarityError):  # where the lock cannot be read or written, the warning is repeated next time
        if folder.was_warned(name):
            return
        folder.add_warned(name)
    yield f"the licence of {name} forbids commercial use: {licence}"
