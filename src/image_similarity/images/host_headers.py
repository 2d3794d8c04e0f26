"""Headers of one's own for downloads, such as a password: each goes to the host that it is for, and to nobody else."""

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

ONLY_HOST, EACH_HOST = "", "*"
NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
VALUE = re.compile(r"[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?")
HOST = re.compile(
    r"\*|\[[0-9A-Fa-f:.]+\](?::\d+)?|localhost(?::\d+)?|[^\s:/@\[\]]+\.[^\s:/@\[\]]+(?::\d+)?|[^\s:/@\[\]]+:\d+"
)
NOT_ONES_OWN = frozenset(
    ("host", "content-length", "transfer-encoding", "connection", "te", "upgrade", "if-none-match", "if-modified-since")
)
FORM = "write it as 'Name: value', or 'images.example: Name: value' for one host of several"


def parse_headers(texts: Iterable[str]) -> Headers:
    """Read ``Name: value`` and ``host: Name: value``.

    Raises:
        UsageError: a text is neither. No message holds a value.
    """
    found: dict[str, dict[str, str]] = {}
    for number, text in enumerate(texts, start=1):
        host, name, value = _parts(text)
        if not NAME.fullmatch(name) or not value:
            raise UsageError(f"header {number} is none: {FORM}")
        found.setdefault(host, {})[name] = value
    HostHeaders(found)  # what cannot be a header is refused before anything is read
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
    """Which headers go to which host.

    Raises:
        UsageError: a name or a value that cannot be a header's, or no host. No message holds a value.
    """

    def __init__(self, headers: Headers) -> None:
        self._by_host: dict[str, dict[str, str]] = {}
        for key, value in headers.items():
            host, of_host = (ONLY_HOST, {key: value}) if isinstance(value, str) else (key, value)
            if host != ONLY_HOST and not HOST.fullmatch(host) and not re.fullmatch(r"[^\s:/@\[\]]+", host):
                raise UsageError(
                    f"{host!r} is not a host that headers can be sent to: write images.example or its port too"
                )
            for name, content in of_host.items():
                _check(name, content)
                self._by_host.setdefault(host.lower().rstrip("."), {})[name] = content

    def check_hosts(self, addresses: Iterable[str]) -> None:
        """See that what is for the catalogue's only host has no second one to go to.

        Raises:
            UsageError: there are several.
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

    def at(self, url: httpx.URL, listed: httpx.URL) -> dict[str, str]:
        """The headers for one step of a download that began at the address ``listed``.

        A redirect to another host gets what is for that host, and nothing over http where it was https before.
        """
        if url.scheme != "https" and listed.scheme == "https":
            return {}
        name, port = url.raw_host.decode("ascii").lower().rstrip("."), port_of(url)
        shown = f"[{name}]" if ":" in name else name
        chosen = dict[str, str]()
        if (url.raw_host, port) == (listed.raw_host, port_of(listed)) or _made_secure(url, listed):
            chosen |= self._by_host.get(EACH_HOST, {}) | self._by_host.get(ONLY_HOST, {})
        return chosen | self._by_host.get(shown, {}) | self._by_host.get(f"{shown}:{port}", {})


def _made_secure(url: httpx.URL, listed: httpx.URL) -> bool:
    """Whether a redirect leads from http to https of the same host, at the web's own ports."""
    return url.raw_host == listed.raw_host and (port_of(listed), port_of(url)) == (80, 443)


def _check(name: str, value: str) -> None:
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise UsageError(f"a header's name is letters, digits and -, not {name!r}")
    if name.lower() in NOT_ONES_OWN:
        raise UsageError(f"the header {name} is not for you to set")
    if not isinstance(value, str) or not VALUE.fullmatch(value):
        raise UsageError(f"the value of the header {name} cannot be sent: it is empty or holds odd characters")
