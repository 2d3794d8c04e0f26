"""One product put or taken away, without a run over the catalogue: what a service does all day.

The pictures are written and flushed before the one transaction that names them: a kill leaves a file that nothing
names, never a product without its pictures. A later ``fit`` makes the dataset what its catalogue lists.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from image_similarity.errors import UsageError
from image_similarity.features.changes import ProductChanges
from image_similarity.features.codec import encode
from image_similarity.features.records import CatalogueRecords
from image_similarity.features.store import FeatureRow
from image_similarity.files import replacing
from image_similarity.images.spool import Picture, bytes_of, digest_of
from image_similarity.images.squares import squares
from image_similarity.images.views import stack, white_background
from image_similarity.types import CatalogueImage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from image_similarity.dataset import Dataset
    from image_similarity.features.database import Database
    from image_similarity.features.requests import Answered
    from image_similarity.settings import Settings
    from image_similarity.types import ModelSpec, Product

ENDINGS = {b"\xff\xd8": ".jpg", b"\x89P": ".png", b"GI": ".gif", b"RI": ".webp", b"BM": ".bmp"}
SHORT = 16  # characters of a digest that tell a product's pictures apart


@dataclass(frozen=True, slots=True)
class NewPicture:
    """A picture as it came, and what each model takes of its views: ``(views, size, size, 3)`` by the model's key."""

    data: Picture
    pixels: Mapping[str, NDArray[np.uint8]]


@dataclass(frozen=True, slots=True)
class EmbeddedPicture:
    """A picture with its features: ``(views, dimension)`` by the model's key."""

    picture: NewPicture
    vectors: Mapping[str, NDArray[np.float32]]


def new_picture(data: Picture, specs: Sequence[ModelSpec], views: Sequence[str], max_pixels: int) -> NewPicture:
    """Decode a picture for some models.

    Raises:
        ImageError: it cannot be used.
    """
    found = squares(bytes_of(data), [spec.input for spec in specs], max_pixels)
    return NewPicture(data, {spec.key: stack(each, views) for spec, each in zip(specs, found, strict=True)})


def put_product(
    database: Database,
    settings: Settings,
    product: Product,
    pictures: Sequence[EmbeddedPicture] | None,
    views: Sequence[str],
    once: Answered | None = None,
) -> bool:
    """Put a product in place of what there was of it.

    Args:
        database: the dataset's.
        settings: where the workspace is.
        product: its id, texts and attributes.
        pictures: all of its pictures; None: those that it has.
        views: that the pictures' features are of.
        once: the request that this is, to be remembered in the same transaction.

    Returns:
        Whether it is new.

    Raises:
        UsageError: a new product without pictures: nobody could find it.
        StoreError, OutputError: something cannot be written; nothing has changed then.
    """
    records = CatalogueRecords(database)
    if pictures is None and records.first_image(product.product_id) is None:
        raise UsageError(f"{product.product_id} is new: give at least one picture")
    former = records.images_of(product.product_id)
    images, rows = None, dict[str, list[FeatureRow]]()
    if pictures is not None:
        different = {digest_of(each.picture.data).hex(): each for each in pictures}
        images = [
            _keep(bytes_of(each.picture.data), digest, product.product_id, database.dataset, settings)
            for digest, each in different.items()
        ]
        for image, (digest, each) in zip(images, different.items(), strict=True):
            for key, vectors in each.vectors.items():
                pixels = each.picture.pixels[key]
                rows.setdefault(key, []).extend(rows_of(image, bytes.fromhex(digest), pixels, vectors, views))
    is_new = ProductChanges(database).put(product, images, rows, once)
    if images is not None:
        _forget(former, images, uploads(settings, database.dataset))
    return is_new


def remove_product(database: Database, settings: Settings, product_id: str, once: Answered | None = None) -> bool:
    """Take a product away; False where there is none. ``once``: as :func:`put_product` has it.

    Raises:
        StoreError: as :func:`put_product`.
    """
    former = CatalogueRecords(database).images_of(product_id)
    if not ProductChanges(database).remove(product_id, once):
        return False
    _forget(former, [], uploads(settings, database.dataset))
    return True


def uploads(settings: Settings, dataset: Dataset) -> Path:
    """Where the pictures are that came without a catalogue."""
    return settings.root / "uploads" / dataset.label


def rows_of(
    image: CatalogueImage, digest: bytes, pixels: NDArray[np.uint8], vectors: NDArray[np.float32], views: Sequence[str]
) -> list[FeatureRow]:
    """The views of a picture, pixels ``(views, size, size, 3)`` and vectors ``(views, dimension)``, for the store."""
    return [
        FeatureRow(image, view, digest, white_background(square), encode(vector))
        for view, square, vector in zip(views, pixels, vectors, strict=True)
    ]


def _keep(data: bytes, digest: str, product_id: str, dataset: Dataset, settings: Settings) -> CatalogueImage:
    """Write a picture under a name that its product and its content decide: no other product's is the same file."""
    owner = sha256(product_id.encode()).hexdigest()[:SHORT]
    path = uploads(settings, dataset).resolve() / f"{owner}-{digest}{ENDINGS.get(data[:2], '')}"
    if not path.exists():
        with replacing(path) as temporary:
            temporary.write_bytes(data)
    return CatalogueImage(f"{product_id}/{digest[:SHORT]}", product_id, str(path))


def _forget(former: Sequence[CatalogueImage], present: Sequence[CatalogueImage], folder: Path) -> None:
    """Remove the files of pictures that have gone; a catalogue's own files are not ours."""
    kept = {image.location for image in present}
    for image in former:
        path = Path(image.location)
        if path.parent == folder.resolve() and image.location not in kept:
            path.unlink(missing_ok=True)
