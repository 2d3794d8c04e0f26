"""Upsert and delete single products, without a run over the catalogue.

Image files are written and flushed inside the transaction that references them. So a kill may leave a file that
nothing references, but never a product without its images; :func:`delete_orphan_files` removes such files. An upserted
product is unchanged by later fits, until it is deleted.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from image_similarity.errors import StoreError, UsageError
from image_similarity.images import ImageData, bytes_of, decoded_inputs, digest_of, stack, white_background
from image_similarity.store import CatalogueRecords, FeatureRow, ProductChanges, encode
from image_similarity.types import CatalogueImage
from image_similarity.util.files import replacing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from image_similarity.dataset import Dataset
    from image_similarity.settings import Settings
    from image_similarity.store import Database, IdempotentRequest
    from image_similarity.types import ModelSpec, Product

EXTENSIONS = {b"\xff\xd8": ".jpg", b"\x89P": ".png", b"GI": ".gif", b"RI": ".webp", b"BM": ".bmp"}
SHORT = 16  # characters of a digest, enough to distinguish a product's images


@dataclass(frozen=True, slots=True)
class NewImage:
    """An uploaded image, and each model's input pixels ``(views, size, size, 3)`` by model key.

    ``repaired``: its file was truncated, with almost nothing missing.
    """

    data: ImageData
    pixels: Mapping[str, NDArray[np.uint8]]
    repaired: bool = False


@dataclass(frozen=True, slots=True)
class EmbeddedImage:
    """An image with its vectors ``(views, dimension)`` by model key."""

    image: NewImage
    vectors: Mapping[str, NDArray[np.float32]]


def new_image(data: ImageData, specs: Sequence[ModelSpec], views: Sequence[str], max_pixels: int) -> NewImage:
    """Decode an image for some models.

    Raises:
        ImageError: it cannot be used.
    """
    found, repaired = decoded_inputs(bytes_of(data), [spec.input for spec in specs], max_pixels)
    return NewImage(data, {spec.key: stack(each, views) for spec, each in zip(specs, found, strict=True)}, repaired)


def upsert_product(
    database: Database,
    settings: Settings,
    product: Product,
    embedded: Sequence[EmbeddedImage] | None,
    views: Sequence[str],
    request: IdempotentRequest | None = None,
) -> bool:
    """Insert a product, or replace an existing one.

    Args:
        database: the dataset's.
        settings: the workspace's.
        product: its id, texts and attributes.
        embedded: all of its images; None: keep the existing ones.
        views: the views of the images' vectors.
        request: the idempotent request, stored in the same transaction.

    Returns:
        Whether the product is new.

    Raises:
        UsageError: a new product without images.
        StoreError, OutputError: something cannot be written; nothing was changed.
    """
    records, folder = CatalogueRecords(database), upload_folder(settings, database.dataset)
    if embedded is None and records.first_image(product.product_id) is None:
        raise UsageError(f"{product.product_id} is new: give at least one image")
    images, rows = None, dict[str, list[FeatureRow]]()
    different = {digest_of(each.image.data).hex(): each for each in embedded or ()}
    if embedded is not None:
        images = [
            _upload(bytes_of(each.image.data), digest, product.product_id, folder) for digest, each in different.items()
        ]
        for image, (digest, each) in zip(images, different.items(), strict=True):
            for key, vectors in each.vectors.items():
                pixels = each.image.pixels[key]
                rows.setdefault(key, []).extend(rows_of(image, bytes.fromhex(digest), pixels, vectors, views))
    previous = records.images_of(product.product_id)
    try:
        with database.writing():
            for image, each in zip(images or (), different.values(), strict=True):
                _write(bytes_of(each.image.data), Path(image.location))
            return ProductChanges(database).upsert(product, images, rows, request)
    finally:
        _remove_unreferenced(database, product.product_id, [*previous, *(images or ())], folder)


def delete_product(
    database: Database, settings: Settings, product_id: str, request: IdempotentRequest | None = None
) -> bool:
    """Delete a product; False if there is none. ``request``: see :func:`upsert_product`.

    Raises:
        StoreError: the store cannot be written; nothing was changed.
    """
    previous = CatalogueRecords(database).images_of(product_id)
    if not ProductChanges(database).delete(product_id, request):
        return False
    _remove_unreferenced(database, product_id, previous, upload_folder(settings, database.dataset))
    return True


def delete_orphan_files(database: Database, settings: Settings) -> int:
    """Remove uploaded images that no product references, left by kills; returns their number.

    Raises:
        StoreError: the store is locked or damaged.
    """
    folder = upload_folder(settings, database.dataset)
    if not folder.is_dir():
        return 0
    with database.writing():  # upserts write their files within a transaction, so none is running
        referenced = CatalogueRecords(database).files_below(f"/uploads/{database.dataset.label}/")
        orphans = [path for path in folder.iterdir() if path.is_file() and path.name not in referenced]
        for path in orphans:
            path.unlink(missing_ok=True)
    return len(orphans)


def upload_folder(settings: Settings, dataset: Dataset) -> Path:
    """The folder of uploaded images."""
    return settings.root / "uploads" / dataset.label


def rows_of(
    image: CatalogueImage, digest: bytes, pixels: NDArray[np.uint8], vectors: NDArray[np.float32], views: Sequence[str]
) -> list[FeatureRow]:
    """The store's rows for an image, from pixels ``(views, size, size, 3)`` and vectors ``(views, dimension)``."""
    return [
        FeatureRow(image, view, digest, white_background(square), encode(vector))
        for view, square, vector in zip(views, pixels, vectors, strict=True)
    ]


def _upload(data: bytes, digest: str, product_id: str, folder: Path) -> CatalogueImage:
    """The image's record; its path is made of product and content, so products never share a file."""
    owner = sha256(product_id.encode()).hexdigest()[:SHORT]
    path = folder.resolve() / f"{owner}-{digest}{EXTENSIONS.get(data[:2], '')}"
    return CatalogueImage(f"{product_id}/{digest[:SHORT]}", product_id, str(path))


def _write(data: bytes, path: Path) -> None:
    if not path.exists():
        with replacing(path) as temporary:
            temporary.write_bytes(data)


def _remove_unreferenced(database: Database, product_id: str, previous: Sequence[CatalogueImage], folder: Path) -> None:
    """Remove the uploaded files that a product no longer references; a catalogue's own files are kept."""
    uploaded = {path for image in previous if (path := Path(image.location)).parent == folder.resolve()}
    if not uploaded:
        return
    with suppress(StoreError), database.writing():  # if the store is locked, delete_orphan_files removes them later
        present = {Path(image.location) for image in CatalogueRecords(database).images_of(product_id)}
        for path in uploaded - present:
            path.unlink(missing_ok=True)
