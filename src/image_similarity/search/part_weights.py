"""Match by shape or colour only: weight the parts of the query's vector; the index does not change."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, get_args

import numpy as np

from image_similarity.errors import UsageError
from image_similarity.options import Match
from image_similarity.search.explanation import parts_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from image_similarity.models import Model

    Floats = NDArray[np.float32]

OF_COLOUR = ("colour", "layout")
"""The parts that describe colour: the model ``colour``, and two of the three parts of ``colour-shape``. A network
counts as shape."""


def supported_matches(model: Model) -> list[Match]:
    """The values of ``match`` that a model supports."""
    supported = list[Match]()
    for match in get_args(Match):
        with suppress(UsageError):
            part_weighting(match, model)
            supported.append(match)
    return supported


def part_weighting(match: Match | None, model: Model) -> Callable[[NDArray[np.floating]], NDArray[np.floating]]:
    """A function that weights query vectors ``(n, dimension)`` so that only shape or only colour counts.

    The index's vectors are concatenations of parts, so a part that is 0 in the query drops out of every score; the
    others are scaled so that the query itself would score 1.

    Raises:
        UsageError: the model has no such part, or it is adapted, so that its parts are mixed.
    """
    if match is None:
        return lambda vectors: vectors
    if model.learned is not None:
        raise UsageError(f"`match` needs the parts of {model.name} apart: leave +adapted out")
    counted = np.zeros(sum(spec.dimension for spec in model.specs), np.float32)
    for name, place in parts_of(model):
        counted[place] = (name in OF_COLOUR) == (match == "colour")
    if not counted.any():
        better = f"{model.name}+0.2*colour" if match == "colour" else f"{model.name}+colour-shape"
        raise UsageError(f"no part of {model.name} sees {match}: fit with `model` {better!r}")

    def weighed(vectors: NDArray[np.floating]) -> Floats:
        kept = vectors.astype(np.float32) * counted
        energies = np.square(kept).sum(axis=1, keepdims=True)
        scaled: Floats = kept / np.maximum(energies, np.finfo(np.float32).tiny)
        return scaled

    return weighed
