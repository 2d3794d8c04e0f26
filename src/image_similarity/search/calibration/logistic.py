"""Platt scaling: a logistic curve over one or several features.

Platt, "Probabilistic outputs for support vector machines", 1999, with targets slightly inside 0 and 1; solved by
Newton's method as in Lin, Lin and Weng ("A note on Platt's probabilistic outputs", Machine Learning 68, 2007).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Doubles = NDArray[np.float64]

RIDGE = 1e-3  # keeps the solution finite if a feature separates perfectly; negligible for hundreds of queries
STEPS, HALVINGS, ENOUGH = 100, 30, 1e-10
FARTHEST = 500.0  # beyond it the exponential overflows; the result is 0 or 1


def sigmoid(values: Doubles) -> Doubles:
    """``1 / (1 + exp(-value))``."""
    curve: Doubles = 1 / (1 + np.exp(-np.clip(values, -FARTHEST, FARTHEST)))
    return curve


def logistic(features: Doubles, right: NDArray[np.bool_], weights: Doubles) -> tuple[Doubles, float]:
    """Fit coefficients ``(f,)`` and bias of ``sigmoid(features @ coefficients + bias)``, the share of right answers.

    Args:
        features: ``(n, f)``, in any units: they are standardised here.
        right: ``(n,)``, whether each answer is right.
        weights: ``(n,)``, above 0; they sum to the number of queries.
    """
    middle, spread = np.average(features, axis=0, weights=weights), features.std(axis=0)
    spread = np.where(spread > 0, spread, 1.0)
    table = np.column_stack([(features - middle) / spread, np.ones(len(features))])
    found = _newton(table, _targets(right, weights), weights)
    coefficients = found[:-1] / spread
    return coefficients, float(found[-1] - coefficients @ middle)


def _targets(right: NDArray[np.bool_], weights: Doubles) -> Doubles:
    """Platt's targets: as if there were one more right and one more wrong answer."""
    yes, no = weights[right].sum(), weights[~right].sum()
    targets: Doubles = np.where(right, (yes + 1) / (yes + 2), 1 / (no + 2))
    return targets


def _newton(table: Doubles, targets: Doubles, weights: Doubles) -> Doubles:
    found = np.zeros(table.shape[1])
    found[-1] = np.log((weights @ targets) / (weights @ (1 - targets)))
    ridge = np.full(table.shape[1], RIDGE * weights.sum() / len(weights))
    ridge[-1] = 0.0  # the bias is free
    loss = _loss(table, targets, weights, ridge, found)
    for _ in range(STEPS):
        likely = sigmoid(table @ found)
        slope = table.T @ (weights * (likely - targets)) + ridge * found
        bend = (table * (weights * likely * (1 - likely))[:, None]).T @ table + np.diag(ridge + ENOUGH)
        step = np.linalg.solve(bend, slope)
        for _ in range(HALVINGS):
            tried = _loss(table, targets, weights, ridge, found - step)
            if tried <= loss:
                break
            step /= 2
        else:
            break
        found, gained, loss = found - step, loss - tried, tried
        if gained <= ENOUGH * abs(loss):
            break
    return found


def _loss(table: Doubles, targets: Doubles, weights: Doubles, ridge: Doubles, found: Doubles) -> float:
    values = table @ found
    entropy = np.logaddexp(0, values) - targets * values
    return float(weights @ entropy + 0.5 * (ridge * found**2).sum())
