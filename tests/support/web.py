"""Requests to services of this machine, which are answered without TLS."""

from __future__ import annotations

import httpx

web = httpx.Client(verify=False, limits=httpx.Limits(max_keepalive_connections=0))
"""A connection for each request, as with ``httpx.get``, which would load the certificate authorities every time."""
