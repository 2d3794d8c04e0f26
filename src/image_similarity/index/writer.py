"""Write a generation of an index from the store: streamed, so that memory does not grow with the catalogue."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import numpy as np

from image_similarity.images import SIX_VIEWS
from image_similarity.index.arrays import ArrayWriter, TextsWriter, map_array
from image_similarity.index.columns import ColumnsWriter
from image_similarity.index.generations import write_manifest
from image_similarity.index.identities import DTYPE as IDENTITY, NO_ROW, WIDTH, PreviousRows, identities
from image_similarity.store import DTYPE
from image_similarity.util.memory import release

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from image_similarity.index.stored_index import StoredIndex
    from image_similarity.models import Recipe
    from image_similarity.neighbours import IndexChoice
    from image_similarity.store import Block, Snapshot
    from image_similarity.types import Progress


def write_generation(
    state: Snapshot, recipe: Recipe, folder: Path, previous: StoredIndex | None, choice: IndexChoice, progress: Progress
) -> None:
    """Write all files of a generation.

    Args:
        state: a snapshot of the store.
        recipe: how the vectors are made from features.
        folder: the target, an empty folder.
        previous: the previous generation; its approximate index is updated instead of built again.
        choice: which approximate index, and from how many rows on.
        progress: reports only if there are enough rows for an approximate index.
    """
    large, dimension = choice.for_rows(state.count), recipe.dimension(state.dimensions)
    if previous and previous.manifest.dimension != dimension:  # of another store
        previous = None
    previous_rows = PreviousRows(previous.identities) if previous else None
    columns = ColumnsWriter(folder)
    with _RowsWriter(folder, dimension) as rows:
        for block in state.blocks():
            ids = identities(block)
            old = previous_rows.find(ids, rows.count) if previous_rows else np.full(len(ids), NO_ROW)
            rows.write(block, ids, _vectors(state, recipe, block.rowids, old, previous))
            columns.write(block.attributes)
            if large:
                progress("index", rows.count, state.count)
    parts = columns.finish()
    if large:
        vectors = map_array(folder / "vectors.npy", DTYPE, (rows.count, dimension))
        (folder / "large").mkdir()
        if previous and previous_rows and previous.manifest.large:
            large.update(previous.folder / "large", folder / "large", vectors, previous_rows.moved, progress)
        else:
            large.build(vectors, folder / "large", progress)
    write_manifest(
        folder,
        generation=state.generation,
        model=recipe.key,
        dimension=dimension,
        views=list(state.views),
        available=sorted(state.available),
        rows=rows.count,
        products=rows.products,
        images=rows.images,
        large=large is not None,
        columns=parts,
        left_out=columns.left_out,
        change=state.change,
    )


def _vectors(
    state: Snapshot,
    recipe: Recipe,
    places: NDArray[np.int64],
    old: NDArray[np.int64],
    previous: StoredIndex | None,
) -> NDArray[np.float16]:
    """The vectors of a block's rows: copied from the previous generation if it has them, else made from features.

    An index is of one recipe's key, so the previous generation was made with the same recipe.
    """
    if previous is None:
        return recipe.vectors(state.vectors(places)).astype(DTYPE, copy=False)
    vectors, new = np.empty((len(old), previous.manifest.dimension), DTYPE), old == NO_ROW
    vectors[~new] = previous.features.vectors[old[~new]]
    release(previous.features.vectors)
    if new.any():
        vectors[new] = recipe.vectors(state.vectors(places[new]))
    return vectors


class _RowsWriter:
    """Writes the files with one entry per row, product or image."""

    def __init__(self, folder: Path, dimension: int) -> None:
        with ExitStack() as files:  # closes the open ones if another cannot be opened
            self._vectors = files.enter_context(ArrayWriter(folder / "vectors.npy", DTYPE, (dimension,)))
            self._row_product = files.enter_context(ArrayWriter(folder / "row_product.npy", "<i4"))
            self._row_image = files.enter_context(ArrayWriter(folder / "row_image.npy", "<i4"))
            self._views = files.enter_context(ArrayWriter(folder / "views.npy", "u1"))
            self._identities = files.enter_context(ArrayWriter(folder / "identities.npy", IDENTITY, (WIDTH,)))
            self._starts = files.enter_context(ArrayWriter(folder / "product_starts.npy", "<i8"))
            self._product_ids = files.enter_context(TextsWriter(folder, "product_ids"))
            self._image_ids = files.enter_context(TextsWriter(folder, "image_ids"))
            self._files = files.pop_all()
        self._last: tuple[str | None, str | None] = (None, None)  # product and image of the row before

    def __enter__(self) -> _RowsWriter:
        return self

    def __exit__(self, *error: object) -> None:
        if error[0] is None:
            self._starts.write([self.count])
        self._files.__exit__(*error)  # type: ignore[arg-type]

    @property
    def count(self) -> int:
        return self._views.count

    @property
    def products(self) -> int:
        return len(self._product_ids)

    @property
    def images(self) -> int:
        return len(self._image_ids)

    def write(self, block: Block, identities: NDArray[np.uint64], vectors: NDArray[np.float16]) -> None:
        products, images = np.array(block.product_ids, object), np.array(block.image_ids, object)
        new_product = _changes(products, self._last[0])
        new_image = new_product | _changes(images, self._last[1])
        self._last = products[-1], images[-1]
        self._row_product.write(self.products - 1 + np.cumsum(new_product))
        self._row_image.write(self.images - 1 + np.cumsum(new_image))
        self._starts.write(self.count + np.flatnonzero(new_product))
        self._product_ids.write(products[new_product])
        self._image_ids.write(images[new_image])
        self._identities.write(identities)
        self._vectors.write(vectors)
        self._views.write([SIX_VIEWS.index(view) for view in block.views])


def _changes(texts: NDArray[np.object_], before: str | None) -> NDArray[np.bool_]:
    """Where a text differs from the one before it; ``before`` precedes the first."""
    changes = np.empty(len(texts), bool)
    changes[0] = texts[0] != before
    changes[1:] = texts[1:] != texts[:-1]
    return changes
