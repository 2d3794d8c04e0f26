"""A dataset under one model, held open to be asked again and again while products come and go.

What is asked is always one whole state: an index, and beside it the products that were put or taken away since it was
built. A newer state is made beside the one that is answering, and takes its place in one step.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np

from image_similarity.index.build import fitted_views, fresh_index, present_index
from image_similarity.index.delta import place_of_product, recent
from image_similarity.index.filters import passing
from image_similarity.ranking.gallery import Gallery, Question
from image_similarity.ranking.with_delta import Part, rank_both
from image_similarity.search.match_probability import calibration_file, judge
from image_similarity.settings import Folders
from image_similarity.types import Progress, no_progress

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from image_similarity.dataset import Dataset
    from image_similarity.index.delta import Recent
    from image_similarity.index.filters import Filter
    from image_similarity.index.stored_index import StoredIndex
    from image_similarity.models.recipe import Recipe
    from image_similarity.search.chosen import Chosen
    from image_similarity.search.match_probability import Judge
    from image_similarity.settings import Settings
    from image_similarity.store.database import Database
    from image_similarity.types import ProductMatch

Closeness = Literal["very close", "close", "look-alike"]
TYPICAL = 200  # products whose most similar product is looked up, to know which score is a high one here
QUARTER = 0.25


@dataclass(frozen=True)
class State:
    """What answers: make the first with :func:`open_state`, the next with :func:`next_state`."""

    model: Chosen
    recipe: Recipe
    views: tuple[str, ...]
    base: StoredIndex
    recent: Recent
    scale: Scale

    @property
    def behind(self) -> bool:
        """Whether the store has changed in a way that only a new index can tell."""
        return self.recent.behind

    @cached_property
    def parts(self) -> list[Part]:
        """The galleries that answer."""
        parts = [Part(Gallery.of(self.base), self.recent.current_rows(self.base))]
        if self.recent.index is not None:
            parts.append(Part(Gallery.of(self.recent.index)))
        return parts

    @cached_property
    def counts(self) -> tuple[int, int]:
        """How many products and how many pictures can be found."""
        holds = self.parts[0].allowed
        if holds is None:
            products, images = self.base.manifest.products, self.base.manifest.images
        else:
            rows = holds.numbers()
            grouping = self.base.grouping
            products, images = (len(np.unique(of[rows])) for of in (grouping.row_product, grouping.row_image))
        new = self.recent.index.manifest if self.recent.index else None
        return (products + new.products, images + new.images) if new else (products, images)

    def ask(
        self,
        vectors: Sequence[NDArray[np.floating]],
        number: int,
        wanted: Filter | None = None,
    ) -> list[list[ProductMatch]]:
        """The products nearest to each of some photos, each ``(pictures, dimension)``; all are asked together.

        Raises:
            UsageError: the filter cannot be used.
        """
        questions = [Question([""] * len(each), each) for each in vectors]
        parts = self._passing(wanted)
        return rank_both(parts, [questions] * len(parts), number)

    def similar(
        self,
        product_id: str,
        number: int,
        wanted: Filter | None = None,
        weighed: Callable[[NDArray[np.floating]], NDArray[np.floating]] = lambda vectors: vectors,
    ) -> list[ProductMatch] | None:
        """The products most similar to one; None where there is no such product.

        Raises:
            UsageError: the filter cannot be used.
        """
        question = self._question(product_id)
        if question is None:
            return None
        question = replace(question, vectors=weighed(question.vectors), rows=None)
        parts = self._passing(wanted)
        asked = [[replace(question, own=place_of_product(part.gallery.products, product_id))] for part in parts]
        return rank_both(parts, asked, number)[0]

    def judge(self, dataset: Dataset, settings: Settings, way: str, min_match: float | None) -> Judge:
        """What says how sure a match is; ``way`` and the errors are :func:`judge`'s."""
        path = self._calibration(dataset, settings)
        return judge(path, self.recipe.key, self.base.manifest.generation, way, min_match)

    def calibrated_at(self, dataset: Dataset, settings: Settings) -> int:
        """When it was last calibrated, in nanoseconds of the system's clock; 0 where it was not."""
        try:
            return self._calibration(dataset, settings).stat().st_mtime_ns
        except OSError:
            return 0

    def _calibration(self, dataset: Dataset, settings: Settings) -> Path:
        return calibration_file(settings, dataset, self.recipe.key, len(self.views))

    def _passing(self, wanted: Filter | None) -> list[Part]:
        if wanted is None:
            return self.parts
        stored = [self.base, *([self.recent.index] if self.recent.index else [])]
        # A price of "free" among a few new ones: the others can still be compared.
        numeric = {name for each in stored for name, column in each.columns.items() if column.numbers is not None}
        names = {name: name in numeric for each in stored for name in each.columns}
        sets = [passing(wanted, each.columns, each.manifest.rows, names) for each in stored]
        return [part.only(rows) for part, rows in zip(self.parts, sets, strict=True)]

    def _question(self, product_id: str) -> Question | None:
        if product_id in self.recent.products:
            galleries = [part.gallery for part in self.parts[1:]]
        else:
            galleries = [self.parts[0].gallery]
        for gallery in galleries:
            product = place_of_product(gallery.products, product_id)
            if product >= 0:
                return gallery.question(product)
        return None


class Scale:
    """What a score means in one catalogue, measured on its own products when it is first asked for."""

    def __init__(self, base: StoredIndex) -> None:
        self._base = base

    def closeness(self, score: float) -> Closeness:
        """A score in words: ``very close`` is as close as the most similar product of a product typically is."""
        median, low = self.bounds
        return "very close" if score >= median else "close" if score >= low else "look-alike"

    @cached_property
    def bounds(self) -> tuple[float, float]:
        """Of the scores that products' most similar products have: the median and the lower quarter."""
        gallery = Gallery.of(self._base)
        some = np.unique(np.linspace(0, len(gallery.products) - 1, TYPICAL).astype(int))
        questions = [gallery.question(int(product)) for product in some]
        found = rank_both([Part(gallery)], [questions], 1)
        scores = [matches[0].score or 0.0 for matches in found if matches] or [1.0]
        return float(np.median(scores)), float(np.quantile(scores, QUARTER))


def open_state(model: Chosen, database: Database, settings: Settings, progress: Progress = no_progress) -> State:
    """The present state of a dataset under a model; an index that is not there, or is behind, is built first.

    Raises:
        NotFittedError: the dataset has no features of the model.
        StoreError, OutputError: something cannot be read or written.
    """
    recipe = model.recipe()
    views = fitted_views(database, Folders(settings.root).index, recipe)
    base = present_index(database, Folders(settings.root).index, recipe, views)
    if base is not None:
        state = State(model, recipe, views, base, recent(database, recipe, base), Scale(base))
        if not state.behind:
            return state
    base = fresh_index(database, Folders(settings.root).index, recipe, views, progress=progress)
    return State(model, recipe, views, base, recent(database, recipe, base), Scale(base))


def next_state(state: State, database: Database, settings: Settings) -> State:
    """The state of now; the same one where nothing has changed. Never builds an index: takes one that was built.

    Raises:
        NotFittedError: what was learned for the model has gone.
        StoreError: the store cannot be read.
    """
    base, scale = state.base, state.scale
    known: Recent | None = state.recent
    newest = present_index(database, Folders(settings.root).index, state.recipe, state.views, unless=base.folder)
    if newest is not None:
        base, known, scale = newest, None, Scale(newest)
    now = recent(database, state.recipe, base, known)
    return state if base is state.base and now is known else replace(state, base=base, recent=now, scale=scale)
