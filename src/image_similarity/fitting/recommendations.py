"""Every product's most similar products: the nearest rows of all rows at once, then products out of them."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from image_similarity.neighbours import (
    ALL_PAIRS_UP_TO,
    CellsIndex,
    ExactIndex,
    all_pairs,
    cell_pairs,
    deduplicated_pairs,
)
from image_similarity.ranking import FIRST_DEPTH, Gallery, rank_products
from image_similarity.util.memory import trim

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from image_similarity.index import StoredIndex
    from image_similarity.types import ProductMatch, Progress

QUERIES = 256  # products ranked together
PAIRS_FROM = 8192  # rows: before that, the nearest of each are found sooner than the work is set up


@contextmanager
def prepared(
    stored: StoredIndex,
    aggregate: str,
    folder: Path,
    progress: Progress,
    *,
    pairs_from: int = PAIRS_FROM,
    all_pairs_up_to: int = ALL_PAIRS_UP_TO,
) -> Iterator[Gallery]:
    """The rows of an index, made ready for all of its products to ask.

    Args:
        stored: the index.
        aggregate: how products are ranked; only ``best`` asks for the nearest rows of all rows.
        folder: for the work on all pairs, which goes on there after a kill; removed at the end.
        progress: told how far it is.
        pairs_from: from so many rows on the nearest of all rows are found beforehand.
        all_pairs_up_to: up to so many rows every row is compared, whatever answers single queries.
    """
    gallery = Gallery.of(stored)
    trim()
    if len(gallery) <= all_pairs_up_to:
        gallery.index = ExactIndex(stored.features.vectors)
    if isinstance(gallery.index, CellsIndex):
        gallery.index = gallery.index.with_effort(gallery.index.facts.catalogue)
        if aggregate == "best":
            pairs = cell_pairs(gallery.index, FIRST_DEPTH, folder, progress)
            gallery.precomputed, gallery.recall = pairs.nearest, pairs.effort.recall
    elif aggregate == "best" and len(gallery) >= pairs_from:
        gallery.precomputed = deduplicated_pairs(stored.features.vectors, FIRST_DEPTH, folder, all_pairs, progress)
    trim()
    yield gallery
    gallery.precomputed = None
    shutil.rmtree(folder, ignore_errors=True)


def recall_of(gallery: Gallery) -> float | None:
    """The share of the truly nearest that the gallery finds, measured on a sample; None for all of them."""
    if gallery.precomputed is not None and gallery.recall is not None:
        return gallery.recall
    return gallery.index.effort.recall if isinstance(gallery.index, CellsIndex) else None


def recommendations(
    gallery: Gallery, number: int, aggregate: str, progress: Progress
) -> Iterator[tuple[str, list[ProductMatch]]]:
    """Each product with the ``number`` products most similar to it, in the order of their ids."""
    done, total = 0, len(gallery.products)
    for queries in gallery.blocks(QUERIES):
        answers = rank_products(gallery, queries, number, aggregate)
        for query, matches in zip(queries, answers, strict=True):
            yield gallery.products[query.own], matches
        gallery.release()  # the products are asked for in the order of their rows: what was read is not wanted soon
        done += len(queries)
        progress("similar products", done, total)
