"""Addresses that contain the image itself: ``data:image/png;base64,...``."""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from urllib.parse import unquote_to_bytes

from image_similarity.images.urls import AddressError


def data_uri(jpeg: bytes) -> str:
    """A ``data:`` address that contains a JPEG."""
    return "data:image/jpeg;base64," + b64encode(jpeg).decode("ascii")


def decode_data_uri(address: str) -> bytes:
    """The bytes that a ``data:`` address contains.

    Raises:
        AddressError: there are none, or the base64 is damaged.
    """
    kind, comma, content = address.partition(",")
    if not comma:
        raise AddressError("a data: address without a comma holds no image")
    data = unquote_to_bytes(content)
    if kind.rstrip().lower().endswith(";base64"):
        packed = b"".join(data.split()).translate(bytes.maketrans(b"-_", b"+/")).rstrip(b"=")
        try:
            data = b64decode(packed + b"=" * (-len(packed) % 4), validate=True)
        except (binascii.Error, ValueError):
            raise AddressError("a data: address whose base64 is damaged holds no image") from None
    if not data:
        raise AddressError("a data: address without content holds no image")
    return data
