"""Turn an address into the URL that is requested, and resolve redirects."""

from __future__ import annotations

import re
import unicodedata
from http import HTTPStatus
from typing import TYPE_CHECKING

from image_similarity.catalogue import SCHEME_LESS, clean_address

if TYPE_CHECKING:
    import httpx

PORTS = {"http": 80, "https": 443}
LAST_PORT = 65_535
MOVED = frozenset((301, 302, 303, 307, 308))
LONGEST_HOST, LABEL = 253, re.compile(r"[A-Za-z0-9_-]{1,63}")
LONGEST_SHOWN = 200
LOCATION = "location"


class AddressError(Exception):
    """A text that is not an address that can be fetched; the message says why."""


def request_url(address: str, base: httpx.URL | None = None) -> httpx.URL:
    """The URL to request for an address, absolute or relative to ``base``, without its fragment.

    Spaces and non-ASCII letters are quoted, an international host name is encoded for DNS, `&amp;` becomes `&`, and an
    address without a scheme gets https.

    Raises:
        AddressError: it cannot be requested.
    """
    import httpx

    address = clean_address(address)
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in address):
        raise AddressError("this is not an address: it holds a control character")
    if base is None and SCHEME_LESS.match(address):
        address = f"https:{address}"
    try:
        url = httpx.URL(address) if base is None else base.join(address)
        name, port = url.raw_host.decode("ascii"), url.port
    except (httpx.InvalidURL, ValueError, TypeError) as error:  # UnicodeError is a ValueError
        raise AddressError(f"this is not an address: {str(error)[:LONGEST_SHOWN]}") from None
    if url.scheme not in PORTS or not name:
        raise AddressError("only http and https addresses are fetched")
    if port is not None and not 0 < port <= LAST_PORT:
        raise AddressError(f"this is not an address: the ports are 1 to {LAST_PORT}, not {port}")
    if ":" not in name:
        labels = name.removesuffix(".").split(".")
        if len(name) > LONGEST_HOST or not all(LABEL.fullmatch(label) for label in labels):
            raise AddressError("this is not an address: invalid host name")
    return url.copy_with(fragment=None)


def redirect_url(response: httpx.Response, requested: httpx.URL) -> httpx.URL | None:
    """The target of a redirect; None where the response is no redirect.

    Raises:
        AddressError: its target is missing or cannot be requested.
    """
    if response.status_code not in MOVED:
        return None
    location = str(response.extensions.get(LOCATION) or response.headers.get(LOCATION, "")).strip()
    if not location:
        phrase = HTTPStatus(response.status_code).phrase
        raise AddressError(f"the server returned {response.status_code} {phrase} without a Location header")
    try:
        return request_url(location, requested)
    except AddressError as error:
        raise AddressError(f"redirected to an address that cannot be fetched: {error}") from None


async def hide_location(response: httpx.Response) -> None:
    """Move the Location header out of httpx's sight: it reports a malformed one as a broken connection."""
    if LOCATION in response.headers:
        response.extensions[LOCATION] = response.headers.pop(LOCATION)


def port_of(url: httpx.URL) -> int:
    """The explicit port of a URL, or its scheme's default."""
    return PORTS[url.scheme] if url.port is None else url.port
