"""``/v1/images``: the catalogue's images; ``/v1/photos``: kept query photos."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Path as InPath, Query, Request
from starlette.responses import FileResponse, Response

from image_similarity.errors import ImageError
from image_similarity.service import schemas
from image_similarity.service.app_state import AppState, found
from image_similarity.service.bodies import FORM, Body
from image_similarity.service.dependencies import State, may_read
from image_similarity.service.errors import NotFoundError, UnusableError
from image_similarity.service.guards.access import key_name
from image_similarity.service.guards.limits import client_of
from image_similarity.service.openapi import problems
from image_similarity.service.storage.thumbnails import ImageContent
from image_similarity.settings import Folders
from image_similarity.store import CatalogueRecords

if TYPE_CHECKING:
    from image_similarity.store import Database

router = APIRouter(dependencies=[may_read])
BODY = Body({FORM: schemas.PhotoForm})
FRESH = "private, max-age=300"
FOR_GOOD = "private, max-age=604800, immutable"  # a photo's name is the hash of its bytes
IMAGE_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/*": {"schema": {"type": "string", "format": "binary"}}}, "description": "The image."}
}


@router.get(
    "/images/{image_id:path}",
    response_class=Response,
    responses={**IMAGE_RESPONSES, **problems(404, 422)},
    tags=["products"],
    summary="Get an image of the catalogue",
)
async def image(
    request: Request,
    state: State,
    image_id: str,
    w: Annotated[
        int | None,
        Query(ge=1, le=2000, description="Approximate width in pixels; without it, the original file."),
    ] = None,
) -> Response:
    """The original file, or a JPEG of about the given width."""
    path = await state.store.read(lambda database: _path(database, state, image_id))
    try:
        content = await state.work(state.thumbnails.load, path, w)
    except ImageError as error:
        raise NotFoundError(f"the image {image_id!r} cannot be shown: {error.reason}") from None
    return _response(request, content, FRESH)


@router.post(
    "/photos",
    status_code=201,
    responses=problems(400, 413, 415, 422, 503),
    openapi_extra=BODY.openapi,
    tags=["search"],
    summary="Keep a photo to search with",
)
async def keep_photo(
    request: Request, response: Response, state: State, body: Annotated[schemas.PhotoForm, Depends(BODY.read)]
) -> schemas.Photo:
    """Stored for a while, upright, without camera metadata."""
    if not state.options.photos:
        raise UnusableError("this service keeps no photos: send them with each search")
    client = key_name(request.scope) or client_of(request.scope)
    kept = await state.work(state.photos.keep, body.file, client)
    photo = schemas.Photo(photo=kept.name, url=f"/v1/photos/{kept.name}", width=kept.width, height=kept.height)
    response.headers["Location"] = photo.url
    return photo


@router.get(
    "/photos/{photo}",
    response_class=Response,
    responses={**IMAGE_RESPONSES, **problems(404, 422)},
    tags=["search"],
    summary="Get a kept photo",
)
async def photo(request: Request, state: State, photo: Annotated[schemas.PhotoId, InPath()]) -> Response:
    """Upright, as a JPEG."""
    data = found(await state.work(state.photos.find, photo), "such photo: it is not kept any longer")
    return _response(request, ImageContent(data, "image/jpeg", f'"{photo}"'), FOR_GOOD)


def _path(database: Database, state: AppState, image_id: str) -> Path:
    kept = CatalogueRecords(database).image(image_id)
    if kept is None:
        raise NotFoundError(f"there is no image {image_id!r}")
    return kept.file(Folders(state.settings.root).images(state.dataset))


def _response(request: Request, content: ImageContent, cache: str) -> Response:
    headers = {"ETag": content.tag, "Cache-Control": cache}
    known = [each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")]
    if content.tag in known or "*" in known:
        return Response(status_code=304, headers=headers)
    if content.file is not None:
        return FileResponse(content.file, headers=headers, media_type=content.media_type)
    return Response(content.data, headers=headers, media_type=content.media_type)
