"""JSON that is nested too deep is refused before anything parses it."""

from __future__ import annotations

import re

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from image_similarity.service.access import request_id
from image_similarity.service.problems import problem_response

DEEPEST = 20
FORMS = ("multipart/form-data", "application/x-www-form-urlencoded")
# A string, to its end or the body's, or a bracket. It matches wherever a quote is, so the scan is linear in any body.
TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)


def too_deep(body: bytes, most: int = DEEPEST) -> bool:
    """Whether brackets stand more than ``most`` deep in a body of JSON.

    A body with a zero byte counts as too deep: JSON is UTF-8, which has none there, while Python would also read
    UTF-16, in which strings and brackets cannot be told apart like this.
    """
    if b"\0" in body:
        return True
    depth = 0
    for token in TOKEN.finditer(body):
        first = body[token.start()]
        if first in b"[{":
            depth += 1
            if depth > most:
                return True
        elif first in b"]}":
            depth -= 1
    return False


class JsonDepth:
    """Answers 400 to JSON that is nested deeper than ``most``. Forms pass as they are.

    Stands inside :class:`~image_similarity.service.limits.BodyLimit`: it holds a body of JSON in memory.
    """

    def __init__(self, app: ASGIApp, most: int = DEEPEST) -> None:
        self.app = app
        self.most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        kind = Headers(scope=scope).get("content-type", "").strip().lower() if scope["type"] == "http" else FORMS[0]
        if kind.startswith(FORMS):
            await self.app(scope, receive, send)
            return
        parts: list[bytes] = []
        more = True
        while more:
            message = await receive()
            if message["type"] != "http.request":  # the client has left
                return
            parts.append(message.get("body", b""))
            more = message.get("more_body", False)
        body = b"".join(parts)
        if too_deep(body, self.most):
            detail = f"JSON may be nested {self.most} deep at most, and is UTF-8."
            await problem_response(400, "Bad Request", detail, request_id(scope))(scope, receive, send)
            return
        given = False

        async def again() -> Message:
            nonlocal given
            if given:
                return await receive()
            given = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self.app(scope, again, send)
