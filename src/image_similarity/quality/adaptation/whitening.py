"""Whitening of the differences between images of one product.

The covariance of these differences shows which directions are nuisance: pose, colour, light. Divided by their standard
deviation they count less (Mikolajczyk and Matas, "Improving descriptors for fast tree matching by optimal linear
projection", ICCV 2007; Hatch, Kajarekar and Stolcke, "Within-class covariance normalization", Interspeech 2006).
Directions without variance in the few images at hand are not trusted either: a floor, the regularisation times the mean
eigenvalue, is added to all variances.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from image_similarity.quality.adaptation.groups import Groups

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
SMALLEST = 1e-9  # of the largest eigenvalue: smaller ones are rounding errors
FLAT = 1e-12  # smaller eigenvalues count as zero


@dataclass(frozen=True, slots=True)
class Axes:
    """Orthonormal directions ``(rank, d)`` and the variance along each, largest first."""

    variances: Doubles
    directions: Doubles


def deviations(vectors: Floats, groups: Groups) -> Doubles:
    """The rows of groups with several rows, less the mean of their group, ``(m, d)``; groups numbered without gaps."""
    several = np.bincount(groups)[groups] > 1
    apart: Doubles = vectors[several] - centres(vectors, groups)[groups[several]]
    return apart


def centres(vectors: Floats, groups: Groups) -> Doubles:
    """The mean of each group ``(groups, d)``."""
    counts = np.bincount(groups)
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    ordered = vectors[np.argsort(groups, kind="stable")].astype(np.float64)
    means: Doubles = np.add.reduceat(ordered, starts, axis=0) / counts[:, None]
    return means


def axes_of(rows: Doubles, degrees: int) -> Axes:
    """The eigenvectors of ``rows.T @ rows / degrees``, by way of ``rows @ rows.T`` if that is smaller."""
    few = len(rows) < rows.shape[1]
    values, vectors = np.linalg.eigh(rows @ rows.T if few else rows.T @ rows)
    values, vectors = values[::-1], vectors[:, ::-1]
    real = values > max(SMALLEST * values[0], FLAT) if len(values) else np.zeros(0, bool)
    values, vectors = values[real], vectors[:, real]
    directions = (vectors.T @ rows) / np.sqrt(values)[:, None] if few else vectors.T
    return Axes(values / max(degrees, 1), np.ascontiguousarray(directions))


def within_group_axes(vectors: Floats, groups: Groups) -> Axes:
    """The principal axes of the pooled covariance within groups."""
    apart = deviations(vectors, groups)
    return axes_of(apart, len(apart) - int((np.bincount(groups) > 1).sum()))


def components(vectors: Floats, mean: Doubles, count: int) -> Doubles:
    """The first principal components of the rows, at most ``count``: ``(components, d)``."""
    return axes_of(vectors - mean, len(vectors) - 1).directions[:count]


def whitening(axes: Axes, dimension: int, regularisation: float) -> Floats:
    """The symmetric matrix ``(dimension, dimension)`` that divides each direction by its standard deviation.

    A direction of variance ``v`` is divided by ``sqrt(v + floor)``, one without variance by ``sqrt(floor)``, where the
    floor is the regularisation times the mean variance. Then all are scaled so that the largest eigenvalue is 1.
    """
    floor = regularisation * float(axes.variances.mean())
    gains = np.sqrt(floor / (axes.variances + floor)) - 1
    return _scaled(axes.directions, gains, dimension, 1.0)


def discrimination(vectors: Floats, groups: Groups, share: float) -> Floats:
    """The symmetric matrix ``(d, d)`` that weights whitened directions by how well they discriminate groups.

    Along each axis of the means' covariance the weight is ``(v / (v + noise)) ** share``, Wiener's filter for
    ``share`` 1, with the median variance as noise. Directions in which the means do not differ at all get the smallest
    of these weights. ``share`` 0 is the identity.
    """
    means = centres(vectors, groups)
    axes = axes_of(means - means.mean(axis=0), len(means) - 1)
    if share == 0 or not len(axes.variances):
        return np.eye(vectors.shape[1], dtype=np.float32)
    weights = (axes.variances / (axes.variances + np.median(axes.variances))) ** share
    rest = float(weights.min())
    return _scaled(axes.directions, weights - rest, vectors.shape[1], rest)


def _scaled(directions: Doubles, gains: Doubles, dimension: int, rest: float) -> Floats:
    """``rest`` times the identity plus ``gains`` along the directions. In float32, which halves the work."""
    single = directions.astype(np.float32)
    matrix: Floats = (single.T * gains.astype(np.float32)) @ single
    matrix[np.diag_indices(dimension)] += np.float32(rest)
    return matrix
