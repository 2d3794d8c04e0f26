"""Schemas of products, and of the changes to them."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, ConfigDict, Field

from image_similarity.service.guards.json_limits import read_json
from image_similarity.service.schemas.fields import MOST_IMAGES, Answer, Attributes, Bytes, Description, Strict, Title
from image_similarity.service.schemas.images import GivenImage, ProductImage


def _json(given: object) -> object:
    """Parse a form field that holds JSON."""
    return read_json(given.encode()) if isinstance(given, str) else given


class Product(Answer):
    """A product and its images."""

    product_id: str
    title: str
    description: str
    attributes: dict[str, str]
    images: list[ProductImage]


REPAIRED = "Number of images whose file was truncated, with almost nothing missing: they are used."


class PutProduct(Product):
    """A product as stored by a PUT."""

    repaired: int = Field(description=REPAIRED)


class ProductPage(Answer):
    """A page of products, in the order of their ids."""

    products: list[Product]
    next: str | None = Field(description="The `after` of the next page; null at the end.")


class ProductTexts(Strict):
    """A product to add or replace, without its images."""

    title: Title = ""
    description: Description = ""
    attributes: Attributes = Field(default_factory=dict)


class ProductForm(Strict):
    """A product to add or replace, with its images as files. Without any, it keeps its images."""

    product: Annotated[ProductTexts, BeforeValidator(_json, json_schema_input_type=ProductTexts)] = ProductTexts()
    images: Annotated[list[Bytes], Field(max_length=MOST_IMAGES, default_factory=list)]


class ProductChange(ProductTexts):
    """A product to add or replace. Without `images`, it keeps its images."""

    images: Annotated[list[GivenImage], Field(min_length=1, max_length=MOST_IMAGES)] | None = None

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "title": "Ball",
                    "attributes": {"brand": "Kipsta", "price": "9.99"},
                    "images": [{"address": "https://example.com/ball.jpg"}],
                }
            ]
        }
    )
