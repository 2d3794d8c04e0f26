"""Turns searches away at the door while there are as many as there may be: before anything is read or looked up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from image_similarity.service.errors import BusyError
from image_similarity.service.problems import problem_response

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

SEARCH = "/v1/search"
FULL = "there are more searches than can be answered just now"


class LoadShedding:
    """Answers 503 to a search where there are as many as may be. The route turns away what slips in beside it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self.app
        if scope["type"] == "http" and scope["path"] == SEARCH:
            held_open = getattr(scope["app"].state, "service", None)
            if held_open is not None and held_open.is_full:
                app = problem_response(scope, BusyError.status, FULL, BusyError.headers)
        await app(scope, receive, send)
