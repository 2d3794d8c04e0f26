"""Request ids and the access log: one line of JSON for each answered request."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, MutableMapping
from contextlib import suppress
from datetime import UTC, datetime
from time import monotonic
from typing import Any
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

REQUEST_ID = "X-Request-ID"
SANE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
LONGEST_PATH = 600
"""Characters of a path that a line of the log keeps: clients' paths must not fill the disk."""
CLIENT_LEFT = 499


def request_id(scope: Scope) -> str:
    """The id of a scope's request; empty before :class:`AccessLog` has set it."""
    return str(_state(scope).get("request_id", ""))


def set_key_name(scope: Scope, name: str) -> None:
    """Set the name of a request's key, for the log."""
    _state(scope)["key_name"] = name


def key_name(scope: Scope) -> str:
    """The name of a request's key; empty where none is required."""
    return str(_state(scope).get("key_name", ""))


def to_stdout(line: str) -> None:
    """Write a line of the log at once. Errors are ignored: a full disk or a closed pipe must not stop the service."""
    with suppress(OSError):
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


class AccessLog:
    """The outermost middleware.

    A line has time, request id, method, path, status, bytes sent, milliseconds, the NAME of the key and the client's
    address. Never the query string, a header or a body: these hold keys, photos and text queries.
    """

    def __init__(self, app: ASGIApp, write: Callable[[str], None] = to_stdout) -> None:
        self.app = app
        self.write = write

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        state = _state(scope)
        given = Headers(scope=scope).get(REQUEST_ID, "")
        state["request_id"] = given if SANE_ID.fullmatch(given) else uuid4().hex
        began, status, sent, ended = monotonic(), 500, 0, False

        async def counted(message: Message) -> None:
            nonlocal status, sent, ended
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[REQUEST_ID] = state["request_id"]
            await send(message)
            if message["type"] == "http.response.body":
                sent += len(message.get("body", b""))
                ended = not message.get("more_body", False)

        failed = False
        try:
            await self.app(scope, receive, counted)
        except Exception:
            failed = True
            raise
        finally:
            code = status if ended or failed else CLIENT_LEFT
            self.write(_line(scope, state, code, sent, monotonic() - began))


def _line(scope: Scope, state: MutableMapping[str, Any], status: int, sent: int, seconds: float) -> str:
    client = scope.get("client")
    return json.dumps(
        {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "request_id": state["request_id"],
            "method": scope["method"][:20],
            "path": scope["path"][:LONGEST_PATH],
            "status": status,
            "bytes": sent,
            "ms": round(seconds * 1000, 1),
            "key": state.get("key_name"),
            "client": client[0] if client else None,
        }
    )


def _state(scope: Scope) -> MutableMapping[str, Any]:
    """The dict behind Starlette's ``request.state``."""
    state: MutableMapping[str, Any] = scope.setdefault("state", {})
    return state
