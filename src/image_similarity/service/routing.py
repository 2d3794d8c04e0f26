"""What every route needs: the desk, who may come in, an answer that is not checked twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, cast

from fastapi import Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.responses import Response

from image_similarity.service.guards.access import name_key
from image_similarity.service.guards.keys import Allowed, Keys
from image_similarity.service.guards.limits import client_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from image_similarity.service.app_state import Desk
    from image_similarity.service.guards.limits import RateLimiter

_bearer = HTTPBearer(auto_error=False, description="An API key; see `image-similarity keys`.")
Credentials = Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]


def desk_of(request: Request) -> Desk:
    """What the service holds open."""
    return cast("Desk", request.app.state.desk)


def answered(record: BaseModel, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A record as JSON. It was checked when it was made: FastAPI need not do so once more."""
    return Response(
        record.model_dump_json(), status, headers=dict(headers) if headers else None, media_type="application/json"
    )


def _may(scope: Allowed) -> Callable[..., Awaitable[None]]:
    async def check(request: Request, credentials: Credentials = None) -> None:
        keys, limiter = cast("Keys | None", request.app.state.keys), cast("RateLimiter", request.app.state.limiter)
        who = client_of(request.scope)
        if keys is not None:
            key = keys.find(credentials.credentials) if credentials is not None else None
            if key is None:
                wanted = {"WWW-Authenticate": "Bearer"}
                raise HTTPException(
                    401, "this service asks for an API key, as in Authorization: Bearer KEY", headers=wanted
                )
            name_key(request.scope, key.name)
            if not key.scope.includes(scope):
                raise HTTPException(403, f"the key {key.name} may not do this: it is for {key.scope.value} only")
            who = key.name
        wait = limiter.wait(who)
        if wait > 0:
            raise HTTPException(429, "too many requests", headers={"Retry-After": str(int(wait) + 1)})

    return check


may_read, may_write, may_admin = (_may(scope) for scope in (Allowed.read, Allowed.write, Allowed.admin))
