"""``/v1/images`` and ``/v1/photos``: images of the catalogue to look at, photos to search with again."""

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
from image_similarity.service.errors import NotThereError, UnusableError
from image_similarity.service.guards.access import key_name
from image_similarity.service.guards.limits import client_of
from image_similarity.service.openapi import problems
from image_similarity.service.storage.thumbnails import SentImage
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
        Query(ge=1, le=2000, description="Width in pixels, about; else the file."),
    ] = None,
) -> Response:
    """The file as it is, or a small JPEG."""
    path = await state.store.read(lambda database: _path(database, state, image_id))
    try:
        sent = await state.work(state.thumbnails.send, path, w)
    except ImageError as error:
        raise NotThereError(f"the image {image_id!r} cannot be shown: {error.reason}") from None
    return _sent(request, sent, FRESH)


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
    """Kept for a while, upright, without the metadata that cameras write."""
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
    data = found(await state.work(state.photos.find, photo), "such photo any longer")
    return _sent(request, SentImage(data, "image/jpeg", f'"{photo}"'), FOR_GOOD)


def _path(database: Database, state: AppState, image_id: str) -> Path:
    kept = CatalogueRecords(database).image(image_id)
    if kept is None:
        raise NotThereError(f"there is no image {image_id!r}")
    return kept.file(Folders(state.settings.root).images(state.dataset))


def _sent(request: Request, sent: SentImage, cache: str) -> Response:
    headers = {"ETag": sent.tag, "Cache-Control": cache}
    known = [each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")]
    if sent.tag in known or "*" in known:
        return Response(status_code=304, headers=headers)
    if sent.file is not None:
        return FileResponse(sent.file, headers=headers, media_type=sent.media_type)
    return Response(sent.data, headers=headers, media_type=sent.media_type)
