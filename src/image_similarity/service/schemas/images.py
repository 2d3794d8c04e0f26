"""Images: parts of one, ways to give one, and where one is."""

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
        """The same as the library takes it."""
        left, top = min(self.left, 1 - TINY), min(self.top, 1 - TINY)
        right, bottom = min(1.0, left + max(self.width, TINY)), min(1.0, top + max(self.height, TINY))
        return Box(left, top, right, bottom, "shares")


class Image(Strict):
    """One image, given in one of three ways."""

    address: Address | None = Field(
        default=None,
        description="An http or https address of the open internet; or a `data:` address, which is taken as `base64`.",
    )
    base64: str | None = Field(
        default=None,
        description="The bytes of a file; a `data:` address, line ends and the alphabet of URLs are taken.",
    )
    photo: PhotoId | None = Field(default=None, description="What `POST /v1/photos` returned.")

    @model_validator(mode="before")
    @classmethod
    def _data_is_no_address(cls, given: object) -> object:
        """A ``data:`` address is the image itself, and as long as that."""
        if not isinstance(given, dict) or given.get("base64") is not None:
            return given
        address = given.get("address")
        if not isinstance(address, str) or address.lstrip()[:5].lower() != "data:":
            return given
        return {**given, "address": None, "base64": address.lstrip()}


def _named(given: object) -> object:
    """An image that is no more than a text: its address, or its bytes."""
    if not isinstance(given, str):
        return given
    return {"address" if parse_address(given.strip()) is not None else "base64": given}


GivenImage = Annotated[Image, BeforeValidator(_named, json_schema_input_type=Image | str)]


class ProductImage(Answer):
    """One image of a product. The addresses are relative to the service."""

    image_id: str
    url: str
    thumbnail: str = Field(description="As `url`; give another `w` for another width.")

    @classmethod
    def of(cls, image_id: str) -> ProductImage:
        """The addresses of an image."""
        url = f"/v1/images/{quote(image_id, safe='')}"
        return cls(image_id=image_id, url=url, thumbnail=f"{url}?w={THUMBNAIL}")


class PhotoForm(Strict):
    """A photo to keep."""

    file: File


class Photo(Answer):
    """A kept photo to search with again; its address can be shared."""

    photo: str
    url: str
    width: int
    height: int
