"""Types of fields that requests and responses share: texts, numbers, files, attributes."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from image_similarity.catalogue import as_text

MOST_NUMBER = 200
"""Results of one response."""
MOST_IMAGES = 50
"""Images of a product in one request."""
MOST_ATTRIBUTES = 100
LONGEST_NAME, LONGEST_ID, LONGEST_TEXT = 200, 500, 1000
LONGEST_FILTER, LONGEST_ADDRESS, LONGEST_PROSE = 2000, 2000, 20_000
PRINTABLE = r"^[^\x00-\x1f\x7f]+$"


def _written_out(given: object) -> object:
    """Accept a number as text, and null as an empty text: shop systems send them."""
    return as_text(given) if given is None or type(given) in (int, float) else given


def _attribute(given: object) -> object:
    """Accept a number or a boolean as an attribute's text."""
    if isinstance(given, (dict, list)):
        raise ValueError("a list or an object is not supported: give a text, a number, true or false")
    return as_text(given)


def _without_nulls(given: object) -> object:
    """Drop attributes that are null."""
    return {name: value for name, value in given.items() if value is not None} if isinstance(given, dict) else given


def _file(given: object) -> object:
    """Unpack the single file of a form field."""
    return given[0] if isinstance(given, list) and len(given) == 1 else given


Name = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_ID, pattern=PRINTABLE)]
ProductId = Annotated[Name, BeforeValidator(_written_out, json_schema_input_type=Name | int | float)]
Line = Annotated[str, StringConstraints(max_length=LONGEST_TEXT)]
Title = Annotated[Line, BeforeValidator(_written_out, json_schema_input_type=Line | int | float | None)]
Prose = Annotated[str, StringConstraints(max_length=LONGEST_PROSE)]
Description = Annotated[Prose, BeforeValidator(_written_out, json_schema_input_type=Prose | int | float | None)]
Condition = Annotated[str, StringConstraints(max_length=LONGEST_FILTER)]
Address = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_ADDRESS)]
Share = Annotated[float, Field(ge=0, le=1)]
Number = Annotated[int, Field(ge=1, le=MOST_NUMBER)]
AttributeName = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_NAME, pattern=PRINTABLE)]
GivenAttributes = Annotated[dict[AttributeName, Line | float | bool | None], Field(max_length=MOST_ATTRIBUTES)]
Attributes = Annotated[
    dict[AttributeName, Annotated[Line, BeforeValidator(_attribute)]],
    Field(max_length=MOST_ATTRIBUTES),
    BeforeValidator(_without_nulls, json_schema_input_type=GivenAttributes),
]
Bytes = Annotated[bytes, Field(strict=True)]
File = Annotated[Bytes, BeforeValidator(_file, json_schema_input_type=bytes)]
"""A file of a form."""


class Strict(BaseModel):
    """Base of requests: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Answer(BaseModel):
    """Base of responses."""

    model_config = ConfigDict(frozen=True)
