"""``/v1/products``: list, get, upsert and delete products."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request, Response

from image_similarity.fitting import delete_product
from image_similarity.service import schemas
from image_similarity.service.bodies import FORM, JSON, Body
from image_similarity.service.dependencies import State, may_read, may_write
from image_similarity.service.errors import NotFoundError, ReadOnlyError
from image_similarity.service.guards.access import key_name
from image_similarity.service.openapi import problems
from image_similarity.service.routes.upsert import RESERVED, UpsertRequest, done_before, request_of, upsert
from image_similarity.store import CatalogueRecords

if TYPE_CHECKING:
    from image_similarity.store import Database

router = APIRouter(tags=["products"])
PAGE = 50
NEW: dict[int | str, dict[str, Any]] = {201: {"model": schemas.PutProduct, "description": "The product is new."}}


async def _idempotency_key(
    request: Request,
    key: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            min_length=1,
            max_length=200,
            description="The same request with the same key is carried out once, however often it is sent.",
        ),
    ] = None,
) -> str | None:
    """A request's idempotency key, with the name of its API key: two clients may choose the same."""
    return None if key is None else f"{key_name(request.scope)}\n{key}"


async def _changeable(product_id: schemas.ProductId) -> str:
    """A product's id; refused where its path would be that of another product's similar ones."""
    if product_id.endswith(RESERVED):
        raise ReadOnlyError(f"{product_id!r} is not a product: an id cannot end with {RESERVED}")
    return product_id


ChangeableId = Annotated[str, Depends(_changeable)]
IdempotencyKey = Annotated[str | None, Depends(_idempotency_key)]
BODY = Body({JSON: schemas.ProductChange, FORM: schemas.ProductForm}, files=schemas.MOST_IMAGES)


@router.get(
    "/products",
    responses=problems(422),
    dependencies=[may_read],
    summary="List products, a page at a time",
)
async def products(
    state: State,
    prefix: Annotated[str, Query(max_length=200, description="Start of the id or of the title.")] = "",
    after: Annotated[str, Query(max_length=schemas.LONGEST_ID, description="The `next` of the previous page.")] = "",
    number: Annotated[int, Query(ge=1, le=schemas.MOST_NUMBER)] = PAGE,
) -> schemas.ProductPage:
    """In the order of their ids."""

    def page(database: Database) -> schemas.ProductPage:
        records = CatalogueRecords(database)
        ids = records.product_ids(prefix, after, number + 1)
        shown = [product_of(records, each) for each in ids[:number]]
        return schemas.ProductPage(products=shown, next=ids[number - 1] if len(ids) > number else None)

    return await state.store.read(page)


@router.get(
    "/products/{product_id:path}",
    responses=problems(404, 422),
    dependencies=[may_read],
    summary="Get a product",
)
async def product(state: State, product_id: str) -> schemas.Product:
    """Its texts, its attributes and all of its images."""
    return await state.store.read(lambda database: _product(database, product_id))


@router.put(
    "/products/{product_id:path}",
    responses=NEW | problems(400, 405, 409, 413, 415, 422),
    openapi_extra=BODY.openapi,
    dependencies=[may_write],
    summary="Add or replace a product",
)
async def put(
    response: Response,
    state: State,
    product_id: ChangeableId,
    body: Annotated[schemas.ProductChange | schemas.ProductForm, Depends(BODY.read)],
    key: IdempotencyKey,
) -> schemas.PutProduct:
    """Given images replace the earlier ones; without any, these are kept. Searches find the product within a second."""
    request = UpsertRequest.of(product_id, body)
    result = await upsert(state, request, key)
    product = await state.store.read(lambda database: _after_put(database, request))
    response.status_code = result.status
    return schemas.PutProduct(**dict(product), repaired=result.repaired)


@router.delete(
    "/products/{product_id:path}",
    status_code=204,
    responses=problems(404, 405, 409, 422),
    dependencies=[may_write],
    summary="Delete a product",
)
async def delete(state: State, product_id: ChangeableId, key: IdempotencyKey) -> None:
    """Within a second, searches no longer find it."""
    request = request_of(key, "DELETE", product_id, b"")

    def deleted(database: Database) -> bool:
        if done_before(database, request) is not None:
            return True
        return delete_product(database, state.settings, product_id, request)

    if not await state.store.write(deleted):
        raise NotFoundError(f"there is no product {product_id!r}")
    state.refresh.wake()


def product_of(records: CatalogueRecords, product_id: str) -> schemas.Product:
    """Read a product and its usable images."""
    kept = records.product(product_id)
    return schemas.Product(
        product_id=product_id,
        title=kept.title,
        description=kept.description,
        attributes=dict(kept.attributes),
        images=[schemas.ProductImage.of(image.image_id) for image in records.usable_images_of(product_id)],
    )


def _product(database: Database, product_id: str) -> schemas.Product:
    records = CatalogueRecords(database)
    if not records.has_product(product_id):
        raise NotFoundError(f"there is no product {product_id!r}")
    return product_of(records, product_id)


def _after_put(database: Database, request: UpsertRequest) -> schemas.Product:
    """The product as stored; as requested, without images, where it has been deleted since."""
    try:
        return _product(database, request.product_id)
    except NotFoundError:
        product = request.product
        attributes = dict(product.attributes)
        return schemas.Product(
            product_id=product.product_id,
            title=product.title,
            description=product.description,
            attributes=attributes,
            images=[],
        )
