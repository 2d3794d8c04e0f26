"""``POST /v1/search``: from a photo, or words, to the products that look most like it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, get_args

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from image_similarity.images.spooled_file import Picture, bytes_of
from image_similarity.options import Aggregate, Match, SearchOptions, SimilarOptions
from image_similarity.options import Query as Searched
from image_similarity.service import schemas
from image_similarity.service.answering.served_model import ServedModel
from image_similarity.service.app_state import Desk, found
from image_similarity.service.bodies import (
    FORM,
    JSON,
    body_of,
    fields_in,
    files_in,
    form_of,
    json_body,
    kind_of,
    raw_body,
)
from image_similarity.service.errors import ConflictError, UnusableError
from image_similarity.service.problem_handlers import problems
from image_similarity.service.routes.picture_source import picture_bytes
from image_similarity.service.routing import answered, desk_of, may_read

if TYPE_CHECKING:
    from collections.abc import Sequence

    from image_similarity.search.prepared_query import PreparedQuery

PICTURES = ("image/", "application/octet-stream")
"""Kinds of a body that is the photo itself; what else is asked stands in the address."""
FILE = ("file", "image", "photo")
router = APIRouter(tags=["search"], dependencies=[Depends(may_read)])
BODY = body_of(
    "SearchRequest",
    {
        "file": {
            "type": "array",
            "minItems": 1,
            "maxItems": schemas.MOST_PHOTOS,
            "items": {"type": "string", "format": "binary"},
            "description": "The photo; or several of one thing.",
        },
        "text": {"type": "string"},
        "text_weight": {"type": "number", "minimum": 0, "maximum": 1},
        "crop": {"type": "string", "description": "left,top,width,height in shares of the photo."},
        "number": {"type": "integer", "minimum": 1, "maximum": schemas.MOST_NUMBER},
        "filter": {"type": "string"},
        "min_match": {"type": "number", "minimum": 0, "maximum": 1},
        "match": {"type": "string", "enum": list(get_args(Match))},
        "aggregate": {"type": "string", "enum": list(get_args(Aggregate))},
        "explain": {"type": "boolean"},
        "crops": {"type": "boolean"},
        "model": {"type": "string"},
    },
    ["file"],
)
BODY["requestBody"]["content"]["image/jpeg"] = {"schema": {"type": "string", "format": "binary"}}


@router.post(
    "/search",
    response_model=schemas.Matches,
    responses=problems(400, 409, 413, 415, 422, 503),
    openapi_extra=BODY,
    summary="Find the products that look most like what is on a photo",
)
async def search(request: Request) -> Response:
    """A photo as a file of a form, as base64, by its address or as one that is kept; or words; or both."""
    desk = desk_of(request)
    asked, photos = await _asked(request, kind_of(request, *PICTURES))  # who sends slowly takes nobody's place
    async with desk.admitted():
        for image in [*([asked.image] if asked.image else ()), *(asked.images or ())]:
            photos.append(await picture_bytes(desk, image))
        model = desk.lineup.model(asked.model)
        query = await _query(desk, model, asked, photos)
        return answered(found(await asyncio.wrap_future(model.search(query)), "such product"))


@router.get(
    "/products/{product_id:path}/similar",
    response_model=schemas.Matches,
    responses=problems(404, 422, 503),
    tags=["products"],
    summary="The products that look most like a product",
)
async def similar(
    request: Request,
    product_id: str,
    number: Annotated[int, Query(ge=1, le=schemas.MOST_NUMBER)] = 10,
    filter: Annotated[str | None, Query(max_length=schemas.LONGEST_FILTER)] = None,  # noqa: A002 (its name outside)
    match: Annotated[Match | None, Query()] = None,
    model: Annotated[str | None, Query(max_length=schemas.LONGEST_ID)] = None,
) -> Response:
    """Asked with all of the product's pictures; the best pair counts, and is named."""
    desk = desk_of(request)
    async with desk.admitted():
        served = desk.lineup.model(model)
        options = SimilarOptions(number=number, filter=filter, match=match)
        answer = await asyncio.wrap_future(served.similar(product_id, options))
        return answered(found(answer, f"product {product_id!r}"))


async def _asked(request: Request, kind: str) -> tuple[schemas.SearchRequest, list[Picture]]:
    """What is searched for, and the photos that the body brings along."""
    if kind == JSON:
        return await json_body(request, schemas.SearchRequest), []
    if kind == FORM:
        async with form_of(request, files=schemas.MOST_PHOTOS) as form:
            asked = schemas.SearchRequest.model_validate(fields_in(form, *FILE))
            return asked, [photo for name in FILE for photo in await files_in(form, name)]
    asked = schemas.SearchRequest.model_validate(fields_in(request.query_params))
    return asked, [await raw_body(request)]


async def _query(
    desk: Desk, model: ServedModel, asked: schemas.SearchRequest, photos: Sequence[Picture]
) -> PreparedQuery:
    """What is searched for, decoded in one of the threads that have a budget for it."""
    if asked.text is not None and not model.reads_text:
        raise UnusableError(f"the model {model.name} cannot be searched by words")
    if asked.min_match is not None and not model.collection.is_calibrated:
        raise ConflictError(f"min_match needs match probabilities: run calibrate for {model.name} first")
    options = SearchOptions(
        number=asked.number,
        aggregate=asked.aggregate,
        filter=asked.filter,
        min_match=asked.min_match,
        explain=asked.explain,
        crops=asked.crops,
        match=asked.match,
    )
    crop = None if asked.crop is None else asked.crop.box

    def prepared() -> PreparedQuery:
        files = [bytes_of(photo) for photo in photos]
        query = Searched(photo=files, text=asked.text, text_weight=asked.text_weight, crop=crop)
        return model.collection.prepared(query, options)

    return await desk.work(prepared)
