"""Sample a catalogue reproducibly, spread over its products, with bounded memory."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from image_similarity.util.sampling import interleaved

if TYPE_CHECKING:
    from collections.abc import Iterable

    from image_similarity.types import CatalogueImage

CALIBRATION, CHECKED = 300, 500  # images
SMALL = 100  # a catalogue of fewer images uses all of them for both
PRODUCTS, OF_EACH = 1000, 20  # products considered, and images of each


@dataclass(frozen=True, slots=True)
class Sample:
    """Images for calibration and images for the check; disjoint if ``held_out``."""

    calibration: list[CatalogueImage]
    check: list[CatalogueImage]
    held_out: bool


def sample_catalogue(source: Iterable[CatalogueImage]) -> Sample:
    """Choose by the digests of the ids, independently of the catalogue's order.

    The check gets whole products, those with several images first: each image must find another of its product. The
    calibration gets one image of each remaining product, then a second, and so on.
    """
    products = _products(source)
    total = sum(len(images) for images in products)
    if total < SMALL:
        everything = interleaved(products)
        return Sample(everything, everything, held_out=False)
    size = min(CHECKED, total - min(CALIBRATION, total // 2))
    check: list[CatalogueImage] = []
    rest: list[list[CatalogueImage]] = []
    for images in sorted(products, key=lambda images: len(images) == 1):  # stable: by digest within each
        if len(check) + len(images) <= size:
            check += images
        else:
            rest.append(images)
    return Sample(interleaved(rest)[:CALIBRATION], check, held_out=True)


def _products(source: Iterable[CatalogueImage]) -> list[list[CatalogueImage]]:
    """The images of the first products by digest, in the order of the digests."""
    kept: dict[str, dict[str, CatalogueImage]] = {}
    last = ""
    for image in source:
        digest = _digest(image.product_id)
        if last and digest > last:
            continue
        images = kept.setdefault(digest, {})
        images[_digest(image.image_id)] = image
        if len(images) > OF_EACH:
            del images[max(images)]
        if len(kept) > 2 * PRODUCTS:  # a catalogue may be larger than memory
            kept = {each: kept[each] for each in sorted(kept)[:PRODUCTS]}
            last = max(kept)
    return [[images[each] for each in sorted(images)] for _, images in sorted(kept.items())][:PRODUCTS]


def _digest(name: str) -> str:
    return sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
