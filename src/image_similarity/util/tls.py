"""One TLS context for all connections of the process."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl


@cache
def tls_context() -> ssl.SSLContext:
    """httpx's default context. It is shared because loading the certificate authorities takes 20 ms."""
    import httpx

    return httpx.create_ssl_context()
