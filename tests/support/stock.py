"""A feature store filled by hand, and a stand-in for the approximate index: what tests of the index start from."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from image_similarity.dataset import Dataset
from image_similarity.images.views import ONE_VIEW
from image_similarity.neighbours.exact import ExactIndex
from image_similarity.store.codec import encode
from image_similarity.store.database import Database
from image_similarity.store.features import FeatureRow, FeatureStore
from image_similarity.store.records import CatalogueRecords
from image_similarity.types import CatalogueImage, Neighbours, Product, Progress, RowSet
from tests.conftest import MeanColour

SHOP = Dataset.named("shop")
SPEC = MeanColour.spec
KEY = SPEC.key


@dataclass(frozen=True)
class Picture:
    """One image of a catalogue: its product, what its file holds, what is said of it."""

    image_id: str
    product_id: str
    content: int = 0
    attributes: Mapping[str, str] = field(default_factory=dict)


def open_store(root: Path) -> Database:
    return Database(root / "database" / "features.db", SHOP, create=True)


def vector_of(content: int, view: str) -> NDArray[np.float16]:
    """The same for the same content and view; unit length."""
    seed = int.from_bytes(sha256(f"{content} {view}".encode()).digest()[:4], "little")
    drawn = np.random.default_rng(seed).standard_normal(SPEC.dimension)
    vector: NDArray[np.float16] = (drawn / np.linalg.norm(drawn)).astype(np.float16)
    return vector


def stock(
    root: Path,
    pictures: Iterable[Picture],
    products: Mapping[str, Mapping[str, str]] | None = None,
    views: tuple[str, ...] = ONE_VIEW,
) -> None:
    """Bring the store up to date with a catalogue, as a fit does."""
    with open_store(root) as database:
        store, records = FeatureStore(database), CatalogueRecords(database)
        store.add_model(SPEC)
        images = [(CatalogueImage(p.image_id, p.product_id, p.image_id, p.attributes), p) for p in pictures]
        records.claim(image for image, _ in images)
        for image, picture in images:
            digest = sha256(str(picture.content).encode()).digest()
            if store.missing([(image, digest)], KEY, views) == [True]:
                rows = (FeatureRow(image, v, digest, False, encode(vector_of(picture.content, v))) for v in views)
                store.add(rows, KEY)
        store.activate_seen()
        records.delete_unseen(Product(name, attributes=attributes) for name, attributes in (products or {}).items())


class CopyIndex:
    """A :class:`~image_similarity.neighbours.index_choice.LargeIndex` that answers out of a copy of the vectors.

    Its copy of what was there before is taken over, so it answers wrongly when it is told wrongly what moved where.
    """

    def __init__(self, copy: NDArray[np.float16]) -> None:
        self._exact = ExactIndex(copy)

    def search(
        self, queries: NDArray[np.floating], k: int, allowed: RowSet | NDArray[np.bool_] | None = None
    ) -> Neighbours:
        return self._exact.search(queries, k, allowed)

    @classmethod
    def build(cls, vectors: NDArray[np.float16], folder: Path, progress: Progress) -> CopyIndex:
        return cls._write(folder, np.array(vectors), "built", len(vectors))

    @classmethod
    def open(cls, vectors: NDArray[np.float16], folder: Path) -> CopyIndex:
        return cls(np.load(folder / "copy.npy"))

    @classmethod
    def update(
        cls, old: Path, folder: Path, vectors: NDArray[np.float16], rows: NDArray[np.int64], progress: Progress
    ) -> CopyIndex:
        known, copy = np.load(old / "copy.npy"), np.array(vectors)
        copy[rows[rows >= 0]] = known[rows >= 0]
        return cls._write(folder, copy, "updated", len(vectors) - int((rows >= 0).sum()))

    @classmethod
    def _write(cls, folder: Path, copy: NDArray[np.float16], how: str, new: int) -> CopyIndex:
        np.save(folder / "copy.npy", copy)
        (folder / "how.json").write_text(json.dumps([how, new]))
        return cls(copy)
