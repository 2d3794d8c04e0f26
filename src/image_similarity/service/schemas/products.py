"""Products as they are, and as they are to be."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, ConfigDict, Field

from image_similarity.service.guards.json_limits import read_json
from image_similarity.service.schemas.fields import MOST_IMAGES, Answer, Attributes, Bytes, Description, Strict, Title
from image_similarity.service.schemas.images import GivenImage, ProductImage


def _json(given: object) -> object:
    """A field of a form that is JSON."""
    return read_json(given.encode()) if isinstance(given, str) else given


class Product(Answer):
    """A product and its images."""

    product_id: str
    title: str
    description: str
    attributes: dict[str, str]
    images: list[ProductImage]


REPAIRED = "Images whose file was cut short, with almost nothing missing: they are used."


class PutProduct(Product):
    """A product after it was put."""

    repaired: int = Field(description=REPAIRED)


class ProductPage(Answer):
    """A page of products, in the order of their ids."""

    products: list[Product]
    next: str | None = Field(description="The `after` of the next page; null at the end.")


class ProductTexts(Strict):
    """A product to put, without its images."""

    title: Title = ""
    description: Description = ""
    attributes: Attributes = Field(default_factory=dict)


class ProductForm(Strict):
    """A product to put, with its images as files. Without any it keeps those that it has."""

    product: Annotated[ProductTexts, BeforeValidator(_json, json_schema_input_type=ProductTexts)] = ProductTexts()
    images: Annotated[list[Bytes], Field(max_length=MOST_IMAGES, default_factory=list)]


class ProductChange(ProductTexts):
    """A product to put. Without `images` it keeps those that it has."""

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
