"""The warning about licences that forbid commercial use: once for each workspace and model."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from image_similarity.cli.terminal import say
from image_similarity.errors import ImageSimilarityError
from image_similarity.settings import Folders

if TYPE_CHECKING:
    from image_similarity.models.choice import ModelChoice
    from image_similarity.settings import Settings


def warn_once(name: str, licence: str, commercial_use: bool, settings: Settings) -> None:
    """Say that a model must not be used commercially, unless this workspace was told before."""
    if commercial_use:
        return
    from image_similarity.models.model_folder import Shelf

    shelf = Shelf(Folders(settings.root).models)
    with suppress(ImageSimilarityError):  # a lock that cannot be read or written: said again next time
        if shelf.has_told(name):
            return
        shelf.tell(name)
    say(f"warning: the licence of {name} forbids commercial use: {licence}")


def warn_of(choice: ModelChoice, settings: Settings) -> None:
    """The same for a model that a command is about to use; one that cannot be had is that command's to name."""
    from image_similarity.models.table import base_spec, parts_of

    with suppress(ImageSimilarityError):
        for part in parts_of(choice.within(settings)):
            spec = base_spec(part)
            warn_once(spec.name, spec.licence, spec.commercial_use, settings)
