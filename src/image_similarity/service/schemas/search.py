"""Schemas of searches and their results."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from image_similarity import options as library
from image_similarity.options import Aggregate
from image_similarity.service.schemas.fields import (
    LONGEST_ID,
    LONGEST_NAME,
    Answer,
    Bytes,
    Condition,
    Line,
    Number,
    Share,
    Strict,
)
from image_similarity.service.schemas.images import Crop, GivenImage, Image, ProductImage

MOST_PHOTOS = 8
"""Photos of one product in a search."""
Closeness = Literal["very close", "close", "look-alike"]


def _crop(given: object) -> object:
    """Parse a crop in a form or an address: four numbers with commas."""
    if not isinstance(given, str):
        return given
    try:
        left, top, width, height = (float(each) for each in given.split(","))
    except ValueError:
        raise ValueError("crop is left,top,width,height in shares of the photo, as in 0.1,0.2,0.5,0.6") from None
    return {"left": left, "top": top, "width": width, "height": height}


class SearchOptions(Strict):
    """The options of a search, beside its photo."""

    text: Line | None = Field(default=None, description="Text to search for, alone or with a photo.")
    text_weight: Share = Field(default=0.5, description="Weight of the text beside a photo.")
    number: Annotated[
        Number, BeforeValidator(lambda given: 10 if given is None else given, json_schema_input_type=Number | None)
    ] = 10
    filter: Condition | None = Field(
        default=None, description='Only products that match this condition: `price < 50 and brand = "Kipsta"`.'
    )
    min_match: Share | None = Field(
        default=None, description="Least match probability of a result; needs a calibration of this search."
    )
    aggregate: Aggregate = Field(default="best", description="How scores of image pairs become the product's score.")
    match: library.Match | None = Field(default=None, description="Compare only the shape or only the colour.")
    explain: bool = Field(default=False, description="Explain each result; takes fifty times as long.")
    crops: bool = Field(default=False, description="Search with the photo, its middle and its corners together.")
    model: str | None = Field(
        default=None, max_length=LONGEST_ID, description="One of `GET /v1/models`; without it, the default."
    )

    @property
    def options(self) -> library.SearchOptions:
        """The options as the library's SearchOptions."""
        return library.SearchOptions(
            number=self.number,
            aggregate=self.aggregate,
            filter=self.filter or None,
            min_match=self.min_match,
            explain=self.explain,
            crops=self.crops,
            match=self.match,
        )

    def with_defaults(self, others: SearchOptions) -> Self:
        """A copy with the fields of ``others`` where this one does not set them."""
        return self.model_copy(
            update={name: getattr(others, name) for name in others.model_fields_set - self.model_fields_set}
        )


class SearchRequest(SearchOptions):
    """A photo, or a text where the model supports it, or both."""

    image: GivenImage | None = Field(default=None, description="A text is an address, or the bytes as base64.")
    images: Annotated[list[GivenImage], Field(min_length=1, max_length=MOST_PHOTOS)] | None = Field(
        default=None, description="Several photos of one product, beside or without `image`: the best pair counts."
    )
    crop: Crop | None = Field(default=None, description="Search with this part of the photo only.")

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"image": {"address": "https://example.com/photo.jpg"}, "number": 5}]}
    )

    @property
    def photos(self) -> list[Image | bytes]:
        return [*([self.image] if self.image else ()), *(self.images or ())]


class SearchAddress(SearchOptions):
    """The same options in the address; those of the body take precedence."""

    crop: Annotated[
        Crop | None,
        BeforeValidator(
            _crop, json_schema_input_type=Annotated[str, StringConstraints(max_length=LONGEST_NAME)] | None
        ),
    ] = Field(default=None, description="`left,top,width,height` in shares of the photo: search with this part only.")


class SearchForm(SearchAddress):
    """A photo as a file, or several of one product."""

    file: Annotated[list[Bytes], Field(max_length=MOST_PHOTOS)] = Field(
        default=[], description="The names `image` and `photo` are accepted too."
    )

    @property
    def photos(self) -> list[Image | bytes]:
        return list(self.file)

    @model_validator(mode="before")
    @classmethod
    def _merge_names(cls, given: dict[str, Any]) -> dict[str, Any]:
        files = {name: given[name] for name in ("file", "image", "photo") if isinstance(given.get(name), list)}
        others = {name: value for name, value in given.items() if name not in files}
        return {**others, "file": [file for each in files.values() for file in each]} if files else given


class Part(Answer):
    """One part of a model's score, such as shape or colour."""

    name: str
    share: float = Field(description="Share of the score; the shares of all parts sum to 1.")
    contribution: float = Field(description="Contribution to the cosine; those of all parts sum to it.")
    alike: float = Field(description="The cosine of this part alone.")


class Why(Answer):
    """Why a product was found."""

    parts: list[Part]
    region: str = Field(description="The region of the photo that matched; empty where no region stands out.")
    heat: list[list[float]] = Field(description="How much each cell of the photo, row by row, contributed.")


class Match(Answer):
    """A product found."""

    rank: int
    product_id: str
    title: str
    description: str
    attributes: dict[str, str]
    score: float = Field(description="Cosine of the best pair of images.")
    closeness: Closeness = Field(description="The score in words, relative to scores in this catalogue.")
    probability: float | None = Field(
        description="Probability of the same product; null without a calibration of this search."
    )
    image: ProductImage = Field(description="The image that matched.")
    query_image: ProductImage | None = Field(description="The image of the query product that matched.")
    why: Why | None = Field(default=None, description="Only with `explain`.")


class Matches(Answer):
    """The products most similar to the query, best first."""

    model: str
    matches: list[Match]
    no_match: bool | None = Field(
        description="Whether no product is likely enough; null without a calibration of this search."
    )
    note: str
