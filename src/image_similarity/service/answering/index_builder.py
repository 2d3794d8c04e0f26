"""Builds an index in a separate process, so that searches are not slowed down."""

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

NICE = 10  # searches have priority


def start_index_build(choice: ModelChoice, dataset: Dataset, settings: Settings) -> BaseProcess:
    """Start to bring a dataset's index up to date. Spawned, not forked: threads and networks must not be copied."""
    builder = get_context("spawn").Process(target=_build, args=(choice, dataset, settings), daemon=True)
    builder.start()
    return builder


def _end_with_parent() -> None:
    """Exit when the service has been killed: the next service builds its own index."""
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
