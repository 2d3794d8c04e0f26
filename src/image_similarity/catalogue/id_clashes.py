"""Resolve clashes of image ids within a catalogue, in the same way for every job."""

from __future__ import annotations

from dataclasses import replace

from image_similarity.catalogue.addresses import stable_address
from image_similarity.types import CatalogueImage


def resolve_id_clash(image: CatalogueImage, other: CatalogueImage) -> CatalogueImage | str | None:
    """Resolve an id shared with ``other``: one photo of two products, or ids that are numbered per product.

    Returns:
        The image with an id unique to its product; the reason why it cannot be used, if another image of the same
        product has the id; None for a repeated row.
    """
    if other.product_id != image.product_id:
        return replace(image, image_id=f"{image.image_id}#{image.product_id}")
    if stable_address(other.location) == stable_address(image.location):
        return None
    return f"the image id is already used by {other.location} of product {other.product_id}"
