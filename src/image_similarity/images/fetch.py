"""Fetch one address, with redirects, retries and pauses between them."""

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
from image_similarity.images.data_uris import decode_data_uri
from image_similarity.images.fetch_log import Validators
from image_similarity.images.host_headers import HostHeaders
from image_similarity.images.pacing import Pace, RetryableError, Sleep, with_retries
from image_similarity.images.reply_bodies import ACCEPT_HEADERS, RETRY_STATUSES, ReplyError, copy_body, is_complete
from image_similarity.images.unreachable_hosts import UnreachableHosts
from image_similarity.images.urls import AddressError, hide_location, redirect_url, request_url
from image_similarity.options import DownloadOptions
from image_similarity.util.tls import tls_context

if TYPE_CHECKING:
    import httpx

    from image_similarity.settings import Settings

MAX_REDIRECTS = 5
TIMED_OUT = "timed out"
BODY_TIMEOUT = 10  # times the time-out: the limit for one whole body, even if its bytes keep coming slowly


class _UnreachableError(RetryableError):
    """No connection to a host, or no response from it."""

    def __init__(self, reason: str, host: str) -> None:
        super().__init__(reason)
        self.host = host


class PermanentError(Exception):
    """A try failed, and every other would fail too."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A server's response without its body; not ``changed``: the file is the same as before (status 304)."""

    changed: bool
    validators: Validators


class Fetcher:
    """Fetches addresses; many tasks may use it at once."""

    def __init__(
        self, client: httpx.AsyncClient, settings: Settings, options: DownloadOptions, sleep: Sleep = asyncio.sleep
    ) -> None:
        self._client, self._settings, self._options, self._sleep = client, settings, options, sleep
        self._headers = HostHeaders(options.headers)
        self.hosts = UnreachableHosts()

    async def fetch(self, address: str, headers: Mapping[str, str], body: BinaryIO) -> Reply:
        """Write the content of an address to ``body``; ``headers`` make the request conditional on a change.

        Raises:
            RetryableError, PermanentError: it could not be fetched; the message is for users.
            OutputError: the disk is full.
        """
        try:
            return await with_retries(
                lambda: self._try(address, headers, body), self._options, self._sleep, self._is_suspended
            )
        except _UnreachableError as error:
            self.hosts.record_failure(error.host, error.reason)
            raise

    def _is_suspended(self, error: RetryableError) -> bool:
        return isinstance(error, _UnreachableError) and self.hosts.is_suspended(error.host)

    async def _try(self, address: str, headers: Mapping[str, str], body: BinaryIO) -> Reply:
        import httpx

        try:
            if address.startswith(DATA):
                body.write(decode_data_uri(address))
                return Reply(True, Validators())
            try:
                return await self._follow(request_url(address), headers, body)
            except httpx.ConnectError:
                if not SCHEME_LESS.match(address):
                    raise
                return await self._follow(request_url(f"http:{address}"), headers, body)
        except (AddressError, ReplyError) as error:
            raise PermanentError(str(error)) from error
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.ReadTimeout) as error:
            reason = _connection(error) if isinstance(error, httpx.ConnectError) else TIMED_OUT
            raise _UnreachableError(reason, _host(error.request.url)) from error
        except httpx.TimeoutException as error:
            raise RetryableError(TIMED_OUT) from error
        except (httpx.UnsupportedProtocol, httpx.LocalProtocolError, httpx.InvalidURL, ValueError) as error:
            raise PermanentError(f"not an address that can be fetched: {error}") from error
        except httpx.TransportError as error:
            raise RetryableError(_connection(error)) from error
        except OSError as error:  # TimeoutError is one too; other network errors are httpx's
            raise OutputError(f"cannot save the download: {error.strerror or error}") from error

    async def _follow(self, listed: httpx.URL, headers: Mapping[str, str], body: BinaryIO) -> Reply:
        url = listed
        for _ in range(MAX_REDIRECTS + 1):
            sent = {**self._headers.for_url(url, listed), **headers}
            reason = self.hosts.skip_reason(_host(url))
            if reason is not None:
                raise PermanentError(f"{reason}, as other images of {_host(url)}: this one was not requested")
            async with self._client.stream("GET", url, headers=sent) as response:
                self.hosts.record_response(_host(url))
                location = redirect_url(response, url)
                if location is None:
                    return await self._read(response, body, conditional=bool(headers))
            url = location
        raise PermanentError(f"redirected more than {MAX_REDIRECTS} times")

    async def _read(self, response: httpx.Response, body: BinaryIO, *, conditional: bool) -> Reply:
        import httpx

        status = response.status_code
        validators = Validators(response.headers.get("ETag"), response.headers.get("Last-Modified"))
        if status == HTTPStatus.NOT_MODIFIED and conditional:
            return Reply(False, validators)
        message = f"the server returned {status} {response.reason_phrase}".rstrip()
        if status in RETRY_STATUSES:
            raise RetryableError(message, response.headers.get("Retry-After"))
        if not is_complete(response):
            raise PermanentError(message)
        body.seek(0)
        body.truncate()  # an earlier try may have broken off
        try:
            async with asyncio.timeout(BODY_TIMEOUT * self._options.timeout):
                await copy_body(response, self._settings.max_download_bytes, body)
        except (httpx.TimeoutException, TimeoutError) as error:  # the host did respond, so it is reachable
            raise RetryableError(TIMED_OUT) from error
        return Reply(True, validators)


def _host(url: httpx.URL) -> str:
    return url.netloc.decode("ascii")


def _connection(error: Exception) -> str:
    return f"the connection failed: {error or type(error).__name__}"


def client_of(options: DownloadOptions, sleep: Sleep = asyncio.sleep) -> httpx.AsyncClient:
    """An HTTP client with limited concurrency and request rate, that follows no redirect by itself."""
    import httpx

    hooks: dict[str, list[Callable[..., Any]]] = {"response": [hide_location]}
    if options.per_second is not None:
        hooks["request"] = [Pace(options.per_second, sleep=sleep).wait]
    http2 = find_spec("h2") is not None
    return httpx.AsyncClient(
        verify=tls_context(http2=http2),
        http2=http2,
        follow_redirects=False,  # each step is checked: which host, and which headers it gets
        timeout=httpx.Timeout(options.timeout, pool=None),
        limits=httpx.Limits(max_connections=options.concurrency),
        headers={"User-Agent": "image-similarity", **ACCEPT_HEADERS},
        event_hooks=hooks,
    )


def fetch_one(address: str, settings: Settings, options: DownloadOptions | None = None) -> bytes:
    """The content of one address. Works inside a running event loop (a notebook) as well.

    Raises:
        ImageError: stage ``download``: it could not be fetched.
    """
    options = options or DownloadOptions()

    async def fetch() -> bytes:
        body = BytesIO()
        async with client_of(options) as client:
            await Fetcher(client, settings, options).fetch(address, {}, body)
        return body.getvalue()

    try:
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(asyncio.run, fetch()).result()
    except (RetryableError, PermanentError) as error:
        raise ImageError("download", str(error)) from error
