"""How the vectors of an index are computed from the stored features of one or several models."""

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
    """Joins the models' features and applies a learned projection: for a catalogue's rows and for queries alike.

    Attributes:
        key: of the index.
        models: the keys of the features.
        weights: of the models, above zero; their shares of the similarity.
        projection: applied to the joined features; None for none.
    """

    key: str
    models: tuple[str, ...]
    weights: tuple[float, ...] = (1.0,)
    projection: Projection | None = None

    @classmethod
    def of(cls, model_key: str) -> Recipe:
        """The recipe of one model without a projection: its stored features, unchanged."""
        return cls(model_key, (model_key,))

    def dimension(self, dimensions: Sequence[int]) -> int:
        """The dimension of the index's vectors, given those of the models' features."""
        return self.projection.output_dimension if self.projection else sum(dimensions)

    def slices(self, dimensions: Sequence[int]) -> list[slice]:
        """Each model's part of a joined vector, before any projection."""
        ends = np.cumsum(dimensions).tolist()
        return [slice(end - size, end) for end, size in zip(ends, dimensions, strict=True)]

    def joined(self, features: Sequence[NDArray[np.floating]]) -> NDArray[np.floating]:
        """Join the models' unit vectors ``(n, d_i)`` to ``(n, sum d_i)``, float32 and of unit length.

        A single model's vectors are returned unchanged.
        """
        if len(features) == 1:
            return features[0]
        roots = np.sqrt(shares_of(self.weights)).astype(np.float32)
        scaled = [root * each.astype(np.float32) for root, each in zip(roots, features, strict=True)]
        return unit_length(np.concatenate(scaled, axis=1), self.key)

    def of_some(self, features: Sequence[NDArray[np.float32] | None], dimensions: Sequence[int]) -> NDArray[np.float32]:
        """A query's vectors ``(n, sum d_i)`` from some of the models' unit vectors, to compare with joined vectors.

        The other models, None here, do not count. A score is the mean of the cosines of those given, by their shares:
        not of unit length, so that it is not smaller for the models that are left out.
        """
        shares = shares_of(self.weights)
        counted = sum(share for share, each in zip(shares, features, strict=True) if each is not None)
        (rows,) = {len(each) for each in features if each is not None}
        parts = [
            np.zeros((rows, size), np.float32) if each is None else np.float32(share**0.5 / counted) * each
            for share, each, size in zip(shares, features, dimensions, strict=True)
        ]
        return np.concatenate(parts, axis=1)

    def vectors(self, features: Sequence[NDArray[np.floating]]) -> NDArray[np.floating]:
        """Compute the index's vectors ``(n, dimension)`` from the models' unit vectors ``(n, d_i)``."""
        joined = self.joined(features)
        return self.projection.apply(joined) if self.projection else joined
