"""Schemas of errors."""

from __future__ import annotations

from image_similarity.service.schemas.fields import Answer


class FieldProblem(Answer):
    """One invalid field."""

    field: str
    reason: str


class Problem(Answer):
    """An error, after RFC 9457."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    request_id: str
    fields: list[FieldProblem] | None = None
