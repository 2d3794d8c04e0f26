"""What goes over the wire: every request and every answer, with examples. docs/service.md shows them in use."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self
from urllib.parse import quote

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)

from image_similarity import options as library
from image_similarity.catalogue import as_address, as_text
from image_similarity.options import Aggregate, Box
from image_similarity.service.guards.json_limits import read_json

MOST_NUMBER = 200
"""Products that one answer may have."""
MOST_PRODUCTS = 10_000
"""Products of one bulk import that comes as JSON."""
MOST_PHOTOS = 8
"""Photos of one thing that a search may have."""
MOST_IMAGES = 50
"""Pictures that one product may be given at a time."""
MOST_ATTRIBUTES = 100
TINY = 1e-9
THUMBNAIL = 320  # pixels wide
LONGEST_NAME, LONGEST_ID, LONGEST_TEXT, LONGEST_FILTER, LONGEST_ADDRESS, LONGEST_PROSE = (
    200,
    500,
    1000,
    2000,
    2000,
    20_000,
)
PRINTABLE = r"^[^\x00-\x1f\x7f]+$"


def _written_out(given: object) -> object:
    """A text as shops' systems send it: numbers are written out, null is an empty one."""
    return as_text(given) if given is None or type(given) in (int, float) else given


def _attribute(given: object) -> object:
    """An attribute as shops' systems send it: a number or a truth is written out."""
    if isinstance(given, (dict, list)):
        raise ValueError("it is a list or an object: give a text, a number, true or false")
    return as_text(given)


def _without_nulls(given: object) -> object:
    """Attributes as shops' systems send them: null is none."""
    return {name: value for name, value in given.items() if value is not None} if isinstance(given, dict) else given


def _crop(given: object) -> object:
    """A crop as a form and an address have it."""
    if not isinstance(given, str):
        return given
    try:
        left, top, width, height = (float(each) for each in given.split(","))
    except ValueError:
        raise ValueError("crop is left,top,width,height in shares of the photo, as in 0.1,0.2,0.5,0.6") from None
    return {"left": left, "top": top, "width": width, "height": height}


def _json(given: object) -> object:
    """A field of a form that is JSON."""
    return read_json(given.encode()) if isinstance(given, str) else given


def _file(given: object) -> object:
    """The one file of its name in a form."""
    return given[0] if isinstance(given, list) and len(given) == 1 else given


Name = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_ID, pattern=PRINTABLE)]
ProductId = Annotated[Name, BeforeValidator(_written_out, json_schema_input_type=Name | int | float)]
Line = Annotated[str, StringConstraints(max_length=LONGEST_TEXT)]
Title = Annotated[Line, BeforeValidator(_written_out, json_schema_input_type=Line | int | float | None)]
Prose = Annotated[str, StringConstraints(max_length=LONGEST_PROSE)]
Description = Annotated[Prose, BeforeValidator(_written_out, json_schema_input_type=Prose | int | float | None)]
PhotoId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Condition = Annotated[str, StringConstraints(max_length=LONGEST_FILTER)]
Address = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_ADDRESS)]
Share = Annotated[float, Field(ge=0, le=1)]
Number = Annotated[int, Field(ge=1, le=MOST_NUMBER)]
Closeness = Literal["very close", "close", "look-alike"]
AttributeName = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_NAME, pattern=PRINTABLE)]
GivenAttributes = Annotated[dict[AttributeName, Line | float | bool | None], Field(max_length=MOST_ATTRIBUTES)]
Attributes = Annotated[
    dict[AttributeName, Annotated[Line, BeforeValidator(_attribute)]],
    Field(max_length=MOST_ATTRIBUTES),
    BeforeValidator(_without_nulls, json_schema_input_type=GivenAttributes),
]
Bytes = Annotated[bytes, Field(strict=True)]
File = Annotated[Bytes, BeforeValidator(_file, json_schema_input_type=bytes)]
"""A file of a form."""


class Strict(BaseModel):
    """A request: what it does not know, it refuses."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Answer(BaseModel):
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

    @property
    def box(self) -> Box:
        """The same as the library takes it."""
        left, top = min(self.left, 1 - TINY), min(self.top, 1 - TINY)
        right, bottom = min(1.0, left + max(self.width, TINY)), min(1.0, top + max(self.height, TINY))
        return Box(left, top, right, bottom, "shares")


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


class SearchOptions(Strict):
    """What a search says beside its photo."""

    text: Line | None = Field(default=None, description="What to look for, in words.")
    text_weight: Share = Field(default=0.5, description="The share of the words beside a photo.")
    number: Annotated[
        Number, BeforeValidator(lambda given: 10 if given is None else given, json_schema_input_type=Number | None)
    ] = 10
    filter: Condition | None = Field(default=None, description='Only such products: `price < 50 and brand = "Kipsta"`.')
    min_match: Share | None = Field(default=None, description="Leave out products that are less probably it.")
    aggregate: Aggregate = Field(default="best", description="How the scores of image pairs become a product's.")
    match: library.Match | None = Field(default=None, description="Only the shape or only the colour counts.")
    explain: bool = Field(default=False, description="Say why each product was found; takes fifty times as long.")
    crops: bool = Field(default=False, description="Ask with the photo, its middle and its corners together.")
    model: str | None = Field(default=None, max_length=LONGEST_ID, description="One of `GET /v1/models`; or the first.")

    @property
    def options(self) -> library.SearchOptions:
        """The same as the library takes them."""
        return library.SearchOptions(
            number=self.number,
            aggregate=self.aggregate,
            filter=self.filter or None,
            min_match=self.min_match,
            explain=self.explain,
            crops=self.crops,
            match=self.match,
        )

    def beside(self, others: SearchOptions) -> Self:
        """These, and of others what these do not say."""
        return self.model_copy(
            update={name: getattr(others, name) for name in others.model_fields_set - self.model_fields_set}
        )


class SearchRequest(SearchOptions):
    """A photo, or words where the model knows words, or both."""

    image: GivenImage | None = Field(default=None, description="A text is an address, or the bytes as base64.")
    images: Annotated[list[GivenImage], Field(min_length=1, max_length=MOST_PHOTOS)] | None = Field(
        default=None, description="Several photos of one thing, beside or in place of `image`: the best pair counts."
    )
    crop: Crop | None = Field(default=None, description="Ask with this part of the photo only.")

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"image": {"address": "https://example.com/photo.jpg"}, "number": 5}]}
    )

    @property
    def photos(self) -> list[Image | bytes]:
        return [*([self.image] if self.image else ()), *(self.images or ())]


class SearchAddress(SearchOptions):
    """What a search may say in its address, beside any body that does not say it."""

    crop: Annotated[
        Crop | None,
        BeforeValidator(
            _crop, json_schema_input_type=Annotated[str, StringConstraints(max_length=LONGEST_NAME)] | None
        ),
    ] = Field(default=None, description="`left,top,width,height` in shares of the photo: ask with this part only.")


class SearchForm(SearchAddress):
    """A photo as a file, or several of one thing."""

    file: Annotated[list[Bytes], Field(max_length=MOST_PHOTOS)] = Field(
        default=[], description="`image` and `photo` are other names of it."
    )

    @property
    def photos(self) -> list[Image | bytes]:
        return list(self.file)

    @model_validator(mode="before")
    @classmethod
    def _under_one_name(cls, given: dict[str, Any]) -> dict[str, Any]:
        files = {name: given[name] for name in ("file", "image", "photo") if isinstance(given.get(name), list)}
        others = {name: value for name, value in given.items() if name not in files}
        return {**others, "file": [file for each in files.values() for file in each]} if files else given


class PhotoForm(Strict):
    """A photo to keep."""

    file: File


# Products -----------------------------------------------------------------------------------------------------------


class ProductImage(Answer):
    """One picture of a product. The addresses are relative to the service."""

    image_id: str
    url: str
    thumbnail: str = Field(description="As `url`; give another `w` for another width.")

    @classmethod
    def of(cls, image_id: str) -> ProductImage:
        """The addresses of a picture."""
        url = f"/v1/images/{quote(image_id, safe='')}"
        return cls(image_id=image_id, url=url, thumbnail=f"{url}?w={THUMBNAIL}")


class Product(Answer):
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


class ProductPage(Answer):
    """Some products, in the order of their ids."""

    products: list[Product]
    next: str | None = Field(description="Give it as `after` to go on; null at the end.")


class ProductTexts(Strict):
    """A product as it is to be, without its pictures."""

    title: Title = ""
    description: Description = ""
    attributes: Attributes = Field(default_factory=dict)


class ProductForm(Strict):
    """A product as it is to be, with its pictures as files. Without any it keeps those that it has."""

    product: Annotated[ProductTexts, BeforeValidator(_json, json_schema_input_type=ProductTexts)] = ProductTexts()
    images: Annotated[list[Bytes], Field(max_length=MOST_IMAGES)] = []


class ProductChange(ProductTexts):
    """A product as it is to be. Without `images` it keeps those that it has."""

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


class Part(Answer):
    """One part of a score: what it looks at, and what it gave."""

    name: str
    share: float = Field(description="Of the score; the shares of all parts sum to 1.")
    contribution: float = Field(description="To the cosine; those of all parts sum to it.")
    alike: float = Field(description="The cosine of this part by itself.")


class Why(Answer):
    """Why a product was found."""

    parts: list[Part]
    region: str = Field(description="Where on the photo the match is; empty where no region alone matters.")
    heat: list[list[float]] = Field(description="How much each field of the photo, row by row, carried the match.")


class Match(Answer):
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
    why: Why | None = Field(default=None, description="Only where `explain` asked for it.")


class Matches(Answer):
    """The products that look most like what was asked with."""

    model: str
    matches: list[Match]
    no_match: bool | None = Field(description="That no product is likely enough; null where nobody can say.")
    note: str


class Photo(Answer):
    """A photo that is kept, to be asked with again: its address can be shared."""

    photo: str
    url: str
    width: int
    height: int


# Bulk imports -------------------------------------------------------------------------------------------------------


class JobFailure(Answer):
    """One product or picture of a bulk import that could not be used."""

    product_id: str
    image: str
    stage: str
    reason: str

    @classmethod
    def refused(cls, product_id: str, error: ValidationError) -> Self:
        """A product that is not as products must be."""
        first = error.errors()[0]
        field = ".".join(str(part)[:100] for part in first["loc"]) or "the product"
        reason = f"the product is not as products must be: {field}: {first['msg']}"
        return cls(product_id=product_id, image="", stage="list", reason=reason)


class BulkProduct(ProductChange):
    """A product of a bulk import."""

    product_id: ProductId


def _or_failure(given: Any, _: ValidatorFunctionWrapHandler) -> BulkProduct | JobFailure:
    """A product; one that is refused is counted as failed, and costs no other."""
    try:
        return BulkProduct.model_validate(given)
    except ValidationError as error:
        if not isinstance(given, dict):
            raise
        return JobFailure.refused(as_text(given.get("product_id"))[:LONGEST_ID], error)


class JobRequest(Strict):
    """Products to put, each as `PUT /v1/products/{product_id}` would."""

    products: Annotated[
        list[Annotated[BulkProduct | JobFailure, WrapValidator(_or_failure, json_schema_input_type=BulkProduct)]],
        Field(min_length=1, max_length=MOST_PRODUCTS),
    ]

    @property
    def sound(self) -> list[BulkProduct]:
        """Those that are as products must be."""
        return [each for each in self.products if isinstance(each, BulkProduct)]

    @property
    def refused(self) -> list[JobFailure]:
        """Why the others are not."""
        return [each for each in self.products if isinstance(each, JobFailure)]

    @model_validator(mode="after")
    def _has_a_product(self) -> Self:
        if not self.sound:
            raise ValueError(self.refused[0].reason)
        return self


class TableForm(Strict):
    """A table of products to put, with the addresses of their pictures."""

    file: File = Field(
        description="A CSV, JSON or Parquet table or a feed, as docs/catalogues.md has them: its content says which."
    )


JobState = Literal["queued", "running", "done", "failed"]


class Job(Answer):
    """A bulk import."""

    job_id: str
    state: JobState
    total: int | None = Field(description="Products in all; null while nobody knows.")
    done: int
    failed: int
    failures: list[JobFailure] = Field(description="The first hundred.")
    repaired: int = Field(description=REPAIRED)
    notes: list[str] = Field(description="What is to be known of its table: what was guessed, what was left out.")
    reason: str = Field(description="Why it failed as a whole; else empty.")
    created: str = Field(description="RFC 3339, UTC.")
    finished: str | None


class Jobs(Answer):
    """All bulk imports, the latest first."""

    jobs: list[Job]


# About the service --------------------------------------------------------------------------------------------------


class Model(Answer):
    """A model that the service answers with."""

    name: str
    default: bool
    dimension: int
    precision: str
    text: bool = Field(description="Whether it can be searched by words.")
    match: list[library.Match] = Field(description="What `match` may be.")
    calibrated: bool = Field(description="Whether `min_match` and probabilities are to be had.")
    licence: str
    commercial_use: bool


class Models(Answer):
    """The models that the service answers with, the default first."""

    dataset: str
    models: list[Model]


class AttributeValue(Answer):
    """A value and how many products have it."""

    value: str
    products: int


class Attribute(Answer):
    """What products can be filtered by."""

    name: str
    kind: Literal["text", "number"]
    values: list[AttributeValue] = Field(description="The most frequent, at most fifty; of a text.")
    low: float | None = Field(description="Of a number.")
    high: float | None


class ModelState(Answer):
    """What is stored of a model."""

    name: str
    images: int
    index_bytes: int


class FailureCount(Answer):
    """How many images could not be used."""

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
    pictures_bytes: int = Field(description="Of the pictures that the service itself keeps.")
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


# Feedback -----------------------------------------------------------------------------------------------------------


class Feedback(Strict):
    """Somebody's verdict on a result. Give the photo, or the product, that was the query."""

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
            raise ValueError("feedback names its query: a photo or a query_product_id")
        return self


class FeedbackCounts(Answer):
    """How many verdicts are kept. `evaluate --labels` reads them."""

    good: int
    bad: int
    photos: int
    products: int


class Status(Answer):
    """Whether the service is up, or ready."""

    status: str


class FieldProblem(Answer):
    """One field that is not what it should be."""

    field: str
    reason: str


class Problem(Answer):
    """What went wrong, after RFC 9457."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    request_id: str
    fields: list[FieldProblem] | None = None
