"""The ways of learning that are compared. Each learns from vectors and products, and returns what turns vectors.

Whatever has a choice in it (regularisation, dimension, weights, steps) makes it by cross-validation over the products
that it learns from, by :func:`chosen`; no way ever sees the half that it is tested on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Turn = Callable[[Array], Array]
Way = Callable[[Array, Array], Turn]

REGULARISATIONS = (0.02, 0.1, 0.5)
DIMENSIONS = (64, 128, 256, 10_000)
FOLDS = 3
TINY = 1e-6


def unit(vectors: Array) -> Array:
    """Rows of unit length."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def plain(vectors: Array, product: Array) -> Turn:
    """Nothing is learnt."""
    return unit


# The way and its kin ----------------------------------------------------------------------------------------


def within(regularisation: float) -> Way:
    """Whitening of what differs between images of one product; outside of its span by the regularisation alone."""

    def learn(vectors: Array, product: Array) -> Turn:
        first = within_unscaled(vectors, product, regularisation)
        return lambda asked: unit(first(asked))

    return learn


def within_then_weighed(regularisation: float, share: float) -> Way:
    """The same, then each axis of what is left weighed by how surely it tells products apart (Wiener's weight).

    The noise is taken to be the median variance of the whitened means. ``share`` 0 is :func:`within`, 1 the full
    weight.
    """

    def learn(vectors: Array, product: Array) -> Turn:
        first = within_unscaled(vectors, product, regularisation)
        if share == 0:
            return lambda asked: unit(first(asked))
        inside = first(vectors)
        means = centres(inside, product)
        values, axes = spectrum(means - means.mean(axis=0))
        noise = np.median(values)
        weight = (values / (values + noise)) ** share
        rest = float(weight.min())
        return lambda asked: unit(rest * first(asked) + (first(asked) @ axes.T * (weight - rest)) @ axes)

    return learn


def within_unscaled(vectors: Array, product: Array, regularisation: float) -> Turn:
    """:func:`within` before the unit length, all by the root of the floor."""
    mean = vectors.mean(axis=0)
    values, axes = spectrum(deviations(vectors, product))
    floor = regularisation * values.mean()
    gain = np.sqrt(floor / (values + floor)) - 1
    return lambda asked: (asked - mean) + ((asked - mean) @ axes.T * gain) @ axes


def blended(share: float, regularisation: float) -> Way:
    """The covariance within products mixed with the total one: ``share`` of the total."""

    def learn(vectors: Array, product: Array) -> Turn:
        mean = vectors.mean(axis=0)
        inside = deviations(vectors, product)
        total = (vectors - mean) / np.sqrt(len(vectors))
        both = np.concatenate([np.sqrt(1 - share) * inside / np.sqrt(len(inside)), np.sqrt(share) * total])
        values, axes = spectrum(both * np.sqrt(len(both)))
        floor = regularisation * values.mean()
        gain = 1 / np.sqrt(values + floor) - 1 / np.sqrt(floor)
        return lambda asked: unit((asked - mean) / np.sqrt(floor) + ((asked - mean) @ axes.T * gain) @ axes)

    return learn


def roots_then(way: Way) -> Way:
    """Signed square roots of the numbers before anything is learnt."""

    def rooted(vectors: Array) -> Array:
        return unit(np.sign(vectors) * np.sqrt(np.abs(vectors)))

    def learn(vectors: Array, product: Array) -> Turn:
        learnt = way(rooted(vectors), product)
        return lambda asked: learnt(rooted(asked))

    return learn


def in_components(dimension: int, way: Way) -> Way:
    """In the space of the first principal components."""

    def learn(vectors: Array, product: Array) -> Turn:
        mean = vectors.mean(axis=0)
        axes = spectrum(vectors - mean)[1][:dimension]
        learnt = way((vectors - mean) @ axes.T, product)
        return lambda asked: learnt((asked - mean) @ axes.T)

    return learn


# Others' ways --------------------------------------------------------------------------------------------------------


def pca_whitening(dimension: int) -> Way:
    """Principal components, each divided by its standard deviation (Jegou and Chum, ECCV 2012)."""

    def learn(vectors: Array, product: Array) -> Turn:
        mean = vectors.mean(axis=0)
        values, axes = spectrum(vectors - mean)
        matrix = axes[:dimension] / np.sqrt(values[:dimension] + 1e-3 * values.mean())[:, None]
        return lambda asked: unit((asked - mean) @ matrix.T)

    return learn


def lda(dimension: int, regularisation: float) -> Way:
    """Fisher's discriminants: within whitened, then the principal components of the products' means."""

    def learn(vectors: Array, product: Array) -> Turn:
        first = within_unscaled(vectors, product, regularisation)
        means = centres(first(vectors), product)
        axes = spectrum(means - means.mean(axis=0))[1][:dimension]
        return lambda asked: unit(first(asked) @ axes.T)

    return learn


def learned_whitening(dimension: int) -> Way:
    """Whitening by the differences of matching pairs, then a rotation to the principal components of all.

    Radenovic, Tolias and Chum, "Fine-tuning CNN image retrieval with no human annotation", TPAMI 2018 (after
    Mikolajczyk and Matas 2007). Their matrix is inverted as it is; few images need a little on its diagonal.
    """

    def learn(vectors: Array, product: Array) -> Turn:
        left, right = matching_pairs(product)
        mean = vectors[left].mean(axis=0)
        values, axes = spectrum((vectors[left] - vectors[right]) / np.sqrt(2))
        floor = 1e-3 * values.max()
        turned = (vectors - mean) @ axes.T / np.sqrt(values + floor)
        rotation = spectrum(turned)[1][:dimension]
        matrix = rotation @ (axes / np.sqrt(values + floor)[:, None])
        return lambda asked: unit((asked - mean) @ matrix.T)

    return learn


def contrastive_head(start: Way, dimension: int, steps: int, seed: int = 0) -> Way:
    """A linear layer trained so that an image picks its product's other images out of a batch (InfoNCE), by Adam.

    It starts as the identity on the principal components of what ``start`` gives.
    """

    def learn(vectors: Array, product: Array) -> Turn:
        first = start(vectors, product)
        inside = first(vectors)
        axes = spectrum(inside - inside.mean(axis=0))[1][:dimension]
        inside = (inside @ axes.T).astype(np.float32)
        weight = trained(inside, product, steps, np.random.default_rng(seed))
        return lambda asked: unit(first(asked) @ axes.T @ weight.T)

    return learn


def trained(vectors: Array, product: Array, steps: int, random: np.random.Generator) -> Array:
    """The layer's matrix ``(d, d)`` after some steps over batches of pairs, one pair of each of 64 products."""
    weight = np.eye(vectors.shape[1], dtype=np.float32)
    first, second = np.zeros_like(weight), np.zeros_like(weight)
    groups = [np.flatnonzero(product == name) for name in np.unique(product)]
    groups = [group for group in groups if len(group) > 1]
    rate, temperature = 1e-3, 0.07
    for step in range(1, steps + 1):
        some = random.permutation(len(groups))[:64]
        pairs = np.array([random.choice(groups[each], 2, replace=False) for each in some])
        gradient = np.zeros_like(weight)
        for asked, found in (pairs.T, pairs.T[::-1]):
            gradient += _gradient(weight, vectors[asked], vectors[found], temperature)
        first, second = 0.9 * first + 0.1 * gradient, 0.999 * second + 0.001 * gradient**2
        weight -= rate * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.999**step)) + 1e-8)
    return weight


def _gradient(weight: Array, asked: Array, found: Array, temperature: float) -> Array:
    """Of the mean cross-entropy over a batch, by the layer's matrix."""
    long_left, long_right = asked @ weight.T, found @ weight.T
    lengths = [np.linalg.norm(each, axis=1, keepdims=True) for each in (long_left, long_right)]
    left, right = long_left / lengths[0], long_right / lengths[1]
    scores = left @ right.T / temperature
    likely = np.exp(scores - scores.max(axis=1, keepdims=True))
    likely /= likely.sum(axis=1, keepdims=True)
    error = (likely - np.eye(len(left), dtype=np.float32)) / (temperature * len(left))
    by_left, by_right = error @ right, error.T @ left
    by_left = (by_left - left * (by_left * left).sum(axis=1, keepdims=True)) / lengths[0]
    by_right = (by_right - right * (by_right * right).sum(axis=1, keepdims=True)) / lengths[1]
    return by_left.T @ asked + by_right.T @ found


# What they are made of ------------------------------------------------------------------------------------------------


def centres(vectors: Array, product: Array) -> Array:
    """The mean vector of each product."""
    _, which, counts = np.unique(product, return_inverse=True, return_counts=True)
    sums = np.zeros((len(counts), vectors.shape[1]))
    np.add.at(sums, which, vectors)
    return sums / counts[:, None]


def deviations(vectors: Array, product: Array) -> Array:
    """Each image less its product's mean, of products with several images."""
    _, which, counts = np.unique(product, return_inverse=True, return_counts=True)
    several = counts[which] > 1
    return (vectors - centres(vectors, product)[which])[several]


def matching_pairs(product: Array) -> tuple[Array, Array]:
    """Every pair of images of one product, each once."""
    return np.nonzero(np.triu(product[:, None] == product, 1))


def spectrum(rows: Array) -> tuple[Array, Array]:
    """Eigenvalues, largest first, and eigenvectors ``(rank, d)`` of the rows' second moments; zeros left out."""
    rows = rows.astype(np.float64)
    few = len(rows) < rows.shape[1]
    values, vectors = np.linalg.eigh(rows @ rows.T if few else rows.T @ rows)
    values, vectors = values[::-1], vectors[:, ::-1]
    real = values > TINY**2 * 100 * values[0]
    values, vectors = values[real], vectors[:, real]
    axes = (vectors.T @ rows) / np.sqrt(values)[:, None] if few else vectors.T
    return values / len(rows), axes


def nearest_own(vectors: Array, product: Array) -> float:
    """Leave one image out: the share whose nearest other image is of the same product."""
    scores = vectors @ vectors.T
    np.fill_diagonal(scores, -np.inf)
    same = product[:, None] == product
    asking = same.sum(axis=1) > 1
    return float(same[np.arange(len(same)), scores.argmax(axis=1)][asking].mean())


def chosen(candidates: Sequence[Way], seed: int = 0) -> Way:
    """The candidate that does best by cross-validation over the products of the half that is learnt from."""

    def learn(vectors: Array, product: Array) -> Turn:
        if len(candidates) == 1:
            return candidates[0](vectors, product)
        names = np.random.default_rng(seed).permutation(np.unique(product))
        totals = np.zeros(len(candidates))
        for left_out in np.array_split(names, FOLDS):
            asked = np.isin(product, left_out)
            for at, way in enumerate(candidates):
                learnt = way(vectors[~asked], product[~asked])
                totals[at] += nearest_own(learnt(vectors[asked]), product[asked]) * asked.sum()
        return candidates[int(totals.argmax())](vectors, product)

    return learn
