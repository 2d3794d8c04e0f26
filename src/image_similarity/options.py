"""The options of every call: frozen records with defaults and checks.

A command builds one of them from its flags and passes it on as a whole. Error messages name an option in backquotes, as
it is spelled here.
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
"""How the scores of image pairs become a product score: best pair, mean of all pairs, or the first version's votes."""
Match = Literal["shape", "colour"]
"""Compare only the shape (same thing, other colours) or only the colour (other things, same colours)."""
Precision = Literal["auto", "fp32", "bf16", "int8"]
"""Numeric precision of a network. ``auto``: as fitted, else bf16 if the processor supports it, else fp32."""
AlsoCalibrated = Literal["several", "crops", "mean"]
"""Searches that are calibrated on request: with several photos, with ``crops``, or with the aggregate ``mean``."""
Photo = str | Path | bytes
"""A path, a URL, or the bytes of an image file."""
Columns = Mapping[str, str | Sequence[str]]
"""The column names of a table's ``product``, ``image`` (one or several), ``image_id``, ``title`` and ``description``,
where they are not recognised: ``{"image": ["Photo", "Photo 2"]}``."""
Headers = Mapping[str, str | Mapping[str, str]]
"""HTTP headers by host: ``{"images.example": {"Authorization": "Bearer ..."}}``. The key is ``host``, ``host:port`` or
``*`` for all hosts that the catalogue lists. ``{"Authorization": ...}`` alone is for the catalogue's only host."""
IN_USE = ""
"""In place of a model's name: the dataset's default model."""
AUTO = "auto"
"""In place of a model's name, for a fit: the best of the models at hand."""


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """An embedding model: its name, and optionally its weights and precision.

    Attributes:
        name: a name from :meth:`Workspace.models`, ``timm:NAME``, the path of a ``.toml`` description, a mixture
            (``VGG+0.2*colour``), or an adapted model (``VGG+adapted``).
        weights: a local file to use instead of downloading the weights.
        weights_digest: MD5 or SHA-256 of these weights, if they are not the official ones.
        precision: ``auto`` (as fitted, else bf16 if the processor supports it, else fp32), ``fp32``, ``bf16`` or
            ``int8``.
        force_int8: use int8 even if its check finds it too far from fp32.

    Raises:
        UsageError: the precision is unknown, or ``force_int8`` is set with another precision.

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
        """Whether it is a network from timm, as in ``timm:resnet50.a1_in1k``."""
        return self.name.startswith("timm:")


# Reading a catalogue ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class DownloadOptions:
    """How images are downloaded, and how failed downloads are retried. Times are in seconds.

    Attributes:
        concurrency: parallel downloads.
        per_second: maximum requests per second, redirects and retries included; None: no limit.
        refresh: check files that were downloaded before, and download those that changed on the server.
        tries: attempts per image.
        base_delay: delay after the first failed attempt (with jitter, 0.75 of it on average); it doubles each time.
        longest_delay: maximum delay, even if a server requests a longer one.
        timeout: time limit for connecting, and between two parts of a response.
        headers: HTTP headers to send, by host: ``{"images.example": {"Authorization": "Bearer ..."}}``.

    Raises:
        UsageError: ``concurrency`` or ``tries`` is below 1, or ``per_second`` is not above 0.

    >>> from image_similarity import DownloadOptions
    >>> DownloadOptions(per_second=5).concurrency
    16
    """

    concurrency: int = 16
    per_second: float | None = None
    refresh: bool = False
    tries: int = 5
    base_delay: float = 0.5
    longest_delay: float = 60.0
    timeout: float = 30.0
    headers: Headers = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        for name in ("concurrency", "tries"):
            if getattr(self, name) < 1:
                raise UsageError(f"`{name}` must be 1 or more, not {getattr(self, name)}")
        if self.per_second is not None and not self.per_second > 0:
            raise UsageError(f"`per_second` must be more than 0, not {self.per_second}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractOptions:
    """How a catalogue is read and how its images are downloaded.

    Attributes:
        products: a separate table of titles and descriptions: a path, ``https://...`` or ``s3://bucket/key``.
        columns: the table's column names, where they are not recognised.
        downloads: how images are downloaded.
        allow_removal: continue even if many products are no longer listed, see ``Settings.max_removal``.

    >>> from image_similarity import ExtractOptions
    >>> ExtractOptions(columns={"image": ["Photo", "Photo 2"]}, allow_removal=True).products is None
    True
    """

    products: str | Path | None = None
    columns: Columns | None = None
    downloads: DownloadOptions = DownloadOptions()
    allow_removal: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FitOptions(ExtractOptions):
    """The model to fit, and the recommendations to write. Includes the options of :class:`ExtractOptions`.

    Attributes:
        model: the model to fit: a name, or a :class:`ModelChoice` with weights or a precision; ``auto``: the best of
            those at hand, measured on a sample of the catalogue.
        data_augmentation: 1: embed six views of each image; 0: only the image itself.
        download: download images that are listed by URL; False: use those that :meth:`Workspace.extract` has
            downloaded.
        number: number of recommendations per product.
        aggregate: how the scores of image pairs become a product score: ``best``, ``mean`` or ``votes``.
        learn: learn from the catalogue which differences to ignore, kept only if it helps, and match probabilities.

    Raises:
        UsageError: an option has an invalid value.

    >>> from image_similarity import FitOptions
    >>> options = FitOptions(model="colour-shape", number=5, learn=False)
    >>> workspace.fit("toys", "photos", options).model_key
    'colour-shape'
    """

    model: str | ModelChoice = IN_USE
    data_augmentation: int = 0
    download: bool = True
    number: int = 10
    aggregate: Aggregate = "best"
    learn: bool = True

    def __post_init__(self) -> None:
        _augmentation(self.data_augmentation)
        _ranking(self.number, self.aggregate)

    @property
    def choice(self) -> ModelChoice:
        """The model as a :class:`ModelChoice`, also if it was given by name."""
        return as_choice(self.model)


# Queries ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle of an upright photo: ``left``, ``top``, ``right``, ``bottom`` in pixels, or as shares of its sides.

    Raises:
        UsageError: it is empty, starts below 0, or a share is above 1.

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
        """The box in pixels of a photo of ``(width, height)``: clipped to the photo, at least one pixel."""
        across, down = size if self.unit == "shares" else (1, 1)
        left, top = min(int(self.left * across), size[0] - 1), min(int(self.top * down), size[1] - 1)
        right = min(size[0], max(left + 1, round(self.right * across)))
        bottom = min(size[1], max(top + 1, round(self.bottom * down)))
        return left, top, right, bottom


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What to search for: a photo, several photos of one thing, a text, or photos with a text.

    Attributes:
        photo: a path, a URL or the bytes of an image file; or several of them.
        text: a description of the products, for models with a text encoder.
        text_weight: weight of the text when combined with a photo: 0 is the photo alone, 1 the text alone.
        crop: the part of the photo to search with.

    Raises:
        UsageError: there is neither photo nor text, the text is empty, the weight is not between 0 and 1, or there is a
            crop without exactly one photo.

    >>> from image_similarity import Box, Query
    >>> query = Query(photo="photo.jpg", crop=Box(0, 0, 200, 200))
    >>> query.photos
    ('photo.jpg',)
    """

    photo: Photo | Sequence[Photo] | None = None
    text: str | None = None
    text_weight: float = 0.5
    crop: Box | None = None

    def __post_init__(self) -> None:
        if self.text is not None and not self.text.strip():
            raise UsageError("`text` is empty: describe what to search for")
        if self.text is None and not self.photos:
            raise UsageError("there is nothing to search for: give a photo or a `text`")
        if not 0 <= self.text_weight <= 1:
            raise UsageError(f"`text_weight` is a number from 0 to 1, not {self.text_weight}")
        if self.crop is not None and len(self.photos) != 1:
            raise UsageError("`crop` needs exactly one photo")

    @property
    def photos(self) -> tuple[Photo, ...]:
        """The photos as a tuple; empty for a text query."""
        if self.photo is None:
            return ()
        return (self.photo,) if isinstance(self.photo, str | Path | bytes) else tuple(self.photo)

    @classmethod
    def of(cls, query: Query | Photo | Sequence[Photo] | None, **changes: Any) -> Self | Query:
        """A query from a photo, from several, or from another query; ``changes`` are fields to set."""
        if isinstance(query, Query):
            return merge_options(Query, query, changes)
        return merge_options(Query, None, {"photo": query, **changes})


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchOptions:
    """How to search, and which products to return.

    Attributes:
        number: number of products to return.
        aggregate: how the scores of image pairs become a product score: ``best``, ``mean`` or ``votes``.
        filter: return only products with these attributes: ``'price < 50 and brand in ("a", "b")'``, see
            docs/answers.md.
        min_match: minimum probability of being the same product; needs :meth:`Workspace.calibrate`. None: no minimum.
        explain: explain each match: the parts of its score, and the region of the photo that contributes most.
        crops: search with the mean vector of the photo, its centre and its corners; six times the work.
        match: compare only ``shape`` or only ``colour``; None: both.

    Raises:
        UsageError: an option has an invalid value.

    >>> from image_similarity import SearchOptions
    >>> options = SearchOptions(number=2, filter="price < 100")
    >>> len(workspace.search("shop", "photo.jpg", options).matches)
    2
    """

    number: int = 10
    aggregate: Aggregate = "best"
    filter: str | None = None
    min_match: float | None = None
    explain: bool = False
    crops: bool = False
    match: Match | None = None

    def __post_init__(self) -> None:
        _ranking(self.number, self.aggregate)
        _match(self.match)
        if self.min_match is not None and not 0 <= self.min_match <= 1:
            raise UsageError(f"`min_match` is a probability from 0 to 1, not {self.min_match}")


@dataclass(frozen=True, slots=True, kw_only=True)
class SimilarOptions:
    """Which of the products similar to a product to return.

    With ``filter`` or ``match`` the products are ranked again, by the product's own images; without them the
    recommendations of the latest fit are looked up.

    Attributes:
        number: maximum number of products; None: as many as were fitted.
        filter: return only products with these attributes.
        match: compare only ``shape`` or only ``colour``; None: both.

    Raises:
        UsageError: an option has an invalid value.

    >>> from image_similarity import SimilarOptions
    >>> options = SimilarOptions(number=2, match="colour")
    >>> len(workspace.similar("shop", "stick03", options).matches)
    2
    """

    number: int | None = None
    filter: str | None = None
    match: Match | None = None

    def __post_init__(self) -> None:
        _ranking(1 if self.number is None else self.number, "best")
        _match(self.match)


# Evaluation -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluateOptions:
    """What to evaluate, and on how many queries.

    Attributes:
        protocols: names of the protocols to run, see docs/evaluation.md; empty: all that the catalogue and the labels
            allow.
        labels: a table of right answers: a path, ``https://...`` or ``s3://bucket/key``.
        leave_out: the attribute that leave-attribute-out leaves out; None: the colour.
        simulated: number of simulated photos.
        most_images: maximum number of leave-one-out queries; of more images, random whole products are taken.
        stored_only: use stored vectors only: no photos, no network, no speed measurement.
        seed: random seed of the samples.
        worst: number of wrong answers to report for each model and protocol.

    Raises:
        UsageError: an option has an invalid value.

    >>> from image_similarity import EvaluateOptions
    >>> options = EvaluateOptions(stored_only=True, protocols=["leave-one-out"])
    >>> [result.protocol for result in workspace.evaluate("shop", options).results]
    ['leave-one-out']
    """

    protocols: Sequence[str] = ()
    labels: str | Path | None = None
    leave_out: str | None = None
    simulated: int = 200
    most_images: int = 10_000
    stored_only: bool = False
    seed: int = 0
    worst: int = 6

    def __post_init__(self) -> None:
        if self.simulated < 0 or self.seed < 0 or self.most_images < 1:
            raise UsageError("`simulated` and `seed` must be 0 or more, `most_images` 1 or more")


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrateOptions:
    """How match probabilities are learned.

    Attributes:
        known: your estimate of the share of photos whose product is in the catalogue, between 0 and 1.
        images: number of catalogue images to learn from, each unchanged and as a simulated photo.
        seed: random seed of the sample.
        also: what else to calibrate: searches with ``several`` photos (at least two simulated photos of each image),
            with ``crops`` (twelve times the embedding), or with the aggregate ``mean``.

    Raises:
        UsageError: an option has an invalid value.

    >>> from image_similarity import CalibrateOptions
    >>> CalibrateOptions(known=0.8).images
    600
    """

    known: float = 0.5
    images: int = 600
    seed: int = 0
    also: Sequence[str] = ()

    def __post_init__(self) -> None:
        if not 0 < self.known < 1:
            raise UsageError(f"`known` must be above 0 and below 1, not {self.known}")
        if self.images < 1 or self.seed < 0:
            raise UsageError("`images` must be 1 or more, and `seed` 0 or more")
        for name in self.also:
            if name not in get_args(AlsoCalibrated):
                raise UsageError(f"`also` is {', '.join(get_args(AlsoCalibrated))}, not {name!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareOptions:
    """How two models are compared.

    Attributes:
        number: number of recommendations per product that are compared.
        shown: number of most changed products to report, with the answers of both models.

    Raises:
        UsageError: ``number`` is below 1.

    >>> from image_similarity import CompareOptions
    >>> CompareOptions(number=5).shown
    20
    """

    number: int = 10
    shown: int = 20

    def __post_init__(self) -> None:
        _ranking(self.number, "best")


def merge_options(kind: type[R], options: R | None, changes: Mapping[str, Any]) -> R:
    """Options with ``changes`` applied; without ``options``, the defaults with ``changes``.

    Raises:
        UsageError: an option is unknown or has an invalid value.
    """
    if options is not None and not changes:
        return options
    known = [each.name for each in fields(kind)]
    unknown = next((name for name in changes if name not in known), None)
    if unknown is not None:
        raise UsageError(f"there is no option {unknown!r}: use {', '.join(known)}")
    return kind(**changes) if options is None else replace(options, **changes)


def as_choice(model: str | ModelChoice) -> ModelChoice:
    """A model given by name as a :class:`ModelChoice`."""
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
