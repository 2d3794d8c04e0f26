"""Aggregate the scores of image pairs to a ranking of products; a new aggregate is a function and a line in the table.

For each query an aggregate returns exactly ``number`` products, or all others if there are fewer: best first, equal
scores by product id, no product twice, never the query's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from image_similarity.errors import UsageError
from image_similarity.neighbours import ExactIndex, row_set
from image_similarity.ranking.top_products import first_of_each_product
from image_similarity.types import Neighbours, ProductMatch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from image_similarity.ranking.gallery import Gallery, GalleryQuery
    from image_similarity.types import RowSet

FIRST_VERSION_IMAGES = 50  # nearest images that each image of a product may vote for (facts of the first version)
FIRST_DEPTH = 64  # rows that `best` retrieves at first; GROWTH times as many while the answer could still change
GROWTH = 4
HITS = 1 << 17  # ranked together: some 10 MB


@dataclass(frozen=True, slots=True)
class Depths:
    """Search depths of each image of a query: rows that ``best`` retrieves at first, nearest images that vote."""

    first: int = FIRST_DEPTH
    votes: int = FIRST_VERSION_IMAGES


DEFAULT_DEPTHS = Depths()


@dataclass(frozen=True, slots=True)
class _Hit:
    """A product, its score, and its best image pair: the query's image by position, the gallery's by row."""

    product: int
    score: float
    image: int
    row: int


def check_ranking(number: int, aggregate: str) -> None:
    """Validate the options of a ranking, before any work is done for it.

    Raises:
        UsageError: no such aggregate, or a number below 1.
    """
    if aggregate not in AGGREGATES:
        raise UsageError(f"there is no aggregate {aggregate!r}: use {', '.join(AGGREGATES)}")
    if number < 1:
        raise UsageError(f"`number` must be 1 or more, not {number}")


def rank_products(
    gallery: Gallery,
    queries: Sequence[GalleryQuery],
    number: int,
    aggregate: str,
    allowed: RowSet | NDArray[np.bool_] | None = None,
    depths: Depths = DEFAULT_DEPTHS,
) -> list[list[ProductMatch]]:
    """Rank the products of a gallery for each query.

    Args:
        gallery: the rows to search.
        queries: one or more images each.
        number: products per query.
        aggregate: a key of :data:`AGGREGATES`.
        allowed: a set of rows or a mask ``(rows,)``: the result is as if the gallery had no others; None: all.
        depths: how many rows or images to retrieve.

    Raises:
        UsageError: no such aggregate, or a number below 1.
    """
    check_ranking(number, aggregate)
    rows = None if allowed is None else row_set(allowed)
    answers = AGGREGATES[aggregate](gallery, queries, number, rows, depths)
    return [
        [
            ProductMatch(
                product_id=gallery.products[hit.product],
                rank=rank,
                score=round(hit.score, 6),
                image_id=gallery.features.image_ids[hit.row],
                query_image_id=query.image_ids[hit.image],
            )
            for rank, hit in enumerate(hits, start=1)
        ]
        for query, hits in zip(queries, answers, strict=True)
    ]


def _best(
    gallery: Gallery, queries: Sequence[GalleryQuery], number: int, allowed: RowSet | None, depths: Depths
) -> list[list[_Hit]]:
    """By the best pair of images. Retrieves more rows until no further row could change the answer."""
    answers: list[list[_Hit]] = [[] for _ in queries]
    depth, everything = depths.first, _count(gallery, allowed)
    open_queries = list(range(len(queries))) if everything else []
    while open_queries:
        depth = min(depth, everything)
        undecided = []
        for batch in _batches(open_queries, queries, depth):
            block = [queries[i] for i in batch]
            found = gallery.nearest(block, depth, allowed)
            start = 0
            for i, answer in zip(batch, _first_hits(gallery, block, found, number), strict=True):
                stop = start + len(queries[i].vectors)
                limit = min(number, gallery.candidate_count(queries[i], allowed))
                answers[i] = answer[:limit]
                if depth < everything:
                    last = Neighbours(found.rows[start:stop, -1], found.scores[start:stop, -1])
                    if _could_change(gallery, answers[i], limit, last):
                        undecided.append(i)
                start = stop
        if depth == everything:
            break
        open_queries, depth = undecided, depth * GROWTH
    return answers


def _could_change(gallery: Gallery, hits: list[_Hit], limit: int, last: Neighbours) -> bool:
    """Whether a row that was not retrieved could enter an answer of ``limit`` hits.

    ``last`` is the last row retrieved for each of a query's images. Equal scores come in the order of the rows, and
    rows in the order of their products: so a thousand equal images need not all be retrieved.
    """
    if len(hits) < limit or not limit:
        return len(hits) < limit
    lowest = hits[-1]
    earlier = gallery.row_product[last.rows] < lowest.product
    return bool(((last.scores > lowest.score) | ((last.scores == lowest.score) & earlier)).any())


def _batches(numbers: list[int], queries: Sequence[GalleryQuery], depth: int) -> Iterator[list[int]]:
    """Split query numbers into batches of at most HITS hits, which bounds the memory; one query may have more."""
    batch, images = list[int](), 0
    for number in numbers:
        images += len(queries[number].vectors)
        if batch and images * depth > HITS:
            yield batch
            batch, images = [], len(queries[number].vectors)
        batch.append(number)
    if batch:
        yield batch


def _first_hits(gallery: Gallery, queries: Sequence[GalleryQuery], found: Neighbours, number: int) -> list[list[_Hit]]:
    """The best hit of each product for each query, best first; ``found`` has one line per image of the queries."""
    images = [len(query.vectors) for query in queries]
    depth = found.rows.shape[1]
    if not depth:
        return [[] for _ in queries]
    # One line per query: the hits of its images one after another.
    rows = np.full((len(queries), max(images) * depth), -1, np.intp)
    scores = np.zeros(rows.shape, np.float32)
    within = np.arange(rows.shape[1]) < depth * np.array(images)[:, None]
    rows[within], scores[within] = found.rows.reshape(-1), found.scores.reshape(-1)
    products = np.where(within, gallery.row_product[rows], -1)
    products[products == np.array([query.own for query in queries])[:, None]] = -1
    places = first_of_each_product(products, scores, number)
    taken = [np.take_along_axis(values, places, axis=1).tolist() for values in (products, scores, rows)]
    return [
        [_Hit(product, score, at // depth, row) for at, product, score, row in zip(*line, strict=True) if at >= 0]
        for line in zip(places.tolist(), *taken, strict=True)
    ]


def _mean(
    gallery: Gallery,
    queries: Sequence[GalleryQuery],
    number: int,
    allowed: RowSet | None,
    depths: Depths,  # noqa: ARG001
) -> list[list[_Hit]]:
    """By the mean over all pairs of images: the dot product of the two products' mean vectors."""
    means = np.stack([query.vectors.astype(np.float32).mean(axis=0) for query in queries])
    products_allowed = None if allowed is None else gallery.allowed_products(allowed)
    # One more than requested: the query's own product may be among them.
    found = ExactIndex(gallery.means(allowed)).search(means, number + 1, products_allowed)
    answers = []
    for query, products, scores in zip(queries, found.rows, found.scores, strict=True):
        others = [(int(p), float(s)) for p, s in zip(products, scores, strict=True) if p != query.own]
        answers.append([_with_best_pair(gallery, query, p, s, allowed) for p, s in others[:number]])
    return answers


def _votes(
    gallery: Gallery, queries: Sequence[GalleryQuery], number: int, allowed: RowSet | None, depths: Depths
) -> list[list[_Hit]]:
    """By the first version's votes, as points for products.

    Of the 50 nearest images of each image, the first ``number`` of other products count: the one at position i (from
    0) gives ``number - i`` points to its product. If fewer than ``number`` products have points, the others follow
    without points, by their best pair.
    """
    depth = min(depths.votes * gallery.view_count, _count(gallery, allowed))
    answers = []
    for query in queries:
        points: dict[int, int] = {}
        for rows in gallery.index.search(query.vectors, depth, allowed).rows:
            for position, row in enumerate(_voted_images(gallery, query, rows, number, depths.votes)):
                product = int(gallery.row_product[row])
                points[product] = points.get(product, 0) + number - position
        ranked = sorted(points.items(), key=lambda item: (-item[1], item[0]))[:number]
        hits = [_with_best_pair(gallery, query, product, score, allowed) for product, score in ranked]
        if len(hits) < min(number, gallery.candidate_count(query, allowed)):
            (by_pair,) = _best(gallery, [query], number + len(points), allowed, depths)
            rest = [_Hit(hit.product, 0.0, hit.image, hit.row) for hit in by_pair if hit.product not in points]
            hits += rest[: number - len(hits)]
        answers.append(hits)
    return answers


def _voted_images(gallery: Gallery, query: GalleryQuery, rows: NDArray[np.intp], number: int, most: int) -> list[int]:
    """The nearest view of each of the ``most`` nearest images; of those of other products the first ``number``."""
    _, first = np.unique(gallery.row_image[rows], return_index=True)
    nearest = rows[np.sort(first)][:most]
    return [int(row) for row in nearest[gallery.row_product[nearest] != query.own][:number]]


def _count(gallery: Gallery, allowed: RowSet | None) -> int:
    return len(gallery) if allowed is None else allowed.count


def _with_best_pair(gallery: Gallery, query: GalleryQuery, product: int, score: float, allowed: RowSet | None) -> _Hit:
    rows = gallery.allowed_rows(product, allowed)
    candidates = gallery.features.vectors[rows].astype(np.float32)
    scores = np.vecdot(query.vectors.astype(np.float32)[:, None], candidates)
    image, offset = divmod(int(scores.argmax()), scores.shape[1])
    return _Hit(product, score, image, int(rows[offset]))


AGGREGATES: dict[str, Callable[[Gallery, Sequence[GalleryQuery], int, RowSet | None, Depths], list[list[_Hit]]]] = {
    "best": _best,
    "mean": _mean,
    "votes": _votes,
}
