"""Which models answer, as the shop changes its mind: ``use`` names another one, ``adapt`` teaches one something.

The next model is made ready beside the one that answers: its index is built in a process of its own, its network is
loaded, products that were put meanwhile are embedded. Then it takes the place in one step. Whoever began with the one
before ends with it.
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
from image_similarity.service.answering.index_builder import begin_to_build
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

GRACE = 60.0  # seconds that a model which was replaced still answers those who began with it
LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Place:
    """One of the models that were asked for, and who has its place."""

    choice: ModelChoice
    """As it was asked for: perhaps as the one in use."""
    served: ServedModel
    stamps: tuple[int, ...]
    """Of the files that decide what the choice means."""


class ModelSwitch:
    """The models that answer. One thread calls :meth:`follow`, any thread looks at :attr:`now`.

    Args:
        options: the models, and how many queries are answered together.
        settings: where the workspace is.
        settled: returns when all writes that were begun are in the store.
        progress: told of what takes long at the start.

    Raises:
        NotFittedError: the dataset is not fitted, or not with one of the models.
        WeightsError, ModelError: a model cannot be had.
        StoreError: the store is damaged or locked.
    """

    def __init__(
        self, options: ServiceOptions, settings: Settings, settled: Callable[[], None], progress: Progress
    ) -> None:
        self._options, self._settings, self._settled = options, settings, settled
        self._dataset = options.dataset
        self._places = [self._ready(choice, progress) for choice in options.models]
        self.now = self._served()
        self._making: tuple[int, Future[_Place]] | None = None
        self._maker = ThreadPoolExecutor(1, thread_name_prefix="takes over")
        self._former: list[tuple[float, ServedModel]] = []
        self._builder: BaseProcess | None = None
        self._closing = False

    def follow(self) -> None:
        """See whether another model is to answer, and let it where it is ready. Takes no time."""
        self._let_go()
        if self._making is not None:
            at, making = self._making
            if not making.done():
                return
            self._making = None
            self._take_over(at, making)
        for at, place in enumerate(self._places):
            stamps = self._stamps(place.choice, place.served.collection.model)
            if stamps != place.stamps:
                # Where it fails, it is tried again when something is written anew.
                self._places[at] = replace(place, stamps=stamps)
                self._making = at, self._maker.submit(self._next, self._places[at])
                return

    def close(self) -> None:
        """Answer what is waiting, then let all models go."""
        self._closing = True
        if self._builder is not None:
            self._builder.kill()
        self._maker.shutdown(cancel_futures=True)
        if self._making is not None:
            at, making = self._making
            self._take_over(at, making)
        for model in [*(place.served for place in self._places), *(model for _, model in self._former)]:
            model.close()

    def _ready(self, choice: ModelChoice, progress: Progress) -> _Place:
        """A model that knows every product, ready to answer."""
        named_at = self._stamps(choice, None)  # first: what is written meanwhile is followed afterwards
        collection = Collection(self._dataset, self._settings, choice, with_images=False, progress=progress)
        try:
            stamps = (*named_at, *_learned_at(collection.model))
            collection.state.scale.bounds  # noqa: B018 (measured now, not while the first customer waits)
            collection.load()
            self._backfill(collection)
            served = ServedModel(collection, self._options.batch)
        except BaseException:
            collection.close()
            raise
        return _Place(choice, served, stamps)

    def _next(self, place: _Place) -> _Place:
        """Who is to have a place now; the same where nothing else is meant. In a thread of its own."""
        with self._database() as database:
            has = FeatureStore(database).has_networks_of
            model = resolve(place.choice, self._dataset, self._settings, has)
        if model.key == place.served.collection.model.recipe.key:
            return place
        self._builder = begin_to_build(model.choice, self._dataset, self._settings)
        self._builder.join()  # where it failed, so does what follows, and says why
        if self._closing:
            return place
        return self._ready(place.choice, no_progress)

    def _take_over(self, at: int, making: Future[_Place]) -> None:
        former = self._places[at].served
        try:
            place = making.result()
        except Exception:  # whatever it is: who answers goes on, and so does who looks after them
            LOG.exception("another model cannot take over; %s goes on answering", former.name)
            return
        self._places[at] = place
        if place.served is former:
            return
        self._former.append((monotonic() + GRACE, former))
        self.now = self._served()
        with suppress(RuntimeError):  # closing
            # Puts that were under way know the models before; when they are written, they are looked through once more.
            self._maker.submit(self._catch_up_at_last, place.served)

    def _catch_up_at_last(self, served: ServedModel) -> None:
        try:
            self._settled()
            self._backfill(served.collection)
        except Exception:  # nobody asks for the result
            LOG.exception("products that were put while %s took over may be missing until the next fit", served.name)

    def _backfill(self, collection: Collection) -> None:
        specs, views = collection.model.specs, collection.state.views
        with self._database() as database:
            added = backfill_features(database, self._settings, specs, views, collection.embed_views)
        if added:
            collection.refresh()

    def _let_go(self) -> None:
        now = monotonic()
        for end, model in self._former:
            if end <= now:
                model.close()
        self._former = [(end, model) for end, model in self._former if end > now]

    def _served(self) -> ServedModels:
        by_name = {
            place.served.collection.model.name: place.served for place in reversed(self._places)
        }  # the first of a name stays
        return ServedModels(tuple(reversed(by_name.values())))

    def _stamps(self, choice: ModelChoice, model: Model | None) -> tuple[int, ...]:
        default = (_written(default_model_file(self._dataset, self._settings)),) if choice.name == IN_USE else ()
        return (*default, *_learned_at(model))

    def _database(self) -> Database:
        return Database(Folders(self._settings.root).database, self._dataset, timeout=self._settings.lock_timeout)


def _learned_at(model: Model | None) -> tuple[int, ...]:
    """When the projection of a model was written; never, where it is another one by now."""
    if model is None or model.learned is None or model.projection is None:
        return ()
    written = _written(record_file(model.learned))
    with suppress(ImageSimilarityError):
        if projection_digest(model.learned) == model.projection.digest:
            return (written,)
    return (-written,)


def _written(file: Path) -> int:
    """When, in nanoseconds; 0 where there is none."""
    try:
        return file.stat().st_mtime_ns
    except OSError:
        return 0
