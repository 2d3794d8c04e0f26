"""Licences that forbid commercial use: said once for each workspace and model."""

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
    """What is to be said of the licences of a model that is about to be used."""
    for spec in model.specs:
        if not spec.commercial_use:
            yield from first_warning(spec.name, spec.licence, settings)


def first_warning(name: str, licence: str, settings: Settings) -> Iterator[str]:
    """That a model must not be used commercially, unless this workspace was told before."""
    from image_similarity.models.model_folder import ModelFolder

    shelf = ModelFolder(Folders(settings.root).models)
    with suppress(ImageSimilarityError):  # a lock that cannot be read or written: said again next time
        if shelf.has_told(name):
            return
        shelf.tell(name)
    yield f"the licence of {name} forbids commercial use: {licence}"
