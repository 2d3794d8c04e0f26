"""Schemas of bulk imports."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, ValidatorFunctionWrapHandler, WrapValidator, model_validator

from image_similarity.catalogue import as_text
from image_similarity.service.schemas.fields import LONGEST_ID, Answer, File, ProductId, Strict
from image_similarity.service.schemas.products import REPAIRED, ProductChange

MOST_PRODUCTS = 10_000
"""Products of one bulk import as JSON."""


class JobFailure(Answer):
    """One product or image of a bulk import that could not be used."""

    product_id: str
    image: str
    stage: str
    reason: str

    @classmethod
    def refused(cls, product_id: str, error: ValidationError) -> Self:
        """The failure of a product that does not fit the schema."""
        first = error.errors()[0]
        field = ".".join(str(part)[:100] for part in first["loc"]) or "the product"
        reason = f"the product is invalid: {field}: {first['msg']}"
        return cls(product_id=product_id, image="", stage="list", reason=reason)


class BulkProduct(ProductChange):
    """A product of a bulk import."""

    product_id: ProductId


def _or_failure(given: Any, _: ValidatorFunctionWrapHandler) -> BulkProduct | JobFailure:
    """Validate a product; an invalid one becomes a failure and does not affect the others."""
    try:
        return BulkProduct.model_validate(given)
    except ValidationError as error:
        if not isinstance(given, dict):
            raise
        return JobFailure.refused(as_text(given.get("product_id"))[:LONGEST_ID], error)


class JobRequest(Strict):
    """Products to add or replace, each as by `PUT /v1/products/{product_id}`."""

    products: Annotated[
        list[Annotated[BulkProduct | JobFailure, WrapValidator(_or_failure, json_schema_input_type=BulkProduct)]],
        Field(min_length=1, max_length=MOST_PRODUCTS),
    ]

    @property
    def valid(self) -> list[BulkProduct]:
        """The valid products."""
        return [each for each in self.products if isinstance(each, BulkProduct)]

    @property
    def refused(self) -> list[JobFailure]:
        """The failures of the invalid products."""
        return [each for each in self.products if isinstance(each, JobFailure)]

    @model_validator(mode="after")
    def _has_a_product(self) -> Self:
        if not self.valid:
            raise ValueError(self.refused[0].reason)
        return self


class TableForm(Strict):
    """A table of products to add or replace, with the addresses of their images."""

    file: File = Field(
        description="A CSV, JSON or Parquet table or a feed, as in docs/catalogues.md; recognised by its content."
    )


JobState = Literal["queued", "running", "done", "failed"]


class Job(Answer):
    """A bulk import."""

    job_id: str
    state: JobState
    total: int | None = Field(description="Number of products; null while unknown.")
    done: int
    failed: int
    failures: list[JobFailure] = Field(description="The first hundred.")
    repaired: int = Field(description=REPAIRED)
    notes: list[str] = Field(description="On the table: what was guessed, what was left out.")
    reason: str = Field(description="Why the whole import failed; else empty.")
    created: str = Field(description="RFC 3339, UTC.")
    finished: str | None


class Jobs(Answer):
    """All bulk imports, the latest first."""

    jobs: list[Job]
