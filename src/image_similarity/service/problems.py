"""Error responses after RFC 9457, the same from a route, from FastAPI's handlers and from pure ASGI."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response

from image_similarity.service.guards.access import request_id
from image_similarity.service.schemas import FieldProblem, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.types import Scope

MEDIA_TYPE = "application/problem+json"
TITLES = {
    400: "Bad request",
    401: "Not signed in",
    403: "Forbidden",
    404: "Not found",
    405: "Method not allowed",
    408: "Too slow",
    409: "Conflict",
    413: "Too large",
    415: "Unsupported media type",
    422: "Unusable request",
    429: "Too many requests",
    500: "Internal error",
    503: "Busy",
}


def problem_response(
    scope: Scope,
    status: int,
    detail: str,
    headers: Mapping[str, str] | None = None,
    fields: Sequence[FieldProblem] | None = None,
) -> Response:
    """An error response. In pure ASGI: ``await problem_response(scope, ...)(scope, receive, send)``.

    Args:
        scope: of the request.
        status: of HTTP, 400 to 599.
        detail: what is wrong and what to do about it. Never a path of this machine.
        headers: additional ones, such as ``Retry-After``.
        fields: what is wrong with single fields.
    """
    problem = Problem(
        title=TITLES.get(status, "Error"),
        status=status,
        detail=detail,
        request_id=request_id(scope),
        fields=list(fields) if fields else None,
    )
    return Response(
        problem.model_dump_json(exclude_none=True),
        status_code=status,
        headers=dict(headers) if headers else None,
        media_type=MEDIA_TYPE,
    )
