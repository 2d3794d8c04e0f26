"""Switches the served models when ``use`` chooses another one or ``adapt`` learns a new projection.

The next model is prepared beside the current one: its index is built in a separate process, its network is loaded,
products that were upserted meanwhile are embedded. Then it replaces the current one in one step. Requests that began
with the old model end with it.
"""

from __future__ import annotations

import logging
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from time import monotonic
from typing import TYPE_CHECKING

from image_similarity.collection import Collection
from image_similarity.errors import ImageSimilarityError
from image_similarity.fitting import backfill_features
from image_similarity.models import default_model_file, projection_digest, record_file, resolve
from image_similarity.options import IN_USE
from image_similarity.service.answering.index_builder import start_index_build
from image_similarity.service.answering.served_model import ServedModel
from image_similarity.service.answering.served_models import ServedModels
from image_similarity.settings import Folders
from image_similarity.store import Database, FeatureStore
from image_similarity.types import no_progress

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.process import BaseProcess
    from pathlib import Path

    from image_similarity.models import Model
    from image_similarity.options import ModelChoice
    from image_similarity.service.options import ServiceOptions
    from image_similarity.settings import Settings
    from image_similarity.types import Progress

GRACE = 60.0  # seconds that a replaced model is kept open for requests that began with it
LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Slot:
    """One of the models to serve, and the one that serves it at present."""

    choice: ModelChoice
    """As given in the options: possibly the dataset's default model."""
    served: ServedModel
    stamps: tuple[int, ...]
    """Modification times of the files that decide what the choice resolves to."""


class ModelSwitch:
    """The served models. One thread calls :meth:`update`; :attr:`now` may be read from any thread.

    Args:
        options: the models, and how many queries are answered together.
        settings: where the workspace is.
        flush: returns when all submitted writes are in the store.
        progress: reports steps of the start that take long.

    Raises:
        NotFittedError: the dataset is not fitted, or not with one of the models.
        WeightsError, ModelError: a model cannot be loaded.
        StoreError: the store is damaged or locked.
    """

    def __init__(
        self, options: ServiceOptions, settings: Settings, flush: Callable[[], None], progress: Progress
    ) -> None:
        self._options, self._settings, self._flush = options, settings, flush
        self._dataset = options.dataset
        self._slots = [self._load(choice, progress) for choice in options.models]
        self.now = self._served()
        self._pending: tuple[int, Future[_Slot]] | None = None
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="model switch")
        self._former: list[tuple[float, ServedModel]] = []
        self._builder: BaseProcess | None = None
        self._closing = False

    def update(self) -> None:
        """Start to prepare a model where a choice has changed, and switch to it when it is ready. Does not block."""
        self._close_former()
        if self._pending is not None:
            at, pending = self._pending
            if not pending.done():
                return
            self._pending = None
            self._switch(at, pending)
        for at, slot in enumerate(self._slots):
            stamps = self._stamps(slot.choice, slot.served.collection.model)
            if stamps != slot.stamps:
                # Stored first: a model that fails is tried again only when a file changes again.
                self._slots[at] = replace(slot, stamps=stamps)
                self._pending = at, self._pool.submit(self._next, self._slots[at])
                return

    def close(self) -> None:
        """Answer the queued requests, then close all models."""
        self._closing = True
        if self._builder is not None:
            self._builder.kill()
        self._pool.shutdown(cancel_futures=True)
        if self._pending is not None:
            at, pending = self._pending
            self._switch(at, pending)
        for model in [*(slot.served for slot in self._slots), *(model for _, model in self._former)]:
            model.close()

    def _load(self, choice: ModelChoice, progress: Progress) -> _Slot:
        """Open a model that has features of every product."""
        chosen_at = self._stamps(choice, None)  # first: a file written meanwhile is noticed by the next update
        collection = Collection(self._dataset, self._settings, choice, with_images=False, progress=progress)
        try:
            stamps = (*chosen_at, *_projection_stamp(collection.model))
            collection.state.scale.bounds  # noqa: B018 (measured now, not while the first client waits)
            collection.load()
            self._backfill(collection)
            served = ServedModel(collection, self._options.batch)
        except BaseException:
            collection.close()
            raise
        return _Slot(choice, served, stamps)

    def _next(self, slot: _Slot) -> _Slot:
        """Prepare the model that a slot's choice resolves to now; the same slot where that has not changed."""
        with self._database() as database:
            has = FeatureStore(database).has_networks_of
            model = resolve(slot.choice, self._dataset, self._settings, has)
        if model.key == slot.served.collection.model.recipe.key:
            return slot
        self._builder = start_index_build(model.choice, self._dataset, self._settings)
        self._builder.join()  # where it failed, the next step fails too, and reports why
        if self._closing:
            return slot
        return self._load(slot.choice, no_progress)

    def _switch(self, at: int, pending: Future[_Slot]) -> None:
        former = self._slots[at].served
        try:
            slot = pending.result()
        except Exception:  # of any kind: the former model must keep answering
            LOG.exception("cannot switch to another model; %s keeps answering", former.name)
            return
        self._slots[at] = slot
        if slot.served is former:
            return
        self._former.append((monotonic() + GRACE, former))
        self.now = self._served()
        with suppress(RuntimeError):  # closing
            # Upserts in flight embed with the former models: their products are backfilled once they are written.
            self._pool.submit(self._backfill_after_switch, slot.served)

    def _backfill_after_switch(self, served: ServedModel) -> None:
        try:
            self._flush()
            self._backfill(served.collection)
        except Exception:  # the future's result is never read
            LOG.exception("products upserted during the switch to %s may be missing until the next fit", served.name)

    def _backfill(self, collection: Collection) -> None:
        specs, views = collection.model.specs, collection.state.views
        with self._database() as database:
            added = backfill_features(database, self._settings, specs, views, collection.embed_views)
        if added:
            collection.refresh()

    def _close_former(self) -> None:
        now = monotonic()
        for end, model in self._former:
            if end <= now:
                model.close()
        self._former = [(end, model) for end, model in self._former if end > now]

    def _served(self) -> ServedModels:
        by_name = {
            slot.served.collection.model.name: slot.served for slot in reversed(self._slots)
        }  # reversed: the first of a name stays
        return ServedModels(tuple(reversed(by_name.values())))

    def _stamps(self, choice: ModelChoice, model: Model | None) -> tuple[int, ...]:
        default = (_modified_at(default_model_file(self._dataset, self._settings)),) if choice.name == IN_USE else ()
        return (*default, *_projection_stamp(model))

    def _database(self) -> Database:
        return Database(Folders(self._settings.root).database, self._dataset, timeout=self._settings.lock_timeout)


def _projection_stamp(model: Model | None) -> tuple[int, ...]:
    """When a model's projection was written; negative where the file now holds another projection."""
    if model is None or model.learned is None or model.projection is None:
        return ()
    written = _modified_at(record_file(model.learned))
    with suppress(ImageSimilarityError):
        if projection_digest(model.learned) == model.projection.digest:
            return (written,)
    return (-written,)


def _modified_at(file: Path) -> int:
    """Modification time in nanoseconds; 0 where there is no file."""
    try:
        return file.stat().st_mtime_ns
    except OSError:
        return 0
