"""Protects the service against pages of other sites: checks of the ``Host`` and ``Origin`` headers.

A page of any site can make a browser send requests to ``localhost``. Two rules stop it. A site whose name suddenly
resolves to 127.0.0.1 (DNS rebinding) still sends its own name as ``Host``: only known names are accepted. And a page
that posts across sites sends its ``Origin``: changes are accepted from the service's own page and listed sites only.
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
"""Exempt from the check: container platforms request these by IP address, and their responses reveal nothing."""
NAME = re.compile(r"[a-z0-9._:-]+", re.ASCII)
DEFAULT_PORTS = {"http": 80, "https": 443}


class HostGuard:
    """Answers 403 to a ``Host`` that is not the service's, and to changes by another site's page.

    Args:
        hosts: the service's names (without a port), beside ``localhost``, 127.0.0.1 and ::1; ``*``: any.
        origins: other sites whose pages may use the service: ``https://shop.example``.

    Raises:
        UsageError: one of them is malformed.
    """

    def __init__(self, app: ASGIApp, hosts: Iterable[str] = (), origins: Iterable[str] = ()) -> None:
        self.app = app
        given = set(hosts)
        self.any_host = ANY in given
        self.hosts = OWN_NAMES | {_parse_host(host) for host in given - {ANY}}
        self.origins = {_parse_origin(origin) for origin in origins}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
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
        own = _host_and_port("//" + hosts[0], 0) if len(hosts) == 1 else None
        if own is None or not (self.any_host or own[0] in self.hosts):
            return "This is not a host name of the service; list its names with `allowed_host`."
        origin = headers.get("origin")
        if scope["method"] in SAFE_METHODS or origin is None:
            return ""
        page = _origin(origin)
        if page is None:
            return "A page without an origin cannot change anything here."
        scheme, name, port = page
        same = own[0] == name and (own[1] or DEFAULT_PORTS[scheme]) == port  # a proxy may terminate https for us
        if same or page in self.origins:
            return ""
        return "A page of another site cannot change anything here; list sites that may with `cors_origin`."


def _parse_host(host: str) -> str:
    """The name in an allowed host, which may have a port or be an IPv6 address without brackets."""
    parsed = _host_and_port(f"//[{host}]" if host.count(":") > 1 and host[0] != "[" else f"//{host}", 0)
    if parsed is None:
        raise UsageError(f"{host!r} is not a host name: write shop.example, or * for any")
    return parsed[0]


def _parse_origin(origin: str) -> tuple[str, str, int]:
    parsed = _origin(origin)
    if parsed is None:
        raise UsageError(f"{origin!r} is not the origin of a site: write https://shop.example, without a path")
    return parsed


def _origin(text: str) -> tuple[str, str, int] | None:
    """The scheme, name and port of an origin; None where it is malformed."""
    scheme = text.partition(":")[0].lower()
    if scheme not in DEFAULT_PORTS:
        return None
    parsed = _host_and_port(text, DEFAULT_PORTS[scheme])
    return (scheme, *parsed) if parsed else None


def _host_and_port(address: str, default: int) -> tuple[str, int] | None:
    """The host and port of an address; None where it is malformed or has other parts."""
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
