"""What went wrong, said as RFC 9457 has it: the same from a route, from FastAPI's handlers and from pure ASGI."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from starlette.responses import Response

from image_similarity.service.schemas import FieldProblem, Problem

MEDIA_TYPE = "application/problem+json"


def problem_response(
    status: int,
    title: str,
    detail: str,
    request_id: str,
    fields: Sequence[FieldProblem] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """An error as an answer. In pure ASGI: ``await problem_response(...)(scope, receive, send)``.

    Args:
        status: of HTTP, 400 to 599.
        title: the kind of problem, the same for each of its kind.
        detail: what is wrong here and what to do about it. Never a path of this machine.
        request_id: what the access log calls this request.
        fields: what is wrong with single fields.
        headers: more of them, ``Retry-After`` for one.
    """
    problem = Problem(
        title=title, status=status, detail=detail, request_id=request_id, fields=list(fields) if fields else None
    )
    return Response(
        problem.model_dump_json(exclude_none=True),
        status_code=status,
        headers=dict(headers) if headers else None,
        media_type=MEDIA_TYPE,
    )
