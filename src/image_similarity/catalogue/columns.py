"""Recognise a table's columns by well-known names, in any case and with ``_``, ``-``, spaces or nothing between."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from image_similarity.catalogue.column_names import NO_NAMES, ColumnNames
from image_similarity.catalogue.image_cells import without_surrogates
from image_similarity.catalogue.image_columns import IMAGE, ImageColumns, image_columns
from image_similarity.errors import CatalogueError

__all__ = ["DESCRIPTION", "IMAGE", "IMAGE_ID", "PIXL", "PRODUCT", "TITLE", "Columns", "as_text", "column_key"]

# The first name of a list that a table has wins, so our own names come first, and ambiguous ones
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
DESCRIPTION = [
    *("description", "product_description", "item_description", "long_description", "body", "body_html"),
    *("text", "desc", "short_description", "summary"),
]
PIXL = ["pixl_id", "pixl"]


@dataclass(frozen=True, slots=True)
class Columns:
    """The recognised columns, as spelled in the table; the rest are attributes."""

    product: str | None
    fallback_product: str | None
    """The product column for rows where ``product`` is empty, such as an ID where there is no SKU."""
    images: ImageColumns
    image_id: str | None
    pixl: str | None
    title: str | None
    description: str | None
    attributes: tuple[str, ...]

    @property
    def image(self) -> str | None:
        """The main image column."""
        return self.images.main

    @classmethod
    def of(cls, header: Iterable[str], names: ColumnNames = NO_NAMES) -> Columns:
        """Recognise the columns of a header; ``names`` take precedence over well-known names."""
        return _columns(tuple(header), names)

    @property
    def describe_products(self) -> bool:
        """Whether the table has a title or a description column."""
        return self.title is not None or self.description is not None

    def require(self, where: str, header: Iterable[str], *, image: bool) -> None:
        """Check that the mandatory columns exist.

        Raises:
            CatalogueError: no product column, or no image column if ``image`` is set; lists the existing columns.
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
        """The attributes of a row as text, without empty ones."""
        texts = ((without_surrogates(name), as_text(cells.get(name))) for name in self.attributes)
        return {name: text for name, text in texts if text}


@lru_cache(maxsize=256)  # each row of JSON may have other columns
def _columns(header: tuple[str, ...], given: ColumnNames) -> Columns:
    keyed = [(key, name) for name in header for key in [column_key(name)]]
    names: dict[str, str] = {}
    for key, name in [*keyed, *((_bare_key(name), name) for name in header)]:
        names.setdefault(key, name)

    def first(role: str, known_names: Iterable[str]) -> str | None:
        named = [name for name in given.of(role) if name in header]
        return named[0] if named else next((names[key] for key in map(column_key, known_names) if key in names), None)

    product = first("product", PRODUCT)
    if {"item", "id", "sku"} <= names.keys() and product == names["item"] and not given.of("product"):
        product = names["sku"]  # `Item` is the type of the row: a product, or another image of one
    images = _images(header, given)
    # `id` is the image's in the first version's listings only.
    pixl = first("", [*PIXL, "id"] if product and column_key(product) == "productidmodel" else PIXL)
    if images.main is not None or pixl == product:
        pixl = None
    is_code = product is not None and _bare_key(product) in map(column_key, CODES)
    fallback = names.get("id") if is_code and not given.of("product") else None
    texts = first("image_id", IMAGE_ID), pixl, first("title", TITLE), first("description", DESCRIPTION)
    known = {product, fallback, images.main, *images.additional, *texts}
    return Columns(product, fallback, images, *texts, tuple(name for name in header if name and name not in known))


def _images(header: tuple[str, ...], given: ColumnNames) -> ImageColumns:
    named = [name for name in given.of("image") if name in header]
    if named:
        return ImageColumns(named[0], tuple(named[1:]))
    taken = {name for role in given.roles for name in given.of(role)}
    return image_columns([(_bare_key(name), name) for name in header if name and name not in taken])


def as_text(value: object) -> str:
    """A cell as text: None, NaN and bytes are empty, ``8156287.0`` is ``8156287``, lists and objects are JSON."""
    if value is None or isinstance(value, bytes):
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        if math.isnan(value):
            return ""
        return str(int(value)) if value.is_integer() else str(value)
    text = json.dumps(value, ensure_ascii=False, default=_for_json) if isinstance(value, (list, dict)) else str(value)
    return without_surrogates(text)


def _for_json(value: object) -> object:
    return None if isinstance(value, bytes) else str(value)


def column_key(name: str) -> str:
    """A column's name for comparison: ``Product ID``, ``product-id`` and ``productId`` have the same key."""
    return re.sub(r"[\W_]+", "", name.casefold())


def _bare_key(name: str) -> str:
    """The key without export decorations: ``g:image_link``, ``Name *``, ``Images (x,y,z...)``, ``ID [Read only]``."""
    return column_key(re.sub(r"^[a-z]{1,3}:|\([^()]*\)\s*$|\s\[[^\[\]]*\]\s*$", "", name.strip(), flags=re.IGNORECASE))
