"""Explain matches: the parts of each score, and the region of the photo that contributes most."""

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

SIDE = 320  # pixels of the longer side: the size on a page, and enough for occlusion
QUALITY = 78  # of the JPEG
DIGITS = 4


@dataclass(frozen=True, slots=True)
class Why(Record):
    """Why one product was found.

    Attributes:
        parts: the parts of the score, the greatest first.
        heat: ``(7, 7)``, how much each patch of the photo contributes to the match, 0..1.
    """

    parts: list[PartShare]
    heat: Floats

    @property
    def region(self) -> str:
        """The region of the photo that contributes most, in words; empty if no region matters by itself."""
        return where(self.heat)

    @property
    def words(self) -> str:
        """One line: the parts with their shares, and the region."""
        parts = [f"{part.name} {part.share:.0%}" for part in self.parts]
        listed = ", ".join(parts) if len(parts) > 1 else ""
        place = f"photo's {self.region}" if self.region else ""
        return "; ".join(each for each in (listed, place) if each)

    def as_dict(self) -> dict[str, Any]:
        """The explanation as plain values for JSON, rounded."""
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
    """A small copy of the photo, and the explanation of each match, in their order."""

    image: Image.Image
    whys: list[Why]

    def overlay(self, place: int) -> bytes:
        """The photo with the heat map of match number ``place`` (from 0), as JPEG."""
        return as_jpeg(overlay(self.image, self.whys[place].heat), QUALITY, optimize=True)


def small_copy(image: Image.Image, model: Model) -> Image.Image:
    """A copy of a photo for its explanation, no larger than the page and the model need."""
    return shrunk(image, max(SIDE, model.min_side or 0))


def explain(
    image: Image.Image,
    matches: Sequence[ProductMatch],
    query: Floats,
    gallery_of: Callable[[str], Gallery | None],
    model: Model,
    embedder: Embedder,
) -> Explained:
    """Explain each match: split its score into parts, and occlude the photo patch by patch.

    Args:
        image: a small copy of the photo.
        matches: the matches to explain.
        query: the photo's vector, ``(dimension,)``.
        gallery_of: a product id to the gallery that contains it.
        model, embedder: the model, and its loaded networks.
    """
    if not matches:
        return Explained(image, [])
    found = np.stack([_row(gallery_of(match.product_id), match, query) for match in matches])
    seen = shrunk(image, model.min_side or SIDE)  # no larger than the model's input: fifty copies are resized
    # The baseline is this copy's own vector, so that only the occlusion makes a difference.
    whole, *patched = embedder.embed([model.inputs(each) for each in (seen, *covered(seen))])
    whole = query if isinstance(whole, ImageError) else whole
    # Where the model has no vector for an occluded copy, the patch counts as no difference.
    heats = heat(whole, np.stack([whole if isinstance(each, ImageError) else each for each in patched]), found)
    parts = parts_of(model)
    return Explained(
        image,
        [
            Why(sorted(shares(query, row, parts), key=lambda part: -part.share), warm)
            for row, warm in zip(found, heats, strict=True)
        ],
    )


def parts_of(model: Model) -> Parts:
    """The named parts of a model's vectors: its component models, and the three features of ``colour-shape``.

    An adapted model has one part, because its projection mixes all dimensions.
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


def _row(gallery: Gallery | None, match: ProductMatch, query: Floats) -> Floats:
    """The vector of the image that matched; of several views the one most similar to the photo."""
    if gallery is None:  # cannot happen: matches come from the galleries
        raise LookupError(match.product_id)
    rows = gallery.rows_of(bisect_left(gallery.products, match.product_id))
    numbers = range(rows.start, rows.stop)
    of_image = [row for row in numbers if gallery.features.image_ids[row] == match.image_id]
    vectors = to_float32(gallery.features.vectors[of_image])
    best: Floats = vectors[int((vectors @ query).argmax())]
    return best
