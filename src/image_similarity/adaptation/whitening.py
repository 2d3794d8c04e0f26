"""Whitening of what differs between images of one product.

The covariance of differences between images of one thing says which directions are nuisance: pose, colour, light.
Divided by their standard deviation they count less (Mikolajczyk and Matas, "Improving descriptors for fast tree matching
by optimal linear projection", ICCV 2007; Hatch, Kajarekar and Stolcke, "Within-class covariance normalization",
Interspeech 2006). Directions that never differed in the few images at hand are not taken for sure: all share a floor,
the regularisation times the mean eigenvalue.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from image_similarity.adaptation.groups import Groups

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
SMALLEST = 1e-9  # of the largest eigenvalue: below, it is rounding
FLAT = 1e-12  # a mean square below this is no difference


@dataclass(frozen=True, slots=True)
class Axes:
    """Directions ``(rank, d)``, of unit length and at right angles, and the variance along each, largest first."""

    variances: Doubles
    directions: Doubles


def deviations(vectors: Floats, groups: Groups) -> Doubles:
    """Each row less the mean of its group, of groups with several rows: ``(m, d)``."""
    counts = np.bincount(groups)
    order = np.argsort(groups, kind="stable")
    starts = np.concatenate([[0], np.cumsum(counts)])[:-1][counts > 0]
    means = np.zeros((len(counts), vectors.shape[1]))
    means[counts > 0] = np.add.reduceat(vectors[order].astype(np.float64), starts, axis=0)
    means /= np.maximum(counts, 1)[:, None]
    several = counts[groups] > 1
    apart: Doubles = vectors[several] - means[groups[several]]
    return apart


def axes_of(rows: Doubles, degrees: int) -> Axes:
    """The eigenvectors of ``rows.T @ rows / degrees``, through the smaller of the two products of the rows."""
    few = len(rows) < rows.shape[1]
    values, vectors = np.linalg.eigh(rows @ rows.T if few else rows.T @ rows)
    values, vectors = values[::-1], vectors[:, ::-1]
    real = values > max(SMALLEST * values[0], FLAT) if len(values) else np.zeros(0, bool)
    values, vectors = values[real], vectors[:, real]
    directions = (vectors.T @ rows) / np.sqrt(values)[:, None] if few else vectors.T
    return Axes(values / max(degrees, 1), np.ascontiguousarray(directions))


def within(vectors: Floats, groups: Groups) -> Axes:
    """Along which directions the rows of one group differ, and how much: the pooled covariance within groups."""
    apart = deviations(vectors, groups)
    return axes_of(apart, len(apart) - int((np.bincount(groups) > 1).sum()))


def components(vectors: Floats, mean: Doubles, count: int) -> Doubles:
    """The first principal components ``(at most count, d)`` of the rows."""
    return axes_of(vectors - mean, len(vectors) - 1).directions[:count]


def whitening(axes: Axes, dimension: int, regularisation: float) -> Doubles:
    """The symmetric matrix ``(dimension, dimension)`` that divides each direction by its standard deviation.

    A direction of variance ``v`` is divided by ``sqrt(v + floor)``, one without variance by ``sqrt(floor)``, where the
    floor is the regularisation times the mean variance; then all by the largest of these factors, so that the largest
    eigenvalue is 1.
    """
    floor = regularisation * float(axes.variances.mean())
    gains = np.sqrt(floor / (axes.variances + floor)) - 1
    matrix: Doubles = np.eye(dimension) + (axes.directions.T * gains) @ axes.directions
    return matrix
