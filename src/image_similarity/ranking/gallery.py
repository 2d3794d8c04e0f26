"""The gallery: the rows that are searched, grouped by product, and the queries against it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from image_similarity.images import ORIGINAL
from image_similarity.index import Grouping
from image_similarity.neighbours import ExactIndex, to_float32
from image_similarity.types import Neighbours
from image_similarity.util.memory import release

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from image_similarity.index import StoredIndex
    from image_similarity.types import Features, NeighbourIndex, RowSet


Mask = NDArray[np.bool_]
PRODUCTS = 1024  # whose means are computed together


@dataclass(frozen=True, slots=True)
class GalleryQuery:
    """One or more images of one product. ``own`` is that product, never a match; -1 for a photo from outside."""

    image_ids: list[str]
    vectors: NDArray[np.floating]  # (images, dimension)
    own: int = -1
    rows: NDArray[np.intp] | None = None  # (images,), their rows if they are images of the gallery


class Gallery:
    """The features of a catalogue, grouped by product. Products are numbered in the order of their ids."""

    def __init__(
        self, features: Features, index: NeighbourIndex | None = None, grouping: Grouping | None = None
    ) -> None:
        self.features = features
        self.index: NeighbourIndex = index or ExactIndex(features.vectors)
        grouping = grouping or grouped(features)
        self.products, self.starts = grouping.products, grouping.starts
        self.row_product, self.row_image = grouping.row_product, grouping.row_image
        self.view_count = grouping.view_count
        self.precomputed: Neighbours | None = None
        """The nearest rows of every row, if they were computed beforehand."""
        self.recall: float | None = None
        """The recall of ``precomputed``; None if it is exact."""

    @classmethod
    def of(cls, stored: StoredIndex) -> Gallery:
        """A gallery of a memory-mapped index."""
        return cls(stored.features, stored.index, stored.grouping)

    def __len__(self) -> int:
        return len(self.features.vectors)

    def rows_of(self, product: int) -> slice:
        return slice(int(self.starts[product]), int(self.starts[product + 1]))

    def query(self, product: int) -> GalleryQuery:
        """A query with a product's own images: the originals, not their transformed views."""
        rows = range(*self.rows_of(product).indices(len(self)))
        originals = [row for row in rows if self.features.views[row] == ORIGINAL] or list(rows)
        names = [self.features.image_ids[row] for row in originals]
        return GalleryQuery(names, self.features.vectors[originals], product, np.array(originals, np.intp))

    def nearest(self, queries: Sequence[GalleryQuery], k: int, allowed: RowSet | None = None) -> Neighbours:
        """The ``k`` nearest rows of the queries' images, one line per image."""
        rows = [query.rows for query in queries if query.rows is not None]
        pairs, are_rows = self.precomputed, len(rows) == len(queries)
        if pairs is not None and allowed is None and are_rows and k <= pairs.rows.shape[1]:
            images = np.concatenate(rows)
            return Neighbours(pairs.rows[images, :k].astype(np.intp), pairs.scores[images, :k])
        return self.index.search(np.concatenate([query.vectors for query in queries]), k, allowed)

    def release(self) -> None:
        """Release the memory of mapped vectors and of precomputed neighbours."""
        release(self.features.vectors)
        if self.precomputed is not None:
            release(self.precomputed.rows)
            release(self.precomputed.scores)

    def candidate_count(self, query: GalleryQuery, allowed: RowSet | None = None) -> int:
        """How many products could match: those with an allowed row, the query's own excluded."""
        if allowed is None:
            return len(self.products) - (query.own >= 0)
        products = self.allowed_products(allowed)
        return int(products.sum()) - bool(query.own >= 0 and products[query.own])

    def allowed_products(self, allowed: RowSet) -> Mask:
        """The products that have an allowed row, ``(products,)``."""
        products = np.zeros(len(self.products), bool)
        products[self.row_product[allowed.numbers()]] = True
        return products

    def means(self, allowed: RowSet | None = None) -> NDArray[np.float32]:
        """The mean vector of each product's allowed rows, ``(products, dimension)``, not scaled to unit length.

        Zeros for a product that has no allowed row.
        """
        if allowed is None:
            return self._all_means
        means = np.zeros((len(self.products), self.features.vectors.shape[1]), np.float32)
        for product in range(len(self.products)):
            vectors = self.features.vectors[self.allowed_rows(product, allowed)]
            if len(vectors):
                means[product] = vectors.astype(np.float32).mean(axis=0)
        return means

    @cached_property
    def _all_means(self) -> NDArray[np.float32]:
        starts = np.asarray(self.starts)
        means = np.empty((len(self.products), self.features.vectors.shape[1]), np.float32)
        for first in range(0, len(means), PRODUCTS):
            bounds = starts[first : first + PRODUCTS + 1]
            vectors = to_float32(self.features.vectors[bounds[0] : bounds[-1]])
            sums = np.add.reduceat(vectors, bounds[:-1] - bounds[0], axis=0)
            means[first : first + PRODUCTS] = sums / np.diff(bounds)[:, None]
        return means

    def allowed_rows(self, product: int, allowed: RowSet | None) -> NDArray[np.intp]:
        """The allowed rows of one product; None: all of its rows."""
        rows = self.rows_of(product)
        numbers = np.arange(rows.start, rows.stop)
        return numbers if allowed is None else numbers[allowed.has(numbers)]

    def blocks(self, size: int) -> Iterator[list[GalleryQuery]]:
        """A query for each product, in blocks of ``size``."""
        for start in range(0, len(self.products), size):
            yield [self.query(product) for product in range(start, min(start + size, len(self.products)))]


def grouped(features: Features) -> Grouping:
    """Group rows that are sorted by product and image, so that a group is a run of rows."""
    products, starts, row_product = _groups(features.product_ids)
    _, _, row_image = _groups(features.image_ids)
    return Grouping(products, starts, row_product, row_image, len(set(features.views)))


def _groups(ids: Sequence[str]) -> tuple[list[str], NDArray[np.intp], NDArray[np.intp]]:
    """Runs of equal ids: the ids, their first rows with the end appended, and the run of each row."""
    names = np.array(ids, dtype=object)
    first = np.ones(len(ids), bool)
    first[1:] = names[1:] != names[:-1]
    starts = np.flatnonzero(first)
    return list(names[starts]), np.append(starts, len(ids)), np.cumsum(first) - 1
