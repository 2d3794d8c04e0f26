"""Idempotent upsert of a product, for the route and for bulk imports."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Self

from image_similarity.fitting import EmbeddedImage, new_image, upsert_product
from image_similarity.images import ImageData, digest_of
from image_similarity.service import schemas
from image_similarity.service.errors import ConflictError, UnusableError
from image_similarity.service.routes.image_source import image_data
from image_similarity.store import IdempotencyClashError, IdempotencyLog, IdempotentRequest
from image_similarity.types import Product

if TYPE_CHECKING:
    from collections.abc import Sequence

    from image_similarity.service.answering.served_models import ServedModels
    from image_similarity.service.app_state import AppState
    from image_similarity.store import Database

RESERVED = "/similar"


@dataclass(frozen=True, slots=True)
class UpsertRequest:
    """A product to insert or replace.

    ``files``: the bytes of its images, where they came with the request. Images that ``change`` names are fetched once
    it is known that the request was not carried out before. Without either, the product keeps its images.
    """

    product_id: str
    change: schemas.ProductChange
    files: Sequence[ImageData] | None = None

    @classmethod
    def of(cls, product_id: str, body: schemas.ProductChange | schemas.ProductForm) -> Self:
        """From a body of JSON or a form."""
        if isinstance(body, schemas.ProductChange):
            return cls(product_id, body)
        return cls(product_id, schemas.ProductChange(**dict(body.product)), body.images or None)

    @property
    def product(self) -> Product:
        """The product for the store, without empty attributes."""
        attributes = {name: value for name, value in self.change.attributes.items() if value}
        return Product(self.product_id, self.change.title, self.change.description, attributes)

    def content(self) -> bytes:
        """Bytes that identify the request's content; an image address counts, not the image behind it."""
        return b"".join(digest_of(part) for part in (self.change.model_dump_json().encode(), *(self.files or ())))


@dataclass(frozen=True, slots=True)
class UpsertResult:
    """``status``: 201 for a new product, else 200. ``repaired``: how many of its images came from a truncated file."""

    status: int
    repaired: int = 0


async def upsert(state: AppState, request: UpsertRequest, key: str | None = None) -> UpsertResult:
    """Insert or replace a product, once for each idempotency key.

    Raises:
        ImageError: an image cannot be used.
        ConflictError: the key was used with another request.
        UnusableError: the id ends with a reserved suffix.
        UsageError, StoreError, OutputError: as :func:`~image_similarity.fitting.upsert.upsert_product`.
    """
    if request.product_id.endswith(RESERVED):
        raise UnusableError(f"an id cannot end in {RESERVED}: that path lists a product's similar ones")
    keyed = request_of(key, "PUT", request.product_id, request.content())
    before = await state.store.read(lambda database: done_before(database, keyed))
    if before is not None:
        return UpsertResult(before.status, before.repaired)
    result, files = None, request.files
    if files is None and request.change.images is not None:
        files = [await image_data(state, each) for each in request.change.images]
    while result is None:
        served = state.served
        embedded = None if files is None else [await _embedded(state, served, data) for data in files]
        result = await state.store.write(partial(_write, state, served, request, embedded, keyed))
    state.refresh.wake()
    return result


def _write(
    state: AppState,
    served: ServedModels,
    request: UpsertRequest,
    embedded: Sequence[EmbeddedImage] | None,
    keyed: IdempotentRequest | None,
    database: Database,
) -> UpsertResult | None:
    """Store the product; None where the served models have changed since its images were embedded."""
    before = done_before(database, keyed)  # again: the same request may have been sent twice at once
    if before is not None:
        return UpsertResult(before.status, before.repaired)
    if served is not state.served:
        return None
    repaired = len({digest_of(each.image.data) for each in embedded or () if each.image.repaired})
    keyed = None if keyed is None else replace(keyed, repaired=repaired)
    new = upsert_product(database, state.settings, request.product, embedded, served.views, keyed)
    return UpsertResult(201 if new else 200, repaired)


async def _embedded(state: AppState, served: ServedModels, data: ImageData) -> EmbeddedImage:
    new = await state.work(new_image, data, served.specs, served.views, state.settings.max_pixels)
    vectors = await asyncio.to_thread(served.embed_views, new.pixels)
    return EmbeddedImage(new, vectors)


def request_of(key: str | None, method: str, product_id: str, content: bytes) -> IdempotentRequest | None:
    """The record of a request by its idempotency key; None without a key."""
    if key is None:
        return None
    digest = sha256(f"{method} {product_id}\0".encode() + content).digest()
    return IdempotentRequest(key, digest)


def done_before(database: Database, request: IdempotentRequest | None) -> IdempotentRequest | None:
    """The request with its result, where it was carried out before; else None.

    Raises:
        ConflictError: its key was used with another request.
    """
    try:
        return None if request is None else IdempotencyLog(database).find(request)
    except IdempotencyClashError:
        raise ConflictError("this Idempotency-Key was used with another request before") from None
