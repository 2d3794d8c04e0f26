"""Asks an address until there is an image or a reason why not: steps, tries, pauses."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus
from importlib.util import find_spec
from io import BytesIO
from typing import TYPE_CHECKING, Any, BinaryIO

from image_similarity.catalogue import DATA, SCHEME_LESS
from image_similarity.errors import ImageError, OutputError
from image_similarity.images.data_uris import image_in
from image_similarity.images.fetch_log import Validators
from image_similarity.images.host_headers import HostHeaders
from image_similarity.images.pacing import Pace, Sleep, retry_delay
from image_similarity.images.reply_bodies import ACCEPT_HEADERS, RETRY_STATUSES, ReplyError, copy_body, is_complete
from image_similarity.images.unreachable_hosts import UnreachableHosts
from image_similarity.images.urls import AddressError, hide_location, redirect_url, request_url
from image_similarity.options import DownloadOptions

if TYPE_CHECKING:
    import httpx

    from image_similarity.settings import Settings

MAX_REDIRECTS = 5
LATE = "timed out"
SLOWEST = 10  # times the time-out: how long one body may take, however steadily it drips


class TryAgainError(Exception):
    """A try failed in a way that the next one may not."""

    def __init__(self, reason: str, retry_after: str | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class _UnreachedError(TryAgainError):
    """No connection to a host: it is not found, or nobody takes the connection there."""

    def __init__(self, reason: str, host: str) -> None:
        super().__init__(reason)
        self.host = host


class RefusedError(Exception):
    """A try failed in a way that every other will."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A server's answer, its body apart; not ``changed``: the file is as it was."""

    changed: bool
    validators: Validators


class Fetcher:
    """Fetches what is behind one address; many tasks may use it at once."""

    def __init__(
        self, client: httpx.AsyncClient, settings: Settings, options: DownloadOptions, sleep: Sleep = asyncio.sleep
    ) -> None:
        self._client, self._settings, self._options, self._sleep = client, settings, options, sleep
        self._own = HostHeaders(options.headers)
        self.hosts = UnreachableHosts()

    async def fetch(self, address: str, headers: Mapping[str, str], body: BinaryIO) -> Reply:
        """Write what is behind an address to ``body``; ``headers`` ask for it only if it has changed.

        Raises:
            TryAgainError, RefusedError: it could not be had; the message is for people.
            OutputError: the disk is full.
        """
        for attempt in range(1, self._options.tries + 1):
            try:
                return await self._ask(address, headers, body)
            except TryAgainError as error:
                host = error.host if isinstance(error, _UnreachedError) else ""
                if attempt == self._options.tries or self.hosts.given_up(host):
                    if host:
                        self.hosts.unreached(host, str(error))
                    raise TryAgainError(f"{error} (tried {attempt} times)" if attempt > 1 else str(error)) from error
                await self._sleep(retry_delay(attempt, error.retry_after, self._options))
        raise AssertionError("unreachable: the last try returns or raises")

    async def _ask(self, address: str, headers: Mapping[str, str], body: BinaryIO) -> Reply:
        import httpx

        try:
            if address.startswith(DATA):
                body.write(image_in(address))
                return Reply(True, Validators())
            try:
                return await self._follow(request_url(address), headers, body)
            except httpx.ConnectError:
                if not SCHEME_LESS.match(address):
                    raise
                return await self._follow(request_url(f"http:{address}"), headers, body)
        except (AddressError, ReplyError) as error:
            raise RefusedError(str(error)) from error
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.ReadTimeout) as error:
            reason = _connection(error) if isinstance(error, httpx.ConnectError) else LATE
            raise _UnreachedError(reason, _host(error.request.url)) from error
        except httpx.TimeoutException as error:
            raise TryAgainError(LATE) from error
        except (httpx.UnsupportedProtocol, httpx.LocalProtocolError, httpx.InvalidURL, ValueError) as error:
            raise RefusedError(f"not an address that can be fetched: {error}") from error
        except httpx.TransportError as error:
            raise TryAgainError(_connection(error)) from error
        except OSError as error:  # TimeoutError is one too; the network's others are httpx's
            raise OutputError(f"cannot save the download: {error.strerror or error}") from error

    async def _follow(self, listed: httpx.URL, headers: Mapping[str, str], body: BinaryIO) -> Reply:
        url = listed
        for _ in range(MAX_REDIRECTS + 1):
            sent = {**self._own.at(url, listed), **headers}
            reason = self.hosts.why_not(_host(url))
            if reason is not None:
                raise RefusedError(f"{reason}; so were other images of {_host(url)}, this one was not requested")
            async with self._client.stream("GET", url, headers=sent) as response:
                self.hosts.answered(_host(url))
                onward = redirect_url(response, url)
                if onward is None:
                    return await self._read(response, body, asked_for_changes=bool(headers))
            url = onward
        raise RefusedError(f"redirected more than {MAX_REDIRECTS} times")

    async def _read(self, response: httpx.Response, body: BinaryIO, *, asked_for_changes: bool) -> Reply:
        import httpx

        status = response.status_code
        validators = Validators(response.headers.get("ETag"), response.headers.get("Last-Modified"))
        if status == HTTPStatus.NOT_MODIFIED and asked_for_changes:
            return Reply(False, validators)
        answer = f"the server returned {status} {response.reason_phrase}".rstrip()
        if status in RETRY_STATUSES:
            raise TryAgainError(answer, response.headers.get("Retry-After"))
        if not is_complete(response):
            raise RefusedError(answer)
        body.seek(0)
        body.truncate()  # of a try before that broke off
        try:
            async with asyncio.timeout(SLOWEST * self._options.timeout):
                await copy_body(response, self._settings.max_download_bytes, body)
        except (httpx.TimeoutException, TimeoutError) as error:  # who has begun to answer is within reach
            raise TryAgainError(LATE) from error
        return Reply(True, validators)


def _host(url: httpx.URL) -> str:
    return url.netloc.decode("ascii")


def _connection(error: Exception) -> str:
    return f"the connection failed: {error or type(error).__name__}"


def client_of(options: DownloadOptions, sleep: Sleep = asyncio.sleep) -> httpx.AsyncClient:
    """What asks: many at a time, politely, each step by itself; ``sleep`` waits for a request's turn."""
    import httpx

    hooks: dict[str, list[Callable[..., Any]]] = {"response": [hide_location]}
    if options.per_second is not None:
        hooks["request"] = [Pace(options.per_second, sleep=sleep).turn]
    return httpx.AsyncClient(
        http2=find_spec("h2") is not None,
        follow_redirects=False,  # each step is looked at: who may be asked, and with which headers
        timeout=httpx.Timeout(options.timeout, pool=None),
        limits=httpx.Limits(max_connections=options.concurrency),
        headers={"User-Agent": "image-similarity", **ACCEPT_HEADERS},
        event_hooks=hooks,
    )


def fetch_one(address: str, settings: Settings, options: DownloadOptions | None = None) -> bytes:
    """The bytes behind one address. Works inside a running event loop (a notebook) as well.

    Raises:
        ImageError: stage ``download``: it could not be had.
    """
    options = options or DownloadOptions()

    async def fetch() -> bytes:
        body = BytesIO()
        async with client_of(options) as client:
            await Fetcher(client, settings, options).fetch(address, {}, body)
        return body.getvalue()

    try:
        with ThreadPoolExecutor(1) as elsewhere:
            return elsewhere.submit(asyncio.run, fetch()).result()
    except (TryAgainError, RefusedError) as error:
        raise ImageError("download", str(error)) from error
