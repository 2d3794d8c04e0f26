"""Keeps what answers up to date with the store, whoever writes to it: this service, another one, or a fit beside it.

A small change shows within a fraction of a second, as a small index beside the large one. The large one is built anew
in a process of its own, so that it takes no time from the answers: when the small one has grown, or when something has
changed that only a whole index can tell and no fit is at work on that.
"""

from __future__ import annotations

import logging
from threading import Event, Thread
from time import monotonic
from typing import TYPE_CHECKING

from image_similarity.service.answering.index_builder import begin_to_build
from image_similarity.settings import Folders
from image_similarity.store import Database

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

    from image_similarity.dataset import Dataset
    from image_similarity.service.answering.model_switch import ModelSwitch
    from image_similarity.service.answering.served_model import ServedModel
    from image_similarity.service.background import Health
    from image_similarity.settings import Settings

LOOK = 0.2  # seconds between two looks at the store
SHARE, LONGEST = 4.0, 0.4  # times as long as a look took until the next; seconds
QUIET = 10.0  # seconds without a change before a state that nobody has indexed is taken for one that nobody will
AGAIN = 60.0  # seconds before a build that failed is tried again
UPDATES = "taking up what was put"
LOG = logging.getLogger(__name__)


class Refresh:
    """A thread that looks after the models that answer, and what they answer from. Use :meth:`start` and :meth:`stop`.

    Args:
        switch: who answers.
        dataset: whose.
        settings: where the workspace is.
        most: products beside the index before it is built anew.
        health: is told how it fares.
    """

    def __init__(self, switch: ModelSwitch, dataset: Dataset, settings: Settings, most: int, health: Health) -> None:
        self._switch, self._dataset, self._settings, self._most = switch, dataset, settings, most
        self._health = health
        self._wanted, self._stopped = Event(), Event()
        self._thread = Thread(target=self._run, name="refresh", daemon=True)
        self._generation, self._since, self._not_before = 0, monotonic(), 0.0
        self._builder: BaseProcess | None = None

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End; an index that is being built is given up, and built by whoever comes next."""
        self._stopped.set()
        self._wanted.set()
        self._thread.join()
        if self._builder is not None:
            self._builder.kill()
            self._builder.join()

    def look_now(self) -> None:
        """Something was written: look at once."""
        self._wanted.set()

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                self._keep_looking()
            except Exception as error:  # whatever it is: the state before goes on answering
                self._stopped.wait(self._health.failed(UPDATES, error))

    def _keep_looking(self) -> None:
        path = Folders(self._settings.root).database
        with Database(path, self._dataset, timeout=self._settings.lock_timeout) as database:
            while not self._stopped.is_set():
                self._wanted.wait(LOOK)
                self._wanted.clear()
                began = monotonic()
                self._look(database)
                self._health.succeeded(UPDATES)
                # Where writes come all the time, answers come first: most of the time is theirs.
                self._stopped.wait(min(LONGEST, SHARE * (monotonic() - began)))

    def _look(self, database: Database) -> None:
        generation = database.generation()
        if generation != self._generation:
            self._generation, self._since = generation, monotonic()
        self._switch.follow()
        models = self._switch.now.models
        for model in models:
            model.collection.refresh()
        self._look_after_builder()
        wanted = next((model for model in models if self._wants_index(model)), None)
        if wanted is not None and self._builder is None and monotonic() >= self._not_before:
            self._builder = begin_to_build(wanted.collection.model.choice, self._dataset, self._settings)

    def _wants_index(self, model: ServedModel) -> bool:
        delta = model.state.delta
        quiet = monotonic() - self._since > QUIET
        return len(delta.products) > self._most or (delta.needs_rebuild and quiet)

    def _look_after_builder(self) -> None:
        builder = self._builder
        if builder is None or builder.is_alive():
            return
        builder.join()
        self._builder = None
        if builder.exitcode:
            LOG.error("an index could not be built (exit code %s); tried again in a minute", builder.exitcode)
            self._not_before = monotonic() + AGAIN
