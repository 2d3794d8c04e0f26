"""``/v1/images``, ``/v1/photos`` and ``/v1/marks``: pictures to look at, photos to ask with again, words on results."""

from __future__ import annotations

import asyncio
import io
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi import Path as InPath
from starlette.responses import FileResponse, Response

from image_similarity.errors import ImageError
from image_similarity.images.decode import decode
from image_similarity.service import schemas
from image_similarity.service.app_state import Desk, found
from image_similarity.service.bodies import FORM, file_in, form_of, json_body, kind_of, only
from image_similarity.service.errors import BadRequestError, NotThereError, UnsupportedError, UnusableError
from image_similarity.service.guards.access import key_name
from image_similarity.service.guards.limits import client_of
from image_similarity.service.problem_handlers import problems
from image_similarity.service.routes.search import box_of
from image_similarity.service.routing import answered, desk_of, may_read, may_write
from image_similarity.service.storage.query_photos import QUALITY
from image_similarity.service.storage.thumbnails import Sent
from image_similarity.settings import Folders
from image_similarity.store.records import CatalogueRecords

if TYPE_CHECKING:
    from image_similarity.store.database import Database

router = APIRouter()
FRESH = "private, max-age=300"
FOR_GOOD = "private, max-age=604800, immutable"  # a photo's name is the hash of its bytes
PICTURE: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/*": {"schema": {"type": "string", "format": "binary"}}}, "description": "The picture."}
}
UNCHANGED = {304: {"description": "It is what the client has already."}}


@router.get(
    "/images/{image_id:path}",
    response_class=Response,
    responses={**PICTURE, **problems(404, 422)},
    dependencies=[Depends(may_read)],
    tags=["products"],
    summary="A picture of the catalogue",
)
async def image(
    request: Request,
    image_id: str,
    w: Annotated[int | None, Query(ge=1, le=2000, description="About so many pixels wide; else the file.")] = None,
) -> Response:
    """As it is, or as a small JPEG."""
    desk = desk_of(request)
    path = await desk.store.read(lambda database: _path(database, desk, image_id))
    try:
        sent = await desk.work(desk.pictures.send, path, w)
    except ImageError as error:
        raise NotThereError(f"the picture {image_id!r} cannot be shown: {error.reason}") from None
    return _sent(request, sent, FRESH)


@router.post(
    "/photos",
    status_code=201,
    response_model=schemas.Photo,
    responses=problems(400, 413, 415, 422, 503),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                FORM: {
                    "schema": {
                        "type": "object",
                        "required": ["file"],
                        "additionalProperties": False,
                        "properties": {"file": {"type": "string", "format": "binary"}},
                    }
                }
            },
        }
    },
    dependencies=[Depends(may_read)],
    tags=["search"],
    summary="Keep a photo to search with",
)
async def keep_photo(request: Request) -> Response:
    """Kept for a while, upright, without what a camera writes into a file beside the pixels."""
    if kind_of(request) != FORM:
        raise UnsupportedError(f"send {FORM}")
    desk = desk_of(request)
    if not desk.options.photos:
        raise UnusableError("this service keeps no photos: send them with each search")
    async with form_of(request, files=1) as form:
        data = await file_in(form, "file")
        if data is None:
            raise BadRequestError("send the photo as a file named file")
        only(form, "file")
    client = key_name(request.scope) or client_of(request.scope)
    kept = await desk.work(desk.photos.keep, data, client)
    photo = schemas.Photo(photo=kept.name, url=f"/v1/photos/{kept.name}", width=kept.width, height=kept.height)
    return answered(photo, 201, {"Location": photo.url})


@router.get(
    "/photos/{photo}",
    response_class=Response,
    responses={**PICTURE, **problems(404, 422)},
    dependencies=[Depends(may_read)],
    tags=["search"],
    summary="A photo that is kept",
)
async def photo(request: Request, photo: Annotated[str, InPath(pattern="^[0-9a-f]{64}$")]) -> Response:
    """A JPEG."""
    desk = desk_of(request)
    data = found(await desk.work(desk.photos.find, photo), "such photo any longer")
    return _sent(request, Sent(data, "image/jpeg", f'"{photo}"'), FOR_GOOD)


@router.post(
    "/marks",
    status_code=201,
    response_model=schemas.Marks,
    responses=problems(400, 404, 413, 415, 422, 503),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Mark"}}},
        }
    },
    dependencies=[Depends(may_write)],
    tags=["marks"],
    summary="Mark a result good or bad",
)
async def mark(request: Request) -> Response:
    """Kept for `evaluate --labels`; a later word on the same pair takes the place of the one before."""
    if kind_of(request) == FORM:
        raise UnsupportedError("send application/json")
    marked = await json_body(request, schemas.Mark)
    desk = desk_of(request)
    if (marked.photo is None) == (marked.query_product_id is None):
        raise UnusableError("a mark names what was asked with: a photo or a query_product_id")
    for product_id in (marked.product_id, marked.query_product_id):
        if product_id is not None and not await desk.store.read(partial(_is_there, product_id)):
            raise NotThereError(f"there is no product {product_id!r}")
    if marked.query_product_id is not None:
        await asyncio.to_thread(desk.marks.mark_product, marked.query_product_id, marked.product_id, marked.verdict)
    else:
        data = found(await desk.work(desk.photos.find, marked.photo or ""), "such photo any longer")
        data = await desk.work(_cropped, data, marked.crop, desk.settings.max_pixels)
        await asyncio.to_thread(desk.marks.mark_photo, data, marked.product_id, marked.verdict)
    return answered(await asyncio.to_thread(desk.marks.counts), 201)


@router.get(
    "/marks",
    response_model=schemas.Marks,
    dependencies=[Depends(may_read)],
    tags=["marks"],
    summary="How many marks there are",
)
async def marks(request: Request) -> Response:
    """Of photos and of products."""
    return answered(await asyncio.to_thread(desk_of(request).marks.counts))


def _path(database: Database, desk: Desk, image_id: str) -> Path:
    kept = CatalogueRecords(database).image(image_id)
    if kept is None:
        raise NotThereError(f"there is no picture {image_id!r}")
    return kept.file(Folders(desk.settings.root).dataset / desk.dataset.name)


def _is_there(product_id: str, database: Database) -> bool:
    return CatalogueRecords(database).is_there(product_id)


def _cropped(data: bytes, crop: schemas.Crop | None, max_pixels: int) -> bytes:
    if crop is None:
        return data
    picture = decode(data, max_pixels=max_pixels)
    file = io.BytesIO()
    picture.crop(box_of(crop, picture.size)).save(file, "JPEG", quality=QUALITY)
    return file.getvalue()


def _sent(request: Request, sent: Sent, cache: str) -> Response:
    headers = {"ETag": sent.tag, "Cache-Control": cache}
    known = [each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")]
    if sent.tag in known or "*" in known:
        return Response(status_code=304, headers=headers)
    if sent.file is not None:
        return FileResponse(sent.file, headers=headers, media_type=sent.media_type)
    return Response(sent.data, headers=headers, media_type=sent.media_type)
