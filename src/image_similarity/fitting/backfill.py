"""Compute missing features of products that were upserted while other models were in use."""

from __future__ import annotations

from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from image_similarity.errors import ImageError
from image_similarity.fitting.upsert import new_image, rows_of, upload_folder
from image_similarity.images import read_bytes
from image_similarity.store import FeatureStore, ProductChanges
from image_similarity.types import CatalogueImage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from image_similarity.settings import Settings
    from image_similarity.store import Database
    from image_similarity.types import ModelSpec

    Embed = Callable[[Mapping[str, NDArray[np.uint8]]], Mapping[str, NDArray[np.float32]]]

PAGE = 256  # images listed at a time


def backfill_features(
    database: Database, settings: Settings, specs: Sequence[ModelSpec], views: Sequence[str], embed: Embed
) -> int:
    """Embed upserted images that lack features of some models.

    Images of a catalogue are left to its next fit. A kill loses the current image only.

    Args:
        database: the dataset's; it has features of all of these models.
        settings: the workspace's.
        specs: the models' specs.
        views: the views of their features.
        embed: views ``(views, size, size, 3)`` to vectors ``(views, dimension)``, by model key.

    Returns:
        The number of features added, each of one image under one model.

    Raises:
        StoreError: the store is locked, damaged or full.
    """
    changes, added = ProductChanges(database), 0
    for spec in specs:
        for image in _images_without_features(database, settings, spec.key, views):
            # An image that was just deleted, or that this model cannot embed, is skipped.
            with suppress(ImageError):
                data = read_bytes(Path(image.location), settings.max_file_bytes)
                pixels = new_image(data, [spec], views, settings.max_pixels).pixels
                rows = rows_of(image, sha256(data).digest(), pixels[spec.key], embed(pixels)[spec.key], views)
                added += changes.add_features(image.product_id, {spec.key: rows})
    return added


def _images_without_features(
    database: Database, settings: Settings, model_key: str, views: Sequence[str]
) -> Iterator[CatalogueImage]:
    store, folder = FeatureStore(database), str(upload_folder(settings, database.dataset).resolve())
    after = ""
    while page := store.images_without(model_key, views, folder, after, PAGE):
        for image_id, product_id, location in page:
            yield CatalogueImage(image_id, product_id, location)
        after = page[-1][0]
