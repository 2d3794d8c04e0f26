"""What becomes of an image whose id is taken: the same for everybody who reads a catalogue."""

from __future__ import annotations

from dataclasses import replace

from image_similarity.catalogue.addresses import stable_address
from image_similarity.types import CatalogueImage


def resolve_id_clash(image: CatalogueImage, other: CatalogueImage) -> CatalogueImage | str | None:
    """An image whose id another one of the catalogue has: one photo of two products, or photo numbers of each product.

    Returns:
        The image under an id that no other product's has; the reason why it cannot be used where it contradicts another
        one of its own product; None where it is the same line once more.
    """
    if other.product_id != image.product_id:
        return replace(image, image_id=f"{image.image_id}#{image.product_id}")
    if stable_address(other.location) == stable_address(image.location):
        return None
    return f"the image id is already used by {other.location} of product {other.product_id}"
