"""The right answers, by computing every score, and how near an answer comes to them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

ROW_BLOCK = 32_768


def exact(
    vectors: NDArray[np.floating], queries: NDArray[np.float32], k: int, mask: NDArray[np.bool_] | None = None
) -> NDArray[np.int64]:
    """The ``k`` rows of the highest cosine for each query, best first: ``(queries, k)``, -1 where rows ran out.

    Args:
        vectors: ``(n, dimension)``, unit length, any float type; read in blocks, so it may be a memory map.
        queries: ``(m, dimension)``.
        k: rows wanted.
        mask: ``(n,)``, the rows that may be found; None: all.
    """
    return nearest(vectors, queries, k, mask)[0]


def nearest(
    vectors: NDArray[np.floating], queries: NDArray[np.float32], k: int, mask: NDArray[np.bool_] | None = None
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """As :func:`exact`, with the cosines; -inf where rows ran out."""
    best = np.full((len(queries), k), -1, np.int64)
    score = np.full((len(queries), k), -np.inf, np.float32)
    for start in range(0, len(vectors), ROW_BLOCK):
        rows = np.arange(start, min(start + ROW_BLOCK, len(vectors)))
        if mask is not None:
            rows = rows[mask[rows]]
        if not len(rows):
            continue
        block = vectors[rows[0] : rows[-1] + 1][rows - rows[0]].astype(np.float32)
        score, best = _merge(score, best, queries @ block.T, rows, k)
    order = np.argsort(-score, axis=1, kind="stable")
    return np.take_along_axis(best, order, 1), np.take_along_axis(score, order, 1)


def _merge(
    score: NDArray[np.float32], best: NDArray[np.int64], scores: NDArray[np.float32], rows: NDArray[np.int64], k: int
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    if scores.shape[1] > k:
        top = np.argpartition(scores, -k, axis=1)[:, -k:]
        scores, found = np.take_along_axis(scores, top, 1), rows[top]
    else:
        found = np.broadcast_to(rows, scores.shape)
    score, best = np.concatenate([score, scores], 1), np.concatenate([best, found], 1)
    top = np.argpartition(score, -k, axis=1)[:, -k:]
    return np.take_along_axis(score, top, 1), np.take_along_axis(best, top, 1)


def recall(found: NDArray[np.integer], right: NDArray[np.integer]) -> float:
    """The share of the right rows that were found; -1 is no row."""
    hits = sum(len(np.intersect1d(one[one >= 0], two[two >= 0])) for one, two in zip(found, right, strict=True))
    return hits / max(int((right >= 0).sum()), 1)


def filled(found: NDArray[np.integer], right: NDArray[np.integer]) -> float:
    """The share of queries with as many different rows as there were to be had."""
    pairs = zip(found, right, strict=True)
    return float(np.mean([len(np.unique(one[one >= 0])) >= int((two >= 0).sum()) for one, two in pairs]))


def likeness(vectors: NDArray[np.floating], queries: NDArray[np.float32], k: int = 20) -> dict[str, float]:
    """What tells one set of features from another: intrinsic dimension at the queries, and cosines.

    Levina and Bickel's estimate over ``k`` neighbours, the inverses averaged; TwoNN by a line through the nearest 90 %.
    """
    _, cosines = nearest(vectors, queries, k)
    distance = np.sqrt(np.maximum(2 - 2 * cosines.astype(np.float64), 1e-12))
    levina_bickel = (k - 2) / (k - 1) / np.log(distance[:, -1:] / distance[:, :-1]).mean()
    ratio = np.sort(np.log(distance[:, 1] / distance[:, 0]))
    kept = int(len(ratio) * 0.9)
    two = ratio[:kept] @ -np.log1p(-np.arange(1, kept + 1) / len(ratio)) / (ratio[:kept] @ ratio[:kept])
    any_row = queries @ vectors[:: max(len(vectors) // 1000, 1)].astype(np.float32).T
    return {
        f"intrinsic dimension, Levina and Bickel, {k} neighbours": float(levina_bickel),
        "intrinsic dimension, TwoNN": float(two),
        "median cosine of the nearest": float(np.median(cosines[:, 0])),
        "median cosine of the tenth": float(np.median(cosines[:, 9])),
        "median cosine of any row": float(np.median(any_row)),
    }
