"""Which column of a table says what: well-known names, in any case and with any of ``_``, ``-`` or a space between."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from image_similarity.catalogue.column_names import NO_NAMES, ColumnNames
from image_similarity.catalogue.image_cells import whole_text
from image_similarity.catalogue.image_columns import IMAGE, ImageColumns, image_columns
from image_similarity.errors import CatalogueError

__all__ = ["DESCRIPTION", "IMAGE", "IMAGE_ID", "PIXL", "PRODUCT", "TITLE", "Columns", "as_text", "column_key"]

# The first name of each line that a table has wins, so that our own names stand first, and general ones
# (an `id` may be anything's) last.
CODES = ["sku", "item_sku", "seller_sku", "product_code", "item_code", "product_number"]
PRODUCT = [
    *("product_id", "product_id_model", "item_id", "product", "item", "model_id", "article_id", "parent_asin", "asin"),
    *("style_id", "handle_id", *CODES, "id", "handle", "custom_label", "offer_id", "article_number", "item_number"),
    *(
        "part_number",
        "identifier",
        "ordernumber",
        "aw_product_id",
        "merchant_product_id",
        "artikelnummer",
        "artikel_nr",
    ),
    *("product_reference", "reference", "ean", "ean13", "gtin", "upc", "isbn", "barcode", "mpn"),
]
IMAGE_ID = ["image_id", "img_id", "photo_id", "picture_id"]
TITLE = ["title", "name", "product_name", "product_title", "product_display_name", "item_name", "item_title"]
DESCRIPTION = ["description", "product_description", "item_description", "long_description", "body", "text", "desc"]
PIXL = ["pixl_id", "pixl"]


@dataclass(frozen=True, slots=True)
class Columns:
    """The names, as the table spells them, of the columns that were recognised; the rest are attributes."""

    product: str | None
    product_instead: str | None
    """Names the product in rows where ``product`` is empty: the ID of what has no SKU."""
    images: ImageColumns
    image_id: str | None
    pixl: str | None
    title: str | None
    description: str | None
    attributes: tuple[str, ...]

    @property
    def image(self) -> str | None:
        """The main column of images."""
        return self.images.main

    @classmethod
    def of(cls, header: Iterable[str], names: ColumnNames = NO_NAMES) -> Columns:
        """Recognise the columns of a header; ``names`` go before the well-known ones."""
        return _columns(tuple(header), names)

    @property
    def describe_products(self) -> bool:
        """Whether the table knows more of a product than its id."""
        return self.title is not None or self.description is not None

    def require(self, where: str, header: Iterable[str], *, image: bool) -> None:
        """Refuse a table that cannot be a catalogue, naming the columns that it has.

        Raises:
            CatalogueError: no product column, or no image column where ``image`` asks for one.
        """
        if self.product is None:
            missing, examples = "product", PRODUCT[:3]
        elif image and self.image is None and self.pixl is None:
            missing, examples = "image", ["image", "path", "image_url"]
        else:
            return
        there = ", ".join(name for name in header if name) or "none at all"
        raise CatalogueError(
            f"{where} has no {missing} column. It has: {there}. Name one of them {', '.join(examples[:-1])} "
            f"or {examples[-1]}, or map it with {missing}=NAME"
        )

    def attributes_of(self, cells: Mapping[str, object]) -> dict[str, str]:
        """The other cells of a row, as text, without the empty ones."""
        texts = ((whole_text(name), as_text(cells.get(name))) for name in self.attributes)
        return {name: text for name, text in texts if text}


@lru_cache(maxsize=256)  # rows of JSON may each have columns of their own
def _columns(header: tuple[str, ...], given: ColumnNames) -> Columns:
    keyed = [(key, name) for name in header for key in [column_key(name)]]
    names: dict[str, str] = {}
    for key, name in [*keyed, *((_bare(name), name) for name in header)]:
        names.setdefault(key, name)

    def first(role: str, wanted: Iterable[str]) -> str | None:
        named = [name for name in given.of(role) if name in header]
        return named[0] if named else next((names[key] for key in map(column_key, wanted) if key in names), None)

    product = first("product", PRODUCT)
    if {"item", "id", "sku"} <= names.keys() and product == names["item"] and not given.of("product"):
        product = names["sku"]  # `Item` says what the row is: a product, or one more image of one
    images = _images(header, given)
    # In the first version's listings `id` is the image's; nowhere else.
    pixl = first("", [*PIXL, "id"] if product and column_key(product) == "productidmodel" else PIXL)
    if images.main is not None or pixl == product:
        pixl = None
    instead = (
        names.get("id") if product and _bare(product) in map(column_key, CODES) and not given.of("product") else None
    )
    texts = first("image_id", IMAGE_ID), pixl, first("title", TITLE), first("description", DESCRIPTION)
    known = {product, instead, images.main, *images.further, *texts}
    return Columns(product, instead, images, *texts, tuple(name for name in header if name and name not in known))


def _images(header: tuple[str, ...], given: ColumnNames) -> ImageColumns:
    named = [name for name in given.of("image") if name in header]
    if named:
        return ImageColumns(named[0], tuple(named[1:]))
    taken = {name for role in given.roles for name in given.of(role)}
    return image_columns([(_bare(name), name) for name in header if name and name not in taken])


def as_text(value: object) -> str:
    """A cell as text: none and NaN are empty, ``8156287.0`` is ``8156287``, lists and objects are JSON, bytes empty."""
    if value is None or isinstance(value, bytes):
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        if math.isnan(value):
            return ""
        return str(int(value)) if value.is_integer() else str(value)
    text = json.dumps(value, ensure_ascii=False, default=_for_json) if isinstance(value, (list, dict)) else str(value)
    return whole_text(text)


def _for_json(value: object) -> object:
    return None if isinstance(value, bytes) else str(value)


def column_key(name: str) -> str:
    """``Product ID``, ``product-id`` and ``productId`` are one name."""
    return re.sub(r"[\W_]+", "", name.casefold())


def _bare(name: str) -> str:
    """The same without what exports add: ``g:image_link``, ``Name *``, ``Images (x,y,z...)``, ``ID [Read only]``."""
    return column_key(re.sub(r"^[a-z]{1,3}:|\([^()]*\)\s*$|\s\[[^\[\]]*\]\s*$", "", name.strip(), flags=re.IGNORECASE))
