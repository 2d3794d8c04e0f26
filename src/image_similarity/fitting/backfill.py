"""Features, under one model, of products that were put while other models answered."""

from __future__ import annotations

from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from image_similarity.errors import ImageError
from image_similarity.fitting.upsert import new_image, rows_of, uploads
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

SOME = 256  # images that are listed at once


def backfill_features(
    database: Database, settings: Settings, specs: Sequence[ModelSpec], views: Sequence[str], embed: Embed
) -> int:
    """Embed the images that came without a catalogue and have no features of some models yet.

    A catalogue's own images are left to its next fit. A kill loses the image in hand.

    Args:
        database: the dataset's; it has features of all of these models.
        settings: where the workspace is.
        specs: the models' records.
        views: that their features are of.
        embed: views ``(views, size, size, 3)`` to vectors ``(views, dimension)``, by the models' keys.

    Returns:
        How many features there are more, each of one image under one model.

    Raises:
        StoreError: the store is locked, damaged or full.
    """
    changes, added = ProductChanges(database), 0
    for spec in specs:
        for image in _lacking(database, settings, spec.key, views):
            # An image that goes at this moment, or that this model cannot take, is not found under it.
            with suppress(ImageError):
                data = read_bytes(Path(image.location), settings.max_file_bytes)
                pixels = new_image(data, [spec], views, settings.max_pixels).pixels
                rows = rows_of(image, sha256(data).digest(), pixels[spec.key], embed(pixels)[spec.key], views)
                added += changes.add_features(image.product_id, {spec.key: rows})
    return added


def _lacking(database: Database, settings: Settings, model_key: str, views: Sequence[str]) -> Iterator[CatalogueImage]:
    store, folder = FeatureStore(database), str(uploads(settings, database.dataset).resolve())
    after = ""
    while some := store.images_without(model_key, views, folder, after, SOME):
        for image_id, product_id, location in some:
            yield CatalogueImage(image_id, product_id, location)
        after = some[-1][0]
