"""Detect downloaded placeholders: images of a few pixels, or one image for many products."""

from __future__ import annotations

from typing import TYPE_CHECKING

from image_similarity.catalogue import stable_address

if TYPE_CHECKING:
    from collections.abc import Collection

    from image_similarity.catalogue import Listing
    from image_similarity.images import FetchLog

SHOWN_GROUPS, SHOWN_PRODUCTS = 3, 3


def placeholder_notes(log: FetchLog, listing: Listing) -> tuple[str, ...]:
    """Notes on suspicious images of the listing, and on files that it no longer lists."""
    dots, same = set[str](), dict[bytes, tuple[set[str], set[str]]]()
    for image_id, digest, is_dot in log.suspicious():
        image = listing.found_image(image_id)
        if image is None:
            continue
        if is_dot:
            dots.add(image.product_id)
        products, addresses = same.setdefault(digest, (set(), set()))
        products.add(image.product_id)
        addresses.add(stable_address(image.location))
    # One address for several products is intended; the same image at different addresses hardly is.
    groups = [products for products, addresses in same.values() if len(products) > 1 and len(addresses) > 1]
    notes = []
    if dots:
        notes.append(f"{_products(dots)}: an image of a few pixels only, probably a placeholder")
    groups.sort(key=lambda products: (-len(products), min(products)))
    for products in groups[:SHOWN_GROUPS]:
        notes.append(f"{_products(products)}: the same image at different addresses. Is it a placeholder?")
    if len(groups) > SHOWN_GROUPS:
        notes.append(f"{len(groups) - SHOWN_GROUPS} more images are shared by several products at different addresses")
    left = [each for each in log.ids() if not listing.has_image(each) and (log.folder / each).is_file()]
    if left:
        shown = ", ".join(left[:SHOWN_PRODUCTS]) + (", ..." if len(left) > SHOWN_PRODUCTS else "")
        notes.append(
            f"{len(left)} file{'s' if len(left) > 1 else ''} in {log.folder} ({shown}) of images that the "
            "catalogue no longer lists; they can be deleted"
        )
    return tuple(notes)


def _products(ids: Collection[str]) -> str:
    first = sorted(ids)[:SHOWN_PRODUCTS]
    more = ", ..." if len(ids) > len(first) else ""
    return f"{len(ids)} product{'s' if len(ids) > 1 else ''} ({', '.join(first)}{more})"
