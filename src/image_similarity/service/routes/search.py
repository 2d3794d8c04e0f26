"""``POST /v1/search``: the products most similar to a photo or a text; and those similar to a product."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, Query

from image_similarity.errors import NotFittedError
from image_similarity.images import ImageData, bytes_of
from image_similarity.options import Match, Query as PhotoQuery, SimilarOptions
from image_similarity.service import schemas
from image_similarity.service.answering.served_model import ServedModel
from image_similarity.service.app_state import AppState, found
from image_similarity.service.bodies import FORM, JSON, Body
from image_similarity.service.dependencies import State, may_read
from image_similarity.service.errors import ConflictError, UnusableError
from image_similarity.service.openapi import problems
from image_similarity.service.routes.image_source import image_data

if TYPE_CHECKING:
    from collections.abc import Sequence

    from image_similarity.search import PreparedQuery

router = APIRouter(tags=["search"], dependencies=[may_read])
BODY = Body({JSON: schemas.SearchRequest, FORM: schemas.SearchForm}, photo="file", files=schemas.MOST_PHOTOS)


@router.post(
    "/search",
    responses=problems(400, 409, 413, 415, 422, 503),
    openapi_extra=BODY.openapi,
    summary="Find the products that look most like what is on a photo",
)
async def search(
    state: State,
    address: Annotated[schemas.SearchAddress, Query()],
    body: Annotated[schemas.SearchRequest | schemas.SearchForm, Depends(BODY.read)],
) -> schemas.Matches:
    """A photo as a form's file, as base64, as an address, as a kept photo or as the whole body; or a text; or both."""
    request = body.with_defaults(address)
    async with state.admitted():  # after the body: a slow upload must not count as a running search
        photos = [await image_data(state, photo) for photo in request.photos]
        model = state.served.model(request.model)
        query = await _query(state, model, request, photos)
        return found(await asyncio.wrap_future(model.search(query)), "such product")


@router.get(
    "/products/{product_id:path}/similar",
    responses=problems(404, 422, 503),
    tags=["products"],
    summary="Find the products that look most like a product",
)
async def similar(
    state: State,
    product_id: str,
    number: schemas.Number = 10,
    filter: schemas.Condition | None = None,  # noqa: A002 (its name outside)
    match: Match | None = None,
    model: Annotated[str | None, Query(max_length=schemas.LONGEST_ID)] = None,
) -> schemas.Matches:
    """All of the product's images are compared; the best pair of images counts and is returned."""
    async with state.admitted():
        served = state.served.model(model)
        options = SimilarOptions(number=number, filter=filter or None, match=match)
        return found(await asyncio.wrap_future(served.similar(product_id, options)), f"product {product_id!r}")


async def _query(
    state: AppState,
    model: ServedModel,
    request: schemas.SearchRequest | schemas.SearchForm,
    photos: Sequence[ImageData],
) -> PreparedQuery:
    """Prepare a query: its photos are decoded in a thread, within the memory budget."""
    if request.text is not None and not model.reads_text:
        raise UnusableError(f"the model {model.name} does not support text queries")

    def prepared() -> PreparedQuery:
        files = [bytes_of(photo) for photo in photos]
        crop = None if request.crop is None else request.crop.box
        query = PhotoQuery(photo=files, text=request.text, text_weight=request.text_weight, crop=crop)
        try:
            return model.collection.prepared(query, request.options)
        except NotFittedError as error:  # `min_match` without a calibration; the message names no file
            raise ConflictError(f"{model.name}: {error}") from error

    return await state.work(prepared)
