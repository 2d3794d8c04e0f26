"""The feature store for a server: one thread reads, one writes, each with a connection of its own; nobody waits on it
but those who asked.
"""

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
    """One thread with a connection."""

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
    """A dataset's store.

    Raises:
        NotFittedError: there is no such dataset.
        StoreError: it is damaged, locked or full.
    """

    def __init__(self, dataset: Dataset, settings: Settings) -> None:
        self._reader = _Worker(dataset, settings, "reads", create=False)
        self._writer = _Worker(dataset, settings, "writes", create=True)

    async def read(self, work: Callable[[Database], T]) -> T:
        """What some queries give."""
        return await asyncio.wrap_future(self._reader.submit(work))

    async def write(self, work: Callable[[Database], T]) -> T:
        """What a transaction gives. It is carried out even if whoever asked has gone."""
        return await asyncio.shield(asyncio.wrap_future(self._writer.submit(work)))

    def prepare(self, work: Callable[[Database], T]) -> T:
        """What is to be done before anybody asks."""
        return self._writer.submit(work).result()

    def flush(self) -> None:
        """Wait until all writes that were asked for are carried out."""
        self._writer.submit(lambda _: None).result()

    def close(self) -> None:
        """End what was begun."""
        self._reader.close()
        self._writer.close()
