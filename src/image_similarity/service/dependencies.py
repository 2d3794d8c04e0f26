"""The routes' dependencies: the application state, and the check of key, scope and rate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, cast

from fastapi import Depends, HTTPException, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from image_similarity.service.app_state import AppState
from image_similarity.service.guards.access import set_key_name
from image_similarity.service.guards.api_keys import ApiKeys, KeyScope
from image_similarity.service.guards.limits import client_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from image_similarity.service.guards.limits import RateLimiter

_bearer = HTTPBearer(auto_error=False, description="An API key; see `image-similarity keys`.")
Credentials = Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]


async def app_state(request: Request) -> AppState:
    """The application state, as a dependency."""
    return cast("AppState", request.app.state.service)


State = Annotated[AppState, Depends(app_state)]


def _may(scope: KeyScope) -> Callable[..., Awaitable[None]]:
    async def check(request: Request, credentials: Credentials = None) -> None:
        keys, limiter = cast("ApiKeys | None", request.app.state.keys), cast("RateLimiter", request.app.state.limiter)
        client = client_of(request.scope)
        if keys is not None:
            key = keys.find(credentials.credentials) if credentials is not None else None
            if key is None:
                raise HTTPException(
                    401,
                    "this service requires an API key, as in Authorization: Bearer KEY",
                    headers={"WWW-Authenticate": "Bearer"},
                )
            set_key_name(request.scope, key.name)
            if not key.scope.includes(scope):
                raise HTTPException(403, f"the key {key.name} may not do this: its scope is {key.scope.value}")
            client = key.name
        wait = limiter.wait(client)
        if wait > 0:
            raise HTTPException(429, "too many requests", headers={"Retry-After": str(int(wait) + 1)})

    return check


may_read, may_write, may_admin = (Depends(_may(scope)) for scope in (KeyScope.read, KeyScope.write, KeyScope.admin))
