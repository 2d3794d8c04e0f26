"""Download images into files, several at a time; a file is written completely or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from itertools import takewhile
from pathlib import Path
from stat import S_ISREG
from tempfile import SpooledTemporaryFile
from threading import Event
from typing import TYPE_CHECKING, BinaryIO, Literal, cast

from image_similarity.catalogue import failure_of
from image_similarity.errors import ImageError
from image_similarity.images.fetch import Fetcher, PermanentError, client_of
from image_similarity.images.fetch_log import Content, FetchLog, Validators
from image_similarity.images.pacing import RetryableError, Sleep
from image_similarity.options import DownloadOptions
from image_similarity.settings import Settings
from image_similarity.types import CatalogueImage, Failure
from image_similarity.util.files import replacing

if TYPE_CHECKING:
    import httpx

IN_MEMORY = 1 << 20  # bytes of a body; longer ones are buffered on disk
CHECKED_SIDE = 64  # pixels: the check reads every byte of a JPEG but need not compute every pixel
DOT = 4  # pixels a side: tracking pixels and placeholders, not products
Kept = Literal["done", "repaired", "known"]
Outcome = Kept | Failure


@dataclass(frozen=True, slots=True)
class Download:
    """One image to download and its target file; ``position`` identifies it to the caller."""

    position: int
    image: CatalogueImage
    path: Path


def download_all(
    downloads: Iterable[Download],
    on_done: Callable[[Download, Outcome], None],
    settings: Settings,
    options: DownloadOptions,
    log: FetchLog,
) -> list[str]:
    """Download images, ``options.concurrency`` at a time; ``downloads`` is consumed lazily.

    ``on_done`` receives each outcome, in the order of completion: ``"done"`` for a file that is new or changed,
    ``"repaired"`` for such a file that was truncated, ``"known"`` for one that has not changed, or a :class:`Failure`
    with stage ``download`` or ``decode``.
    Returns notes on hosts that could not be reached: most of their images are skipped.
    Works inside a running event loop (a notebook) as well, in a thread of its own.

    Raises:
        OutputError: the disk is full or the folder cannot be written.
        Exception: whatever ``downloads`` or ``on_done`` raise. All files written by then are complete.
    """

    stopped = Event()

    def run() -> list[str]:
        until_stopped = takewhile(lambda _: not stopped.is_set(), downloads)
        return asyncio.run(_download(until_stopped, on_done, settings, options, log))

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return run()
    with ThreadPoolExecutor(1) as pool:
        try:
            return pool.submit(run).result()
        finally:
            stopped.set()  # an interrupted notebook cell only finishes the downloads in progress


async def _download(
    downloads: Iterable[Download],
    on_done: Callable[[Download, Outcome], None],
    settings: Settings,
    options: DownloadOptions,
    log: FetchLog,
) -> list[str]:
    with ThreadPoolExecutor(1) as disk:
        async with client_of(options) as client:
            downloader = Downloader(client, settings, options, log, disk)

            async def work() -> None:
                # All workers share the iterator; nothing is awaited in it, so no two get the same image.
                for each in downloads:
                    on_done(each, await downloader.outcome(each))
                    await asyncio.sleep(0)  # many known files in a row must not starve the other workers

            try:
                async with asyncio.TaskGroup() as group:
                    for _ in range(options.concurrency):
                        group.create_task(work())
            except ExceptionGroup as errors:
                raise errors.exceptions[0] from None
            return downloader.notes()


class Downloader:
    """Downloads addresses into files; many tasks may use it at once."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        settings: Settings,
        options: DownloadOptions,
        log: FetchLog,
        disk: Executor,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._fetcher = Fetcher(client, settings, options, sleep)
        self._settings, self._options = settings, options
        self._log, self._disk = log, disk

    def notes(self) -> list[str]:
        """Notes on hosts that could not be reached."""
        return self._fetcher.hosts.notes()

    async def outcome(self, download: Download) -> Outcome:
        """Fetch one image, unless its file exists and no refresh was requested."""
        image, path = download.image, download.path
        exists = has_bytes(path)
        if exists and not self._options.refresh:
            return "known"
        known = self._log.validators(image.image_id, image.location, path) if exists else Validators()
        try:
            with self._spool() as body:
                reply = await self._fetcher.fetch(image.location, known.headers(), body)
                if not reply.changed:
                    return "known"
                # A single thread checks and writes, so that large images are never decoded concurrently.
                loop = asyncio.get_running_loop()
                kept, content = await loop.run_in_executor(self._disk, self._keep, path, body)
        except (RetryableError, PermanentError) as error:
            return failure_of(image, "download", str(error))
        except ImageError as error:
            return failure_of(image, "decode", error.reason)
        self._log.record(image.image_id, image.location, path, reply.validators, content)
        return kept

    def _spool(self) -> BinaryIO:
        """A buffer for one body, in memory while it is short, then a file without a name: a kill leaves nothing."""
        return cast("BinaryIO", SpooledTemporaryFile(IN_MEMORY, dir=str(self._log.folder)))

    def _keep(self, path: Path, body: BinaryIO) -> tuple[Kept, Content]:
        """Check that the bytes are an image, then write them unchanged, unless the file has them already."""
        from image_similarity.images.decoding import decode, was_repaired

        body.seek(0)
        data = body.read()
        limit, strict = self._settings.max_pixels, self._settings.strict
        image = decode(data, max_pixels=limit, min_side=CHECKED_SIDE, strict=strict)
        content = Content(sha256(data).digest(), max(image.size) <= DOT)
        if has_bytes(path) and path.read_bytes() == data:
            return "known", content
        with replacing(path) as temporary:
            temporary.write_bytes(data)
        return "repaired" if was_repaired(image) else "done", content


def has_bytes(path: Path) -> bool:
    """Whether a file exists and is not empty."""
    try:
        state = path.stat()
    except (OSError, ValueError):  # ValueError: a path with a NUL
        return False
    return S_ISREG(state.st_mode) and state.st_size > 0
