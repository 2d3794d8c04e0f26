"""The scores of self-queries under each scoring: with their own product in the catalogue, and of the best others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from image_similarity.neighbours import to_float32
from image_similarity.ranking import GalleryQuery, rank_products
from image_similarity.search import CROPS, DEPTH, MEAN, SEVERAL, QueryScores, part_weighting, supported_matches

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from image_similarity.models import Model
    from image_similarity.quality.self_queries import SelfQuery
    from image_similarity.ranking import Gallery

    Vectors = NDArray[np.floating]

LEAVE_ONE_OUT, SIMULATED = "leave one image out", "simulated photos"


@dataclass(frozen=True, slots=True)
class _Query:
    """Vectors ``(photos, dimension)`` about the product of a row; ``hidden``: rows of images that are left out."""

    row: int
    vectors: Vectors
    plain: bool
    hidden: tuple[int, ...] = ()


def self_scores(
    queries: Sequence[SelfQuery], gallery: Gallery, model: Model, scorings: Sequence[str]
) -> dict[str, dict[str, QueryScores]]:
    """The scores of self-queries for each scoring, by kind; without kinds that have no query.

    Args:
        queries: the queries.
        gallery: what they search.
        model: the model, as far as the scorings by parts need it.
        scorings: the names of scorings.
    """
    found: dict[str, dict[str, QueryScores]] = {}
    for scoring in scorings:
        searched = {
            LEAVE_ONE_OUT: list(_images(queries, gallery, scoring)),
            SIMULATED: list(_photos(queries, gallery, scoring)),
        }
        kinds = {kind: _scores(some, gallery, model, scoring) for kind, some in searched.items() if some}
        found[scoring] = {kind: scores for kind, scores in kinds.items() if len(scores)}
    return found


def _images(queries: Sequence[SelfQuery], gallery: Gallery, scoring: str) -> Iterator[_Query]:
    """The images as they are, each left out of the gallery."""
    vectors = gallery.features.vectors
    images = [each for each in queries if each.copy == 0]  # an image as it is is one query
    if scoring == SEVERAL:
        for one, other in _pairs(images, gallery):
            rows = (one.row, other.row)
            yield _Query(one.row, vectors[list(rows)], one.plain or other.plain, rows)
        return
    for each in images:
        vector = each.image_crops if scoring == CROPS else vectors[each.row]
        if vector is not None:
            yield _Query(each.row, vector[None], each.plain, (each.row,))


def _photos(queries: Sequence[SelfQuery], gallery: Gallery, scoring: str) -> Iterator[_Query]:
    """The simulated photos."""
    if scoring == SEVERAL:
        for one, other in _pairs(queries, gallery):
            yield _Query(one.row, np.stack([one.photo, other.photo]), one.photo_plain or other.photo_plain)
        return
    for each in queries:
        vector = each.photo_crops if scoring == CROPS else each.photo
        if vector is not None:
            yield _Query(each.row, vector[None], each.photo_plain)


def _pairs(queries: Sequence[SelfQuery], gallery: Gallery) -> Iterator[tuple[SelfQuery, SelfQuery]]:
    """Each query with the next one of its product, the last with the first; a product's only two make one pair."""
    of_product: dict[int, list[SelfQuery]] = {}
    for each in queries:
        of_product.setdefault(int(gallery.row_product[each.row]), []).append(each)
    for some in of_product.values():
        others = [*some[1:], *some[: len(some) > 2]]
        yield from zip(some, others, strict=False)


def _scores(queries: Sequence[_Query], gallery: Gallery, model: Model, scoring: str) -> QueryScores:
    """Search with the queries; those whose product has no image left to find are left out."""
    match = next((match for match in supported_matches(model) if match == scoring), None)
    weighted = part_weighting(match, model)
    aggregate = "mean" if scoring == MEAN else "best"
    products = np.array([int(gallery.row_product[each.row]) for each in queries], np.intp)
    vectors = [weighted(each.vectors) for each in queries]
    own = np.array([_own(gallery, each, some, aggregate) for each, some in zip(queries, vectors, strict=True)])
    searches = [
        GalleryQuery([""] * len(some), some, int(product)) for some, product in zip(vectors, products, strict=True)
    ]
    found = rank_products(gallery, searches, DEPTH, aggregate)
    others = np.array([[match.score for match in matches] for matches in found], np.float64)
    plain = np.array([each.plain for each in queries], bool)
    return QueryScores(products, own, others, plain).of(~np.isnan(own))


def _own(gallery: Gallery, query: _Query, vectors: Vectors, aggregate: str) -> float:
    """The score of the query's own product; not a number if it has no image left to find."""
    rows = gallery.rows_of(int(gallery.row_product[query.row]))
    images = np.asarray(gallery.row_image[rows])
    left = ~np.isin(images, [int(gallery.row_image[row]) for row in query.hidden])
    if not left.any():
        return float("nan")
    scores = np.vecdot(to_float32(gallery.features.vectors[rows])[left][:, None], to_float32(vectors))  # as an index
    return round(float(scores.max() if aggregate == "best" else scores.mean()), 6)
