"""Prepare a query for the network: decode and crop its photos, and make the inputs of each part of the model."""

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
from image_similarity.search.scoring import Scoring, scoring_of
from image_similarity.types import Product

if TYPE_CHECKING:
    from PIL import Image

    from image_similarity.models import Inputs, Model
    from image_similarity.options import Box, Photo, Query, SearchOptions
    from image_similarity.settings import Settings

WHOLE = 1 << 16
"""Pixels per side: more than any accepted image has."""
TEXT_ONLY = "words"


@dataclass(frozen=True, slots=True)
class PreparedQuery:
    """A query, ready to be embedded and ranked.

    Attributes:
        query, options: as requested.
        inputs: for each photo the images to embed: the photo, and with ``crops`` its centre and its corners.
        plain: whether a photo has a plain background; False if there is none, or no calibration that needs it.
        small: a small copy of the photo if the answer is to be explained, else None.
    """

    query: Query
    options: SearchOptions
    inputs: tuple[list[Inputs], ...] = ()
    plain: bool = False
    small: Image.Image | None = None

    @property
    def names(self) -> list[str]:
        """The names of the photos in the answer."""
        return [photo_name(photo) for photo in self.query.photos] or [TEXT_ONLY]

    @property
    def shown(self) -> ShownProduct:
        """The query as an answer shows it."""
        first = self.query.photos[0] if self.query.photos else b""
        path = str(first) if isinstance(first, str | Path) and _address(first) is None else ""
        return ShownProduct(Product(", ".join(self.names), self.query.text or ""), path)

    @property
    def scoring(self) -> Scoring:
        """How it is scored, as far as match probabilities depend on it."""
        return scoring_of(self.query, self.options)


def prepare(
    query: Query, options: SearchOptions, model: Model, settings: Settings, *, calibrated: bool = True
) -> PreparedQuery:
    """Read and decode a query's photos; ``calibrated``: whether match probabilities are needed.

    Raises:
        UsageError: a photo cannot be used, or ``explain`` is set for several photos.
    """
    if options.explain and len(query.photos) > 1:
        raise UsageError("`explain` takes one photo: leave the others out")
    images = [_decoded(photo, query.crop, model, settings) for photo in query.photos]
    return PreparedQuery(
        query,
        options,
        tuple([model.inputs(each) for each in (with_crops(image) if options.crops else [image])] for image in images),
        calibrated and any(on_plain_background(image) for image in images),
        small_copy(images[0], model) if options.explain and images else None,
    )


def _decoded(photo: Photo, crop: Box | None, model: Model, settings: Settings) -> Image.Image:
    try:
        data = photo_bytes(photo, settings)
        image = decode(data, max_pixels=settings.max_pixels, min_side=_side(model.min_side, crop))
    except ImageError as error:
        raise UsageError(f"the photo {photo_name(photo)} cannot be used: {error.reason}") from error
    return image if crop is None else image.crop(crop.pixels(image.size))


def _side(side: int | None, crop: Box | None) -> int | None:
    """The minimum side to decode a photo at, so that its crop has enough pixels for the model."""
    if crop is None or side is None:
        return side
    if crop.unit == "pixels":  # the box refers to the photo's full size
        return None
    return int(min(side / min(crop.right - crop.left, crop.bottom - crop.top), WHOLE)) + 1


def photo_bytes(photo: Photo, settings: Settings) -> bytes:
    """The bytes of a photo's file, read from a path or fetched from a URL.

    Raises:
        ImageError: it cannot be read or fetched.
    """
    if isinstance(photo, bytes):
        return photo
    address = _address(photo)
    if address is None:
        return read_bytes(Path(photo), settings.max_file_bytes)
    from image_similarity.images import fetch_one  # here: a local photo does not need it

    return fetch_one(address, settings)


def _address(photo: Photo) -> str | None:
    return parse_address(photo) if isinstance(photo, str) and not os.path.isfile(photo) else None  # noqa: PTH113 (any text)


def photo_name(photo: Photo) -> str:
    """A photo's name in answers and messages."""
    if isinstance(photo, bytes):
        return "standard input"
    address = _address(photo)
    if address is None:
        return Path(photo).name
    return "data:" if address.startswith("data:") else PurePosixPath(stable_address(address)).name
