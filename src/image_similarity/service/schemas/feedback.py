"""Schemas of feedback on results."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import ConfigDict, model_validator

from image_similarity.service.schemas.fields import Answer, ProductId, Strict
from image_similarity.service.schemas.images import Crop, PhotoId


class Feedback(Strict):
    """A verdict on a result. Give its query: a photo or a product."""

    photo: PhotoId | None = None
    crop: Crop | None = None
    query_product_id: ProductId | None = None
    product_id: ProductId
    verdict: Literal["good", "bad"]

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"query_product_id": "ball01", "product_id": "ball02", "verdict": "good"}]}
    )

    @model_validator(mode="after")
    def _has_one_query(self) -> Self:
        if (self.photo is None) == (self.query_product_id is None):
            raise ValueError("give the query of the feedback: a photo or a query_product_id")
        return self


class FeedbackCounts(Answer):
    """The number of stored verdicts, and of the photos and products that were their queries."""

    good: int
    bad: int
    photos: int
    products: int
