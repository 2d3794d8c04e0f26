"""Fetches an image from a client's address, protected against server-side request forgery (SSRF)."""

from __future__ import annotations

import asyncio
import io
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import httpx

from image_similarity.catalogue import SCHEME_LESS
from image_similarity.errors import ImageError
from image_similarity.images import (
    ACCEPT_HEADERS,
    PORTS,
    RETRY_STATUSES,
    AddressError,
    ReplyError,
    RetryableError,
    Sink,
    TooLargeError,
    copy_body,
    is_complete,
    port_of,
    redirect_url,
    request_url,
    with_retries,
)
from image_similarity.options import DownloadOptions
from image_similarity.service.guards.addresses import Trusted, is_open
from image_similarity.types import Stage
from image_similarity.util.tls import tls_context

STAGE: Stage = "download"
FIRST_FREE_PORT = 1024
"""Below it, only the ports of http and https are allowed: the others belong to services such as mail."""
ATTEMPTS = 3
"""Addresses of one name that are tried, where the first ones do not accept the connection."""
RETRIES = DownloadOptions(tries=3, base_delay=0.3, longest_delay=2.0)
"""Tries where a server reports trouble, and the delays between: short, because a client waits."""
UNREACHED = "The address could not be fetched, or is not a public one."
HEADERS = {"User-Agent": "image-similarity", **ACCEPT_HEADERS}

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""A name and a port to IP addresses. Raises OSError where there are none."""


class FetchError(ImageError):
    """An address that is not allowed, or could not be fetched.

    The message may be shown to the client: it is the same for an unknown name, a private address and a server that
    does not respond. ``internal`` is the real reason, for the log.
    """

    def __init__(self, reason: str, internal: str = "") -> None:
        super().__init__(STAGE, reason)
        self.internal = internal


class UnreachableError(FetchError):
    """A host has no address, no allowed address, or none that accepts the connection: the client is not told which."""


@dataclass(frozen=True, slots=True)
class FetchLimits:
    """Limits of a fetch: bytes of the image, seconds in all, redirects, and the hosts that the shop trusts."""

    most_bytes: int = 50_000_000
    seconds: float = 15.0
    redirects: int = 3
    trusted: Trusted = field(default_factory=Trusted)


async def look_up(name: str, port: int) -> Sequence[str]:
    """Resolve a name with this machine's resolver."""
    found = await asyncio.get_running_loop().getaddrinfo(name, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


async def fetch_image(
    address: str, limits: FetchLimits, *, resolve: Resolve | None = None, tls: ssl.SSLContext | None = None
) -> bytes:
    """The bytes behind an address; see :func:`fetch_into`."""
    buffer = io.BytesIO()
    await fetch_into(buffer, address, limits, resolve=resolve, tls=tls)
    return buffer.getvalue()


async def fetch_into(
    to: Sink, address: str, limits: FetchLimits, *, resolve: Resolve | None = None, tls: ssl.SSLContext | None = None
) -> None:
    """Stream the bytes behind an http or https address to ``to``.

    A name is resolved once for each request; all of its addresses must be public or trusted, and the connection goes
    to the address that was checked, while TLS and ``Host`` keep the name. So a name that resolves to another address a
    moment later (DNS rebinding) has no effect. Each redirect is checked in the same way. Cookies, proxies and passwords
    of this machine are not used. A server that reports trouble is tried again within the time limit. An address
    without a scheme is requested by https, then by http where https does not connect.

    Raises:
        FetchError: it is not allowed, could not be fetched, or is too large.
    """
    fetch = _Fetch(limits, resolve or look_up, tls or tls_context(), to)
    try:
        async with asyncio.timeout(limits.seconds):
            await with_retries(lambda: _fetch_once(fetch, address), RETRIES)
    except RetryableError as error:
        raise FetchError(UNREACHED, str(error)) from None
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
    """Check an address, and where it is a redirect its ``base``, before any name is resolved."""
    if url.userinfo:
        raise FetchError("An address with a user name or a password is not fetched.")
    if base is not None and base.scheme == "https" and url.scheme != "https":
        raise FetchError(UNREACHED, "redirects from https to http")
    return url


@dataclass(frozen=True, slots=True)
class _Fetch:
    """The requests from an address to its image, over redirects."""

    limits: FetchLimits
    resolve: Resolve
    tls: ssl.SSLContext
    to: Sink

    async def follow(self, step: httpx.URL) -> None:
        redirect: httpx.URL | None = step
        for _ in range(self.limits.redirects + 1):
            addresses = await _allowed_addresses(step, self.limits.trusted, self.resolve)
            redirect = await self.request(step, addresses)
            if redirect is None:
                return
            step = _allowed(redirect, step)
        raise FetchError("The address redirects too often.")

    async def request(self, url: httpx.URL, addresses: Sequence[str]) -> httpx.URL | None:
        """Request the image and write it; a redirect is returned instead.

        The next address is tried only where one does not accept the connection.
        """
        reason = ""
        async with httpx.AsyncHTTPTransport(verify=self.tls, trust_env=False) as transport:
            for address in addresses:
                request = _request(url, address, self.limits.seconds)
                try:
                    response = await transport.handle_async_request(request)
                    try:
                        response.request = request
                        return await self.receive(response, url)
                    finally:
                        await response.aclose()
                except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                    reason = f"{type(error).__name__} at {address}: {error}"
                except (httpx.HTTPError, ValueError) as error:  # ValueError: a malformed header
                    raise FetchError(UNREACHED, f"{type(error).__name__} at {address}: {error}") from None
        raise UnreachableError(UNREACHED, reason)

    async def receive(self, response: httpx.Response, url: httpx.URL) -> httpx.URL | None:
        try:
            redirect = redirect_url(response, url)
            if redirect is not None:
                return redirect
            if response.status_code in RETRY_STATUSES:
                raise RetryableError(f"answered {response.status_code}", response.headers.get("Retry-After"))
            if not is_complete(response):
                raise FetchError(UNREACHED, f"answered {response.status_code}")
            await copy_body(response, self.limits.most_bytes, self.to)
        except TooLargeError as error:
            raise FetchError(f"The image is {error}.") from None
        except (AddressError, ReplyError) as error:
            raise FetchError(UNREACHED, str(error)) from None
        return None


async def _allowed_addresses(url: httpx.URL, trusted: Trusted, resolve: Resolve) -> list[str]:
    """Resolve a URL's host to the IP addresses to connect to; all must be public or trusted."""
    name, port = url.raw_host.decode("ascii"), port_of(url)
    is_trusted = trusted.host(name, port)
    if port < FIRST_FREE_PORT and port not in PORTS.values() and not is_trusted:
        raise FetchError("Of the ports below 1024 only 80 and 443 are fetched from.")
    try:
        addresses = list(dict.fromkeys(await resolve(name, port)))
    except (OSError, ValueError) as error:
        raise UnreachableError(UNREACHED, f"does not resolve: {error}") from None
    refused = [each for each in addresses if not (is_trusted or is_open(each) or trusted.address(each))]
    if refused or not addresses:
        raise UnreachableError(UNREACHED, f"resolves to {', '.join(refused) or 'nothing'}")
    return addresses[:ATTEMPTS]


def _request(url: httpx.URL, address: str, seconds: float) -> httpx.Request:
    name = url.raw_host.decode("ascii")
    return httpx.Request(
        "GET",
        url.copy_with(host=address),
        headers={"Host": url.netloc.decode("ascii"), **HEADERS},
        extensions={"sni_hostname": name, "timeout": httpx.Timeout(seconds).as_dict()},
    )
