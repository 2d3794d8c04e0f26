"""Fetches an image from an address that a stranger has named, without becoming the stranger's way into the network."""

from __future__ import annotations

import asyncio
import io
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import httpx

from image_similarity.catalogue import SCHEME_LESS
from image_similarity.errors import ImageError
from image_similarity.images import (
    ACCEPT_HEADERS,
    PORTS,
    RETRY_STATUSES,
    AddressError,
    ReplyError,
    Sink,
    TooLargeError,
    copy_body,
    is_complete,
    port_of,
    redirect_url,
    request_url,
    retry_delay,
)
from image_similarity.options import DownloadOptions
from image_similarity.service.guards.addresses import Trusted, is_open
from image_similarity.types import Stage

STAGE: Stage = "download"
FIRST_FREE_PORT = 1024
"""Below it, only the web's own two ports are asked: at the others stand mail, files, databases of old."""
ATTEMPTS = 3
"""Addresses of one name that are tried, where the first ones do not take the connection."""
AGAIN = DownloadOptions(tries=3, base_delay=0.3, longest_delay=2.0)
"""How often a server in trouble is asked, and the waits between: somebody waits for the answer."""
UNREACHED = "The address could not be fetched, or is not one of the open internet."
HEADERS = {"User-Agent": "image-similarity", **ACCEPT_HEADERS}

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""A name and a port to the addresses, as numbers. Raises OSError where there are none."""


class FetchError(ImageError):
    """An address that is not allowed, or could not be fetched.

    Its message may be told to the stranger: a name that means nothing, one that means a private address and a server
    that is silent read the same. ``inside`` says which it was, for the log.
    """

    def __init__(self, reason: str, inside: str = "") -> None:
        super().__init__(STAGE, reason)
        self.inside = inside


class UnreachableError(FetchError):
    """A host has no address, none that may be asked, or none that takes the connection: all the same to a stranger."""


class _TryAgainError(FetchError):
    """A server says that it is in trouble."""

    def __init__(self, status: int, retry_after: str | None) -> None:
        super().__init__(UNREACHED, f"answered {status}")
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class FetchLimits:
    """How far a fetch may go: bytes of the image, seconds in all, redirects, and hosts that the shop trusts."""

    most_bytes: int = 50_000_000
    seconds: float = 15.0
    redirects: int = 3
    trusted: Trusted = field(default_factory=Trusted)


async def look_up(name: str, port: int) -> Sequence[str]:
    """The addresses that this machine's resolver gives for a name."""
    found = await asyncio.get_running_loop().getaddrinfo(name, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


async def fetch_image(
    address: str, limits: FetchLimits, *, resolve: Resolve | None = None, tls: ssl.SSLContext | None = None
) -> bytes:
    """The bytes behind an address; see :func:`fetch_into`."""
    kept = io.BytesIO()
    await fetch_into(kept, address, limits, resolve=resolve, tls=tls)
    return kept.getvalue()


async def fetch_into(
    to: Sink, address: str, limits: FetchLimits, *, resolve: Resolve | None = None, tls: ssl.SSLContext | None = None
) -> None:
    """Write the bytes behind an http or https address to ``to``, a little at a time.

    A name is resolved once for each step; all of its addresses must be of the open internet, or listed as trusted; the
    connection goes to the very address that was checked, while TLS and ``Host`` keep the name. So a name that means
    another address a moment later (DNS rebinding) changes nothing. Every redirect is a new step. Neither cookies,
    proxies nor passwords of this machine take part. A server that says that it is in trouble is asked again, as long as
    there is time. An address without its scheme is asked by https, and by http where
    nobody takes that.

    Raises:
        FetchError: it is not allowed, could not be fetched, or is too large.
    """
    fetch = _Fetch(limits, resolve or look_up, tls or _tls(), to)
    try:
        async with asyncio.timeout(limits.seconds):
            for attempt in range(1, AGAIN.tries + 1):
                try:
                    return await _fetch_once(fetch, address)
                except _TryAgainError as error:
                    if attempt == AGAIN.tries:
                        raise
                    await asyncio.sleep(retry_delay(attempt, error.retry_after, AGAIN))
    except TimeoutError:
        raise FetchError(UNREACHED, "took too long") from None


async def _fetch_once(fetch: _Fetch, address: str) -> None:
    try:
        await fetch.follow(_allowed(_target(address)))
    except UnreachableError:
        if not SCHEME_LESS.match(address):
            raise
        await fetch.follow(_allowed(_target(f"http:{address}")))


def _target(address: str) -> httpx.URL:
    try:
        return request_url(address)
    except AddressError as error:
        raise FetchError(f"{str(error)[0].upper()}{str(error)[1:]}.") from None


def _allowed(url: httpx.URL, base: httpx.URL | None = None) -> httpx.URL:
    """An address that may be asked, as far as its letters tell."""
    if url.userinfo:
        raise FetchError("An address with a user name or a password is not fetched.")
    if base is not None and base.scheme == "https" and url.scheme != "https":
        raise FetchError(UNREACHED, "redirects from https to http")
    return url


@dataclass(frozen=True, slots=True)
class _Fetch:
    """The steps from an address to its image."""

    limits: FetchLimits
    resolve: Resolve
    tls: ssl.SSLContext
    to: Sink

    async def follow(self, step: httpx.URL) -> None:
        onward: httpx.URL | None = step
        for _ in range(self.limits.redirects + 1):
            addresses = await _checked(step, self.limits.trusted, self.resolve)
            onward = await self.ask(step, addresses)
            if onward is None:
                return
            step = _allowed(onward, step)
        raise FetchError("The address redirects too often.")

    async def ask(self, url: httpx.URL, addresses: Sequence[str]) -> httpx.URL | None:
        """Where a redirect leads; None: the image was written.

        The next address is tried only where one takes no connection.
        """
        trouble = ""
        async with httpx.AsyncHTTPTransport(verify=self.tls, trust_env=False) as transport:
            for address in addresses:
                request = _request(url, address, self.limits.seconds)
                try:
                    response = await transport.handle_async_request(request)
                    try:
                        response.request = request
                        return await self.take(response, url)
                    finally:
                        await response.aclose()
                except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                    trouble = f"{type(error).__name__} at {address}: {error}"
                except (httpx.HTTPError, ValueError) as error:  # ValueError: a header that is none
                    raise FetchError(UNREACHED, f"{type(error).__name__} at {address}: {error}") from None
        raise UnreachableError(UNREACHED, trouble)

    async def take(self, response: httpx.Response, url: httpx.URL) -> httpx.URL | None:
        try:
            onward = redirect_url(response, url)
            if onward is not None:
                return onward
            if response.status_code in RETRY_STATUSES:
                raise _TryAgainError(response.status_code, response.headers.get("Retry-After"))
            if not is_complete(response):
                raise FetchError(UNREACHED, f"answered {response.status_code}")
            await copy_body(response, self.limits.most_bytes, self.to)
        except TooLargeError as error:
            raise FetchError(f"The image is {error}.") from None
        except (AddressError, ReplyError) as error:
            raise FetchError(UNREACHED, str(error)) from None
        return None


async def _checked(url: httpx.URL, trusted: Trusted, resolve: Resolve) -> list[str]:
    """The addresses that a step may connect to."""
    name, port = url.raw_host.decode("ascii"), port_of(url)
    own = trusted.host(name, port)
    if port < FIRST_FREE_PORT and port not in PORTS.values() and not own:
        raise FetchError("Of the ports below 1024 only 80 and 443 are fetched from.")
    try:
        addresses = list(dict.fromkeys(await resolve(name, port)))
    except (OSError, ValueError) as error:
        raise UnreachableError(UNREACHED, f"does not resolve: {error}") from None
    wrong = [each for each in addresses if not (own or is_open(each) or trusted.address(each))]
    if wrong or not addresses:
        raise UnreachableError(UNREACHED, f"resolves to {', '.join(wrong) or 'nothing'}")
    return addresses[:ATTEMPTS]


def _request(url: httpx.URL, address: str, seconds: float) -> httpx.Request:
    name = url.raw_host.decode("ascii")
    return httpx.Request(
        "GET",
        url.copy_with(host=address),
        headers={"Host": url.netloc.decode("ascii"), **HEADERS},
        extensions={"sni_hostname": name, "timeout": httpx.Timeout(seconds).as_dict()},
    )


@lru_cache(1)
def _tls() -> ssl.SSLContext:
    return httpx.create_ssl_context()  # 20 ms and more: once
