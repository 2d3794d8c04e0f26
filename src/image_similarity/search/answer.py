"""An answer as people and programs want it: products with their texts and images, not only ids."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from image_similarity.types import Product, ProductMatch
from image_similarity.util.plain_values import Record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from image_similarity.html import Card, Row, Why
    from image_similarity.search.explanation import Explained
    from image_similarity.store import CatalogueRecords

POINTS = 1.0001  # a cosine never gets here: above it a score is the first version's points
WORDS = (
    (0.75, "very likely the same product"),
    (0.5, "likely the same product"),
    (0.25, "possibly the same product"),
    (0.05, "unlikely"),
    (0.0, "very unlikely"),
)
"""A probability as people say it: from which on, and the words."""


@dataclass(frozen=True, slots=True)
class ShownProduct:
    """A product, or the photo that was asked with, and the path of the image to show."""

    product: Product
    image: str


@dataclass(frozen=True, slots=True)
class Answer(Record):
    """A query and its products, best first. In a notebook it shows as images.

    ``no_match``: that no product is likely enough; None where that was not asked or cannot be said. ``note``: a remark.
    ``explained``: why each match, where that was asked for.

    >>> answer = workspace.search("shop", "photo.jpg", number=2)
    >>> [match.rank for match in answer.matches]
    [1, 2]
    >>> sorted(answer.as_dict())
    ['matches', 'query']
    """

    query: ShownProduct
    matches: list[ProductMatch]
    shown: list[ShownProduct]
    no_match: bool | None = None
    note: str = ""
    explained: Explained | None = None

    def as_dict(self) -> dict[str, Any]:
        """What only a calibration can say is there only where there is one."""
        said: dict[str, Any] = {} if self.no_match is None else {"no_match": self.no_match}
        if self.note:
            said["note"] = self.note
        whys = self.explained.whys if self.explained else [None] * len(self.matches)
        return said | {
            "query": {"product_id": self.query.product.product_id, "title": self.query.product.title}
            | {"image": self.query.image},
            "matches": [
                {
                    "rank": match.rank,
                    "product_id": match.product_id,
                    "score": match.score,
                    **({} if match.probability is None else {"probability": match.probability}),
                    "title": shown.product.title,
                    "description": shown.product.description,
                    "image_id": match.image_id,
                    "query_image_id": match.query_image_id,
                    "image": shown.image,
                    **({"why": why.as_dict()} if why else {}),
                }
                for match, shown, why in zip(self.matches, self.shown, whys, strict=True)
            ],
        }

    def row(self, right: str | None = None) -> Row:
        """The answer as a row of a page; ``right`` is the product that was to be found, where that is known."""
        from image_similarity.html import Row

        cards = [
            _card(shown, match, score, None if right is None else match.product_id == right)
            for match, shown, score in zip(self.matches, self.shown, score_texts(self.matches), strict=True)
        ]
        if self.explained:
            cards = [replace(card, why=self._why(place)) for place, card in enumerate(cards)]
        return Row(_card(self.query), cards, self.note)

    def _why(self, place: int) -> Why | None:
        from image_similarity.html import Why

        explained = self.explained
        return None if explained is None else Why(explained.overlay(place), explained.whys[place].words)

    def _repr_html_(self) -> str:
        from image_similarity.html import fragment

        return fragment([self.row()])


def show_products(
    records: CatalogueRecords | None, folder: Path | None, wanted: Sequence[tuple[str, str]]
) -> list[ShownProduct]:
    """Products with their texts, each with the image that matched, or its first.

    Args:
        records: the catalogue's side of the store; None where there is no store.
        folder: where downloaded images are; None: nobody looks at the images.
        wanted: ids of products, each with the id of the image to show; empty for the product's first.
    """
    if records is None:
        return [ShownProduct(Product(product_id), "") for product_id, _ in wanted]
    products = records.products([product_id for product_id, _ in wanted])
    if folder is None:
        return [ShownProduct(product, "") for product in products]
    images = records.images_to_show(wanted)
    return [
        ShownProduct(product, "" if image is None else str(image.file(folder)))
        for product, image in zip(products, images, strict=True)
    ]


def score_texts(matches: list[ProductMatch]) -> list[str]:
    """The scores of one answer as people read them: cosines, or where one is above 1, the first version's points."""
    points = any(match.score is not None and match.score > POINTS for match in matches)
    return [
        "" if match.score is None else f"{match.score:.0f} points" if points else f"{match.score:.3f}"
        for match in matches
    ]


def probability_text(match: ProductMatch) -> str:
    """How sure a match is as people read it; empty where nobody knows."""
    if match.probability is None:
        return ""
    words = next(words for least, words in WORDS if match.probability >= least)
    return f"{match.probability:.0%}, {words}"


def _card(shown: ShownProduct, match: ProductMatch | None = None, score: str = "", right: bool | None = None) -> Card:
    from image_similarity.html import Card, CardImage

    product = shown.product
    return Card(
        product_id=product.product_id,
        title=product.title,
        description=product.description,
        rank=match.rank if match else None,
        score=match.score if match else None,
        score_text=score,
        image=CardImage(shown.image, product.title or product.product_id),
        marked_right=right,
        probability_text=probability_text(match) if match else "",
    )
