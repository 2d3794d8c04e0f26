"""The answer to a query: products with their texts and images, as JSON and as HTML."""

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

POINTS = 1.0001  # a score above this is no cosine but the first version's points
WORDS = (
    (0.75, "very likely the same product"),
    (0.5, "likely the same product"),
    (0.25, "possibly the same product"),
    (0.05, "unlikely"),
    (0.0, "very unlikely"),
)
"""Minimum probabilities, and how to say them in words."""


@dataclass(frozen=True, slots=True)
class ShownProduct:
    """A product, or the query's photo, and the path of the image to show (empty if there is none)."""

    product: Product
    image: str


@dataclass(frozen=True, slots=True)
class Answer(Record):
    """A query and its matches, best first. A notebook displays it with images.

    Attributes:
        query: the query's product or photo.
        matches: product id, rank, score, probability and images of each match.
        shown: texts and image of each match, in the same order.
        no_match: whether no product is probable enough; None without match probabilities.
        note: a remark, such as that the match probabilities are out of date; may be empty.
        explained: the explanation of each match if ``explain`` was set, else None.

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
        """The answer as plain values for JSON; ``no_match`` and ``probability`` only if the dataset is calibrated."""
        facts: dict[str, Any] = {} if self.no_match is None else {"no_match": self.no_match}
        if self.note:
            facts["note"] = self.note
        whys = self.explained.whys if self.explained else [None] * len(self.matches)
        return facts | {
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
        """The answer as a row of an HTML page; ``right`` is the id of the right product, if it is known."""
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
    records: CatalogueRecords | None, folder: Path | None, ids: Sequence[tuple[str, str]]
) -> list[ShownProduct]:
    """Products with their texts and the image that matched.

    Args:
        records: the catalogue's part of the store; None if there is no store.
        folder: the folder of downloaded images; None: without images.
        ids: product ids, each with the id of the image to show, or empty for the product's first image.
    """
    if records is None:
        return [ShownProduct(Product(product_id), "") for product_id, _ in ids]
    products = records.products([product_id for product_id, _ in ids])
    if folder is None:
        return [ShownProduct(product, "") for product in products]
    images = records.images_to_show(ids)
    return [
        ShownProduct(product, "" if image is None else str(image.file(folder)))
        for product, image in zip(products, images, strict=True)
    ]


def score_texts(matches: list[ProductMatch]) -> list[str]:
    """The scores of one answer as text: cosines, or the first version's points if one is above 1."""
    points = any(match.score is not None and match.score > POINTS for match in matches)
    return [
        "" if match.score is None else f"{match.score:.0f} points" if points else f"{match.score:.3f}"
        for match in matches
    ]


def probability_text(match: ProductMatch) -> str:
    """A match's probability in words; empty if it is not calibrated."""
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
