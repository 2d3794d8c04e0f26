"""JSON schemas for what FastAPI does not document itself: bodies of several media types, errors as problems."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

from image_similarity.service.problems import MEDIA_TYPE, TITLES
from image_similarity.service.schemas import Problem


class Untitled(GenerateJsonSchema):
    """Schemas without field titles, which would only repeat the names."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 (pydantic's)
        return False


def inlined(model: type[Any]) -> dict[str, Any]:
    """A model's JSON Schema with its ``$defs`` inlined, so that it can be used anywhere in OpenAPI."""
    schema = TypeAdapter(model).json_schema(schema_generator=Untitled)
    parts = schema.pop("$defs", {})

    def whole(node: Any) -> Any:
        if isinstance(node, dict):
            others = {key: whole(value) for key, value in node.items() if key != "$ref"}
            return {**whole(parts[node["$ref"].rpartition("/")[2]]), **others} if "$ref" in node else others
        return [whole(each) for each in node] if isinstance(node, list) else node

    inline: dict[str, Any] = whole(schema)
    return inline


PROBLEM = {MEDIA_TYPE: {"schema": inlined(Problem)}}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The error ``responses`` of a route, by HTTP status."""
    return {status: {"description": TITLES[status], "content": PROBLEM} for status in statuses}
