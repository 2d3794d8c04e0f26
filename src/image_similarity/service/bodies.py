"""Request bodies: JSON, a form or a photo, each read within limits into the model that OpenAPI documents.

FastAPI reads a body before it checks the key, whole and on the event loop, and supports one media type a route. So a
dependency that runs after the key's reads the body.
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
"""Prefixes of the media types of a photo."""
UTF_8 = ("utf-8", "utf8", "us-ascii")
SMALL = 1 << 14  # bytes of JSON that are parsed on the event loop; more are parsed in a thread
MOST_FIELDS = 20
LONGEST_FIELD = 1_000_000  # bytes of one field of a form that is not a file


@dataclass(frozen=True)
class Body:
    """The body of a route: ``Depends(body.read)`` reads it, ``openapi_extra=body.openapi`` documents it.

    Args:
        models: by media type.
        photo: the form's file that may also be the whole body.
        files: limit of files in a form.
        parts: limit of names and values in JSON.
    """

    models: Mapping[str, type[BaseModel]]
    photo: str | None = None
    files: int = 1
    parts: int = FEW_PARTS

    @cached_property
    def openapi(self) -> dict[str, Any]:
        """The operation's ``requestBody``."""
        models: dict[str, type[Any]] = {**self.models, **({PHOTO: bytes} if self.photo else {})}
        content = {kind: {"schema": inlined(model)} for kind, model in models.items()}
        return {"requestBody": {"required": True, "content": content}}

    async def read(self, request: Request) -> Any:
        """Parse a request's body into the model of its media type.

        Raises:
            UnsupportedError: it has another media type, or is not in UTF-8.
            BadRequestError: it does not match its media type, or ended too soon.
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
            return self._parse(body) if len(body) <= SMALL else await asyncio.to_thread(self._parse, body)
        return self.models[FORM].model_validate({self.photo: [body]})

    def _kind(self, content_type: str) -> str:
        kind, *parameters = (each.strip().lower() for each in content_type.split(";"))
        if kind not in self.models and not (self.photo and kind.startswith(PHOTOS)):
            raise UnsupportedError(
                f"send {' or '.join(self.models)}, not {kind[:100] or 'a body without a media type'}"
            )
        for parameter in parameters:
            name, _, value = parameter.partition("=")
            if name.strip() == "charset" and value.strip(" '\"") not in UTF_8:
                raise UnsupportedError("send text in UTF-8; other charsets are not supported")
        return kind

    def _parse(self, body: bytes) -> BaseModel:
        try:
            value = read_json(body, self.parts)
        except ValueError as error:
            raise BadRequestError(str(error)) from error
        return self.models[JSON].model_validate(value)


async def _values(form: FormData, name: str) -> str | list[bytes]:
    """The bytes of all files of a form field, or its last text."""
    values = form.getlist(name)
    files = [await value.read() for value in values if isinstance(value, UploadFile)]
    return files or str(values[-1])
