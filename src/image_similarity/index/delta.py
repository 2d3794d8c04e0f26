"""The delta index: the products that were upserted or deleted since an index was built."""

from __future__ import annotations

import tempfile
from bisect import bisect_left
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from image_similarity.errors import NotFittedError
from image_similarity.index.stored_index import StoredIndex
from image_similarity.index.writer import write_generation
from image_similarity.neighbours import IndexChoice, Masked
from image_similarity.store import ProductChanges, Snapshot
from image_similarity.types import no_progress

if TYPE_CHECKING:
    from collections.abc import Sequence

    from image_similarity.models import Recipe
    from image_similarity.store import Database

EXACT = IndexChoice()


@dataclass(frozen=True, slots=True)
class Delta:
    """What has changed in a dataset since an index was built.

    Attributes:
        generation: of the store, up to which changes are included.
        products: ids that were upserted or deleted since.
        index: of those of them that exist now; None if there are none.
        needs_rebuild: whether something else has changed too, which only a rebuilt index can include.
    """

    generation: int
    products: frozenset[str]
    index: StoredIndex | None
    needs_rebuild: bool

    def current_rows(self, base: StoredIndex) -> Masked | None:
        """The rows of the index whose products have not changed; None for all."""
        current = np.ones(base.manifest.rows, bool)
        for product_id in self.products:
            product = product_number(base.grouping.products, product_id)
            if product >= 0:
                current[base.grouping.starts[product] : base.grouping.starts[product + 1]] = False
        return None if current.all() else Masked(current)


def delta_since(database: Database, recipe: Recipe, base: StoredIndex, previous: Delta | None = None) -> Delta:
    """What has changed since an index was built.

    Args:
        database: the dataset's.
        recipe: of the index.
        base: the index.
        previous: an earlier delta of the same index; returned as it is if nothing has changed since.

    Raises:
        StoreError: the store cannot be read.
        OSError: there is no room for the small index.
    """
    with database.reading_one_state():
        generation = database.generation()
        if previous is not None and previous.generation == generation:
            return previous
        since = ProductChanges(database).since(base.manifest.change, base.manifest.generation)
        index = None
        if previous is not None and previous.products == since.products and previous.needs_rebuild != since.others:
            index = previous.index  # only something that needs a rebuild has changed
        elif since.products:
            index = _index_of(database, recipe, base, since.products)
    return Delta(generation, since.products, index, since.others)


def product_number(products: Sequence[str], product_id: str) -> int:
    """The position of a product among sorted ids; -1 if it is not among them."""
    at = bisect_left(products, product_id)
    return at if at < len(products) and products[at] == product_id else -1


def _index_of(database: Database, recipe: Recipe, base: StoredIndex, products: frozenset[str]) -> StoredIndex | None:
    try:
        state = Snapshot(database, recipe.models, base.manifest.views, products)
    except NotFittedError:  # all were deleted
        return None
    # Mapped, then deleted: the memory stays valid while the index is in use, and a kill leaves nothing on the disk.
    with tempfile.TemporaryDirectory(prefix="image-similarity-", ignore_cleanup_errors=True) as name:
        write_generation(state, recipe, Path(name), None, EXACT, no_progress)
        return StoredIndex.of_folder(Path(name))
