"""Error handlers: each error becomes a problem of RFC 9457. Details of this machine go to the log only."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from image_similarity.errors import (
    ImageError,
    ImageSimilarityError,
    NotFittedError,
    OutputError,
    StoreError,
    UsageError,
)
from image_similarity.service.errors import ServiceError
from image_similarity.service.guards.access import request_id
from image_similarity.service.guards.fetching import FetchError
from image_similarity.service.problems import problem_response
from image_similarity.service.schemas import FieldProblem

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from typing import Any

    Handler = Callable[[Request, Any], Coroutine[Any, Any, Response]]

LOG = logging.getLogger(__name__)
METHOD_NOT_ALLOWED = 405
PARAMETER = re.compile(r"\\\{\w+\\\}")  # a parameter in a path of OpenAPI, escaped
LONGEST_REASON = 100  # characters
SEE_LOG = "the service's log has the reason under this id"


async def _own(request: Request, error: Exception) -> Response:
    if isinstance(error, ServiceError):
        return problem_response(request.scope, error.status, str(error), error.headers)
    if isinstance(error, FetchError) and error.internal:
        LOG.warning("request %s: an address was not fetched: %s", request_id(request.scope), error.internal)
    if isinstance(error, ImageError):
        return problem_response(request.scope, 422, f"the image cannot be used: {error.reason}")
    if isinstance(error, UsageError):
        return problem_response(request.scope, 422, str(error))
    # These messages hold paths of this machine, which clients must not see.
    LOG.error("request %s: %s", request_id(request.scope), error)
    if isinstance(error, NotFittedError):
        return problem_response(request.scope, 409, "the dataset does not support this query: see the log")
    if isinstance(error, StoreError | OutputError):
        detail = "the store cannot be used at present: it is locked or full. Nothing was changed"
        return problem_response(request.scope, 503, detail, {"Retry-After": "5"})
    return problem_response(request.scope, 500, SEE_LOG)


async def _invalid(request: Request, error: Exception) -> Response:
    errors: Sequence[Any] = error.errors() if isinstance(error, RequestValidationError | ValidationError) else ()
    fields = [
        FieldProblem(
            field=".".join(str(each) for each in one["loc"]),
            reason=str(one["msg"]).removeprefix("Value error, ")[:LONGEST_REASON],
        )
        for one in errors[:20]
    ]
    detail = "; ".join(f"{each.field}: {each.reason}" if each.field else each.reason for each in fields[:3])
    return problem_response(request.scope, 422, detail, fields=fields)


async def _http(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    detail = str(error.detail) if isinstance(error, HTTPException) else ""
    headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
    if status == METHOD_NOT_ALLOWED and (methods := _allowed(request.app, request.scope["path"])):
        headers["Allow"] = ", ".join(methods)
    return problem_response(request.scope, status, detail, headers)


def _allowed(app: FastAPI, path: str) -> list[str]:
    """All methods of a path. The framework lists only those of the first route that matches the path."""
    operations = app.openapi()["paths"]
    fitting = [each for each in operations if re.fullmatch(PARAMETER.sub("(.+)", re.escape(each)), path)]
    return [method.upper() for method in operations[max(fitting, key=len)]] if fitting else []


async def unexpected(request: Request, error: Exception) -> Response:
    """Answer any other error with 500, and log it."""
    LOG.error("request %s failed", request_id(request.scope), exc_info=error)
    return problem_response(request.scope, 500, SEE_LOG)


HANDLERS: dict[int | type[Exception], Handler] = {
    ImageSimilarityError: _own,
    RequestValidationError: _invalid,
    ValidationError: _invalid,
    HTTPException: _http,
}
"""The handler of each kind of error."""
