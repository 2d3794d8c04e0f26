"""Keeps the served models up to date with the store, whether this service, another one or a fit writes to it.

A small change is visible within a fraction of a second, in the delta index beside the main one. The main index is
rebuilt in a separate process, so that searches are not slowed down: when the delta has grown, or when something has
changed that the delta cannot hold and no fit is about to rebuild the index itself.
"""

from __future__ import annotations

import logging
from threading import Event, Thread
from time import monotonic
from typing import TYPE_CHECKING

from image_similarity.service.answering.index_builder import start_index_build
from image_similarity.settings import Folders
from image_similarity.store import Database

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

    from image_similarity.dataset import Dataset
    from image_similarity.service.answering.model_switch import ModelSwitch
    from image_similarity.service.answering.served_model import ServedModel
    from image_similarity.service.background import Health
    from image_similarity.settings import Settings

INTERVAL = 0.2  # seconds between two checks of the store
PAUSE, LONGEST_PAUSE = 4.0, 0.4  # multiple of the time that a check took, and seconds at most
QUIET = 10.0  # seconds without a change before the service rebuilds an outdated index itself
RETRY = 60.0  # seconds before a failed build is tried again
REFRESH = "refreshing the index"
LOG = logging.getLogger(__name__)


class Refresh:
    """A thread that refreshes the served models and their indexes. Use :meth:`start` and :meth:`stop`.

    Args:
        switch: the served models.
        dataset: the one that they serve.
        settings: where the workspace is.
        most: products in the delta before the index is rebuilt.
        health: records success and failure.
    """

    def __init__(self, switch: ModelSwitch, dataset: Dataset, settings: Settings, most: int, health: Health) -> None:
        self._switch, self._dataset, self._settings, self._most = switch, dataset, settings, most
        self._health = health
        self._wake_up, self._stopped = Event(), Event()
        self._thread = Thread(target=self._run, name="refresh", daemon=True)
        self._generation, self._since, self._not_before = 0, monotonic(), 0.0
        self._builder: BaseProcess | None = None

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the thread; an unfinished build of an index is cancelled."""
        self._stopped.set()
        self._wake_up.set()
        self._thread.join()
        if self._builder is not None:
            self._builder.kill()
            self._builder.join()

    def wake(self) -> None:
        """Check the store at once, after a write."""
        self._wake_up.set()

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                self._check_repeatedly()
            except Exception as error:  # of any kind: the current state keeps answering
                self._stopped.wait(self._health.failed(REFRESH, error))

    def _check_repeatedly(self) -> None:
        path = Folders(self._settings.root).database
        with Database(path, self._dataset, timeout=self._settings.lock_timeout) as database:
            while not self._stopped.is_set():
                self._wake_up.wait(INTERVAL)
                self._wake_up.clear()
                began = monotonic()
                self._check(database)
                self._health.succeeded(REFRESH)
                # Under continuous writes, most of the time is left to searches.
                self._stopped.wait(min(LONGEST_PAUSE, PAUSE * (monotonic() - began)))

    def _check(self, database: Database) -> None:
        generation = database.generation()
        if generation != self._generation:
            self._generation, self._since = generation, monotonic()
        self._switch.update()
        models = self._switch.now.models
        for model in models:
            model.collection.refresh()
        self._check_builder()
        outdated = next((model for model in models if self._needs_build(model)), None)
        if outdated is not None and self._builder is None and monotonic() >= self._not_before:
            self._builder = start_index_build(outdated.collection.model.choice, self._dataset, self._settings)

    def _needs_build(self, model: ServedModel) -> bool:
        delta = model.state.delta
        quiet = monotonic() - self._since > QUIET
        return len(delta.products) > self._most or (delta.needs_rebuild and quiet)

    def _check_builder(self) -> None:
        builder = self._builder
        if builder is None or builder.is_alive():
            return
        builder.join()
        self._builder = None
        if builder.exitcode:
            LOG.error("an index could not be built (exit code %s); retried in a minute", builder.exitcode)
            self._not_before = monotonic() + RETRY
