"""Requests' bodies: JSON, a form or a photo, each read within limits into the model that OpenAPI is told of.

FastAPI reads a body before it asks for the key, whole and on the event loop, and knows one media type a route. So these
are read by a dependency, which comes after that of the key.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException
from starlette.requests import ClientDisconnect, Request

from image_similarity.service.errors import BadRequestError, UnsupportedError
from image_similarity.service.guards.json_limits import FEW_PARTS, read_json
from image_similarity.service.openapi import inlined

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.datastructures import FormData

JSON, FORM, PHOTO = "application/json", "multipart/form-data", "image/jpeg"
PHOTOS = ("image/", "application/octet-stream")
"""How media types begin whose body is a photo."""
UTF_8 = ("utf-8", "utf8", "us-ascii")
SMALL = 1 << 14  # bytes of JSON that are parsed at once; more, where the event loop does not wait for it
MOST_FIELDS = 20
LONGEST_FIELD = 1_000_000  # bytes of one field of a form that is no file


@dataclass(frozen=True)
class Body:
    """What a route reads: ``Depends(body.read)`` reads it, ``openapi_extra=body.openapi`` tells of it.

    Args:
        models: by media type.
        photo: the file of the form that may also be the whole body.
        files: that a form may have.
        parts: names and values that JSON may have.
    """

    models: Mapping[str, type[BaseModel]]
    photo: str | None = None
    files: int = 1
    parts: int = FEW_PARTS

    @cached_property
    def openapi(self) -> dict[str, Any]:
        """Of an operation: its body."""
        models: dict[str, type[Any]] = {**self.models, **({PHOTO: bytes} if self.photo else {})}
        content = {kind: {"schema": inlined(model)} for kind, model in models.items()}
        return {"requestBody": {"required": True, "content": content}}

    async def read(self, request: Request) -> Any:
        """A request's body as one of the models.

        Raises:
            UnsupportedError: it is of another media type, or not in UTF-8.
            BadRequestError: it is not what its media type says, or ended too soon.
            ValidationError: it does not fit the model.
        """
        kind = self._kind(request.headers.get("content-type", ""))
        try:
            if kind == FORM:
                async with request.form(
                    max_files=self.files, max_fields=MOST_FIELDS, max_part_size=LONGEST_FIELD
                ) as form:
                    return self.models[FORM].model_validate({name: await _values(form, name) for name in form})
            body = await request.body()
        except MultiPartException as error:
            raise BadRequestError(f"the form cannot be read: {error.message}") from error
        except ClientDisconnect as error:
            raise BadRequestError("the body ended too soon") from error
        if kind == JSON:
            return self._record(body) if len(body) <= SMALL else await asyncio.to_thread(self._record, body)
        return self.models[FORM].model_validate({self.photo: [body]})

    def _kind(self, content_type: str) -> str:
        kind, *parameters = (each.strip().lower() for each in content_type.split(";"))
        if kind not in self.models and not (self.photo and kind.startswith(PHOTOS)):
            raise UnsupportedError(f"send {' or '.join(self.models)}, not {kind[:100] or 'a body of no kind'}")
        for parameter in parameters:
            name, _, value = parameter.partition("=")
            if name.strip() == "charset" and value.strip(" '\"") not in UTF_8:
                raise UnsupportedError("send text in UTF-8, and name no other charset")
        return kind

    def _record(self, body: bytes) -> BaseModel:
        try:
            value = read_json(body, self.parts)
        except ValueError as error:
            raise BadRequestError(str(error)) from error
        return self.models[JSON].model_validate(value)


async def _values(form: FormData, name: str) -> str | list[bytes]:
    """The bytes of all files of a name, or the last text."""
    values = form.getlist(name)
    files = [await value.read() for value in values if isinstance(value, UploadFile)]
    return files or str(values[-1])
