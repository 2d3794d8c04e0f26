"""The feature store for the event loop: one thread reads, one writes, each with its own connection."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from image_similarity.settings import Folders
from image_similarity.store import Database

if TYPE_CHECKING:
    from image_similarity.dataset import Dataset
    from image_similarity.settings import Settings

T = TypeVar("T")


class _Worker:
    """One thread with its own connection."""

    def __init__(self, dataset: Dataset, settings: Settings, name: str, *, create: bool) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix=name)
        path = Folders(settings.root).database
        opened: Callable[[], Database] = lambda: Database(  # noqa: E731
            path, dataset, create=create, timeout=settings.lock_timeout
        )
        self._database = self._pool.submit(opened).result()

    def submit(self, work: Callable[[Database], T]) -> Future[T]:
        return self._pool.submit(work, self._database)

    def close(self) -> None:
        self._pool.submit(self._database.connection.close).result()
        self._pool.shutdown()


class StoreThreads:
    """A dataset's store; its methods take functions of a :class:`Database` and run them in its threads.

    Raises:
        NotFittedError: there is no such dataset.
        StoreError: it is damaged, locked or full.
    """

    def __init__(self, dataset: Dataset, settings: Settings) -> None:
        self._reader = _Worker(dataset, settings, "reads", create=False)
        self._writer = _Worker(dataset, settings, "writes", create=True)

    async def read(self, work: Callable[[Database], T]) -> T:
        """Run queries and return their result."""
        return await asyncio.wrap_future(self._reader.submit(work))

    async def write(self, work: Callable[[Database], T]) -> T:
        """Run a transaction and return its result. It is carried out even if the request is cancelled."""
        return await asyncio.shield(asyncio.wrap_future(self._writer.submit(work)))

    def prepare(self, work: Callable[[Database], T]) -> T:
        """Run a transaction at the start of the service, and wait for it."""
        return self._writer.submit(work).result()

    def flush(self) -> None:
        """Wait until all submitted writes are carried out."""
        self._writer.submit(lambda _: None).result()

    def close(self) -> None:
        """Finish submitted work, then close the connections."""
        self._reader.close()
        self._writer.close()
