"""An index, and what was put and taken away since it was built: a small index beside it, of those products alone."""

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
from image_similarity.neighbours import Choice, Masked
from image_similarity.store import ProductChanges, Snapshot
from image_similarity.types import no_progress

if TYPE_CHECKING:
    from collections.abc import Sequence

    from image_similarity.models import Recipe
    from image_similarity.store import Database

EXACT = Choice()


@dataclass(frozen=True, slots=True)
class Delta:
    """What an index does not know of its dataset's present state.

    Attributes:
        generation: of the state that is known with it.
        products: that were put or taken away since.
        index: of those that are there now; None where there is none of them.
        needs_rebuild: whether something else has changed too, which only a new index can tell.
    """

    generation: int
    products: frozenset[str]
    index: StoredIndex | None
    needs_rebuild: bool

    def current_rows(self, base: StoredIndex) -> Masked | None:
        """The rows of the index that still hold; None for all."""
        holds = np.ones(base.manifest.rows, bool)
        for product_id in self.products:
            product = product_number(base.grouping.products, product_id)
            if product >= 0:
                holds[base.grouping.starts[product] : base.grouping.starts[product + 1]] = False
        return None if holds.all() else Masked(holds)


def delta_since(database: Database, recipe: Recipe, base: StoredIndex, known: Delta | None = None) -> Delta:
    """What has changed since an index was built.

    Args:
        database: the dataset's.
        recipe: of the index.
        base: the index.
        known: what was known before: returned where nothing has changed since.

    Raises:
        StoreError: the store cannot be read.
        OSError: there is no room for the small index.
    """
    with database.reading_one_state():
        generation = database.generation()
        if known is not None and known.generation == generation:
            return known
        since = ProductChanges(database).since(base.manifest.change, base.manifest.generation)
        index = None
        if known is not None and known.products == since.products and known.needs_rebuild != since.others:
            index = known.index  # something else has changed, which is not for this to tell
        elif since.products:
            index = _index_of(database, recipe, base, since.products)
    return Delta(generation, since.products, index, since.others)


def product_number(products: Sequence[str], product_id: str) -> int:
    """The number of a product among sorted ones; -1 where it is not among them."""
    at = bisect_left(products, product_id)
    return at if at < len(products) and products[at] == product_id else -1


def _index_of(database: Database, recipe: Recipe, base: StoredIndex, products: frozenset[str]) -> StoredIndex | None:
    try:
        state = Snapshot(database, recipe.models, base.manifest.views, products)
    except NotFittedError:  # all were taken away
        return None
    # Mapped, then removed: its memory lasts as long as somebody asks it, and a kill leaves nothing behind.
    with tempfile.TemporaryDirectory(prefix="image-similarity-", ignore_cleanup_errors=True) as name:
        write_generation(state, recipe, Path(name), None, EXACT, no_progress)
        return StoredIndex.of_folder(Path(name))
