"""Whitening of irrelevant differences, in as many directions as there are examples of them.

The covariance of the differences between images of one product, and between an image and photos of it, shows which
directions are nuisance: pose, colour, light, scene. Divided by their standard deviation they count less (Mikolajczyk
and Matas, "Improving descriptors for fast tree matching by optimal linear projection", ICCV 2007; Hatch, Kajarekar and
Stolcke, "Within-class covariance normalization", Interspeech 2006). Directions without variance in the few images at
hand are not trusted either: a floor, the regularisation times the mean eigenvalue, is added to all variances.
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
SMALLEST = 1e-6  # of the largest eigenvalue: smaller ones are rounding errors
FLAT = 1e-12  # smaller eigenvalues count as zero


@dataclass(frozen=True, slots=True)
class Axes:
    """Orthonormal directions ``(rank, d)`` and the variance along each, largest first."""

    variances: Doubles
    directions: Floats


@dataclass(frozen=True, slots=True)
class Scaling:
    """A symmetric map of rows ``(n, d)``: ``rest`` times each, plus ``gains`` along the orthonormal ``directions``."""

    directions: Floats  # (k, d)
    gains: Floats  # (k,)
    rest: float = 1.0

    def __call__(self, rows: Floats) -> Floats:
        scaled = self.rest * rows + ((rows @ self.directions.T) * self.gains) @ self.directions
        return scaled.astype(np.float32, copy=False)


def deviations(vectors: Floats, groups: Groups) -> Floats:
    """The rows of groups with several rows, less the mean of their group, ``(m, d)``, scaled so that the sum of their
    outer products is the covariance within groups; groups numbered without gaps."""
    counts = np.bincount(groups)
    several = counts[groups] > 1
    degrees = int(several.sum()) - int((counts > 1).sum())
    apart = vectors[several] - centres(vectors, groups)[groups[several]]
    scaled: Floats = (apart / np.sqrt(max(degrees, 1))).astype(np.float32)
    return scaled


def centres(vectors: Floats, groups: Groups) -> Floats:
    """The mean of each group ``(groups, d)``."""
    counts = np.bincount(groups)
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    ordered = vectors[np.argsort(groups, kind="stable")]
    means = np.add.reduceat(ordered, starts, axis=0, dtype=np.float64) / counts[:, None]
    return means.astype(np.float32)


def axes_of(rows: Floats, most: int | None = None) -> Axes:
    """The eigenvectors of ``rows.T @ rows``, by way of ``rows @ rows.T`` if that is smaller; the first ``most``."""
    few = len(rows) < rows.shape[1]
    # In float32, which takes half the time; directions that are lost in its rounding are none to learn from.
    values, vectors = np.linalg.eigh(rows @ rows.T if few else rows.T @ rows)
    values, vectors = values[::-1][:most], vectors[:, ::-1][:, :most]
    real = values > max(SMALLEST * values[0], FLAT) if len(values) else np.zeros(0, bool)
    directions = vectors[:, real].T @ rows if few else vectors[:, real].T
    lengths = np.linalg.norm(directions, axis=1, keepdims=True)
    return Axes(values[real].astype(np.float64), np.ascontiguousarray(directions / lengths, np.float32))


def whitening(axes: Axes, regularisation: float) -> Scaling:
    """The map that divides each direction by its standard deviation.

    A direction of variance ``v`` is divided by ``sqrt(v + floor)``, one without variance by ``sqrt(floor)``, where the
    floor is the regularisation times the mean variance. Then all are scaled so that the largest gain is 1.
    """
    floor = regularisation * float(axes.variances.mean())
    return Scaling(axes.directions, (np.sqrt(floor / (axes.variances + floor)) - 1).astype(np.float32))


def discrimination(means: Floats, share: float) -> Scaling:
    """The map that weights whitened directions by how well they discriminate groups.

    Along each axis of the means' covariance the weight is ``(v / (v + noise)) ** share``, Wiener's filter for
    ``share`` 1, with the median variance as noise. Directions in which the means do not differ at all get the smallest
    of these weights. ``share`` 0 is the identity.

    Args:
        means: ``(groups, d)``, whitened.
        share: the exponent.
    """
    axes = axes_of((means - means.mean(axis=0)) / np.float32(np.sqrt(max(len(means) - 1, 1))))
    if share == 0 or not len(axes.variances):
        return Scaling(np.empty((0, means.shape[1]), np.float32), np.empty(0, np.float32))
    weights = (axes.variances / (axes.variances + np.median(axes.variances))) ** share
    rest = float(weights.min())
    return Scaling(axes.directions, (weights - rest).astype(np.float32), rest)
