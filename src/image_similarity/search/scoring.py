"""The scoring of a query, as far as match probabilities depend on it: each has probabilities of its own, or none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from image_similarity.options import Query, SearchOptions

PHOTO, SEVERAL, SHAPE, COLOUR, CROPS, MEAN = "photo", "several", "shape", "colour", "crops", "mean"
OPTIONS = {
    PHOTO: "one photo",
    SEVERAL: "several photos",
    SHAPE: "`match` shape",
    COLOUR: "`match` colour",
    CROPS: "`crops`",
    MEAN: "`aggregate` mean",
}
"""The scorings that calibration knows, and how a user asks for each."""


@dataclass(frozen=True, slots=True)
class Scoring:
    """How a query is scored. ``name``: a key of :data:`OPTIONS`; empty if it has no probabilities, for a ``reason``."""

    name: str = ""
    reason: str = ""


def scoring_of(query: Query, options: SearchOptions) -> Scoring:
    """The scoring of a query; a crop of a photo is one photo, too."""
    if query.text is not None:
        return Scoring(reason="a text has no match probability: it describes many products, not one")
    if options.aggregate == "votes":
        return Scoring(reason="`aggregate` votes has no match probability: points do not say how similar a product is")
    given = {
        SEVERAL: len(query.photos) > 1,
        SHAPE: options.match == "shape",
        COLOUR: options.match == "colour",
        CROPS: options.crops,
        MEAN: options.aggregate == "mean",
    }
    names = [name for name, is_given in given.items() if is_given] or [PHOTO]
    if len(names) > 1:
        together = " with ".join(OPTIONS[name] for name in names)
        return Scoring(reason=f"{together} has no match probability: use one of them alone")
    return Scoring(names[0])
