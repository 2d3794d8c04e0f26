"""Everything that the service holds open, made in one order and closed in the other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from image_similarity.embedding.choice import IN_USE
from image_similarity.errors import UsageError
from image_similarity.features.database import Database
from image_similarity.jobs.chosen import chosen
from image_similarity.jobs.in_use import model_in_use
from image_similarity.jobs.standing import open_state
from image_similarity.processors import processors
from image_similarity.service.addresses import Trusted
from image_similarity.service.errors import BusyError, NotThereError
from image_similarity.service.fetching import FetchLimits
from image_similarity.service.imports import Imports
from image_similarity.service.marks import MarkBook
from image_similarity.service.photos import Photos
from image_similarity.service.pictures import Pictures
from image_similarity.service.served import NETWORKS, ServedModel
from image_similarity.service.store import Store
from image_similarity.service.turning import FULL
from image_similarity.service.upkeep import Upkeep
from image_similarity.settings import Folders
from image_similarity.types import Progress, no_progress

if TYPE_CHECKING:
    from image_similarity.embedding.choice import ModelChoice
    from image_similarity.service.options import ServiceOptions
    from image_similarity.settings import Settings
    from image_similarity.types import ModelSpec

T = TypeVar("T")


class Desk:
    """What the routes work with. Close it at the end.

    Raises:
        NotFittedError: the dataset is not fitted, or not with one of the models.
        WeightsError, ModelError: a model cannot be had.
        StoreError: the store is damaged, locked or full.
    """

    def __init__(self, options: ServiceOptions, settings: Settings, progress: Progress = no_progress) -> None:
        self.options, self.settings, self.dataset = options, settings, options.dataset
        self.store = Store(self.dataset, settings)
        self.models = self._served(progress)
        self.photos = Photos(settings.root / "photos" / self.dataset.label, options.photos, settings.max_pixels)
        self.pictures = Pictures(settings.max_pixels)
        self.marks = MarkBook(settings.root / "labels" / self.dataset.label)
        self.imports = Imports(settings.root / "imports" / self.dataset.label)
        self.fetching = FetchLimits(
            most_bytes=min(settings.max_download_bytes, options.max_body_bytes), trusted=Trusted.parse(options.inside)
        )
        self.upkeep = Upkeep(list(self.models.values()), self.dataset, settings, options.recent)
        self._pool = ThreadPoolExecutor(processors(), thread_name_prefix="pictures")
        self.searching = 0
        """Searches that are being answered or wait."""
        self.upkeep.start()

    def close(self) -> None:
        """Finish what was begun and let everything go."""
        self.upkeep.stop()
        for model in self.models.values():
            model.close()
        self._pool.shutdown()
        self.store.close()

    def model(self, name: str | None) -> ServedModel:
        """The model of a name; the first where none is named.

        Raises:
            UsageError: there is no such one.
        """
        if name is None:
            return next(iter(self.models.values()))
        if name not in self.models:
            raise UsageError(f"there is no model {name!r} here: use {', '.join(self.models)}")
        return self.models[name]

    @property
    def specs(self) -> list[ModelSpec]:
        """The records of all models that a new picture needs features of, each once."""
        specs = {spec.key: spec for model in self.models.values() for spec in model.chosen.specs}
        return list(specs.values())

    @property
    def views(self) -> tuple[str, ...]:
        """The views that features are kept of: those of the model that has most."""
        return max((model.state.views for model in self.models.values()), key=len)

    def embed_views(self, pixels: Mapping[str, NDArray[np.uint8]]) -> dict[str, NDArray[np.float32]]:
        """Of a picture that is put: its views ``(views, size, size, 3)`` to vectors, by each model's key."""
        vectors = dict[str, NDArray[np.float32]]()
        for served in self.models.values():
            for key, model in served.embedder.models.items():
                if key not in vectors:
                    with NETWORKS:
                        vectors[key] = model.embed(pixels[key])
        return vectors

    async def work(self, work: Callable[..., T], *arguments: object) -> T:
        """Do something that takes a processor's time, in a thread: decoding, for one."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, work, *arguments)

    @asynccontextmanager
    async def admitted(self) -> AsyncIterator[None]:
        """One search more.

        Raises:
            BusyError: there are as many as there may be.
        """
        if self.searching >= self.options.queue:
            raise BusyError(FULL)
        self.searching += 1
        try:
            yield
        finally:
            self.searching -= 1

    def _served(self, progress: Progress) -> dict[str, ServedModel]:
        served = {}
        path = Folders(self.settings.root).database
        with Database(path, self.dataset, timeout=self.settings.lock_timeout) as database:
            for choice in self.options.models:
                model = self._served_model(self._named(choice), database, progress)
                served[model.name] = model
        return served

    def _named(self, choice: ModelChoice) -> ModelChoice:
        if choice.name != IN_USE:
            return choice
        return replace(choice, name=model_in_use(self.dataset, self.settings).model)

    def _served_model(self, choice: ModelChoice, database: Database, progress: Progress) -> ServedModel:
        model = chosen(choice, database, self.dataset, self.settings)
        state = open_state(model, database, self.settings, progress)
        state.scale.bounds  # noqa: B018 (measured now, not while the first customer waits)
        embedder = model.load(self.settings, progress)
        return ServedModel(choice, model, embedder, state, self.dataset, self.settings, self.options.batch)


def found(value: T | None, what: str) -> T:
    """A value that is there.

    Raises:
        NotThereError: it is not.
    """
    if value is None:
        raise NotThereError(f"there is no {what}")
    return value
