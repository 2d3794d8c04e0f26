"""Custom headers for downloads, such as credentials: each is sent to its own host and to no other."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

from image_similarity.errors import UsageError
from image_similarity.images.urls import AddressError, port_of, request_url
from image_similarity.options import Headers

if TYPE_CHECKING:
    import httpx

ONLY_HOST, ANY_HOST = "", "*"
NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
VALUE = re.compile(r"[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?")
HOST = re.compile(
    r"\*|\[[0-9A-Fa-f:.]+\](?::\d+)?|localhost(?::\d+)?|[^\s:/@\[\]]+\.[^\s:/@\[\]]+(?::\d+)?|[^\s:/@\[\]]+:\d+"
)
RESERVED = frozenset(
    ("host", "content-length", "transfer-encoding", "connection", "te", "upgrade", "if-none-match", "if-modified-since")
)
FORM = "write it as 'Name: value', or 'images.example: Name: value' for one host of several"


def parse_headers(texts: Iterable[str]) -> Headers:
    """Read ``Name: value`` and ``host: Name: value``.

    Raises:
        UsageError: a text has neither form. No message contains a value.
    """
    found: dict[str, dict[str, str]] = {}
    for number, text in enumerate(texts, start=1):
        host, name, value = _parts(text)
        if not NAME.fullmatch(name) or not value:
            raise UsageError(f"header {number} is not valid: {FORM}")
        found.setdefault(host, {})[name] = value
    HostHeaders(found)  # an invalid header is refused before anything is read
    return found


def _parts(text: str) -> tuple[str, str, str]:
    before, divider, after = text.partition(": ")
    if divider and HOST.fullmatch(before.strip()) and ":" in after:
        host, text = before.strip(), after
    else:
        host = ONLY_HOST
    name, _, value = text.partition(":")
    return host, name.strip(), value.strip()


class HostHeaders:
    """The headers that each host gets.

    Raises:
        UsageError: an invalid header name, value or host. No message contains a value.
    """

    def __init__(self, headers: Headers) -> None:
        self._by_host: dict[str, dict[str, str]] = {}
        for key, value in headers.items():
            host, of_host = (ONLY_HOST, {key: value}) if isinstance(value, str) else (key, value)
            if host != ONLY_HOST and not HOST.fullmatch(host) and not re.fullmatch(r"[^\s:/@\[\]]+", host):
                raise UsageError(
                    f"{host!r} is not a valid host for headers: write images.example or images.example:8080"
                )
            for name, content in of_host.items():
                _check(name, content)
                self._by_host.setdefault(host.lower().rstrip("."), {})[name] = content

    def check_hosts(self, addresses: Iterable[str]) -> None:
        """Check that headers without a host are used with addresses of a single host only.

        Raises:
            UsageError: the addresses have several hosts.
        """
        if ONLY_HOST not in self._by_host:
            return
        hosts = set[str]()
        for address in addresses:
            with suppress(AddressError):
                hosts.add(request_url(address).netloc.decode("ascii"))
            if len(hosts) > 1:
                first, second = sorted(hosts)
                raise UsageError(
                    f"the catalogue has images at {first}, at {second} and maybe others: say which host a header is "
                    f"for, as in '{first}: Authorization: ...', or '*: ...' for each of them"
                )

    def for_url(self, url: httpx.URL, listed: httpx.URL) -> dict[str, str]:
        """The headers of one request of a download that began at the address ``listed``.

        After a redirect to another host, only that host's headers are sent, and none after one from https to http.
        """
        if url.scheme != "https" and listed.scheme == "https":
            return {}
        name, port = url.raw_host.decode("ascii").lower().rstrip("."), port_of(url)
        shown = f"[{name}]" if ":" in name else name
        chosen = dict[str, str]()
        if (url.raw_host, port) == (listed.raw_host, port_of(listed)) or _is_https_upgrade(url, listed):
            chosen |= self._by_host.get(ANY_HOST, {}) | self._by_host.get(ONLY_HOST, {})
        return chosen | self._by_host.get(shown, {}) | self._by_host.get(f"{shown}:{port}", {})


def _is_https_upgrade(url: httpx.URL, listed: httpx.URL) -> bool:
    """Whether a redirect leads from http to https of the same host, on the default ports."""
    return url.raw_host == listed.raw_host and (port_of(listed), port_of(url)) == (80, 443)


def _check(name: str, value: str) -> None:
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise UsageError(f"a header's name has letters, digits and - only, not {name!r}")
    if name.lower() in RESERVED:
        raise UsageError(f"the header {name} cannot be set")
    if not isinstance(value, str) or not VALUE.fullmatch(value):
        raise UsageError(f"the value of the header {name} cannot be sent: it is empty or holds odd characters")
