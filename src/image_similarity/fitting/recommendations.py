"""Rank every product's most similar products: nearest rows of all rows first, then products from them."""

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
PAIRS_FROM = 8192  # rows: with fewer, single searches take less time than the setup for all pairs


@contextmanager
def prepared_gallery(
    stored: StoredIndex,
    aggregate: str,
    folder: Path,
    progress: Progress,
    *,
    pairs_from: int = PAIRS_FROM,
    all_pairs_up_to: int = ALL_PAIRS_UP_TO,
) -> Iterator[Gallery]:
    """A gallery prepared_gallery for queries by all of its products.

    Args:
        stored: the index.
        aggregate: how products are ranked; only ``best`` uses the nearest rows of all rows.
        folder: for the computation of all pairs, which resumes there after a kill; removed at the end.
        progress: reports progress.
        pairs_from: minimum number of rows for which the nearest rows of all rows are computed in advance.
        all_pairs_up_to: maximum number of rows for an exact comparison, whatever index single queries use.
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
    """The recall of the gallery's nearest neighbours, measured on a sample; None if the search is exact."""
    if gallery.precomputed is not None and gallery.recall is not None:
        return gallery.recall
    return gallery.index.effort.recall if isinstance(gallery.index, CellsIndex) else None


def recommendations(
    gallery: Gallery, number: int, aggregate: str, progress: Progress
) -> Iterator[tuple[str, list[ProductMatch]]]:
    """Each product, in the order of ids, with the ``number`` products most similar to it."""
    done, total = 0, len(gallery.products)
    for queries in gallery.blocks(QUERIES):
        answers = rank_products(gallery, queries, number, aggregate)
        for query, matches in zip(queries, answers, strict=True):
            yield gallery.products[query.own], matches
        gallery.release()  # queries come in row order, so rows already read are not needed soon
        done += len(queries)
        progress("similar products", done, total)
