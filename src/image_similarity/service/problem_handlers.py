"""Every error as a problem of RFC 9457: what people can mend is said, what only the machine's owner can is logged."""

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
from image_similarity.service.errors import BusyError, ReadOnlyError, ServiceError
from image_similarity.service.guards.access import request_id
from image_similarity.service.guards.fetching import FetchError
from image_similarity.service.problems import MEDIA_TYPE, problem_response
from image_similarity.service.schemas import FieldProblem, Problem

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

LOG = logging.getLogger(__name__)
TITLES = {
    400: "Bad request",
    401: "Not signed in",
    403: "Forbidden",
    404: "Not found",
    405: "Method not allowed",
    409: "Conflict",
    413: "Too large",
    415: "Unsupported media type",
    422: "Unusable request",
    429: "Too many requests",
    503: "Busy",
}
METHOD_NOT_ALLOWED = 405
PARAMETER = re.compile(r"\\\{\w+\\\}")  # of a path in OpenAPI, escaped
LONGEST_INPUT = 100  # characters of a reason


def add_handlers(app: FastAPI) -> None:
    """Let an application answer its errors as problems."""
    app.add_exception_handler(ImageSimilarityError, _own)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(ValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unexpected)


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What OpenAPI is to say of a route's errors."""
    problem = {"schema": {"$ref": f"#/components/schemas/{Problem.__name__}"}}
    return {status: {"description": TITLES[status], "content": {MEDIA_TYPE: problem}} for status in statuses}


async def _own(request: Request, error: Exception) -> Response:
    identity = request_id(request.scope)
    if isinstance(error, BusyError):
        wait = {"Retry-After": str(error.retry_after)}
        return problem_response(error.status, error.title, str(error), identity, headers=wait)
    if isinstance(error, ReadOnlyError):
        return problem_response(error.status, error.title, str(error), identity, headers={"Allow": "GET"})
    if isinstance(error, ServiceError):
        return problem_response(error.status, error.title, str(error), identity)
    if isinstance(error, FetchError) and error.inside:
        LOG.warning("request %s: an address was not fetched: %s", identity, error.inside)
    if isinstance(error, ImageError):
        return problem_response(422, TITLES[422], f"the picture cannot be used: {error.reason}", identity)
    if isinstance(error, UsageError):
        return problem_response(422, TITLES[422], str(error), identity)
    LOG.error("request %s: %s", identity, error)  # with paths of this machine, which are nobody else's business
    if isinstance(error, NotFittedError):
        return problem_response(409, TITLES[409], "the dataset cannot be asked in this way: see the log", identity)
    if isinstance(error, StoreError | OutputError):
        detail = "the store cannot be used just now: it is locked or full. Nothing was changed"
        return problem_response(503, "Store out of reach", detail, identity, headers={"Retry-After": "5"})
    return problem_response(500, "Internal error", "the service's log has the reason under this id", identity)


async def _invalid(request: Request, error: Exception) -> Response:
    errors: Sequence[Any] = error.errors() if isinstance(error, RequestValidationError | ValidationError) else ()
    fields = [
        FieldProblem(field=".".join(str(each) for each in one["loc"]), reason=str(one["msg"])[:LONGEST_INPUT])
        for one in errors[:20]
    ]
    detail = "; ".join(f"{each.field or 'the body'}: {each.reason}" for each in fields[:3])
    return problem_response(422, TITLES[422], detail, request_id(request.scope), fields)


async def _http(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    detail = str(error.detail) if isinstance(error, HTTPException) else ""
    headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
    if status == METHOD_NOT_ALLOWED and (methods := _allowed(request.app, request.scope["path"])):
        headers["Allow"] = ", ".join(methods)
    return problem_response(status, TITLES.get(status, detail), detail, request_id(request.scope), headers=headers)


def _allowed(app: FastAPI, path: str) -> list[str]:
    """The methods of an address. The framework names those of the first route that fits, of whatever method."""
    operations = app.openapi()["paths"]
    fitting = [each for each in operations if re.fullmatch(PARAMETER.sub("(.+)", re.escape(each)), path)]
    return [method.upper() for method in operations[max(fitting, key=len)]] if fitting else []


async def _unexpected(request: Request, error: Exception) -> Response:
    identity = request_id(request.scope)
    LOG.error("request %s failed", identity, exc_info=error)
    return problem_response(500, "Internal error", "the service's log has the reason under this id", identity)
