"""``/v1/feedback``: good and bad results."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends

from image_similarity.images import as_jpeg, decode
from image_similarity.service import schemas
from image_similarity.service.app_state import found
from image_similarity.service.bodies import JSON, Body
from image_similarity.service.dependencies import State, may_read, may_write
from image_similarity.service.errors import NotFoundError
from image_similarity.service.openapi import problems
from image_similarity.service.storage.query_photos import QUALITY
from image_similarity.store import CatalogueRecords

if TYPE_CHECKING:
    from image_similarity.store import Database

router = APIRouter(prefix="/feedback", tags=["feedback"])
BODY = Body({JSON: schemas.Feedback})


@router.post(
    "",
    status_code=201,
    responses=problems(400, 404, 413, 415, 422, 503),
    openapi_extra=BODY.openapi,
    dependencies=[may_write],
    summary="Give feedback: a result is good or bad",
)
async def give(state: State, body: Annotated[schemas.Feedback, Depends(BODY.read)]) -> schemas.FeedbackCounts:
    """Labels for the evaluation; a later verdict on the same pair replaces the earlier one."""
    for product_id in (body.product_id, body.query_product_id):
        if product_id is not None and not await state.store.read(partial(_has_product, product_id)):
            raise NotFoundError(f"there is no product {product_id!r}")
    if body.query_product_id is not None:
        await asyncio.to_thread(state.feedback.on_product, body.query_product_id, body.product_id, body.verdict)
    else:
        data = found(await state.work(state.photos.find, body.photo or ""), "such photo: it is not kept any longer")
        data = await state.work(_cropped, data, body.crop, state.settings.max_pixels)
        await asyncio.to_thread(state.feedback.on_photo, data, body.product_id, body.verdict)
    return await asyncio.to_thread(state.feedback.counts)


@router.get("", dependencies=[may_read], summary="Count the feedback")
async def counts(state: State) -> schemas.FeedbackCounts:
    """Good and bad verdicts, and the number of different queries."""
    return await asyncio.to_thread(state.feedback.counts)


def _has_product(product_id: str, database: Database) -> bool:
    return CatalogueRecords(database).has_product(product_id)


def _cropped(data: bytes, crop: schemas.Crop | None, max_pixels: int) -> bytes:
    if crop is None:
        return data
    image = decode(data, max_pixels=max_pixels)
    return as_jpeg(image.crop(crop.box.pixels(image.size)), QUALITY)
