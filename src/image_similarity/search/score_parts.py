"""A score taken apart: how much each part of a joined vector gave to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Parts: TypeAlias = Sequence[tuple[str, slice]]
"""The parts of a joined vector: each one's name and where its numbers stand."""

TINY = 1e-12


@dataclass(frozen=True, slots=True)
class PartShare:
    """One part of a score.

    Attributes:
        name: what it looks at.
        contribution: to the cosine; those of all parts sum to it.
        share: of the score, where all parts speak for it 0..1; they sum to 1.
        alike: the cosine of this part by itself, -1..1.
    """

    name: str
    contribution: float
    share: float
    alike: float


def shares(query: NDArray[np.floating], found: NDArray[np.floating], parts: Parts) -> list[PartShare]:
    """What each part gave to the cosine of two vectors.

    Args:
        query, found: ``(dimension,)``, unit length.
        parts: which together cover the vector, each number once.
    """
    one, other = (np.asarray(each, np.float32) for each in (query, found))
    given = [float(one[at] @ other[at]) for _, at in parts]
    total = sum(given)
    lengths = [float(np.linalg.norm(one[at]) * np.linalg.norm(other[at])) for _, at in parts]
    return [
        PartShare(name, each, each / total if abs(total) > TINY else 0.0, each / length if length > TINY else 0.0)
        for (name, _), each, length in zip(parts, given, lengths, strict=True)
    ]
