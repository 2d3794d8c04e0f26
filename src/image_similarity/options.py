"""Every option of every call, once: frozen records with their defaults and checks.

A command turns its flags into one of these and hands it on; nobody takes it apart on the way. An error names an option
in backquotes, as it is spelled here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar, get_args

from image_similarity.errors import UsageError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    R = TypeVar("R", bound=DataclassInstance)

Aggregate = Literal["best", "mean", "votes"]
"""How the scores of image pairs become a product's: the best pair, the mean of all, or the first version's votes."""
Match = Literal["shape", "colour"]
"""What alone counts: the same thing in other colours, or other things in the same colours."""
Precision = Literal["auto", "fp32", "bf16", "int8"]
"""How finely a network computes. ``auto``: what the dataset has features of, else what the processor likes."""
Photo = str | Path | bytes
"""A path, an address, or the bytes of a file."""
Columns = Mapping[str, str | Sequence[str]]
"""Which column of a table is the ``product``, the ``image`` (or several), the ``image_id``, the ``title``, the
``description``, where their names are not known: ``{"image": ["Photo", "Photo 2"]}``."""
Headers = Mapping[str, str | Mapping[str, str]]
"""``{"images.example": {"Authorization": "Bearer ..."}}``: by host, with its port where only that one counts, or ``*``
for whichever host an image is listed at. Or ``{"Authorization": ...}``: for the only host that the catalogue lists."""
IN_USE = ""
"""The name of the model that a dataset uses where nobody names one."""


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """A model as somebody asks for it.

    Attributes:
        name: from the table, ``timm:NAME``, the path of a ``.toml`` description, several side by side
            (``VGG+0.2*colour``), or with what was learned for them (``VGG+adapted``).
        weights: a local file in place of the download.
        weights_digest: MD5 or SHA-256 of one's own weights in place of the official ones.
        precision: how finely it computes.
        force_int8: use an int8 network although its check says that it is too far from fp32.

    Raises:
        UsageError: there is no such precision.

    >>> from image_similarity import ModelChoice
    >>> answer = workspace.search("shop", "photo.jpg", model=ModelChoice("colour-shape"))
    """

    name: str
    weights: Path | None = None
    weights_digest: str | None = None
    precision: Precision = "auto"
    force_int8: bool = False

    def __post_init__(self) -> None:
        _one_of("precision", self.precision, Precision)
        if self.force_int8 and self.precision != "int8":
            raise UsageError("`force_int8` goes with `precision` int8")

    @property
    def is_description(self) -> bool:
        """Whether the name is the path of a ``.toml`` file."""
        return self.name.endswith(".toml")

    @property
    def is_timm(self) -> bool:
        """Whether the name is that of a network of timm's, as in ``timm:resnet50.a1_in1k``."""
        return self.name.startswith("timm:")


# Reading a catalogue ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class DownloadOptions:
    """How images are downloaded, and how often a failed download is tried again. Times are in seconds.

    Raises:
        UsageError: a number that is no number of tries, of connections or of requests.

    >>> from image_similarity import DownloadOptions
    >>> DownloadOptions(per_second=5).concurrency
    16
    """

    concurrency: int = 16
    per_second: float | None = None
    """At most so many requests a second, redirects and tries included; None: as fast as it goes."""
    refresh: bool = False
    """Ask again for the files that are there, and take them if they have changed."""
    tries: int = 5
    base_delay: float = 0.5
    """The first wait after a failed try, on average three quarters of it; each further one is twice as long."""
    longest_delay: float = 60.0
    """No wait is longer, whatever a server asks for."""
    timeout: float = 30.0
    """To connect, and between two pieces of an answer."""
    headers: Headers = field(default_factory=dict, repr=False)
    """Headers of one's own, by the host that they are for."""

    def __post_init__(self) -> None:
        for name in ("concurrency", "tries"):
            if getattr(self, name) < 1:
                raise UsageError(f"`{name}` must be 1 or more, not {getattr(self, name)}")
        if self.per_second is not None and not self.per_second > 0:
            raise UsageError(f"`per_second` must be more than 0, not {self.per_second}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractOptions:
    """How a catalogue is read and its images are downloaded.

    >>> from image_similarity import ExtractOptions
    >>> ExtractOptions(columns={"image": ["Photo", "Photo 2"]}, allow_removal=True).products is None
    True
    """

    products: str | Path | None = None
    """A table of titles and descriptions, where the catalogue has them apart."""
    columns: Columns | None = None
    downloads: DownloadOptions = DownloadOptions()
    allow_removal: bool = False
    """Go on however many products the catalogue lists no longer, see ``Settings.max_removal``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FitOptions(ExtractOptions):
    """What to fit with, and which recommendations to write.

    Raises:
        UsageError: an option is out of its range.

    >>> from image_similarity import FitOptions
    >>> options = FitOptions(model="colour-shape", number=5)
    >>> workspace.fit("toys", "photos", options).model_key
    'colour-shape'
    """

    model: str | ModelChoice = IN_USE
    data_augmentation: int = 0
    """1: embed six views of each image; 0: the image alone."""
    download: bool = True
    """Download what is not here of a catalogue of addresses; False: take what :meth:`Workspace.extract` has brought."""
    number: int = 10
    """Recommendations for each product."""
    aggregate: Aggregate = "best"

    def __post_init__(self) -> None:
        _augmentation(self.data_augmentation)
        _ranking(self.number, self.aggregate)

    @property
    def choice(self) -> ModelChoice:
        """The model, where only a name was given too."""
        return as_choice(self.model)


# Asking -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Box:
    """A part of an upright photo: ``left``, ``top``, ``right``, ``bottom``, in pixels, or in shares of its sides.

    Raises:
        UsageError: it is empty, or not on the photo.

    >>> from image_similarity import Box
    >>> Box(0.25, 0, 0.75, 1, unit="shares").pixels((400, 300))
    (100, 0, 300, 300)
    """

    left: float
    top: float
    right: float
    bottom: float
    unit: Literal["pixels", "shares"] = "pixels"

    def __post_init__(self) -> None:
        most = 1.0 if self.unit == "shares" else float("inf")
        if not (0 <= self.left < self.right <= most and 0 <= self.top < self.bottom <= most):
            raise UsageError(f"`crop` is left, top, right and bottom of a part of the photo, not {self}")

    def pixels(self, size: tuple[int, int]) -> tuple[int, int, int, int]:
        """The box on a photo of ``(width, height)`` pixels: at least one pixel, and nothing beside the photo."""
        across, down = size if self.unit == "shares" else (1, 1)
        left, top = min(int(self.left * across), size[0] - 1), min(int(self.top * down), size[1] - 1)
        right = min(size[0], max(left + 1, round(self.right * across)))
        bottom = min(size[1], max(top + 1, round(self.bottom * down)))
        return left, top, right, bottom


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What is searched for: a photo, several photos of one thing, a text, or both.

    Raises:
        UsageError: there is nothing to search for, or the weight is no share.

    >>> from image_similarity import Box, Query
    >>> query = Query(photo="photo.jpg", crop=Box(0, 0, 200, 200))
    >>> query.photos
    ('photo.jpg',)
    """

    photo: Photo | Sequence[Photo] | None = None
    text: str | None = None
    """What the products should be like, for models that know words."""
    text_weight: float = 0.5
    """The text's share beside a photo: 0 is the photo alone, 1 the text alone."""
    crop: Box | None = None
    """The part of the photo to search with."""

    def __post_init__(self) -> None:
        if self.text is not None and not self.text.strip():
            raise UsageError("`text` is empty: say what to search for")
        if self.text is None and not self.photos:
            raise UsageError("there is nothing to search for: give a photo, or words with `text`")
        if not 0 <= self.text_weight <= 1:
            raise UsageError(f"`text_weight` is a share from 0 to 1, not {self.text_weight}")
        if self.crop is not None and len(self.photos) != 1:
            raise UsageError("`crop` is of one photo")

    @property
    def photos(self) -> tuple[Photo, ...]:
        """The photos, none or one or several."""
        if self.photo is None:
            return ()
        return (self.photo,) if isinstance(self.photo, str | Path | bytes) else tuple(self.photo)

    @classmethod
    def of(cls, asked: Query | Photo | Sequence[Photo] | None, **changes: Any) -> Self | Query:
        """A photo, or several, as a query; a query stays what it is but for the changes."""
        if isinstance(asked, Query):
            return merge_options(Query, asked, changes)
        return merge_options(Query, None, {"photo": asked, **changes})


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchOptions:
    """How to search, and which answers to give.

    Raises:
        UsageError: an option is out of its range.

    >>> from image_similarity import SearchOptions
    >>> options = SearchOptions(number=2, filter="price < 100")
    >>> len(workspace.search("shop", "photo.jpg", options).matches)
    2
    """

    number: int = 10
    aggregate: Aggregate = "best"
    filter: str | None = None
    """Only products with certain attributes: ``'price < 50 and brand in ("a", "b")'``, see docs/answers.md."""
    min_match: float | None = None
    """The least probability of being the very product, as ``calibrate`` measured it; None: all."""
    explain: bool = False
    """Say why each product was found: its score's parts, and the region of the photo that carried it."""
    crops: bool = False
    """Search with the photo together with its middle and its corners, by their mean vector; six times the work."""
    match: Match | None = None

    def __post_init__(self) -> None:
        _ranking(self.number, self.aggregate)
        _match(self.match)
        if self.min_match is not None and not 0 <= self.min_match <= 1:
            raise UsageError(f"`min_match` is a probability from 0 to 1, not {self.min_match}")


@dataclass(frozen=True, slots=True, kw_only=True)
class SimilarOptions:
    """Which of the products most similar to one to give.

    ``filter`` and ``match`` rank anew, with the product's own images; without them the recommendations of the latest
    fit are looked up.

    Raises:
        UsageError: an option is out of its range.

    >>> from image_similarity import SimilarOptions
    >>> options = SimilarOptions(number=2, match="colour")
    >>> len(workspace.similar("shop", "stick03", options).matches)
    2
    """

    number: int | None = None
    """At most so many; None: all that were written."""
    filter: str | None = None
    match: Match | None = None

    def __post_init__(self) -> None:
        _ranking(1 if self.number is None else self.number, "best")
        _match(self.match)


# How good the answers are -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluateOptions:
    """What to measure.

    Raises:
        UsageError: an option is out of its range.

    >>> from image_similarity import EvaluateOptions
    >>> options = EvaluateOptions(stored_only=True, protocols=["leave-one-out"])
    >>> [result.protocol for result in workspace.evaluate("shop", options).results]
    ['leave-one-out']
    """

    protocols: Sequence[str] = ()
    """Names of protocols, see docs/evaluation.md; empty: all that the catalogue and the labels allow."""
    labels: str | Path | None = None
    """A table of right answers."""
    leave_out: str | None = None
    """The attribute whose own value is left out; None: the colour."""
    simulated: int = 200
    """Simulated photos."""
    most_images: int = 10_000
    """Images that ask with one image left out; of more, whole products by chance."""
    stored_only: bool = False
    """Ask with the stored features alone, so that no network is needed."""
    seed: int = 0
    worst: int = 6
    """Wrong answers of each model and protocol that are told of."""

    def __post_init__(self) -> None:
        if self.simulated < 0 or self.seed < 0 or self.most_images < 1:
            raise UsageError("`simulated` and `seed` must be 0 or more, `most_images` 1 or more")


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrateOptions:
    """How match probabilities are learned.

    Raises:
        UsageError: an option is out of its range.

    >>> from image_similarity import CalibrateOptions
    >>> CalibrateOptions(known=0.8).images
    600
    """

    known: float = 0.5
    """The share of photos whose product is in the catalogue: your guess, for nobody can measure it."""
    images: int = 600
    """Images of the catalogue that ask, each as it is and as a simulated photo."""
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.known < 1:
            raise UsageError(f"`known` is a share above 0 and below 1, not {self.known}")
        if self.images < 1:
            raise UsageError(f"`images` must be 1 or more, not {self.images}")


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareOptions:
    """How two models are compared.

    Raises:
        UsageError: a number below 1.

    >>> from image_similarity import CompareOptions
    >>> CompareOptions(number=5).shown
    20
    """

    number: int = 10
    """Of the most similar products that are compared."""
    shown: int = 20
    """Products that change most, with both answers."""

    def __post_init__(self) -> None:
        _ranking(self.number, "best")


def merge_options(kind: type[R], options: R | None, changes: Mapping[str, Any]) -> R:
    """A record with some of its options changed.

    Raises:
        UsageError: there is no such option, or one is out of its range.
    """
    if options is not None and not changes:
        return options
    known = [each.name for each in fields(kind)]
    unknown = next((name for name in changes if name not in known), None)
    if unknown is not None:
        raise UsageError(f"there is no option {unknown!r}: use {', '.join(known)}")
    return kind(**changes) if options is None else replace(options, **changes)


def as_choice(model: str | ModelChoice) -> ModelChoice:
    """A model by its name alone, or as it was chosen."""
    return ModelChoice(model) if isinstance(model, str) else model


def _one_of(name: str, value: object, kind: object) -> None:
    if value not in get_args(kind):
        raise UsageError(f"there is no `{name}` {value!r}: use {', '.join(get_args(kind))}")


def _ranking(number: int, aggregate: str) -> None:
    _one_of("aggregate", aggregate, Aggregate)
    if number < 1:
        raise UsageError(f"`number` must be 1 or more, not {number}")


def _match(match: str | None) -> None:
    if match is not None:
        _one_of("match", match, Match)


def _augmentation(value: int) -> None:
    if value not in (0, 1):
        raise UsageError(f"`data_augmentation` is 0 or 1, not {value}")
