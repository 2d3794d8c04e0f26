"""An index built in a process of its own, so that it takes no time from the answers."""

from __future__ import annotations

import os
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from threading import Thread
from typing import TYPE_CHECKING

from image_similarity.index import open_index
from image_similarity.models import resolve
from image_similarity.settings import Folders
from image_similarity.store import Database, FeatureStore

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

    from image_similarity.dataset import Dataset
    from image_similarity.options import ModelChoice
    from image_similarity.settings import Settings

NICE = 10  # answers come first


def begin_to_build(choice: ModelChoice, dataset: Dataset, settings: Settings) -> BaseProcess:
    """Bring a dataset's index up to date. Not forked: nothing of this process's threads and networks goes with it."""
    builder = get_context("spawn").Process(target=_build, args=(choice, dataset, settings), daemon=True)
    builder.start()
    return builder


def _end_with_parent() -> None:
    """A service that was killed has nobody left to ask this index: the next one builds its own."""
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _build(choice: ModelChoice, dataset: Dataset, settings: Settings) -> None:
    Thread(target=_end_with_parent, name="parent", daemon=True).start()
    if hasattr(os, "nice"):
        os.nice(NICE)
    with Database(Folders(settings.root).database, dataset, timeout=settings.lock_timeout) as database:
        recipe = resolve(choice, dataset, settings, FeatureStore(database).has_networks_of).recipe
        open_index(recipe, database, settings, None)
