"""The state that a collection searches: an index, and a delta of the products that changed since it was built.

A state is immutable. The next one is made while the present one is searched, and replaces it in one step.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np

from image_similarity.index import (
    delta_since,
    fitted_index,
    fresh_index,
    parse_filter,
    passing,
    present_index,
    product_number,
)
from image_similarity.ranking import Gallery, GalleryPart, GalleryQuery, rank_parts
from image_similarity.settings import Folders
from image_similarity.types import Features, Progress, no_progress

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from image_similarity.index import Delta, Filter, StoredIndex
    from image_similarity.models import Model
    from image_similarity.options import Aggregate
    from image_similarity.settings import Settings
    from image_similarity.store import Database
    from image_similarity.types import ProductMatch

Closeness = Literal["very close", "close", "look-alike"]
TYPICAL = 200  # products sampled to measure which scores are high in this catalogue
QUARTER = 0.25


@dataclass(frozen=True)
class State:
    """An index with its delta. :func:`open_state` makes the first one, :func:`next_state` the next."""

    model: Model
    views: tuple[str, ...]
    base: StoredIndex
    delta: Delta
    scale: Scale

    @property
    def needs_rebuild(self) -> bool:
        """Whether the store has changes that only a new index can contain."""
        return self.delta.needs_rebuild

    @cached_property
    def parts(self) -> list[GalleryPart]:
        """The galleries to search: the index without outdated rows, and the delta."""
        parts = [GalleryPart(Gallery.of(self.base), self.delta.current_rows(self.base))]
        if self.delta.index is not None:
            parts.append(GalleryPart(Gallery.of(self.delta.index)))
        return parts

    @cached_property
    def counts(self) -> tuple[int, int]:
        """The numbers of products and of images that can be found."""
        holds = self.parts[0].allowed
        if holds is None:
            products, images = self.base.manifest.products, self.base.manifest.images
        else:
            rows = holds.numbers()
            grouping = self.base.grouping
            products, images = (len(np.unique(of[rows])) for of in (grouping.row_product, grouping.row_image))
        new = self.delta.index.manifest if self.delta.index else None
        return (products + new.products, images + new.images) if new else (products, images)

    @property
    def product_ids(self) -> list[str]:
        """The ids of the products that can be found."""
        old, *new = (part.gallery.products for part in self.parts)
        return [each for each in old if each not in self.delta.products] + [each for ids in new for each in ids]

    def features(self) -> Features:
        """All vectors that can be found, one row per view of each image."""
        if not self.delta.products:
            return self.base.features
        parts = [
            (part.gallery.features, range(len(part.gallery)) if part.allowed is None else part.allowed.numbers())
            for part in self.parts
        ]
        images, products, views = (
            [getattr(of, name)[int(row)] for of, rows in parts for row in rows]
            for name in ("image_ids", "product_ids", "views")
        )
        vectors = np.concatenate([of.vectors[np.asarray(rows, np.intp)] for of, rows in parts])
        return Features(images, products, views, vectors)

    def rank(
        self,
        vectors: Sequence[NDArray[np.floating]],
        number: int,
        aggregate: Aggregate = "best",
        condition: str | None = None,
        names: Sequence[list[str]] = (),
    ) -> list[list[ProductMatch]]:
        """The products most similar to each query; all queries are searched together.

        Args:
            vectors: for each query ``(photos, dimension)``.
            number: products to return for each.
            aggregate: how the scores of image pairs become a product score.
            condition: the filter; None: all products.
            names: for each query the names of its photos.

        Raises:
            UsageError: the filter cannot be used.
        """
        named = names or [[""] * len(each) for each in vectors]
        queries = [GalleryQuery(list(each), rows) for each, rows in zip(named, vectors, strict=True)]
        parts = self._passing(condition)
        return rank_parts(parts, [queries] * len(parts), number, aggregate)

    def similar(
        self,
        product_id: str,
        number: int,
        condition: str | None = None,
        weighed: Callable[[NDArray[np.floating]], NDArray[np.floating]] = lambda vectors: vectors,
    ) -> list[ProductMatch] | None:
        """The products most similar to a product; None if there is no such product.

        ``weighed`` is applied to the query's vectors, see :func:`part_weighting`.

        Raises:
            UsageError: the filter cannot be used.
        """
        gallery = self.gallery_of(product_id)
        if gallery is None:
            return None
        query = gallery.query(product_number(gallery.products, product_id))
        query = replace(query, vectors=weighed(query.vectors), rows=None)
        parts = self._passing(condition)
        queries = [[replace(query, own=product_number(part.gallery.products, product_id))] for part in parts]
        return rank_parts(parts, queries, number)[0]

    def gallery_of(self, product_id: str) -> Gallery | None:
        """The gallery that contains a product; None if there is no such product."""
        galleries = [part.gallery for part in self.parts]
        for gallery in galleries[1:] if product_id in self.delta.products else galleries[:1]:
            if product_number(gallery.products, product_id) >= 0:
                return gallery
        return None

    def _passing(self, condition: str | None) -> list[GalleryPart]:
        if condition is None:
            return self.parts
        parsed: Filter = parse_filter(condition)
        stored = [self.base, *([self.delta.index] if self.delta.index else [])]
        # One text value in the delta, such as the price "free", must not make the whole column a text column.
        numeric = {name for each in stored for name, column in each.columns.items() if column.numbers is not None}
        names = {name: name in numeric for each in stored for name in each.columns}
        sets = [passing(parsed, each.columns, each.manifest.rows, names) for each in stored]
        return [part.restricted_to(rows) for part, rows in zip(self.parts, sets, strict=True)]


class Scale:
    """How high a score is for one catalogue, measured on a sample of its products on first use."""

    def __init__(self, base: StoredIndex) -> None:
        self._base = base

    def closeness(self, score: float) -> Closeness:
        """A score in words; ``very close``: at least the median score of products' most similar products."""
        median, low = self.bounds
        return "very close" if score >= median else "close" if score >= low else "look-alike"

    @cached_property
    def bounds(self) -> tuple[float, float]:
        """The median and the lower quartile of the scores of products' most similar products."""
        gallery = Gallery.of(self._base)
        some = np.unique(np.linspace(0, len(gallery.products) - 1, TYPICAL).astype(int))
        queries = [gallery.query(int(product)) for product in some]
        found = rank_parts([GalleryPart(gallery)], [queries], 1)
        scores = [matches[0].score or 0.0 for matches in found if matches] or [1.0]
        return float(np.median(scores)), float(np.quantile(scores, QUARTER))


def open_state(
    model: Model,
    database: Database,
    settings: Settings,
    views: tuple[str, ...] | None = None,
    progress: Progress = no_progress,
) -> State:
    """The present state of a dataset under a model; a missing or outdated index is built first.

    Args:
        model: the model.
        database: the dataset's database.
        settings: the settings of its workspace.
        views: ``ONE_VIEW`` or ``SIX_VIEWS``; None: as fitted.
        progress: reports builds that take long.

    Raises:
        NotFittedError: the dataset has no features of the model, or not of these views.
        StoreError, OutputError: something cannot be read or written.
    """
    folder = Folders(settings.root).index
    if views is None:
        views, base = fitted_index(database, folder, model.recipe)
    else:
        base = present_index(database, folder, model.recipe, views)
    if base is not None:
        state = State(model, views, base, delta_since(database, model.recipe, base), Scale(base))
        if not state.needs_rebuild:
            return state
    return indexed_state(model, database, settings, views, progress)


def indexed_state(
    model: Model, database: Database, settings: Settings, views: tuple[str, ...], progress: Progress = no_progress
) -> State:
    """The present state with all products in the index, which is rebuilt if it is outdated.

    Raises:
        NotFittedError, StoreError, OutputError: as :func:`open_state`.
    """
    base = fresh_index(database, Folders(settings.root).index, model.recipe, views, progress=progress)
    return State(model, views, base, delta_since(database, model.recipe, base), Scale(base))


def next_state(state: State, database: Database, settings: Settings) -> State:
    """The present state; the same object if nothing has changed. Never builds an index, but opens a newer one.

    Raises:
        NotFittedError: the model's adaptation was removed.
        StoreError: the store cannot be read.
    """
    base, scale, recipe = state.base, state.scale, state.model.recipe
    known: Delta | None = state.delta
    newest = present_index(database, Folders(settings.root).index, recipe, state.views, unless=base.folder)
    if newest is not None:
        base, known, scale = newest, None, Scale(newest)
    now = delta_since(database, recipe, base, known)
    return state if base is state.base and now is known else replace(state, base=base, delta=now, scale=scale)
