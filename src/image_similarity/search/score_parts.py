"""Split a score into the contributions of the parts of a concatenated vector."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Parts: TypeAlias = Sequence[tuple[str, slice]]
"""The parts of a concatenated vector: name and slice of each."""

TINY = 1e-12


@dataclass(frozen=True, slots=True)
class PartShare:
    """One part of a score.

    Attributes:
        name: the part's name: a model, or ``shape``, ``colour`` or ``layout``.
        contribution: its summand of the cosine.
        share: its contribution divided by the cosine; all shares sum to 1.
        alike: the cosine of this part alone, -1..1.
    """

    name: str
    contribution: float
    share: float
    alike: float


def shares(query: NDArray[np.floating], found: NDArray[np.floating], parts: Parts) -> list[PartShare]:
    """The contribution of each part to the cosine of two vectors.

    Args:
        query, found: ``(dimension,)``, unit length.
        parts: they cover the vector without overlap.
    """
    one, other = (np.asarray(each, np.float32) for each in (query, found))
    contributions = [float(one[at] @ other[at]) for _, at in parts]
    total = sum(contributions)
    lengths = [float(np.linalg.norm(one[at]) * np.linalg.norm(other[at])) for _, at in parts]
    return [
        PartShare(name, each, each / total if abs(total) > TINY else 0.0, each / length if length > TINY else 0.0)
        for (name, _), each, length in zip(parts, contributions, lengths, strict=True)
    ]
