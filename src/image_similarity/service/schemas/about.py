"""Schemas of models, the catalogue's state, failures and health."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from image_similarity import options as library
from image_similarity.service.schemas.fields import Answer


class Model(Answer):
    """A served model."""

    name: str
    default: bool
    dimension: int
    precision: str
    text: bool = Field(description="Whether it can be searched by text.")
    match: list[library.Match] = Field(description="The supported values of `match`.")
    calibrated: list[str] = Field(
        description="The searches with match probabilities, and so with `min_match`: `photo`, `several` (photos), "
        "`shape` and `colour` (with `match`), `crops`, `mean` (with `aggregate`)."
    )
    licence: str
    commercial_use: bool


class Models(Answer):
    """The served models, the default first."""

    dataset: str
    models: list[Model]


class AttributeValue(Answer):
    """A value and how many products have it."""

    value: str
    products: int


class Attribute(Answer):
    """An attribute to filter by."""

    name: str
    kind: Literal["text", "number"]
    values: list[AttributeValue] = Field(description="The fifty most frequent values of a text; empty for a number.")
    low: float | None = Field(description="The least value of a number; null for a text.")
    high: float | None = Field(description="The greatest value of a number; null for a text.")


class ModelState(Answer):
    """A model's images and the size of its index."""

    name: str
    images: int
    index_bytes: int


class FailureCount(Answer):
    """How many images could not be used, by job and stage."""

    job: str
    stage: str
    images: int


class Catalogue(Answer):
    """The state of the catalogue."""

    dataset: str
    products: int
    images: int
    failures: list[FailureCount]
    last_fit: str | None = Field(description="When the recommendations were last written; RFC 3339, UTC.")
    models: list[ModelState]
    store_bytes: int
    images_bytes: int = Field(description="Size of the uploaded images.")
    attributes: list[Attribute]


class Failure(Answer):
    """One image that could not be used by the latest run of a job."""

    job: str
    stage: str
    reason: str
    product_id: str
    image_id: str


class Failures(Answer):
    """Images that could not be used."""

    failures: list[Failure]
    next: str | None


class Status(Answer):
    """Whether the service is up, or ready."""

    status: str
