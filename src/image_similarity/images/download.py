"""Images from the network into files: many at a time, politely, each whole or not there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus
from importlib.util import find_spec
from itertools import takewhile
from pathlib import Path
from stat import S_ISREG
from threading import Event
from typing import TYPE_CHECKING, Any, Literal

from image_similarity.errors import ImageError
from image_similarity.files import replacing
from image_similarity.images.fetched import Fetched, Validators
from image_similarity.images.waiting import DownloadOptions, Pace, Sleep, wait_after
from image_similarity.settings import Settings
from image_similarity.types import CatalogueImage, Failure

if TYPE_CHECKING:
    import httpx

RETRIED = frozenset((408, 429, 500, 502, 503, 504))
MAX_REDIRECTS = 5
SLOWEST = 10  # times the time-out: how long one body may take, however steadily it drips
CHECKED_SIDE = 64  # pixels: a check reads every byte of a JPEG but need not compute every pixel
Outcome = Literal["done", "known"] | Failure


@dataclass(frozen=True, slots=True)
class Wanted:
    """One image and the file that it goes into; ``position`` is for the caller to know it by."""

    position: int
    image: CatalogueImage
    path: Path


def download_all(
    wanted: Iterable[Wanted],
    heard: Callable[[Wanted, Outcome], None],
    settings: Settings,
    options: DownloadOptions,
    fetched: Fetched,
) -> None:
    """Download images, ``options.concurrency`` at a time; ``wanted`` is taken as it is needed, never ahead.

    ``heard`` is told what became of each, in the order in which they end: ``"done"`` for a file that is new or
    changed, ``"known"`` for one that stays as it was, or a :class:`Failure` with stage ``download`` or ``decode``.
    Works inside a running event loop (a notebook) as well, in a thread of its own.

    Raises:
        OutputError: the disk is full or the folder cannot be written.
        Exception: whatever ``wanted`` or ``heard`` raise. The files that are there by then are whole.
    """

    stopped = Event()

    def run() -> None:
        going_on = takewhile(lambda _: not stopped.is_set(), wanted)
        asyncio.run(_download(going_on, heard, settings, options, fetched))

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        run()
        return
    with ThreadPoolExecutor(1) as elsewhere:
        try:
            elsewhere.submit(run).result()
        finally:
            stopped.set()  # an interrupted notebook cell ends with the images that are on their way


async def _download(
    wanted: Iterable[Wanted],
    heard: Callable[[Wanted, Outcome], None],
    settings: Settings,
    options: DownloadOptions,
    fetched: Fetched,
) -> None:
    with ThreadPoolExecutor(1) as disk:
        async with _client(options) as client:
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


def _client(options: DownloadOptions) -> httpx.AsyncClient:
    import httpx

    hooks: dict[str, list[Callable[..., Any]]] = {}
    if options.per_second is not None:
        hooks["request"] = [Pace(options.per_second).turn]
    return httpx.AsyncClient(
        http2=find_spec("h2") is not None,
        follow_redirects=True,
        max_redirects=MAX_REDIRECTS,
        timeout=httpx.Timeout(options.timeout, pool=None),
        limits=httpx.Limits(max_connections=options.concurrency),
        headers={"User-Agent": "image-similarity", "Accept": "image/*, */*;q=0.5"},
        event_hooks=hooks,
    )


class TryAgainError(Exception):
    """A try failed in a way that the next one may not."""

    def __init__(self, reason: str, retry_after: str | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class RefusedError(Exception):
    """A try failed in a way that every other will."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A server's answer; no data when the file has not changed."""

    data: bytes | None
    validators: Validators


class Downloader:
    """Makes one file at a time out of one address; many tasks may use it at once."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        settings: Settings,
        options: DownloadOptions,
        fetched: Fetched,
        disk: Executor,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._client, self._settings, self._options = client, settings, options
        self._fetched, self._disk, self._sleep = fetched, disk, sleep

    async def outcome(self, wanted: Wanted) -> Outcome:
        """Fetch one image, unless its file is there already and no refresh is asked for."""
        image, path = wanted.image, wanted.path
        there = has_bytes(path)
        if there and not self._options.refresh:
            return "known"
        known = self._fetched.validators(image.image_id, image.location, path) if there else Validators()
        try:
            reply = await self._reply(image.location, known.headers())
            if reply.data is None:
                return "known"
            # One thread checks and writes: sixteen large pictures are never decoded at once.
            loop = asyncio.get_running_loop()
            changed = await loop.run_in_executor(self._disk, self._keep, path, reply.data)
        except (TryAgainError, RefusedError) as error:
            return Failure("download", str(error), image.product_id, image.image_id, image.location)
        except ImageError as error:
            return Failure("decode", error.reason, image.product_id, image.image_id, image.location)
        self._fetched.remember(image.image_id, image.location, path, reply.validators)
        return "done" if changed else "known"

    def _keep(self, path: Path, data: bytes) -> bool:
        """Write the bytes as they came, once they are known to be a picture; False when they stand there already."""
        from image_similarity.images.decode import decode

        decode(data, max_pixels=self._settings.max_pixels, at_least=CHECKED_SIDE)
        if has_bytes(path) and path.read_bytes() == data:
            return False
        with replacing(path) as temporary:
            temporary.write_bytes(data)
        return True

    async def _reply(self, address: str, headers: Mapping[str, str]) -> Reply:
        for attempt in range(1, self._options.tries + 1):
            try:
                return await self._ask(address, headers)
            except TryAgainError as error:
                if attempt == self._options.tries:
                    raise TryAgainError(f"{error} (tried {attempt} times)" if attempt > 1 else str(error)) from error
                await self._sleep(wait_after(attempt, error.retry_after, self._options))
        raise AssertionError("unreachable: the last try returns or raises")

    async def _ask(self, address: str, headers: Mapping[str, str]) -> Reply:
        import httpx

        try:
            async with self._client.stream("GET", address, headers=headers) as response:
                return await self._read(response, asked_for_changes=bool(headers))
        except (httpx.UnsupportedProtocol, httpx.LocalProtocolError, httpx.InvalidURL, ValueError) as error:
            raise RefusedError(f"not an address that can be asked: {error}") from error
        except httpx.TooManyRedirects as error:
            raise RefusedError(f"redirected more than {MAX_REDIRECTS} times") from error
        except httpx.DecodingError as error:
            raise RefusedError(f"the answer's compression is damaged: {error}") from error
        except (httpx.TimeoutException, TimeoutError) as error:
            raise TryAgainError("no answer in time") from error
        except httpx.TransportError as error:
            raise TryAgainError(f"the connection failed: {error or type(error).__name__}") from error

    async def _read(self, response: httpx.Response, *, asked_for_changes: bool) -> Reply:
        status, limit = response.status_code, self._settings.max_download_bytes
        validators = Validators(response.headers.get("ETag"), response.headers.get("Last-Modified"))
        if status == HTTPStatus.NOT_MODIFIED and asked_for_changes:
            return Reply(None, validators)
        answer = f"the server answered {status} {response.reason_phrase}".rstrip()
        if status in RETRIED:
            raise TryAgainError(answer, response.headers.get("Retry-After"))
        if status != HTTPStatus.OK:
            raise RefusedError(answer)
        data = bytearray()
        async with asyncio.timeout(SLOWEST * self._options.timeout):
            async for piece in response.aiter_bytes():
                data += piece
                if len(data) > limit:
                    raise RefusedError(f"more than {limit} bytes")
        if not data:
            raise RefusedError("the answer is empty")
        return Reply(bytes(data), validators)


def has_bytes(path: Path) -> bool:
    """Whether a file is there and not empty."""
    try:
        state = path.stat()
    except (OSError, ValueError):  # ValueError: a path with a NUL
        return False
    return S_ISREG(state.st_mode) and state.st_size > 0
