"""Connections share a TLS context, but for those that may offer HTTP/2."""

from __future__ import annotations

from image_similarity.util.tls import tls_context


def test_a_context_is_made_once_for_each_version_of_http() -> None:
    assert tls_context() is tls_context()
    assert tls_context(http2=True) is tls_context(http2=True)
    assert tls_context(http2=True) is not tls_context()
