"""Requests' bodies: JSON or a form, read into the same records."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException
from starlette.requests import ClientDisconnect, Request

from image_similarity.service.errors import BadRequestError, UnsupportedError, UnusableError
from image_similarity.service.guards.depth import too_deep
from image_similarity.service.schemas import MOST_IMAGES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from starlette.datastructures import FormData

R = TypeVar("R", bound=BaseModel)
JSON, FORM = "application/json", "multipart/form-data"
CROP = ("left", "top", "width", "height")
LONGEST_FIELD = 1_000_000  # bytes of one field of a form that is no file


def body_of(record: str, fields: dict[str, Any], required: Sequence[str] = ()) -> dict[str, Any]:
    """What OpenAPI is to say of a body that is JSON, a record of this name, or a form with these fields."""
    form: dict[str, Any] = {"type": "object", "additionalProperties": False, "properties": fields}
    if required:
        form["required"] = list(required)
    kinds = {JSON: {"schema": {"$ref": f"#/components/schemas/{record}"}}, FORM: {"schema": form}}
    return {"requestBody": {"required": True, "content": kinds}}


def kind_of(request: Request) -> str:
    """The body's media type.

    Raises:
        UnsupportedError: it is neither JSON nor a form.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in (JSON, FORM):
        raise UnsupportedError(f"send {JSON} or {FORM}, not {kind or 'a body of no kind'}")
    return kind


async def json_body(request: Request, record: type[R]) -> R:
    """A JSON body as a record.

    Raises:
        BadRequestError: it is no JSON.
        ValidationError: it is not such a record.
    """
    try:
        body = await request.body()
    except ClientDisconnect as error:
        raise BadRequestError("the body ended too soon") from error
    return parsed(body, record)


def parsed(body: bytes, record: type[R]) -> R:
    """JSON as a record; raises as :func:`json_body`."""
    if too_deep(body):
        raise BadRequestError("the JSON is nested too deeply")
    try:
        value = json.loads(body)
    except ValueError as error:
        raise BadRequestError(f"the body is no JSON: {error}") from error
    return record.model_validate(value)


@asynccontextmanager
async def form_of(request: Request, files: int = MOST_IMAGES) -> AsyncIterator[FormData]:
    """A form; its files are gone at the end.

    Raises:
        BadRequestError: it is no form, or has too many parts.
    """
    try:
        async with request.form(max_files=files, max_fields=20, max_part_size=LONGEST_FIELD) as form:
            yield form
    except MultiPartException as error:
        raise BadRequestError(f"the form cannot be read: {error.message}") from error
    except ClientDisconnect as error:
        raise BadRequestError("the form ended too soon") from error


def only(form: FormData, *names: str) -> None:
    """Refuse a form with other fields than these.

    Raises:
        UnusableError: it has others.
    """
    for name in form:
        if name not in names:
            raise UnusableError(f"the form has a field {name[:100]!r}; it may have: {', '.join(names)}")


async def file_in(form: FormData, name: str) -> bytes | None:
    """The bytes of a form's file; None where it has none.

    Raises:
        BadRequestError: the field is no file.
    """
    value = form.get(name)
    if value is None:
        return None
    if not isinstance(value, UploadFile):
        raise BadRequestError(f"the field {name} must be a file")
    return await value.read()


async def files_in(form: FormData, name: str) -> list[bytes]:
    """The bytes of all files of one name.

    Raises:
        BadRequestError: one of them is no file.
    """
    files = []
    for value in form.getlist(name):
        if not isinstance(value, UploadFile):
            raise BadRequestError(f"the field {name} must be a file")
        files.append(await value.read())
    return files


def fields_in(form: FormData, *, but: str) -> dict[str, Any]:
    """A form's fields, less the file's; ``crop`` as ``left,top,width,height``.

    Raises:
        BadRequestError: a second file.
        UnusableError: the crop is not four numbers.
    """
    fields: dict[str, Any] = {}
    for name, value in form.items():
        if name == but:
            continue
        if isinstance(value, UploadFile):
            raise BadRequestError(f"the field {name} must not be a file")
        fields[name] = value
    if "crop" in fields:
        try:
            left, top, width, height = (float(each) for each in fields["crop"].split(","))
        except ValueError:
            raise UnusableError("crop is left,top,width,height in shares of the photo, as in 0.1,0.2,0.5,0.6") from None
        fields["crop"] = dict(zip(CROP, (left, top, width, height), strict=True))
    return fields
