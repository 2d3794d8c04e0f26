"""Fetches a picture from an address that a stranger has named, without becoming the stranger's way into the network."""

from __future__ import annotations

import asyncio
import socket
import ssl
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import httpx

from image_similarity.errors import ImageError
from image_similarity.service.guards.addresses import Trusted, is_open

STAGE = "fetch"
SCHEMES = {"http": 80, "https": 443}
FIRST_FREE_PORT = 1024
"""Below it, only the web's own two ports are asked: at the others stand mail, files, databases of old."""
LAST_PORT = 65_535
MOVED = frozenset((301, 302, 303, 307, 308))
ATTEMPTS = 3
"""Addresses of one name that are tried, where the first ones do not take the connection."""
DECODED_AT_A_TIME = 1 << 16
UNREACHED = "The address could not be fetched, or is not one of the open internet."
HEADERS = {"User-Agent": "image-similarity", "Accept": "image/*, */*;q=0.5", "Accept-Encoding": "identity"}

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


@dataclass(frozen=True, slots=True)
class FetchLimits:
    """How far a fetch may go: bytes of the picture, seconds in all, redirects, and hosts that the shop trusts."""

    most_bytes: int = 50_000_000
    seconds: float = 15.0
    redirects: int = 3
    trusted: Trusted = field(default_factory=Trusted)


async def look_up(name: str, port: int) -> Sequence[str]:
    """The addresses that this machine's resolver gives for a name."""
    found = await asyncio.get_running_loop().getaddrinfo(name, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


async def fetch_picture(
    address: str, limits: FetchLimits, *, resolve: Resolve | None = None, tls: ssl.SSLContext | None = None
) -> bytes:
    """The bytes behind an http or https address.

    A name is resolved once for each step; all of its addresses must be of the open internet, or listed as trusted; the
    connection goes to the very address that was checked, while TLS and ``Host`` keep the name. So a name that means
    another address a moment later (DNS rebinding) changes nothing. Every redirect is a new step. Neither cookies,
    proxies nor passwords of this machine take part.

    Raises:
        FetchError: it is not allowed, could not be fetched, or is too large.
    """
    try:
        async with asyncio.timeout(limits.seconds):
            step = _parsed(address)
            for _ in range(limits.redirects + 1):
                addresses = await _checked(step, limits.trusted, resolve or look_up)
                answer = await _ask(step, addresses, limits, tls or _tls())
                if isinstance(answer, bytes):
                    return answer
                step = answer
    except TimeoutError:
        raise FetchError(UNREACHED, "took too long") from None
    raise FetchError("The address redirects too often.")


def _parsed(address: str, base: httpx.URL | None = None) -> httpx.URL:
    """An address that may be asked, as far as its letters tell."""
    try:
        url = httpx.URL(address) if base is None else base.join(address)
        name = url.raw_host.decode("ascii")
    except (httpx.InvalidURL, ValueError):
        raise FetchError("This is not an address.") from None
    if url.port is not None and url.port > LAST_PORT:
        raise FetchError("This is not an address.")
    if url.scheme not in SCHEMES or not name:
        raise FetchError("Only http and https addresses are fetched.")
    if url.userinfo:
        raise FetchError("An address with a user name or a password is not fetched.")
    if base is not None and base.scheme == "https" and url.scheme != "https":
        raise FetchError(UNREACHED, "redirects from https to http")
    return url.copy_with(fragment=None)


async def _checked(url: httpx.URL, trusted: Trusted, resolve: Resolve) -> list[str]:
    """The addresses that a step may connect to."""
    name, port = url.raw_host.decode("ascii"), SCHEMES[url.scheme] if url.port is None else url.port
    own = trusted.host(name, port)
    if port < FIRST_FREE_PORT and port not in SCHEMES.values() and not own:
        raise FetchError("Of the ports below 1024 only 80 and 443 are fetched from.")
    try:
        addresses = list(dict.fromkeys(await resolve(name, port)))
    except (OSError, UnicodeError) as error:
        raise FetchError(UNREACHED, f"does not resolve: {error}") from None
    wrong = [each for each in addresses if not (own or is_open(each) or trusted.address(each))]
    if wrong or not addresses:
        raise FetchError(UNREACHED, f"resolves to {', '.join(wrong) or 'nothing'}")
    return addresses[:ATTEMPTS]


async def _ask(url: httpx.URL, addresses: Sequence[str], limits: FetchLimits, tls: ssl.SSLContext) -> bytes | httpx.URL:
    """The picture, or where a redirect leads. The next address is tried only where one takes no connection."""
    trouble = ""
    async with httpx.AsyncHTTPTransport(verify=tls, trust_env=False) as transport:
        for address in addresses:
            request = _request(url, address, limits.seconds)
            try:
                response = await transport.handle_async_request(request)
                try:
                    response.request = request
                    if response.status_code in MOVED:
                        return _parsed(response.headers.get("location", ""), url)
                    return await _body(response, limits.most_bytes)
                finally:
                    await response.aclose()
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                trouble = f"{type(error).__name__} at {address}: {error}"
            except httpx.HTTPError as error:
                raise FetchError(UNREACHED, f"{type(error).__name__} at {address}: {error}") from None
    raise FetchError(UNREACHED, trouble)


def _request(url: httpx.URL, address: str, seconds: float) -> httpx.Request:
    name = url.raw_host.decode("ascii")
    return httpx.Request(
        "GET",
        url.copy_with(host=address),
        headers={"Host": url.netloc.decode("ascii"), **HEADERS},
        extensions={"sni_hostname": name, "timeout": httpx.Timeout(seconds).as_dict()},
    )


async def _body(response: httpx.Response, most: int) -> bytes:
    if response.status_code != httpx.codes.OK:
        raise FetchError(UNREACHED, f"answered {response.status_code}")
    declared = response.headers.get("content-length", "")
    too_large = FetchError(f"The picture is larger than {most} bytes.")
    if declared.isdecimal() and int(declared) > most:
        raise too_large
    body = bytearray()
    async for chunk in _decoded(response):
        body += chunk
        if len(body) > most:
            raise too_large
    return bytes(body)


async def _decoded(response: httpx.Response) -> AsyncIterator[bytes]:
    """The body, unpacked a little at a time: a few bytes may unpack to gigabytes, and these must be counted early."""
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding in ("identity", ""):
        async for chunk in response.aiter_raw():
            yield chunk
        return
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise FetchError(UNREACHED, f"is encoded as {encoding[:50]!r}")
    unpack = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)  # reads the headers of gzip and of zlib
    try:
        async for chunk in response.aiter_raw():
            while chunk and not unpack.eof:
                yield unpack.decompress(chunk, DECODED_AT_A_TIME)
                chunk = unpack.unconsumed_tail
        yield unpack.flush()
    except zlib.error:
        raise FetchError(UNREACHED, "its compression is broken") from None
    if not unpack.eof:
        raise FetchError(UNREACHED, "its compression ends early")


@lru_cache(1)
def _tls() -> ssl.SSLContext:
    return httpx.create_ssl_context()  # 20 ms and more: once
