"""``POST /v1/search``: from a photo, or words, to the products that look most like it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, Query

from image_similarity.images import ImageData, bytes_of
from image_similarity.options import Match, Query as Searched, SimilarOptions
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
    """A photo as a file of a form, as base64, by its address, as one that is kept or as the body; or words; or both."""
    asked = body.beside(address)
    async with state.admitted():  # only now: who sends slowly takes nobody's place
        photos = [await image_data(state, photo) for photo in asked.photos]
        model = state.served.model(asked.model)
        query = await _query(state, model, asked, photos)
        return found(await asyncio.wrap_future(model.search(query)), "such product")


@router.get(
    "/products/{product_id:path}/similar",
    responses=problems(404, 422, 503),
    tags=["products"],
    summary="The products that look most like a product",
)
async def similar(
    state: State,
    product_id: str,
    number: schemas.Number = 10,
    filter: schemas.Condition | None = None,  # noqa: A002 (its name outside)
    match: Match | None = None,
    model: Annotated[str | None, Query(max_length=schemas.LONGEST_ID)] = None,
) -> schemas.Matches:
    """Asked with all of the product's images; the best pair counts, and is named."""
    async with state.admitted():
        served = state.served.model(model)
        options = SimilarOptions(number=number, filter=filter or None, match=match)
        return found(await asyncio.wrap_future(served.similar(product_id, options)), f"product {product_id!r}")


async def _query(
    state: AppState, model: ServedModel, asked: schemas.SearchRequest | schemas.SearchForm, photos: Sequence[ImageData]
) -> PreparedQuery:
    """What is searched for, decoded in one of the threads that have a budget for it."""
    if asked.text is not None and not model.reads_text:
        raise UnusableError(f"the model {model.name} cannot be searched by words")
    if asked.min_match is not None and not model.collection.is_calibrated:
        raise ConflictError(f"min_match needs match probabilities: run calibrate for {model.name} first")

    def prepared() -> PreparedQuery:
        files = [bytes_of(photo) for photo in photos]
        crop = None if asked.crop is None else asked.crop.box
        query = Searched(photo=files, text=asked.text, text_weight=asked.text_weight, crop=crop)
        return model.collection.prepared(query, asked.options)

    return await state.work(prepared)
