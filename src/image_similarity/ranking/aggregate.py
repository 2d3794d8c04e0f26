"""From the scores of image pairs to products, three ways. A new one is a function here and a line in the table.

Each takes queries and gives, for each, exactly ``number`` products, or all others where there are fewer: best first,
equal scores by product id, no product twice, never the query's own.
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
FIRST_DEPTH = 64  # rows asked for at first by `best`; four times as many while that leaves a doubt
GROWTH = 4
HITS = 1 << 17  # looked at together: some 10 MB


@dataclass(frozen=True, slots=True)
class Looks:
    """How many rows or images each image of a query looks at."""

    first: int = FIRST_DEPTH
    votes: int = FIRST_VERSION_IMAGES


LOOKS = Looks()


@dataclass(frozen=True, slots=True)
class _Hit:
    """A product, its score, and the images that gave it: the query's by position, the gallery's by row."""

    product: int
    score: float
    image: int
    row: int


def check_ranking(number: int, aggregate: str) -> None:
    """Refuse a ranking that cannot be, before any work is done for it.

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
    looks: Looks = LOOKS,
) -> list[list[ProductMatch]]:
    """Answer queries with products.

    Args:
        gallery: the rows to find them among.
        queries: what is asked.
        number: products wanted for each.
        aggregate: which way, a key of :data:`AGGREGATES`.
        allowed: a set of rows or a mask ``(rows,)``: answer as if the gallery had no others; None: all.
        looks: how far is looked at first.

    Raises:
        UsageError: no such aggregate, or a number below 1.
    """
    check_ranking(number, aggregate)
    rows = None if allowed is None else row_set(allowed)
    answers = AGGREGATES[aggregate](gallery, queries, number, rows, looks)
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
    gallery: Gallery, queries: Sequence[GalleryQuery], number: int, allowed: RowSet | None, looks: Looks
) -> list[list[_Hit]]:
    """By the best pair of images. Looks further until no unseen row could change the answer."""
    answers: list[list[_Hit]] = [[] for _ in queries]
    look, everything = looks.first, _count(gallery, allowed)
    open_queries = list(range(len(queries))) if everything else []
    while open_queries:
        look = min(look, everything)
        doubtful = []
        for some in _at_a_time(open_queries, queries, look):
            asked = [queries[i] for i in some]
            found = gallery.nearest(asked, look, allowed)
            start = 0
            for i, answer in zip(some, _first_hits(gallery, asked, found, number), strict=True):
                stop = start + len(queries[i].vectors)
                wanted = min(number, gallery.others(queries[i], allowed))
                answers[i] = answer[:wanted]
                if look < everything:
                    last = Neighbours(found.rows[start:stop, -1], found.scores[start:stop, -1])
                    if _could_change(gallery, answers[i], wanted, last):
                        doubtful.append(i)
                start = stop
        if look == everything:
            break
        open_queries, look = doubtful, look * GROWTH
    return answers


def _could_change(gallery: Gallery, hits: list[_Hit], wanted: int, last: Neighbours) -> bool:
    """Whether a row that was not seen could belong into an answer of ``wanted`` hits.

    ``last`` is what was seen last for each of a query's images. Equal scores come in the order of the rows, and
    rows in the order of their products: so a thousand alike images need not all be looked at.
    """
    if len(hits) < wanted or not wanted:
        return len(hits) < wanted
    lowest = hits[-1]
    earlier = gallery.row_product[last.rows] < lowest.product
    return bool(((last.scores > lowest.score) | ((last.scores == lowest.score) & earlier)).any())


def _at_a_time(numbers: list[int], queries: Sequence[GalleryQuery], look: int) -> Iterator[list[int]]:
    """The numbers of some queries after another, so few that their hits take no more than so much memory."""
    some, images = list[int](), 0
    for number in numbers:
        images += len(queries[number].vectors)
        if some and images * look > HITS:
            yield some
            some, images = [], len(queries[number].vectors)
        some.append(number)
    if some:
        yield some


def _first_hits(gallery: Gallery, queries: Sequence[GalleryQuery], found: Neighbours, number: int) -> list[list[_Hit]]:
    """Of each query's hits the best of each product, best first; ``found`` has a line for each of its images."""
    images = [len(query.vectors) for query in queries]
    look = found.rows.shape[1]
    if not look:
        return [[] for _ in queries]
    # One line a query: its images' hits one after another.
    rows = np.full((len(queries), max(images) * look), -1, np.intp)
    scores = np.zeros(rows.shape, np.float32)
    within = np.arange(rows.shape[1]) < look * np.array(images)[:, None]
    rows[within], scores[within] = found.rows.reshape(-1), found.scores.reshape(-1)
    products = np.where(within, gallery.row_product[rows], -1)
    products[products == np.array([query.own for query in queries])[:, None]] = -1
    places = first_of_each_product(products, scores, number)
    taken = [np.take_along_axis(values, places, axis=1).tolist() for values in (products, scores, rows)]
    return [
        [_Hit(product, score, at // look, row) for at, product, score, row in zip(*line, strict=True) if at >= 0]
        for line in zip(places.tolist(), *taken, strict=True)
    ]


def _mean(
    gallery: Gallery,
    queries: Sequence[GalleryQuery],
    number: int,
    allowed: RowSet | None,
    looks: Looks,  # noqa: ARG001
) -> list[list[_Hit]]:
    """By the mean over all pairs of images: the dot product of the two products' mean vectors."""
    means = np.stack([query.vectors.astype(np.float32).mean(axis=0) for query in queries])
    passing = None if allowed is None else gallery.passing(allowed)
    # One more than wanted: the own product may be among them.
    found = ExactIndex(gallery.means(allowed)).search(means, number + 1, passing)
    answers = []
    for query, products, scores in zip(queries, found.rows, found.scores, strict=True):
        others = [(int(p), float(s)) for p, s in zip(products, scores, strict=True) if p != query.own]
        answers.append([_with_best_pair(gallery, query, p, s, allowed) for p, s in others[:number]])
    return answers


def _votes(
    gallery: Gallery, queries: Sequence[GalleryQuery], number: int, allowed: RowSet | None, looks: Looks
) -> list[list[_Hit]]:
    """The first version's points: of each image's 50 nearest images, those of other products, the first ``number``
    kept, the one at position i (from 0) gives ``number - i`` points to its product. Where fewer products got points
    than are wanted, the others follow without points, by their best pair.
    """
    look = min(looks.votes * gallery.view_count, _count(gallery, allowed))
    answers = []
    for query in queries:
        points: dict[int, int] = {}
        for rows in gallery.index.search(query.vectors, look, allowed).rows:
            for position, row in enumerate(_voted_images(gallery, query, rows, number, looks.votes)):
                product = int(gallery.row_product[row])
                points[product] = points.get(product, 0) + number - position
        ranked = sorted(points.items(), key=lambda item: (-item[1], item[0]))[:number]
        hits = [_with_best_pair(gallery, query, product, score, allowed) for product, score in ranked]
        if len(hits) < min(number, gallery.others(query, allowed)):
            (by_pair,) = _best(gallery, [query], number + len(points), allowed, looks)
            rest = [_Hit(hit.product, 0.0, hit.image, hit.row) for hit in by_pair if hit.product not in points]
            hits += rest[: number - len(hits)]
        answers.append(hits)
    return answers


def _voted_images(gallery: Gallery, query: GalleryQuery, rows: NDArray[np.intp], number: int, most: int) -> list[int]:
    """The nearest view of each image, nearest first: ``most`` images, less the own product's, the first ``number``."""
    _, first = np.unique(gallery.row_image[rows], return_index=True)
    nearest = rows[np.sort(first)][:most]
    return [int(row) for row in nearest[gallery.row_product[nearest] != query.own][:number]]


def _count(gallery: Gallery, allowed: RowSet | None) -> int:
    return len(gallery) if allowed is None else allowed.count


def _with_best_pair(gallery: Gallery, query: GalleryQuery, product: int, score: float, allowed: RowSet | None) -> _Hit:
    rows = gallery.allowed_rows(product, allowed)
    candidates = gallery.features.vectors[rows].astype(np.float32)
    scores = query.vectors.astype(np.float32) @ candidates.T
    image, offset = divmod(int(scores.argmax()), scores.shape[1])
    return _Hit(product, score, image, int(rows[offset]))


AGGREGATES: dict[str, Callable[[Gallery, Sequence[GalleryQuery], int, RowSet | None, Looks], list[list[_Hit]]]] = {
    "best": _best,
    "mean": _mean,
    "votes": _votes,
}
"""Name to the way."""
