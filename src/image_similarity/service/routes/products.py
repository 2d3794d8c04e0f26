"""``/v1/products``: what is in the catalogue, put and taken away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request
from starlette.responses import Response

from image_similarity.fitting.upsert import remove_product
from image_similarity.service import schemas
from image_similarity.service.bodies import JSON, body_of, files_in, form_of, json_body, kind_of, only, parsed
from image_similarity.service.errors import BadRequestError, NotThereError, ReadOnlyError, UnusableError
from image_similarity.service.problem_handlers import problems
from image_similarity.service.routes.upsert import RESERVED, Key, Wanted, done_before, put_once, request_of
from image_similarity.service.routing import answered, desk_of, may_read, may_write
from image_similarity.store.records import CatalogueRecords

if TYPE_CHECKING:
    from collections.abc import Sequence

    from image_similarity.images.spooled_file import Picture
    from image_similarity.store.database import Database

router = APIRouter(tags=["products"])
PAGE = 50
NEW: dict[int | str, dict[str, Any]] = {201: {"model": schemas.PutProduct, "description": "It is new."}}
KeyHeader = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        description="The same request with the same key is carried out once, however often it is sent.",
    ),
]
BODY = body_of(
    "ProductChange",
    {
        "product": {
            "allOf": [{"$ref": "#/components/schemas/ProductChange"}],
            "description": "As JSON, without images.",
        },
        "images": {
            "type": "array",
            "maxItems": schemas.MOST_IMAGES,
            "items": {"type": "string", "format": "binary"},
        },
    },
)


@router.get(
    "/products",
    response_model=schemas.ProductPage,
    responses=problems(422),
    dependencies=[Depends(may_read)],
    summary="The catalogue's products, some at a time",
)
async def products(
    request: Request,
    prefix: Annotated[str, Query(max_length=200, description="Of the id or of the title.")] = "",
    after: Annotated[str, Query(max_length=schemas.LONGEST_ID, description="The `next` of the page before.")] = "",
    number: Annotated[int, Query(ge=1, le=schemas.MOST_NUMBER)] = PAGE,
) -> Response:
    """In the order of their ids, those whose id or title begins with the prefix."""

    def listed(database: Database) -> schemas.ProductPage:
        records = CatalogueRecords(database)
        ids = records.product_ids(prefix, after, number + 1)
        shown = [product_of(records, each) for each in ids[:number]]
        return schemas.ProductPage(products=shown, next=ids[number - 1] if len(ids) > number else None)

    return answered(await desk_of(request).store.read(listed))


@router.get(
    "/products/{product_id:path}",
    response_model=schemas.Product,
    responses=problems(404, 422),
    dependencies=[Depends(may_read)],
    summary="One product",
)
async def product(request: Request, product_id: str) -> Response:
    """Its texts, its attributes and all of its pictures."""
    return answered(await desk_of(request).store.read(lambda database: _there(database, product_id)))


@router.put(
    "/products/{product_id:path}",
    response_model=schemas.PutProduct,
    responses=NEW | problems(400, 405, 409, 413, 415, 422),
    openapi_extra=BODY,
    dependencies=[Depends(may_write)],
    summary="Put a product",
)
async def put(request: Request, product_id: schemas.ProductId, key: KeyHeader = None) -> Response:
    """Its texts, and where pictures are given those in place of the ones before. Found within a second."""
    _changeable(product_id)
    desk = desk_of(request)
    files: Sequence[Picture] | None
    if kind_of(request) == JSON:
        change, files = await json_body(request, schemas.ProductChange), None
    else:
        async with form_of(request) as form:
            only(form, "product", "images")
            change = await _change_in(form.get("product", "{}"))
            files = await files_in(form, "images") or None
    wanted = Wanted(product_id, change, files)
    done = await put_once(desk, wanted, Key.of(request, key))
    there = await desk.store.read(lambda database: _put(database, wanted))
    return answered(schemas.PutProduct(**dict(there), repaired=done.repaired), done.status)


@router.delete(
    "/products/{product_id:path}",
    status_code=204,
    response_class=Response,
    responses=problems(404, 405, 409, 422),
    dependencies=[Depends(may_write)],
    summary="Take a product away",
)
async def delete(request: Request, product_id: str, key: KeyHeader = None) -> Response:
    """It is not found any longer, within a second."""
    _changeable(product_id)
    desk = desk_of(request)
    once = request_of(Key.of(request, key), "DELETE", product_id, b"")

    def removed(database: Database) -> bool:
        if done_before(database, once) is not None:
            return True
        return remove_product(database, desk.settings, product_id, once)

    if not await desk.store.write(removed):
        raise NotThereError(f"there is no product {product_id!r}")
    desk.upkeep.look_now()
    return Response(status_code=204)


def _changeable(product_id: str) -> None:
    """Refuse a product whose address would be that of another's answer."""
    if product_id.endswith(RESERVED):
        raise ReadOnlyError(f"{product_id!r} is no product: an id cannot end with {RESERVED}")


def product_of(records: CatalogueRecords, product_id: str) -> schemas.Product:
    """A product as it is answered."""
    kept = records.product(product_id)
    return schemas.Product(
        product_id=product_id,
        title=kept.title,
        description=kept.description,
        attributes=dict(kept.attributes),
        images=[schemas.ProductImage.of(image.image_id) for image in records.sound_images_of(product_id)],
    )


def _there(database: Database, product_id: str) -> schemas.Product:
    records = CatalogueRecords(database)
    if not records.is_there(product_id):
        raise NotThereError(f"there is no product {product_id!r}")
    return product_of(records, product_id)


def _put(database: Database, wanted: Wanted) -> schemas.Product:
    """What was put; as it was asked for, where it has been taken away since."""
    try:
        return _there(database, wanted.product_id)
    except NotThereError:
        product = wanted.product
        attributes = dict(product.attributes)
        return schemas.Product(
            product_id=product.product_id,
            title=product.title,
            description=product.description,
            attributes=attributes,
            images=[],
        )


async def _change_in(field: object) -> schemas.ProductChange:
    if not isinstance(field, str):
        raise BadRequestError("the field product must be JSON, not a file")
    change = await parsed(field.encode(), schemas.ProductChange)
    if change.images is not None:
        raise UnusableError("give the pictures as files named images, or send JSON with their addresses")
    return change
