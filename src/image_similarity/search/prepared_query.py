"""A query made ready for the network: its photos decoded, cut, and as each part of the model takes them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from image_similarity.catalogue import parse_address, stable_address
from image_similarity.errors import ImageError, UsageError
from image_similarity.images import decode, on_plain_background, read_bytes, with_crops
from image_similarity.search.answer import ShownProduct
from image_similarity.search.explanation import small_copy
from image_similarity.types import Product

if TYPE_CHECKING:
    from PIL import Image

    from image_similarity.models import Inputs, Model
    from image_similarity.options import Box, Photo, Query, SearchOptions
    from image_similarity.settings import Settings

WHOLE = 1 << 16
"""Pixels a side: more than any image that is taken has."""
TEXT_ONLY = "words"


@dataclass(frozen=True, slots=True)
class PreparedQuery:
    """What the network and the ranking take of a query.

    Attributes:
        query, options: as they were asked for.
        inputs: of each photo the images that search: itself, and with ``crops`` its middle and its corners.
        plain: whether there is a photo, and all photos are on a plain ground; looked at where it is to be judged.
        small: a small copy of the photo, where the answer is to be explained.
    """

    query: Query
    options: SearchOptions
    inputs: tuple[list[Inputs], ...] = ()
    plain: bool = False
    small: Image.Image | None = None

    @property
    def names(self) -> list[str]:
        """What the photos are called in the answer."""
        return [photo_name(photo) for photo in self.query.photos] or [TEXT_ONLY]

    @property
    def shown(self) -> ShownProduct:
        """The query as an answer shows it."""
        first = self.query.photos[0] if self.query.photos else b""
        path = str(first) if isinstance(first, str | Path) and _address(first) is None else ""
        return ShownProduct(Product(", ".join(self.names), self.query.text or ""), path)

    @property
    def scoring(self) -> str:
        """How its scores come about, as far as match probabilities depend on it."""
        query, options = self.query, self.options
        others = {
            "`crops`": options.crops,
            "`text`": query.text is not None,
            "`match`": options.match is not None,
            "several photos": len(query.photos) > 1,
        }
        return " with ".join([options.aggregate, *(name for name, is_there in others.items() if is_there)])


def prepare(
    query: Query, options: SearchOptions, model: Model, settings: Settings, *, judged: bool = True
) -> PreparedQuery:
    """Read and decode a query's photos; ``judged``: its answer is to have match probabilities.

    Raises:
        UsageError: a photo cannot be used, or several are to be explained.
    """
    if options.explain and len(query.photos) > 1:
        raise UsageError("`explain` takes one photo: leave the others out")
    seen = [_decoded(photo, query.crop, model, settings) for photo in query.photos]
    return PreparedQuery(
        query,
        options,
        tuple([model.inputs(each) for each in (with_crops(one) if options.crops else [one])] for one in seen),
        judged and bool(seen) and all(on_plain_background(one) for one in seen),
        small_copy(seen[0], model) if options.explain and seen else None,
    )


def _decoded(photo: Photo, crop: Box | None, model: Model, settings: Settings) -> Image.Image:
    try:
        data = photo_bytes(photo, settings)
        image = decode(data, max_pixels=settings.max_pixels, min_side=_side(model.min_side, crop))
    except ImageError as error:
        raise UsageError(f"the photo {photo_name(photo)} cannot be used: {error.reason}") from error
    return image if crop is None else image.crop(crop.pixels(image.size))


def _side(side: int | None, crop: Box | None) -> int | None:
    """The side that a decoded photo must keep, so that a part of it has as many pixels as the whole would."""
    if crop is None or side is None:
        return side
    if crop.unit == "pixels":  # of the whole photo
        return None
    return int(min(side / min(crop.right - crop.left, crop.bottom - crop.top), WHOLE)) + 1


def photo_bytes(photo: Photo, settings: Settings) -> bytes:
    """The bytes of a photo's file, wherever it is.

    Raises:
        ImageError: it cannot be read or fetched.
    """
    if isinstance(photo, bytes):
        return photo
    address = _address(photo)
    if address is None:
        return read_bytes(Path(photo), settings.max_file_bytes)
    from image_similarity.images import fetch_one  # here: a photo of this machine needs none of it

    return fetch_one(address, settings)


def _address(photo: Photo) -> str | None:
    return parse_address(photo) if isinstance(photo, str) and not os.path.isfile(photo) else None  # noqa: PTH113 (any text)


def photo_name(photo: Photo) -> str:
    """What a photo is called in an answer or a message."""
    if isinstance(photo, bytes):
        return "standard input"
    address = _address(photo)
    if address is None:
        return Path(photo).name
    return "data:" if address.startswith("data:") else PurePosixPath(stable_address(address)).name
