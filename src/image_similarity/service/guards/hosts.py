"""Keeps other web sites' pages from using the service through the browser of somebody who can reach it.

A page of any site can make a browser send requests to ``localhost``. Two rules stop it. A site whose name suddenly
means 127.0.0.1 (DNS rebinding) still sends its own name as ``Host``: only known names are answered. And a page that
posts across sites sends its ``Origin``: changes are taken from the service's own page and from listed sites only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from image_similarity.errors import UsageError
from image_similarity.service.problems import problem_response

OWN_NAMES = frozenset(("localhost", "127.0.0.1", "::1"))
ANY = "*"
SAFE_METHODS = frozenset(("GET", "HEAD", "OPTIONS"))
PROBES = frozenset(("/healthz", "/readyz"))
"""Asked by address by whatever runs containers, and of no use to anybody else."""
NAME = re.compile(r"[a-z0-9._:-]+", re.ASCII)
DEFAULT_PORTS = {"http": 80, "https": 443}


class HostGuard:
    """Answers 403 to a ``Host`` that is not the service's, and to a change asked for by another site's page.

    Args:
        hosts: names (without a port) that the service is known by, beside ``localhost``, 127.0.0.1 and ::1; ``*``: any.
        origins: of other sites whose pages may use it: ``https://shop.example``.

    Raises:
        UsageError: one of them is no name, or no origin.
    """

    def __init__(self, app: ASGIApp, hosts: Iterable[str] = (), origins: Iterable[str] = ()) -> None:
        self.app = app
        given = set(hosts)
        self.any_host = ANY in given
        self.hosts = OWN_NAMES | {_named(host) for host in given - {ANY}}
        self.origins = {_listed(origin) for origin in origins}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        reason = self._refusal(scope) if scope["type"] == "http" else ""
        if not reason:
            await self.app(scope, receive, send)
            return
        await problem_response(scope, 403, reason)(scope, receive, send)

    def _refusal(self, scope: Scope) -> str:
        """Why a request is refused; empty where it is not."""
        if scope["path"] in PROBES:
            return ""
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        here = _place("//" + hosts[0], 0) if len(hosts) == 1 else None
        if here is None or not (self.any_host or here[0] in self.hosts):
            return "The service does not go by this name; list the names that it has with `allowed_host`."
        origin = headers.get("origin")
        if scope["method"] in SAFE_METHODS or origin is None:
            return ""
        asking = _origin(origin)
        if asking is None:
            return "A page without an origin cannot change anything here."
        scheme, name, port = asking
        own = here[0] == name and (here[1] or DEFAULT_PORTS[scheme]) == port  # a proxy may speak https for us
        if own or asking in self.origins:
            return ""
        return "A page of another site cannot change anything here; list sites that may with `cors_origin`."


def _named(host: str) -> str:
    """The name in an entry of the list of hosts, however it is written: with a port, or an address with colons."""
    place = _place(f"//[{host}]" if host.count(":") > 1 and host[0] != "[" else f"//{host}", 0)
    if place is None:
        raise UsageError(f"{host!r} is no name of a host: write shop.example, or * for any")
    return place[0]


def _listed(origin: str) -> tuple[str, str, int]:
    place = _origin(origin)
    if place is None:
        raise UsageError(f"{origin!r} is no origin of a site: write https://shop.example, without anything behind it")
    return place


def _origin(text: str) -> tuple[str, str, int] | None:
    """The scheme, name and port of an origin; None where it is none."""
    scheme = text.partition(":")[0].lower()
    if scheme not in DEFAULT_PORTS:
        return None
    place = _place(text, DEFAULT_PORTS[scheme])
    return (scheme, *place) if place else None


def _place(address: str, default: int) -> tuple[str, int] | None:
    """The name and port in an address of nothing else."""
    try:
        parts = urlsplit(address)
        name, port = parts.hostname, parts.port
    except ValueError:
        return None
    if (
        not name
        or not NAME.fullmatch(name)
        or parts.username is not None
        or parts.path
        or parts.query
        or parts.fragment
    ):
        return None
    return name.rstrip("."), port or default
