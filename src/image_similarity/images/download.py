"""Images from the network into files: many at a time, politely, each whole or not there."""

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
from image_similarity.images.fetch import Fetcher, RefusedError, TryAgainError, client_of
from image_similarity.images.fetch_log import Content, FetchLog, Validators
from image_similarity.images.pacing import Sleep
from image_similarity.options import DownloadOptions
from image_similarity.settings import Settings
from image_similarity.types import CatalogueImage, Failure
from image_similarity.util.files import replacing

if TYPE_CHECKING:
    import httpx

IN_MEMORY = 1 << 20  # bytes of a body; what is longer waits on the disk
CHECKED_SIDE = 64  # pixels: a check reads every byte of a JPEG but need not compute every pixel
DOT = 4  # pixels a side: a counter's or a placeholder's, no product's
Kept = Literal["done", "repaired", "known"]
Outcome = Kept | Failure


@dataclass(frozen=True, slots=True)
class Download:
    """One image and the file that it goes into; ``position`` is for the caller to know it by."""

    position: int
    image: CatalogueImage
    path: Path


def download_all(
    wanted: Iterable[Download],
    heard: Callable[[Download, Outcome], None],
    settings: Settings,
    options: DownloadOptions,
    fetched: FetchLog,
) -> list[str]:
    """Download images, ``options.concurrency`` at a time; ``wanted`` is taken as it is needed, never ahead.

    ``heard`` is told what became of each, in the order in which they end: ``"done"`` for a file that is new or
    changed, ``"repaired"`` for such a one that was cut short, ``"known"`` for one that stays as it was, or a
    :class:`Failure` with stage ``download`` or ``decode``.
    Returns what is to be known of hosts that could not be reached: most of their images are not asked for.
    Works inside a running event loop (a notebook) as well, in a thread of its own.

    Raises:
        OutputError: the disk is full or the folder cannot be written.
        Exception: whatever ``wanted`` or ``heard`` raise. The files that are there by then are whole.
    """

    stopped = Event()

    def run() -> list[str]:
        going_on = takewhile(lambda _: not stopped.is_set(), wanted)
        return asyncio.run(_download(going_on, heard, settings, options, fetched))

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return run()
    with ThreadPoolExecutor(1) as elsewhere:
        try:
            return elsewhere.submit(run).result()
        finally:
            stopped.set()  # an interrupted notebook cell ends with the images that are on their way


async def _download(
    wanted: Iterable[Download],
    heard: Callable[[Download, Outcome], None],
    settings: Settings,
    options: DownloadOptions,
    fetched: FetchLog,
) -> list[str]:
    with ThreadPoolExecutor(1) as disk:
        async with client_of(options) as client:
            downloader = Downloader(client, settings, options, fetched, disk)

            async def work() -> None:
                # All workers take from the one iterator; nothing is awaited in it, so none gets another's image.
                for each in wanted:
                    heard(each, await downloader.outcome(each))
                    await asyncio.sleep(0)  # a long run of known files must not keep the others' answers waiting

            try:
                async with asyncio.TaskGroup() as group:
                    for _ in range(options.concurrency):
                        group.create_task(work())
            except ExceptionGroup as errors:
                raise errors.exceptions[0] from None
            return downloader.notes()


class Downloader:
    """Makes one file at a time out of one address; many tasks may use it at once."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        settings: Settings,
        options: DownloadOptions,
        fetched: FetchLog,
        disk: Executor,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._fetcher = Fetcher(client, settings, options, sleep)
        self._settings, self._options = settings, options
        self._fetched, self._disk = fetched, disk

    def notes(self) -> list[str]:
        """What is to be known of the hosts."""
        return self._fetcher.hosts.notes()

    async def outcome(self, wanted: Download) -> Outcome:
        """Fetch one image, unless its file is there already and no refresh is asked for."""
        image, path = wanted.image, wanted.path
        there = has_bytes(path)
        if there and not self._options.refresh:
            return "known"
        known = self._fetched.validators(image.image_id, image.location, path) if there else Validators()
        try:
            with self._spool() as body:
                reply = await self._fetcher.fetch(image.location, known.headers(), body)
                if not reply.changed:
                    return "known"
                # One thread checks and writes: sixteen large images are never decoded at once.
                loop = asyncio.get_running_loop()
                kept, content = await loop.run_in_executor(self._disk, self._keep, path, body)
        except (TryAgainError, RefusedError) as error:
            return failure_of(image, "download", str(error))
        except ImageError as error:
            return failure_of(image, "decode", error.reason)
        self._fetched.remember(image.image_id, image.location, path, reply.validators, content)
        return kept

    def _spool(self) -> BinaryIO:
        """A file for one body, in memory as long as that is short. It has no name, so a kill leaves nothing."""
        return cast("BinaryIO", SpooledTemporaryFile(IN_MEMORY, dir=str(self._fetched.folder)))

    def _keep(self, path: Path, body: BinaryIO) -> tuple[Kept, Content]:
        """Write the bytes as they came, once they are known to be an image, unless they stand there already."""
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
    """Whether a file is there and not empty."""
    try:
        state = path.stat()
    except (OSError, ValueError):  # ValueError: a path with a NUL
        return False
    return S_ISREG(state.st_mode) and state.st_size > 0
