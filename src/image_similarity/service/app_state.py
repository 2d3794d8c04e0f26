"""Everything that the service holds open: opened in one order, closed in the reverse."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from image_similarity.fitting import delete_orphan_files
from image_similarity.service.answering.model_switch import ModelSwitch
from image_similarity.service.answering.refresh import Refresh
from image_similarity.service.background import Health
from image_similarity.service.errors import BusyError, NotFoundError
from image_similarity.service.guards.addresses import Trusted
from image_similarity.service.guards.decoding import Decoding, LargeImageError
from image_similarity.service.guards.fetching import FetchLimits, Resolve, look_up
from image_similarity.service.guards.load_shedding import FULL
from image_similarity.service.storage.feedback import FeedbackStore
from image_similarity.service.storage.query_photos import QueryPhotos
from image_similarity.service.storage.store_threads import StoreThreads
from image_similarity.service.storage.thumbnails import Thumbnails
from image_similarity.types import Progress, no_progress
from image_similarity.util.files import remove_leftovers
from image_similarity.util.processors import processors

if TYPE_CHECKING:
    from image_similarity.service.answering.served_models import ServedModels
    from image_similarity.service.options import ServiceOptions
    from image_similarity.settings import Settings

T = TypeVar("T")
MOST_LARGE = 8  # threads, and processes, for large images
HALF_WRITTEN = 10.0  # seconds: a younger temporary file may belong to another running service


class AppState:
    """The shared state of the routes. Close it at the end.

    Args:
        options: what is served, and within which limits.
        settings: where the workspace is.
        progress: reports steps of the start that take long.
        resolve: resolves the host names of image addresses in requests.

    Raises:
        NotFittedError: the dataset is not fitted, or not with one of the models.
        WeightsError, ModelError: a model cannot be loaded.
        StoreError: the store is damaged, locked or full.
    """

    def __init__(
        self,
        options: ServiceOptions,
        settings: Settings,
        progress: Progress = no_progress,
        resolve: Resolve = look_up,
    ) -> None:
        thumbnails = Thumbnails(settings.max_pixels)  # the shop's own images: not under the limit for clients' images
        settings = replace(settings, max_pixels=min(settings.max_pixels, settings.service_max_pixels))
        self.options, self.settings, self.dataset = options, settings, options.dataset
        self.health = Health()
        self.store = StoreThreads(self.dataset, settings)
        self.store.prepare(lambda database: delete_orphan_files(database, settings))
        for kept in ("photos", "labels"):
            remove_leftovers(settings.root / kept / self.dataset.label, older_than=HALF_WRITTEN)
        self._switch = ModelSwitch(options, settings, self.store.flush, progress)
        self.photos = QueryPhotos(settings.root / "photos" / self.dataset.label, options.photos, settings.max_pixels)
        self.thumbnails = thumbnails
        self.feedback = FeedbackStore(settings.root / "labels" / self.dataset.label)
        self.fetching = FetchLimits(
            most_bytes=min(settings.max_download_bytes, options.max_body_bytes),
            trusted=Trusted.parse(options.fetch_from),
        )
        self.resolve = resolve
        self.refresh = Refresh(self._switch, self.dataset, settings, options.rebuild_after, self.health)
        self._pool = ThreadPoolExecutor(processors(), thread_name_prefix="images")
        self._large = ThreadPoolExecutor(min(processors(), MOST_LARGE), thread_name_prefix="large images")
        self.decoding = Decoding(options.decoding_bytes, patience=options.patience)
        self.searching = 0
        """Searches running or waiting."""
        self.refresh.start()

    def close(self) -> None:
        """Finish running work and release everything."""
        self.refresh.stop()
        self._switch.close()
        self.decoding.close()
        self._pool.shutdown()
        self._large.shutdown()
        self.store.close()

    @property
    def served(self) -> ServedModels:
        """The current models. A request reads this once, so that all of its steps use the same models."""
        return self._switch.now

    async def work(self, work: Callable[..., T], *arguments: object) -> T:
        """Run CPU work such as decoding in a thread, within the limits of decoding.

        Work that meets a large image is started again in the threads for large images.

        Raises:
            BusyError: no memory for so large an image at present.
        """

        def within(large: bool) -> T:
            with self.decoding.within(large=large):
                return work(*arguments)

        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._pool, within, False)
        except LargeImageError:
            return await loop.run_in_executor(self._large, within, True)

    @property
    def is_full(self) -> bool:
        """Whether the number of searches is at its limit."""
        return self.searching >= self.options.queue

    @asynccontextmanager
    async def admitted(self) -> AsyncIterator[None]:
        """Count one more search while the block runs.

        Raises:
            BusyError: the number of searches is at its limit.
        """
        if self.is_full:
            raise BusyError(FULL)
        self.searching += 1
        try:
            yield
        finally:
            self.searching -= 1


def found(value: T | None, what: str) -> T:
    """The value, where it is not None; ``what`` names it in the error.

    Raises:
        NotFoundError: it is None.
    """
    if value is None:
        raise NotFoundError(f"there is no {what}")
    return value
