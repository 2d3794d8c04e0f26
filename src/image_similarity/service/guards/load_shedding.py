"""Load shedding: refuses searches over the limit early, before their body is read or their key is checked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from image_similarity.service.errors import BusyError
from image_similarity.service.problems import problem_response

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

SEARCH = "/v1/search"
FULL = "too many searches at present"


class LoadShedding:
    """Answers 503 to a search while the number of searches is at its limit. The route checks it once more."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self.app
        if scope["type"] == "http" and scope["path"] == SEARCH:
            state = getattr(scope["app"].state, "service", None)
            if state is not None and state.is_full:
                app = problem_response(scope, BusyError.status, FULL, BusyError.headers)
        await app(scope, receive, send)
