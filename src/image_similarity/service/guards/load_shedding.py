"""Turns searches away at the door while there are as many as there may be: before anything is read or looked up."""

from __future__ import annotations

from collections.abc import Callable

from starlette.types import ASGIApp, Receive, Scope, Send

from image_similarity.service.errors import BusyError
from image_similarity.service.guards.access import request_id
from image_similarity.service.problems import problem_response

SEARCH = "/v1/search"
FULL = "there are more searches than can be answered just now"


class TurnAway:
    """Answers 503 to a search where ``full`` says so. What slips in beside it is turned away by the desk itself."""

    def __init__(self, app: ASGIApp, full: Callable[[], bool]) -> None:
        self.app, self.full = app, full

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http" or scope["path"] != SEARCH or not self.full():
            await self.app(scope, receive, send)
            return
        wait = {"Retry-After": str(BusyError.retry_after)}
        refusal = problem_response(BusyError.status, BusyError.title, FULL, request_id(scope), headers=wait)
        await refusal(scope, receive, send)
