"""Requests' bodies: JSON or a form, read into the same records."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException
from starlette.requests import ClientDisconnect, Request

from image_similarity.service import schemas
from image_similarity.service.errors import BadRequestError, UnsupportedError, UnusableError
from image_similarity.service.guards.depth import too_deep
from image_similarity.service.schemas import MOST_IMAGES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from starlette.datastructures import FormData, QueryParams

R = TypeVar("R", bound=BaseModel)
JSON, FORM = "application/json", "multipart/form-data"
UTF_8 = ("utf-8", "utf8", "us-ascii")
SMALL = 1 << 14  # bytes of JSON that are parsed at once; more, where the event loop does not wait for it
CROP = ("left", "top", "width", "height")
LONGEST_FIELD = 1_000_000  # bytes of one field of a form that is no file


def body_of(record: str, fields: dict[str, Any], required: Sequence[str] = ()) -> dict[str, Any]:
    """What OpenAPI is to say of a body that is JSON, a record of this name, or a form with these fields."""
    form: dict[str, Any] = {"type": "object", "additionalProperties": False, "properties": fields}
    if required:
        form["required"] = list(required)
    kinds = {JSON: {"schema": {"$ref": f"#/components/schemas/{record}"}}, FORM: {"schema": form}}
    return {"requestBody": {"required": True, "content": kinds}}


def kind_of(request: Request, *others: str) -> str:
    """The body's media type.

    Args:
        request: whose body.
        others: kinds that the route takes too, ``image/`` for all that begin so.

    Raises:
        UnsupportedError: it is neither JSON nor a form, or is not in UTF-8.
    """
    kind, *parameters = (each.strip().lower() for each in request.headers.get("content-type", "").split(";"))
    if kind not in (JSON, FORM) and not kind.startswith(others or ("\0",)):
        raise UnsupportedError(f"send {JSON} or {FORM}, not {kind[:100] or 'a body of no kind'}")
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "charset" and value.strip(" '\"") not in UTF_8:
            raise UnsupportedError("send text in UTF-8, and name no other charset")
    return kind


async def json_body(request: Request, record: type[R]) -> R:
    """A JSON body as a record.

    Raises:
        BadRequestError: it is no JSON.
        ValidationError: it is not such a record.
    """
    return await parsed(await raw_body(request), record)


async def raw_body(request: Request) -> bytes:
    """A body as it came.

    Raises:
        BadRequestError: it ended too soon.
    """
    try:
        return await request.body()
    except ClientDisconnect as error:
        raise BadRequestError("the body ended too soon") from error


async def parsed(body: bytes, record: type[R]) -> R:
    """JSON as a record; raises as :func:`json_body`."""
    return _parsed(body, record) if len(body) <= SMALL else await asyncio.to_thread(_parsed, body, record)


def _parsed(body: bytes, record: type[R]) -> R:
    if b"\0" in body:  # as in UTF-16, and in what is packed; too_deep cannot look into either
        raise BadRequestError("the body is no JSON in UTF-8: it holds zero bytes")
    most = schemas.MOST_PARTS.get(record, schemas.FEW_PARTS)
    if too_deep(body, parts=most):
        raise BadRequestError(f"the JSON is nested too deeply, or has more than {most} names and values")
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


async def file_in(form: FormData, *names: str) -> bytes | None:
    """The bytes of a form's file, whichever of the names it has; None where it has none.

    Raises:
        BadRequestError: the field is no file.
    """
    for name in names:
        value = form.get(name)
        if isinstance(value, UploadFile):
            return await value.read()
        if value is not None:
            raise BadRequestError(f"the field {name} must be a file")
    return None


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


def fields_in(form: FormData | QueryParams, *but: str) -> dict[str, Any]:
    """The fields of a form or of an address, less the file's; ``crop`` as ``left,top,width,height``.

    Raises:
        BadRequestError: a second file.
        UnusableError: the crop is not four numbers.
    """
    fields: dict[str, Any] = {}
    for name, value in form.items():
        if name in but:
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
