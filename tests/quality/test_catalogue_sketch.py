"""Sketches of catalogues against the sets that they are of."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings as hypothesis_settings, strategies as st
from numpy.typing import NDArray

from image_similarity.quality.catalogue_sketch import SIZE, similarity, sketch_of


def identities(rows: set[int]) -> NDArray[np.uint64]:
    """Hashes of numbers, as an index has of its rows."""
    return np.array([np.random.SeedSequence(row).generate_state(2, np.uint64) for row in rows], np.uint64).reshape(
        -1, 2
    )


def jaccard(one: set[int], other: set[int]) -> float:
    return len(one & other) / len(one | other) if one | other else 1.0


@given(st.sets(st.integers(0, 60)), st.sets(st.integers(0, 60)))
def test_of_small_catalogues_it_is_exact(one: set[int], other: set[int]) -> None:
    assert similarity(sketch_of(identities(one)), sketch_of(identities(other))) == jaccard(one, other)


@hypothesis_settings(max_examples=6)
@given(st.integers(200, 4000), st.integers(200, 4000), st.floats(0, 1))
def test_of_large_ones_it_is_near(first: int, second: int, share: float) -> None:
    one = set(range(first))
    start = round(first * share)
    other = set(range(start, start + second))
    sketches = [sketch_of(identities(each)) for each in (one, other)]
    assert all(len(sketch) == min(SIZE, len(each)) for sketch, each in zip(sketches, (one, other), strict=True))
    assert abs(similarity(*sketches) - jaccard(one, other)) < 0.05
