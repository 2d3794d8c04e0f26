"""``POST /v1/search``: from a photo, or words, to the products that look most like it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, Query

from image_similarity.images.decode import decode
from image_similarity.images.plain_ground import on_plain_ground
from image_similarity.images.spooled_file import Picture, bytes_of
from image_similarity.search.text_query import Words
from image_similarity.service import schemas
from image_similarity.service.answering.served_model import Asked, Found, ServedModel
from image_similarity.service.app_state import AppState, found
from image_similarity.service.bodies import FORM, JSON, Body
from image_similarity.service.dependencies import State, may_read
from image_similarity.service.errors import ConflictError, UnusableError
from image_similarity.service.openapi import problems
from image_similarity.service.routes.picture_source import picture_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from image_similarity.search.chosen import Squares

WHOLE = 1 << 16
"""Pixels a side: more than any picture that is taken has."""
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
        photos = [await picture_bytes(state, photo) for photo in asked.photos]
        model = state.lineup.model(asked.model)
        question = await _question(state, model, asked, photos)
        return _matches(model, found(await asyncio.wrap_future(model.ask(question)), "such product"))


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
    like: schemas.Like | None = None,
    model: Annotated[str | None, Query(max_length=schemas.LONGEST_ID)] = None,
) -> schemas.Matches:
    """Asked with all of the product's pictures; the best pair counts, and is named."""
    async with state.admitted():
        served = state.lineup.model(model)
        _check_like(served, like)
        question = Asked(number, product_id=product_id, filter=filter, like=like)
        answer = await asyncio.wrap_future(served.ask(question))
        return _matches(served, found(answer, f"product {product_id!r}"))


async def _question(
    state: AppState, model: ServedModel, asked: schemas.SearchRequest | schemas.SearchForm, photos: Sequence[Picture]
) -> Asked:
    if not photos and asked.text is None:
        raise UnusableError("there is nothing to search for: give a photo or a text")
    if asked.crop is not None and len(photos) != 1:
        raise UnusableError("a crop is of one photo")
    _check_like(model, asked.like)
    words = None
    if asked.text is not None:
        if model.text is None:
            raise UnusableError(f"the model {model.name} cannot be searched by words")
        words = Words(asked.text, asked.text_weight)
    if asked.min_match is not None and not model.calibrated:
        raise ConflictError(f"min_match needs to know how sure a score is: run calibrate for {model.name} first")
    if asked.min_match is not None and (words is not None or asked.like is not None or len(photos) > 1):
        raise UnusableError("min_match knows the scores of one photo alone: leave text, like and others out")
    seen = [await state.work(_seen, photo, model, asked.crop, state.settings.max_pixels) for photo in photos]
    squares, plain = [each for each, _ in seen], all(is_plain for _, is_plain in seen)
    return Asked(asked.number, squares, plain, words, filter=asked.filter, like=asked.like, min_match=asked.min_match)


def _seen(data: Picture, model: ServedModel, crop: schemas.Crop | None, max_pixels: int) -> tuple[Squares, bool]:
    """What the model takes of a photo, and whether it is on a plain ground."""
    side = model.chosen.at_least
    if crop is not None and side is not None:
        # The part is to have as many pixels as the whole would; of a part that is next to nothing, all that there are.
        side = int(min(side / min(crop.width, crop.height), WHOLE)) + 1
    picture = decode(bytes_of(data), max_pixels=max_pixels, at_least=side)
    if crop is not None:
        picture = picture.crop(box_of(crop, picture.size))
    return model.chosen.squares(picture), model.calibrated and on_plain_ground(picture)


def box_of(crop: schemas.Crop, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """A crop in pixels: left, top, right, bottom; at least one pixel of the picture."""
    width, height = size
    left, top = min(int(crop.left * width), width - 1), min(int(crop.top * height), height - 1)
    right = min(width, max(left + 1, round((crop.left + crop.width) * width)))
    bottom = min(height, max(top + 1, round((crop.top + crop.height) * height)))
    return left, top, right, bottom


def _check_like(model: ServedModel, like: schemas.Like | None) -> None:
    if like is not None and like not in model.likes:
        raise UnusableError(f"the model {model.name} has no part that sees {like} alone")


def _matches(model: ServedModel, answer: Found) -> schemas.Matches:
    judged = answer.judged
    return schemas.Matches(model=model.name, matches=list(answer.shown), no_match=judged.no_match, note=judged.note)
