"""From image pairs to products: each way against its definition, written out the long way round.

The vectors are of unit length with products that are halves, so that scores are exact and ties are everywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from itertools import product
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from numpy.typing import NDArray

from image_similarity.errors import UsageError
from image_similarity.images.views import ONE_VIEW, SIX_VIEWS
from image_similarity.ranking.aggregate import DEFAULT_DEPTHS, Depths, rank_products
from image_similarity.ranking.gallery import Gallery, GalleryQuery
from image_similarity.types import Features

Vector = tuple[Fraction, ...]
Shop = dict[str, dict[str, dict[str, Vector]]]  # product -> image -> view -> vector
Answer = list[tuple[str, Fraction, str, str]]  # product, score, the answer's image, the query's image
Way = Callable[[Shop, str, int], Answer]

HALF = Fraction(1, 2)
VECTORS = [*product((HALF, -HALF), repeat=4), *(tuple(map(Fraction, row)) for row in np.eye(4, dtype=int).tolist())]
PRODUCTS = ["9", "10", "靴", "Ball", "ball", "a,b", "z"]


def dot(left: Vector, right: Vector) -> Fraction:
    return sum((a * b for a, b in zip(left, right, strict=True)), Fraction(0))


def originals(shop: Shop, product_id: str) -> dict[str, Vector]:
    return {image_id: views["000"] for image_id, views in shop[product_id].items()}


def pairs(shop: Shop, query: str, other: str) -> list[tuple[Fraction, str, str]]:
    """Every pair of an own image with a view of the other's: score, the other's image, the own."""
    return [
        (dot(vector, seen), image_id, own)
        for own, vector in sorted(originals(shop, query).items())
        for image_id, views in sorted(shop[other].items())
        for _, seen in sorted(views.items())
    ]


def best_pair(shop: Shop, query: str, other: str) -> tuple[Fraction, str, str]:
    return max(pairs(shop, query, other), key=lambda pair: pair[0])  # the first of equals


def ranked(shop: Shop, query: str, number: int, score: Callable[[str], Fraction]) -> Answer:
    """All other products by a score, equal ones by id."""
    others = sorted((other for other in shop if other != query), key=lambda other: (-score(other), other))
    return [(other, score(other), *best_pair(shop, query, other)[1:]) for other in others[:number]]


def by_best(shop: Shop, query: str, number: int) -> Answer:
    return ranked(shop, query, number, lambda other: best_pair(shop, query, other)[0])


def by_mean(shop: Shop, query: str, number: int) -> Answer:
    def mean(other: str) -> Fraction:
        scores = [score for score, _, _ in pairs(shop, query, other)]
        return sum(scores, Fraction(0)) / len(scores)

    return ranked(shop, query, number, mean)


def by_votes(shop: Shop, query: str, number: int, nearest: int = 50) -> Answer:
    everything = [(owner, image_id, views) for owner in sorted(shop) for image_id, views in sorted(shop[owner].items())]
    points: dict[str, int] = {}
    for vector in originals(shop, query).values():

        def closeness(each: tuple[str, str, dict[str, Vector]], vector: Vector = vector) -> Fraction:
            return max(dot(vector, seen) for seen in each[2].values())

        near = sorted(everything, key=closeness, reverse=True)[:nearest]  # stable: equals by product, then image
        voted = [owner for owner, _, _ in near if owner != query][:number]
        for position, owner in enumerate(voted):
            points[owner] = points.get(owner, 0) + number - position
    first = sorted(points, key=lambda owner: (-points[owner], owner))
    rest = [other for other, *_ in by_best(shop, query, len(shop)) if other not in points]
    return [
        (other, Fraction(points.get(other, 0)), *best_pair(shop, query, other)[1:])
        for other in [*first, *rest][:number]
    ]


WAYS: dict[str, Way] = {"best": by_best, "mean": by_mean, "votes": by_votes}


def gallery(shop: Shop) -> Gallery:
    rows = [
        (owner, image_id, view, vector)
        for owner, images in sorted(shop.items())
        for image_id, views in sorted(images.items())
        for view, vector in sorted(views.items())
    ]
    owners, image_ids, views, vectors = zip(*rows, strict=True)
    return Gallery(Features(list(image_ids), list(owners), list(views), np.array(vectors, np.float16)))


def answers(shop: Shop, number: int, way: str, depths: Depths = DEFAULT_DEPTHS) -> dict[str, Answer]:
    """The package's answers in the form of the definitions; also checks the ranks."""
    all_of_it = gallery(shop)
    queries = [query for block in all_of_it.blocks(3) for query in block]
    by_query = {}
    found = rank_products(all_of_it, queries, number, way, depths=depths)
    for query, matches in zip(queries, found, strict=True):
        assert [match.rank for match in matches] == list(range(1, len(matches) + 1))
        by_query[all_of_it.products[query.own]] = [
            (match.product_id, Fraction(match.score or 0).limit_denominator(1000), match.image_id, match.query_image_id)
            for match in matches
        ]
    return by_query


def stocked(pictures: list[list[list[Vector]]], views: tuple[str, ...]) -> Shop:
    return {
        owner: {
            f"{owner}_{number}.jpg": dict(zip(views, vectors, strict=True)) for number, vectors in enumerate(images)
        }
        for owner, images in zip(PRODUCTS, pictures, strict=False)
    }


def shops(views: tuple[str, ...]) -> st.SearchStrategy[Shop]:
    vectors = st.lists(st.sampled_from(VECTORS), min_size=len(views), max_size=len(views))
    images = st.lists(vectors, min_size=1, max_size=3)
    return st.lists(images, min_size=1, max_size=len(PRODUCTS)).map(lambda drawn: stocked(drawn, views))


@pytest.mark.parametrize("way", WAYS)
@given(shop=shops(ONE_VIEW) | shops(SIX_VIEWS), number=st.integers(1, 9), depth=st.sampled_from([1, 3, 64]))
@settings(max_examples=40)
def test_every_way_answers_by_its_definition(shop: Shop, number: int, depth: int, way: str) -> None:
    by_query = answers(shop, number, way, Depths(first=depth))
    for query in shop:
        assert by_query[query] == WAYS[way](shop, query, number)
        others = [other for other, *_ in by_query[query]]
        assert len(others) == len(set(others)) == min(number, len(shop) - 1)
        assert query not in others


@pytest.mark.parametrize("way", WAYS)
@given(shop=shops(ONE_VIEW) | shops(SIX_VIEWS), number=st.integers(1, 9), chosen=st.randoms(use_true_random=False))
@settings(max_examples=40)
def test_rows_that_are_not_allowed_do_not_change_the_answer(shop: Shop, number: int, chosen: Random, way: str) -> None:
    everything = gallery(shop)
    allowed = np.array([chosen.random() < 0.6 for _ in range(len(everything))])
    queries = [query for block in everything.blocks(3) for query in block]
    queries.append(GalleryQuery(["photo.jpg"], np.array([VECTORS[3]], np.float32)))
    depths = Depths(first=2, votes=3)
    found = rank_products(everything, queries, number, way, allowed, depths)
    if not allowed.any():
        assert found == [[]] * len(queries)
        return
    rest = restricted(everything, allowed)
    same_queries = [
        replace(q, own=rest.products.index(everything.products[q.own]) if has_own(rest, everything, q) else -1)
        for q in queries
    ]
    assert found == rank_products(rest, same_queries, number, way, depths=depths)
    for query, matches in zip(same_queries, found, strict=True):
        assert len(matches) == min(number, rest.candidate_count(query))


def restricted(whole: Gallery, allowed: NDArray[np.bool_]) -> Gallery:
    """A gallery of some rows of another, with the same view count: that belongs to the index, not to the rows."""
    features, rows = whole.features, np.flatnonzero(allowed)
    image_ids, owners, views = (
        [column[row] for row in rows.tolist()] for column in (features.image_ids, features.product_ids, features.views)
    )
    rest = Gallery(Features(image_ids, owners, views, features.vectors[rows]))
    rest.view_count = whole.view_count
    return rest


def has_own(rest: Gallery, whole: Gallery, query: GalleryQuery) -> bool:
    return query.own >= 0 and whole.products[query.own] in rest.products


@given(shop=shops(ONE_VIEW) | shops(SIX_VIEWS), number=st.integers(1, 4), nearest=st.integers(1, 6))
@settings(max_examples=25)
def test_votes_come_from_the_nearest_images_only(shop: Shop, number: int, nearest: int) -> None:
    by_query = answers(shop, number, "votes", Depths(votes=nearest))
    for query in shop:
        assert by_query[query] == by_votes(shop, query, number, nearest)


@pytest.mark.parametrize("views", [ONE_VIEW, SIX_VIEWS], ids=["one view", "six views"])
def test_votes_of_a_large_catalogue_stop_at_the_first_versions_fifty(views: tuple[str, ...]) -> None:
    random = np.random.default_rng(4)
    shop = {
        f"p{owner:02}": {
            f"{owner:02}_{image}.jpg": {view: VECTORS[random.integers(len(VECTORS))] for view in views}
            for image in range(1 + owner % 2)
        }
        for owner in range(60)
    }
    by_query = answers(shop, 59, "votes")
    some = ["p00", "p17", "p58"]
    assert {query: by_query[query] for query in some} == {query: by_votes(shop, query, 59) for query in some}
    assert by_query["p00"][-1][1] == 0  # fifty images cannot reach fifty-nine products


def test_vectors_as_networks_make_them_are_ranked_alike() -> None:
    random = np.random.default_rng(5)

    def drawn() -> Vector:
        vector = random.standard_normal(16)
        return tuple(Fraction(float(part)) for part in (vector / np.linalg.norm(vector)).astype(np.float16))

    shop = stocked([[[drawn()] for _ in range(2)] for _ in PRODUCTS], ONE_VIEW)
    for way, definition in WAYS.items():
        for query, by_query in answers(shop, 6, way).items():
            right = definition(shop, query, 6)
            assert [(hit[0], *hit[2:]) for hit in by_query] == [(hit[0], *hit[2:]) for hit in right]
            assert [float(hit[1]) for hit in by_query] == pytest.approx([float(hit[1]) for hit in right], abs=1e-3)


def test_a_product_with_fewer_views_than_others_is_ranked_all_the_same() -> None:
    shop = stocked([[[vector] * 6] for vector in VECTORS[:5]], SIX_VIEWS)
    shop["9"] = {"9_0.jpg": {"000": VECTORS[1]}}
    for way, definition in WAYS.items():
        assert answers(shop, 3, way) == {query: definition(shop, query, 3) for query in shop}


def test_a_pair_beyond_the_first_depth_may_be_the_first_of_equals() -> None:
    one, zero = Fraction(1), Fraction(0)
    query: list[list[Vector]] = [[(one, zero, zero, zero)], [(zero, one, zero, zero)]]
    shop = stocked([query, [[(HALF, -HALF, HALF, HALF)]], [[(HALF, HALF, HALF, HALF)]]], ONE_VIEW)
    depths = Depths(first=2)  # each image finds itself and one other
    assert answers(shop, 2, "best", depths)["9"] == by_best(shop, "9", 2)


def test_equal_scores_are_ordered_by_product_id() -> None:
    shop = stocked([[[VECTORS[0]]]] * len(PRODUCTS), ONE_VIEW)
    for way in WAYS:
        assert [other for other, *_ in answers(shop, 10, way)["z"]] == sorted(set(PRODUCTS) - {"z"})


@pytest.mark.parametrize("way", WAYS)
def test_a_photo_from_outside_may_find_every_product(way: str) -> None:
    shop = stocked([[[vector]] for vector in VECTORS[:7]], ONE_VIEW)
    photo = GalleryQuery(["photo.jpg"], np.array([VECTORS[3]], np.float32))
    (matches,) = rank_products(gallery(shop), [photo], 10, way)
    assert len(matches) == 7
    assert (matches[0].product_id, matches[0].image_id, matches[0].query_image_id) == (
        *("Ball", "Ball_0.jpg", "photo.jpg"),
    )


def test_an_invalid_ranking_is_refused() -> None:
    one = gallery(stocked([[[VECTORS[0]]]], ONE_VIEW))
    with pytest.raises(UsageError, match="no aggregate 'median': use best, mean, votes"):
        rank_products(one, [one.query(0)], 3, "median")
    with pytest.raises(UsageError, match="1 or more, not 0"):
        rank_products(one, [one.query(0)], 0, "best")
