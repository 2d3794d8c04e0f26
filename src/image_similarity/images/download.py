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
from tempfile import SpooledTemporaryFile
from threading import Event
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, cast

from image_similarity.catalogue.addresses import DATA, SCHEME_LESS
from image_similarity.errors import ImageError, OutputError
from image_similarity.files import replacing
from image_similarity.images.data_uri import picture_in
from image_similarity.images.fetched import Fetched, Validators
from image_similarity.images.own_headers import OwnHeaders
from image_similarity.images.replies import ACCEPTED, ReplyError, copy_body, is_whole
from image_similarity.images.targets import AddressError, moved_to, put_location_aside, target
from image_similarity.images.waiting import DownloadOptions, Pace, Sleep, wait_after
from image_similarity.settings import Settings
from image_similarity.types import CatalogueImage, Failure

if TYPE_CHECKING:
    import httpx

RETRIED = frozenset((408, 425, 429, 500, 502, 503, 504, *range(520, 528), 530))  # from 520 on: Cloudflare's
MAX_REDIRECTS = 5
SLOWEST = 10  # times the time-out: how long one body may take, however steadily it drips
IN_MEMORY = 1 << 20  # bytes of a body; what is longer waits on the disk
LONGEST_SHOWN = 200  # characters of a location that holds the picture itself
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

    hooks: dict[str, list[Callable[..., Any]]] = {"response": [put_location_aside]}
    if options.per_second is not None:
        hooks["request"] = [Pace(options.per_second).turn]
    return httpx.AsyncClient(
        http2=find_spec("h2") is not None,
        follow_redirects=False,  # each step is looked at: who may be asked, and with which headers
        timeout=httpx.Timeout(options.timeout, pool=None),
        limits=httpx.Limits(max_connections=options.concurrency),
        headers={"User-Agent": "image-similarity", **ACCEPTED},
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
    """A server's answer, its body apart; not ``changed``: the file is as it was."""

    changed: bool
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
        self._own = OwnHeaders(options.headers)

    async def outcome(self, wanted: Wanted) -> Outcome:
        """Fetch one image, unless its file is there already and no refresh is asked for."""
        image, path = wanted.image, wanted.path
        there = has_bytes(path)
        if there and not self._options.refresh:
            return "known"
        known = self._fetched.validators(image.image_id, image.location, path) if there else Validators()
        try:
            with self._spool() as body:
                reply = await self._reply(image.location, known.headers(), body)
                if not reply.changed:
                    return "known"
                # One thread checks and writes: sixteen large pictures are never decoded at once.
                loop = asyncio.get_running_loop()
                changed = await loop.run_in_executor(self._disk, self._keep, path, body)
        except (TryAgainError, RefusedError) as error:
            return _failure("download", str(error), image)
        except ImageError as error:
            return _failure("decode", error.reason, image)
        self._fetched.remember(image.image_id, image.location, path, reply.validators)
        return "done" if changed else "known"

    def _spool(self) -> BinaryIO:
        """A file for one body, in memory as long as that is short. It has no name, so a kill leaves nothing."""
        return cast("BinaryIO", SpooledTemporaryFile(IN_MEMORY, dir=str(self._fetched.folder)))

    def _keep(self, path: Path, body: BinaryIO) -> bool:
        """Write the bytes as they came, once they are known to be a picture; False when they stand there already."""
        from image_similarity.images.decode import decode

        body.seek(0)
        data = body.read()
        decode(data, max_pixels=self._settings.max_pixels, at_least=CHECKED_SIDE)
        if has_bytes(path) and path.read_bytes() == data:
            return False
        with replacing(path) as temporary:
            temporary.write_bytes(data)
        return True

    async def _reply(self, address: str, headers: Mapping[str, str], body: BinaryIO) -> Reply:
        for attempt in range(1, self._options.tries + 1):
            try:
                return await self._ask(address, headers, body)
            except TryAgainError as error:
                if attempt == self._options.tries:
                    raise TryAgainError(f"{error} (tried {attempt} times)" if attempt > 1 else str(error)) from error
                await self._sleep(wait_after(attempt, error.retry_after, self._options))
        raise AssertionError("unreachable: the last try returns or raises")

    async def _ask(self, address: str, headers: Mapping[str, str], body: BinaryIO) -> Reply:
        import httpx

        try:
            if address.startswith(DATA):
                body.write(picture_in(address))
                return Reply(True, Validators())
            try:
                return await self._follow(target(address), headers, body)
            except httpx.ConnectError:
                if not SCHEME_LESS.match(address):
                    raise
                return await self._follow(target(f"http:{address}"), headers, body)
        except (AddressError, ReplyError) as error:
            raise RefusedError(str(error)) from error
        except (httpx.TimeoutException, TimeoutError) as error:
            raise TryAgainError("no answer in time") from error
        except (httpx.UnsupportedProtocol, httpx.LocalProtocolError, httpx.InvalidURL, ValueError) as error:
            raise RefusedError(f"not an address that can be asked: {error}") from error
        except httpx.TransportError as error:
            raise TryAgainError(f"the connection failed: {error or type(error).__name__}") from error
        except OSError as error:  # TimeoutError is one too; the network's others are httpx's
            raise OutputError(f"cannot keep what was downloaded: {error.strerror or error}") from error

    async def _follow(self, listed: httpx.URL, headers: Mapping[str, str], body: BinaryIO) -> Reply:
        url = listed
        for _ in range(MAX_REDIRECTS + 1):
            sent = {**self._own.at(url, listed), **headers}
            async with self._client.stream("GET", url, headers=sent) as response:
                onward = moved_to(response, url)
                if onward is None:
                    return await self._read(response, body, asked_for_changes=bool(headers))
            url = onward
        raise RefusedError(f"redirected more than {MAX_REDIRECTS} times")

    async def _read(self, response: httpx.Response, body: BinaryIO, *, asked_for_changes: bool) -> Reply:
        status = response.status_code
        validators = Validators(response.headers.get("ETag"), response.headers.get("Last-Modified"))
        if status == HTTPStatus.NOT_MODIFIED and asked_for_changes:
            return Reply(False, validators)
        answer = f"the server answered {status} {response.reason_phrase}".rstrip()
        if status in RETRIED:
            raise TryAgainError(answer, response.headers.get("Retry-After"))
        if not is_whole(response):
            raise RefusedError(answer)
        body.seek(0)
        body.truncate()  # of a try before that broke off
        async with asyncio.timeout(SLOWEST * self._options.timeout):
            await copy_body(response, self._settings.max_download_bytes, body)
        return Reply(True, validators)


def _failure(stage: Literal["download", "decode"], reason: str, image: CatalogueImage) -> Failure:
    location = image.location
    if location.startswith(DATA) and len(location) > LONGEST_SHOWN:
        location = f"{location[:LONGEST_SHOWN]}..."
    return Failure(stage, reason, image.product_id, image.image_id, location)


def has_bytes(path: Path) -> bool:
    """Whether a file is there and not empty."""
    try:
        state = path.stat()
    except (OSError, ValueError):  # ValueError: a path with a NUL
        return False
    return S_ISREG(state.st_mode) and state.st_size > 0
