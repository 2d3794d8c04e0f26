"""What the vectors of an index are made of: the stored features of one model or several, and a learned projection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from image_similarity.models.mixture import shares_of
from image_similarity.models.unit_vectors import unit_length

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from image_similarity.models.projection import Projection


@dataclass(frozen=True, slots=True)
class Recipe:
    """How vectors come about, the same for a catalogue's rows and for a query's.

    Attributes:
        key: names the index.
        models: the keys of the features.
        weights: of the models, above zero; their shares of the similarity.
        projection: applied to what the models give together; None for none.
    """

    key: str
    models: tuple[str, ...]
    weights: tuple[float, ...] = (1.0,)
    projection: Projection | None = None

    @classmethod
    def of(cls, model_key: str) -> Recipe:
        """One model's features as they are stored."""
        return cls(model_key, (model_key,))

    def dimension(self, dimensions: Sequence[int]) -> int:
        """Of the vectors that come out, given those of the models' features."""
        return self.projection.projected if self.projection else sum(dimensions)

    def slices(self, dimensions: Sequence[int]) -> list[slice]:
        """Where each model's numbers stand in a joined vector that was not projected."""
        ends = np.cumsum(dimensions).tolist()
        return [slice(end - size, end) for end, size in zip(ends, dimensions, strict=True)]

    def joined(self, features: Sequence[NDArray[np.floating]]) -> NDArray[np.floating]:
        """The models' unit vectors ``(n, d_i)`` as one each, ``(n, sum d_i)`` float32 of unit length.

        One model's stay what they are, to the last bit.
        """
        if len(features) == 1:
            return features[0]
        roots = np.sqrt(shares_of(self.weights)).astype(np.float32)
        side_by_side = [root * each.astype(np.float32) for root, each in zip(roots, features, strict=True)]
        return unit_length(np.concatenate(side_by_side, axis=1), self.key)

    def vectors(self, features: Sequence[NDArray[np.floating]]) -> NDArray[np.floating]:
        """The models' unit vectors ``(n, d_i)`` to the index's ``(n, dimension)``."""
        joined = self.joined(features)
        return self.projection.apply(joined) if self.projection else joined
