"""A product put, once: what the route, and every product of a bulk import, comes down to."""

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
    """A product as it is to be.

    ``files``: the bytes of its images, where they came with the request; those that ``change`` names are fetched when
    it is known that the request was not carried out before. Without either it keeps those that it has.
    """

    product_id: str
    change: schemas.ProductChange
    files: Sequence[ImageData] | None = None

    @classmethod
    def of(cls, product_id: str, body: schemas.ProductChange | schemas.ProductForm) -> Self:
        """As a request has it, in either way."""
        if isinstance(body, schemas.ProductChange):
            return cls(product_id, body)
        return cls(product_id, schemas.ProductChange(**dict(body.product)), body.images or None)

    @property
    def product(self) -> Product:
        """As the store takes it. An empty attribute is one that it has not."""
        attributes = {name: value for name, value in self.change.attributes.items() if value}
        return Product(self.product_id, self.change.title, self.change.description, attributes)

    def content(self) -> bytes:
        """What tells two requests apart: what they say, whatever is behind an address by now."""
        return b"".join(digest_of(part) for part in (self.change.model_dump_json().encode(), *(self.files or ())))


@dataclass(frozen=True, slots=True)
class UpsertResult:
    """A product was put: ``status`` is 201 where it is new, else 200; so many of its images were ``repaired``."""

    status: int
    repaired: int = 0


async def upsert(state: AppState, request: UpsertRequest, key: str | None = None) -> UpsertResult:
    """Put a product, once for each key.

    Raises:
        ImageError: an image cannot be used.
        ConflictError: the key stands for another request.
        UnusableError: the id is one that no address leads to.
        UsageError, StoreError, OutputError: as :func:`~image_similarity.fitting.upsert.upsert_product`.
    """
    if request.product_id.endswith(RESERVED):
        raise UnusableError(f"an id cannot end in {RESERVED}: its address is that of a product's similar ones")
    once = request_of(key, "PUT", request.product_id, request.content())
    before = await state.store.read(lambda database: done_before(database, once))
    if before is not None:
        return UpsertResult(before.status, before.repaired)
    done, files = None, request.files
    if files is None and request.change.images is not None:
        files = [await image_data(state, each) for each in request.change.images]
    while done is None:
        served = state.served
        embedded = None if files is None else [await _embedded(state, served, data) for data in files]
        done = await state.store.write(partial(_put, state, served, request, embedded, once))
    state.refresh.look_now()
    return done


def _put(
    state: AppState,
    served: ServedModels,
    request: UpsertRequest,
    embedded: Sequence[EmbeddedImage] | None,
    once: IdempotentRequest | None,
    database: Database,
) -> UpsertResult | None:
    """None where other models answer by now, whose features are to be put too."""
    there = done_before(database, once)  # sent twice at once
    if there is not None:
        return UpsertResult(there.status, there.repaired)
    if served is not state.served:
        return None
    repaired = len({digest_of(each.image.data) for each in embedded or () if each.image.repaired})
    once = None if once is None else replace(once, repaired=repaired)
    new = upsert_product(database, state.settings, request.product, embedded, served.views, once)
    return UpsertResult(201 if new else 200, repaired)


async def _embedded(state: AppState, served: ServedModels, data: ImageData) -> EmbeddedImage:
    new = await state.work(new_image, data, served.specs, served.views, state.settings.max_pixels)
    vectors = await asyncio.to_thread(served.embed_views, new.pixels)
    return EmbeddedImage(new, vectors)


def request_of(key: str | None, method: str, product_id: str, content: bytes) -> IdempotentRequest | None:
    """A request as it is remembered; None where it has no key."""
    if key is None:
        return None
    digest = sha256(f"{method} {product_id}\0".encode() + content).digest()
    return IdempotentRequest(key, digest)


def done_before(database: Database, once: IdempotentRequest | None) -> IdempotentRequest | None:
    """The request with its answer, where it was carried out before.

    Raises:
        ConflictError: its key stands for another request.
    """
    try:
        return None if once is None else IdempotencyLog(database).find(once)
    except IdempotencyClashError:
        raise ConflictError("this Idempotency-Key was given with another request before") from None
