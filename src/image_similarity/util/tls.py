"""TLS contexts that all connections of the process share."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl


@cache
def tls_context(*, http2: bool = False) -> ssl.SSLContext:  # noqa: ARG001 (it tells the two apart)
    """httpx's default context. It is shared because loading the certificate authorities takes 20 ms.

    Clients of HTTP/2 have one of their own: each connection sets the protocols that it offers on its context, and a
    thread of the others must not offer those.
    """
    import httpx

    return httpx.create_ssl_context()
