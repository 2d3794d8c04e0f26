"""Schemas of images: a crop, the ways to give an image, an image's addresses, a kept photo."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

from pydantic import BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from image_similarity.catalogue import parse_address
from image_similarity.options import Box
from image_similarity.service.schemas.fields import Address, Answer, File, Share, Strict

TINY = 1e-9
THUMBNAIL = 320  # pixels wide
PhotoId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class Crop(Strict):
    """A part of a photo, in shares of its upright width and height."""

    left: Share
    top: Share
    width: Annotated[float, Field(gt=0, le=1)]
    height: Annotated[float, Field(gt=0, le=1)]

    model_config = ConfigDict(json_schema_extra={"examples": [{"left": 0.1, "top": 0.2, "width": 0.5, "height": 0.6}]})

    @property
    def box(self) -> Box:
        """The crop as the library's Box, never empty."""
        left, top = min(self.left, 1 - TINY), min(self.top, 1 - TINY)
        right, bottom = min(1.0, left + max(self.width, TINY)), min(1.0, top + max(self.height, TINY))
        return Box(left, top, right, bottom, "shares")


class Image(Strict):
    """One image, given in one of three ways."""

    address: Address | None = Field(
        default=None,
        description="A public http or https address; or a `data:` address, which is read as `base64`.",
    )
    base64: str | None = Field(
        default=None,
        description="The bytes of a file; line breaks, the URL alphabet and a `data:` address are accepted.",
    )
    photo: PhotoId | None = Field(default=None, description="What `POST /v1/photos` returned.")

    @model_validator(mode="before")
    @classmethod
    def _data_address_as_base64(cls, given: object) -> object:
        """Read a ``data:`` address as base64: the limit on an address's length must not apply to it."""
        if not isinstance(given, dict) or given.get("base64") is not None:
            return given
        address = given.get("address")
        if not isinstance(address, str) or address.lstrip()[:5].lower() != "data:":
            return given
        return {**given, "address": None, "base64": address.lstrip()}


def _from_text(given: object) -> object:
    """Accept a text as an image: an address, or base64."""
    if not isinstance(given, str):
        return given
    return {"address" if parse_address(given.strip()) is not None else "base64": given}


GivenImage = Annotated[Image, BeforeValidator(_from_text, json_schema_input_type=Image | str)]


class ProductImage(Answer):
    """One image of a product. The addresses are relative to the service."""

    image_id: str
    url: str
    thumbnail: str = Field(description="As `url`; give another `w` for another width.")

    @classmethod
    def of(cls, image_id: str) -> ProductImage:
        url = f"/v1/images/{quote(image_id, safe='')}"
        return cls(image_id=image_id, url=url, thumbnail=f"{url}?w={THUMBNAIL}")


class PhotoForm(Strict):
    """A photo to keep."""

    file: File


class Photo(Answer):
    """A kept photo, to search with again."""

    photo: str
    url: str
    width: int
    height: int
