"""An index built in a process of its own, so that it takes no time from the answers."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from image_similarity.features.database import Database
from image_similarity.index.build import fitted_views
from image_similarity.jobs.chosen import chosen
from image_similarity.settings import Folders

if TYPE_CHECKING:
    from image_similarity.dataset import Dataset
    from image_similarity.embedding.choice import ModelChoice
    from image_similarity.settings import Settings

NICE = 10  # answers come first


def build_index(choice: ModelChoice, dataset: Dataset, settings: Settings) -> None:
    """Bring a dataset's index up to date; what a new process is given to do."""
    if hasattr(os, "nice"):
        os.nice(NICE)
    with Database(Folders(settings.root).database, dataset, timeout=settings.lock_timeout) as database:
        model = chosen(choice, database, dataset, settings)
        model.index(database, settings, fitted_views(database, Folders(settings.root).index, model.recipe()))
