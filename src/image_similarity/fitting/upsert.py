"""One product put or taken away, without a run over the catalogue: what a service does all day.

The images are written and flushed inside the one transaction that names them: a kill leaves a file that nothing
names, never a product without its images, and such files can be removed whenever nobody else writes
(:func:`delete_orphan_files`). A product that was put stays so through later fits, until it is deleted.
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

ENDINGS = {b"\xff\xd8": ".jpg", b"\x89P": ".png", b"GI": ".gif", b"RI": ".webp", b"BM": ".bmp"}
SHORT = 16  # characters of a digest that tell a product's images apart


@dataclass(frozen=True, slots=True)
class NewImage:
    """An image as it came, and what each model takes of its views: ``(views, size, size, 3)`` by the model's key.

    ``repaired``: its file was cut short, with almost nothing missing.
    """

    data: ImageData
    pixels: Mapping[str, NDArray[np.uint8]]
    repaired: bool = False


@dataclass(frozen=True, slots=True)
class EmbeddedImage:
    """An image with its features: ``(views, dimension)`` by the model's key."""

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
    once: IdempotentRequest | None = None,
) -> bool:
    """Put a product in place of what there was of it.

    Args:
        database: the dataset's.
        settings: where the workspace is.
        product: its id, texts and attributes.
        embedded: all of its images; None: those that it has.
        views: that the images' features are of.
        once: the request that this is, to be remembered in the same transaction.

    Returns:
        Whether it is new.

    Raises:
        UsageError: a new product without images: nobody could find it.
        StoreError, OutputError: something cannot be written; nothing has changed then.
    """
    records, folder = CatalogueRecords(database), uploads(settings, database.dataset)
    if embedded is None and records.first_image(product.product_id) is None:
        raise UsageError(f"{product.product_id} is new: give at least one image")
    images, rows = None, dict[str, list[FeatureRow]]()
    different = {digest_of(each.image.data).hex(): each for each in embedded or ()}
    if embedded is not None:
        images = [
            _place(bytes_of(each.image.data), digest, product.product_id, folder) for digest, each in different.items()
        ]
        for image, (digest, each) in zip(images, different.items(), strict=True):
            for key, vectors in each.vectors.items():
                pixels = each.image.pixels[key]
                rows.setdefault(key, []).extend(rows_of(image, bytes.fromhex(digest), pixels, vectors, views))
    former = records.images_of(product.product_id)
    try:
        with database.writing():
            for image, each in zip(images or (), different.values(), strict=True):
                _keep(bytes_of(each.image.data), Path(image.location))
            return ProductChanges(database).upsert(product, images, rows, once)
    finally:
        _forget(database, product.product_id, [*former, *(images or ())], folder)


def delete_product(
    database: Database, settings: Settings, product_id: str, once: IdempotentRequest | None = None
) -> bool:
    """Take a product away; False where there is none. ``once``: as :func:`upsert_product` has it.

    Raises:
        StoreError: as :func:`upsert_product`.
    """
    former = CatalogueRecords(database).images_of(product_id)
    if not ProductChanges(database).delete(product_id, once):
        return False
    _forget(database, product_id, former, uploads(settings, database.dataset))
    return True


def delete_orphan_files(database: Database, settings: Settings) -> int:
    """Remove the uploaded images that no product has: what kills have left. How many they were.

    Raises:
        StoreError: the store is locked or damaged.
    """
    folder = uploads(settings, database.dataset)
    if not folder.is_dir():
        return 0
    with database.writing():  # whoever puts a product does so in one transaction, so nobody does now
        named = CatalogueRecords(database).files_below(f"/uploads/{database.dataset.label}/")
        unnamed = [path for path in folder.iterdir() if path.is_file() and path.name not in named]
        for path in unnamed:
            path.unlink(missing_ok=True)
    return len(unnamed)


def uploads(settings: Settings, dataset: Dataset) -> Path:
    """Where the images are that came without a catalogue."""
    return settings.root / "uploads" / dataset.label


def rows_of(
    image: CatalogueImage, digest: bytes, pixels: NDArray[np.uint8], vectors: NDArray[np.float32], views: Sequence[str]
) -> list[FeatureRow]:
    """The views of an image, pixels ``(views, size, size, 3)`` and vectors ``(views, dimension)``, for the store."""
    return [
        FeatureRow(image, view, digest, white_background(square), encode(vector))
        for view, square, vector in zip(views, pixels, vectors, strict=True)
    ]


def _place(data: bytes, digest: str, product_id: str, folder: Path) -> CatalogueImage:
    """Where an image is kept: its product and its content decide, so that no other product's is the same file."""
    owner = sha256(product_id.encode()).hexdigest()[:SHORT]
    path = folder.resolve() / f"{owner}-{digest}{ENDINGS.get(data[:2], '')}"
    return CatalogueImage(f"{product_id}/{digest[:SHORT]}", product_id, str(path))


def _keep(data: bytes, path: Path) -> None:
    if not path.exists():
        with replacing(path) as temporary:
            temporary.write_bytes(data)


def _forget(database: Database, product_id: str, former: Sequence[CatalogueImage], folder: Path) -> None:
    """Remove the files that a product had, or was to have, and has not; a catalogue's own files are not ours."""
    ours = {path for image in former if (path := Path(image.location)).parent == folder.resolve()}
    if not ours:
        return
    with suppress(StoreError), database.writing():  # where it cannot be asked now, delete_orphan_files asks later
        present = {Path(image.location) for image in CatalogueRecords(database).images_of(product_id)}
        for path in ours - present:
            path.unlink(missing_ok=True)
