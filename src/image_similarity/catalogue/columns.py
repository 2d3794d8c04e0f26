"""Which column of a table says what: well-known names, in any case and with any of ``_``, ``-`` or a space between."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from image_similarity.errors import CatalogueError

# The first name of each line that a table has wins, so that our own names stand first, and general ones
# (an `url` may be a product's page, an `id` may be anything's) last.
PRODUCT = [
    *("product_id", "product_id_model", "item_id", "product", "item", "model_id", "article_id", "parent_asin", "asin"),
    *("style_id", "sku", "product_code", "item_code", "product_number", "id"),
]
IMAGE = [
    *("image", "images", "image_path", "image_paths", "path", "paths", "image_file", "file", "filename", "file_name"),
    *("image_url", "image_urls", "image_link", "image_address", "image_location", "location", "url", "urls"),
    *("address", "addresses", "photo", "photos", "picture", "pictures", "img", "img_url", "src"),
]
IMAGE_ID = ["image_id", "img_id", "photo_id", "picture_id"]
TITLE = ["title", "name", "product_name", "product_title", "product_display_name", "item_name", "item_title"]
DESCRIPTION = ["description", "product_description", "item_description", "long_description", "body", "text", "desc"]
PIXL = ["pixl_id", "pixl"]


@dataclass(frozen=True, slots=True)
class Columns:
    """The names, as the table spells them, of the columns that were recognised; the rest are attributes."""

    product: str | None
    image: str | None
    image_id: str | None
    pixl: str | None
    title: str | None
    description: str | None
    attributes: tuple[str, ...]

    @classmethod
    def of(cls, header: Iterable[str]) -> Columns:
        """Recognise the columns of a header."""
        header = tuple(header)
        names: dict[str, str] = {}
        for name in header:
            names.setdefault(plain(name), name)

        def first(wanted: Iterable[str]) -> str | None:
            return next((names[key] for key in map(plain, wanted) if key in names), None)

        product, image = first(PRODUCT), first(IMAGE)
        # In the first version's listings `id` is the image's; nowhere else.
        pixl = first([*PIXL, "id"] if product and plain(product) == "productidmodel" else PIXL)
        if image is not None or pixl == product:
            pixl = None
        known = (product, image, first(IMAGE_ID), pixl, first(TITLE), first(DESCRIPTION))
        return cls(*known, tuple(name for name in header if name and name not in known))

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
            f"or {examples[-1]}"
        )

    def attributes_of(self, cells: Mapping[str, object]) -> dict[str, str]:
        """The other cells of a row, as text, without the empty ones."""
        texts = ((name, as_text(cells.get(name))) for name in self.attributes)
        return {name: text for name, text in texts if text}


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
    # JSON can spell half of a surrogate pair, which no file and no database takes.
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _for_json(value: object) -> object:
    return None if isinstance(value, bytes) else str(value)


def plain(name: str) -> str:
    """``Product ID``, ``product-id`` and ``productId`` are one name."""
    return re.sub(r"[\W_]+", "", name.casefold())
