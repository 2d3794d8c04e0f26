"""Why this? The parts of each match's score, and the region of the photo that carried it."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from image_similarity.errors import ImageError
from image_similarity.images import as_jpeg, shrunk
from image_similarity.models import COLOUR_SHAPE_PARTS, OFFLINE_MODEL
from image_similarity.neighbours import to_float32
from image_similarity.search.occlusion import covered, heat, where
from image_similarity.search.overlay import overlay
from image_similarity.search.score_parts import Parts, PartShare, shares
from image_similarity.util.plain_values import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from image_similarity.models import Embedder, Model
    from image_similarity.ranking import Gallery
    from image_similarity.types import ProductMatch

    Floats = NDArray[np.float32]

SIDE = 320  # pixels of the longer side: what a page shows, and more than enough to cover patches of
QUALITY = 78  # JPEG's
DIGITS = 4


@dataclass(frozen=True, slots=True)
class Why(Record):
    """Why one product was found.

    Attributes:
        parts: of the score, the greatest first.
        heat: ``(7, 7)``, how much each field of the photo carried the match, 0..1.
    """

    parts: list[PartShare]
    heat: Floats

    @property
    def region(self) -> str:
        """Where on the photo the match is, in words; empty where no region alone matters."""
        return where(self.heat)

    @property
    def words(self) -> str:
        """In one line: the parts with their shares, and where."""
        parts = [f"{part.name} {part.share:.0%}" for part in self.parts]
        said = ", ".join(parts) if len(parts) > 1 else ""
        place = f"photo's {self.region}" if self.region else ""
        return "; ".join(each for each in (said, place) if each)

    def as_dict(self) -> dict[str, Any]:
        """Numbers to as many digits as mean something."""
        return {
            "parts": [
                {"name": part.name}
                | {name: round(getattr(part, name), DIGITS) for name in ("share", "contribution", "alike")}
                for part in self.parts
            ],
            "region": self.region,
            "heat": [[round(float(value), 2) for value in row] for row in self.heat],
        }


@dataclass(frozen=True, slots=True)
class Explained:
    """A small copy of the photo, and why each product was found, in the order of the matches."""

    image: Image.Image
    whys: list[Why]

    def overlay(self, place: int) -> bytes:
        """The photo with the heat of one match, as JPEG."""
        return as_jpeg(overlay(self.image, self.whys[place].heat), QUALITY, optimize=True)


def small_copy(image: Image.Image, model: Model) -> Image.Image:
    """What is kept of a photo that is to be explained: no larger than the page and the model need."""
    return shrunk(image, max(SIDE, model.min_side or 0))


def explain(
    image: Image.Image,
    matches: Sequence[ProductMatch],
    asked: Floats,
    gallery_of: Callable[[str], Gallery | None],
    model: Model,
    embedder: Embedder,
) -> Explained:
    """Say why each match was found: its score taken apart, and the photo covered patch by patch.

    Args:
        image: a small copy of the photo.
        matches: what was found.
        asked: the photo's vector, ``(dimension,)``.
        gallery_of: gives the rows that a product is found among.
        model, embedder: with what.
    """
    if not matches:
        return Explained(image, [])
    found = np.stack([_row(gallery_of(match.product_id), match, asked) for match in matches])
    seen = shrunk(image, model.min_side or SIDE)  # no larger than the model's input: fifty are to be resized
    # Its own vector is what the covered ones are compared with, so that only the cover makes a difference.
    whole, *patched = embedder.embed([model.inputs(each) for each in (seen, *covered(seen))])
    whole = asked if isinstance(whole, ImageError) else whole
    # A cover that leaves the model nothing tells nothing of what is below it.
    heats = heat(whole, np.stack([whole if isinstance(each, ImageError) else each for each in patched]), found)
    parts = parts_of(model)
    return Explained(
        image,
        [
            Why(sorted(shares(asked, row, parts), key=lambda part: -part.share), warm)
            for row, warm in zip(found, heats, strict=True)
        ],
    )


def parts_of(model: Model) -> Parts:
    """The parts of a model's vectors: its models, and what the numbers of ``colour-shape`` are about.

    What was learned turns all numbers into each other: then there is one part.
    """
    if model.learned is not None:
        return [(model.name, slice(None))]
    parts: list[tuple[str, slice]] = []
    for spec, place in zip(model.specs, model.recipe.slices([spec.dimension for spec in model.specs]), strict=True):
        if spec.name == OFFLINE_MODEL:
            first = place.start
            parts += [(name, slice(first + at.start, first + at.stop)) for name, at in COLOUR_SHAPE_PARTS]
        else:
            parts.append((spec.name, place))
    return parts


def _row(gallery: Gallery | None, match: ProductMatch, asked: Floats) -> Floats:
    """The vector of the image that matched; of several views the one that is most like the photo."""
    if gallery is None:  # what was found is there
        raise LookupError(match.product_id)
    rows = gallery.rows_of(bisect_left(gallery.products, match.product_id))
    numbers = range(rows.start, rows.stop)
    its_own = [row for row in numbers if gallery.features.image_ids[row] == match.image_id]
    vectors = to_float32(gallery.features.vectors[its_own])
    best: Floats = vectors[int((vectors @ asked).argmax())]
    return best
