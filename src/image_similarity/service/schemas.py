"""What goes over the wire: every request and every answer, with examples. docs/service.md shows them in use."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal
from urllib.parse import quote

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, WithJsonSchema, model_validator

from image_similarity.catalogue.addresses import as_address
from image_similarity.catalogue.columns import as_text

MOST_NUMBER = 200
"""Products that one answer may have."""
MOST_PRODUCTS = 10_000
"""Products of one bulk import that comes as JSON."""
MOST_PHOTOS = 8
"""Photos of one thing that a search may have."""
MOST_IMAGES = 50
"""Pictures that one product may be given at a time."""
THUMBNAIL = 320  # pixels wide
LONGEST_ID, LONGEST_TEXT, LONGEST_FILTER, LONGEST_ADDRESS, LONGEST_PROSE = 500, 1000, 2000, 2000, 20_000


def _written_out(given: object) -> object:
    """A text as shops' systems send it: numbers are written out, null is an empty one."""
    return as_text(given) if given is None or type(given) in (int, float) else given


Name = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_ID, pattern=r"^[^\x00-\x1f\x7f]+$")]
ProductId = Annotated[Name, BeforeValidator(_written_out, json_schema_input_type=Name | int | float)]
Line = Annotated[str, StringConstraints(max_length=LONGEST_TEXT)]
Title = Annotated[Line, BeforeValidator(_written_out, json_schema_input_type=Line | int | float | None)]
Prose = Annotated[str, StringConstraints(max_length=LONGEST_PROSE)]
Description = Annotated[Prose, BeforeValidator(_written_out, json_schema_input_type=Prose | int | float | None)]
PhotoId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Words = Annotated[str, StringConstraints(max_length=LONGEST_TEXT)]
Condition = Annotated[str, StringConstraints(max_length=LONGEST_FILTER)]
Address = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_ADDRESS)]
Share = Annotated[float, Field(ge=0, le=1)]
Number = Annotated[int, Field(ge=1, le=MOST_NUMBER)]
Like = Literal["shape", "colour"]
MOST_ATTRIBUTES, LONGEST_NAME = 100, 200
"""Attributes of one product, and letters of an attribute's name."""
NAME = re.compile(r"[^\x00-\x1f\x7f]{1,200}")


def _as_texts(value: Any) -> Any:
    """Attributes as texts: shops' systems send numbers, truths and nulls; null is none."""
    if not isinstance(value, dict):
        return value
    texts = dict[str, Any]()
    for name, each in value.items():
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise ValueError(f"an attribute's name has 1 to {LONGEST_NAME} letters and no control characters")
        if isinstance(each, (dict, list)):
            raise ValueError(f"the attribute {name} is a list or an object: give a text, a number, true or false")
        if each is not None:
            texts[name] = as_text(each)
    return texts


Attributes = Annotated[
    dict[str, Words],
    Field(max_length=MOST_ATTRIBUTES),
    BeforeValidator(_as_texts),
    WithJsonSchema(
        {
            "type": "object",
            "maxProperties": MOST_ATTRIBUTES,
            "propertyNames": {"minLength": 1, "maxLength": LONGEST_NAME, "pattern": r"^[^\x00-\x1f\x7f]+$"},
            "additionalProperties": {
                "anyOf": [
                    {"type": "string", "maxLength": LONGEST_TEXT},
                    {"type": "number"},
                    {"type": "boolean"},
                    {"type": "null"},
                ]
            },
        }
    ),
]
Closeness = Literal["very close", "close", "look-alike"]


class Strict(BaseModel):
    """A request: what it does not know, it refuses."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Said(BaseModel):
    """An answer."""

    model_config = ConfigDict(frozen=True)


# Questions ----------------------------------------------------------------------------------------------------------


class Crop(Strict):
    """A part of a photo, in shares of its upright width and height."""

    left: Share
    top: Share
    width: Annotated[float, Field(gt=0, le=1)]
    height: Annotated[float, Field(gt=0, le=1)]

    model_config = ConfigDict(json_schema_extra={"examples": [{"left": 0.1, "top": 0.2, "width": 0.5, "height": 0.6}]})


class Image(Strict):
    """One picture, named in one of three ways."""

    address: Address | None = Field(
        default=None,
        description="An http or https address of the open internet; or a `data:` address, which is taken as `base64`.",
    )
    base64: str | None = Field(
        default=None,
        description="The bytes of a file; a `data:` address, line ends and the alphabet of URLs are taken.",
    )
    photo: PhotoId | None = Field(default=None, description="What `POST /v1/photos` answered.")

    @model_validator(mode="before")
    @classmethod
    def _data_is_no_address(cls, given: object) -> object:
        """A ``data:`` address is the picture itself, and as long as that."""
        if not isinstance(given, dict) or given.get("base64") is not None:
            return given
        address = given.get("address")
        if not isinstance(address, str) or address.lstrip()[:5].lower() != "data:":
            return given
        return {**given, "address": None, "base64": address.lstrip()}


def _named(given: object) -> object:
    """A picture that is no more than a text: its address, or its bytes."""
    if not isinstance(given, str):
        return given
    return {"address" if as_address(given.strip()) is not None else "base64": given}


GivenImage = Annotated[Image, BeforeValidator(_named, json_schema_input_type=Image | str)]


class SearchRequest(Strict):
    """A photo, or words where the model knows words, or both."""

    image: GivenImage | None = Field(default=None, description="A text is an address, or the bytes as base64.")
    images: Annotated[list[GivenImage], Field(min_length=1, max_length=MOST_PHOTOS)] | None = Field(
        default=None, description="Several photos of one thing, beside or in place of `image`: the best pair counts."
    )
    text: Words | None = Field(default=None, description="What to look for, in words.")
    text_weight: Share = Field(default=0.5, description="The share of the words beside a photo.")
    crop: Crop | None = Field(default=None, description="Ask with this part of the photo only.")
    number: Annotated[
        Number, BeforeValidator(lambda given: 10 if given is None else given, json_schema_input_type=Number | None)
    ] = 10
    filter: Condition | None = Field(default=None, description='Only such products: `price < 50 and brand = "Kipsta"`.')
    min_match: Share | None = Field(default=None, description="Leave out products that are less probably it.")
    like: Like | None = Field(default=None, description="Only the shape or only the colour counts.")
    model: str | None = Field(default=None, max_length=LONGEST_ID, description="One of `GET /v1/models`; or the first.")

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"image": {"address": "https://example.com/photo.jpg"}, "number": 5}]}
    )


# Products -----------------------------------------------------------------------------------------------------------


class ProductImage(Said):
    """One picture of a product. The addresses are relative to the service."""

    image_id: str
    url: str
    thumbnail: str = Field(description="As `url`; give another `w` for another width.")

    @classmethod
    def of(cls, image_id: str) -> ProductImage:
        """The addresses of a picture."""
        url = f"/v1/images/{quote(image_id, safe='')}"
        return cls(image_id=image_id, url=url, thumbnail=f"{url}?w={THUMBNAIL}")


class Product(Said):
    """What is sold, and its pictures."""

    product_id: str
    title: str
    description: str
    attributes: dict[str, str]
    images: list[ProductImage]


REPAIRED = (
    "Of the pictures that came with it, those whose file was cut short, with next to nothing missing: they are used."
)


class PutProduct(Product):
    """A product as it is now that it was put."""

    repaired: int = Field(description=REPAIRED)


class ProductPage(Said):
    """Some products, in the order of their ids."""

    products: list[Product]
    next: str | None = Field(description="Give it as `after` to go on; null at the end.")


class ProductChange(Strict):
    """A product as it is to be. Without `images` it keeps those that it has."""

    title: Title = ""
    description: Description = ""
    attributes: Attributes = Field(default_factory=dict)
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


# Answers ------------------------------------------------------------------------------------------------------------


class Match(Said):
    """One product of an answer, best first."""

    rank: int
    product_id: str
    title: str
    description: str
    attributes: dict[str, str]
    score: float = Field(description="Cosine of the best pair of pictures.")
    closeness: Closeness = Field(description="The score in words, measured on this catalogue's own products.")
    probability: float | None = Field(description="Of being the very product; null where that was not calibrated.")
    image: ProductImage = Field(description="The picture that matched.")
    query_image: ProductImage | None = Field(
        description="Of the product that was asked with, the picture that matched."
    )


class Matches(Said):
    """The products that look most like what was asked with."""

    model: str
    matches: list[Match]
    no_match: bool | None = Field(description="That no product is likely enough; null where nobody can say.")
    note: str


class Photo(Said):
    """A photo that is kept, to be asked with again: its address can be shared."""

    photo: str
    url: str
    width: int
    height: int


# Bulk imports -------------------------------------------------------------------------------------------------------


class BulkProduct(ProductChange):
    """A product of a bulk import."""

    product_id: ProductId


class JobRequest(Strict):
    """Products to put, each as `PUT /v1/products/{product_id}` would."""

    products: Annotated[list[BulkProduct], Field(min_length=1, max_length=MOST_PRODUCTS)]


class GivenProducts(Strict):
    """The same before each product is looked at: one that is refused is counted as failed, and costs no other."""

    products: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=MOST_PRODUCTS)]


FEW_PARTS = 5_000
"""Names and values of a request about one thing: a product with all that it may have has some 1,000."""
MOST_PARTS: dict[type[BaseModel], int] = {GivenProducts: 1_000_000}
"""Of the requests that are about many."""


class JobFailure(Said):
    """One product or picture of a bulk import that could not be used."""

    product_id: str
    image: str
    stage: str
    reason: str


class Job(Said):
    """A bulk import."""

    job_id: str
    state: Literal["queued", "running", "done", "failed"]
    total: int | None = Field(description="Products in all; null while nobody knows.")
    done: int
    failed: int
    failures: list[JobFailure] = Field(description="The first hundred.")
    repaired: int = Field(description=REPAIRED)
    notes: list[str] = Field(description="What is to be known of its table: what was guessed, what was left out.")
    reason: str = Field(description="Why it failed as a whole; else empty.")
    created: str = Field(description="RFC 3339, UTC.")
    finished: str | None


# About the service --------------------------------------------------------------------------------------------------


class Model(Said):
    """A model that the service answers with."""

    name: str
    default: bool
    dimension: int
    precision: str
    text: bool = Field(description="Whether it can be searched by words.")
    like: list[Like] = Field(description="What `like` may be.")
    calibrated: bool = Field(description="Whether `min_match` and probabilities are to be had.")
    licence: str
    commercial_use: bool


class Models(Said):
    """The models that the service answers with, the default first."""

    dataset: str
    models: list[Model]


class AttributeValue(Said):
    """A value and how many products have it."""

    value: str
    products: int


class Attribute(Said):
    """What products can be filtered by."""

    name: str
    kind: Literal["text", "number"]
    values: list[AttributeValue] = Field(description="The most frequent, at most fifty; of a text.")
    low: float | None = Field(description="Of a number.")
    high: float | None


class ModelState(Said):
    """What is stored of a model."""

    name: str
    images: int
    index_bytes: int


class FailureCount(Said):
    """How many images could not be used."""

    job: str
    stage: str
    images: int


class Catalogue(Said):
    """The state of the catalogue."""

    dataset: str
    products: int
    images: int
    failures: list[FailureCount]
    last_fit: str | None = Field(description="When the recommendations were last written; RFC 3339, UTC.")
    models: list[ModelState]
    store_bytes: int
    pictures_bytes: int = Field(description="Of the pictures that the service itself keeps.")
    attributes: list[Attribute]


class Failure(Said):
    """One image that could not be used by the latest run of a job."""

    job: str
    stage: str
    reason: str
    product_id: str
    image_id: str


class Failures(Said):
    """Images that could not be used."""

    failures: list[Failure]
    next: str | None


# Marks --------------------------------------------------------------------------------------------------------------


class Mark(Strict):
    """Somebody's word on a result. Give the photo, or the product, that was asked with."""

    photo: PhotoId | None = None
    crop: Crop | None = None
    query_product_id: ProductId | None = None
    product_id: ProductId
    verdict: Literal["good", "bad"]

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"query_product_id": "ball01", "product_id": "ball02", "verdict": "good"}]}
    )


class Marks(Said):
    """How many marks are kept. `evaluate --labels` reads them."""

    good: int
    bad: int
    photos: int
    products: int


class Status(Said):
    """Whether the service is up, or ready."""

    status: str


class FieldProblem(Said):
    """One field that is not what it should be."""

    field: str
    reason: str


class Problem(Said):
    """What went wrong, after RFC 9457."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    request_id: str
    fields: list[FieldProblem] | None = None
