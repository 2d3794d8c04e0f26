"""The bytes of an image in a request: a file, an address, base64, or a kept photo."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

from image_similarity.images import ImageData, SpooledImage
from image_similarity.service.errors import UnusableError
from image_similarity.service.guards.fetching import fetch_into

if TYPE_CHECKING:
    from image_similarity.service import schemas
    from image_similarity.service.app_state import AppState


URL_ALPHABET = str.maketrans("-_", "+/")


async def image_data(state: AppState, image: schemas.Image | bytes) -> ImageData:
    """The bytes of an image; those that are fetched are spooled to the disk.

    Raises:
        UnusableError: it is not given in exactly one way, is not base64, or is not kept any longer.
        ImageError: it cannot be fetched.
    """
    if isinstance(image, bytes):
        return image
    given = [way for way in (image.address, image.base64, image.photo) if way is not None]
    if len(given) != 1:
        raise UnusableError("give an image by one of address, base64 and photo")
    if image.address is not None:
        spooled = SpooledImage(state.settings.root)
        await fetch_into(spooled, image.address, state.fetching, resolve=state.resolve)
        return spooled
    if image.photo is not None:
        kept = await state.work(state.photos.find, image.photo)
        if kept is None:
            raise UnusableError("the photo is not kept any longer: send it again")
        return kept
    return await state.work(from_base64, image.base64 or "")


def from_base64(text: str) -> bytes:
    """Decode base64, leniently: wrapped, without padding, with the URL alphabet, or as a ``data:`` address.

    Raises:
        UnusableError: it is not base64.
    """
    if text[:5].lower() == "data:":
        head, _, text = text.partition(",")
        if not head.lower().endswith(";base64"):
            raise UnusableError("the data: address is not base64")
    packed = "".join(text.split()).translate(URL_ALPHABET).rstrip("=")
    try:
        return base64.b64decode(packed + "=" * (-len(packed) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise UnusableError("the image is not base64") from None
