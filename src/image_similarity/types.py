"""The data types that pass between the packages, and the protocols that connect them. Read this file first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Aggregate = Literal["best", "mean", "votes"]
Stage = Literal["list", "download", "read", "decode", "embed"]
"""The step at which an image failed."""
Resize = Literal["stretch", "pad", "crop"]
Clock = Callable[[], float]  # returns seconds since any fixed point
Interpolation = Literal["nearest", "box", "bilinear", "bicubic", "lanczos"]


# Catalogues -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Product:
    """A product of a catalogue: its id, and a title, a description and attributes where the catalogue has them.

    ``attributes`` maps names to values, both text; a filter compares values that are numbers as numbers.

    >>> from image_similarity import Product
    >>> Product("p9", "Ball", attributes={"price": "4.99"}).title
    'Ball'
    """

    product_id: str
    title: str = ""
    description: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CatalogueImage:
    """One image of one product. ``location`` is a local path or a URL: ``http(s)://``, ``//host/...`` without a
    scheme, or ``data:`` with the image in it."""

    image_id: str
    product_id: str
    location: str
    attributes: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_remote(self) -> bool:
        """Whether the image must be downloaded before it can be decoded."""
        return self.location.startswith(("http://", "https://", "//", "data:"))

    def file(self, downloads: Path) -> Path:
        """The local path of its file; ``downloads`` is the dataset's folder of downloaded images."""
        return downloads / self.image_id if self.is_remote else Path(self.location)


class CatalogueSource(Protocol):
    """Lists products and images. Both can be iterated repeatedly, and neither holds the whole catalogue in memory."""

    def __iter__(self) -> Iterator[CatalogueImage]: ...

    def products(self) -> Iterator[Product]:
        """Each product once; nothing if the source has no titles, descriptions or attributes."""
        ...


# Failures ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Failure:
    """One image that could not be used, with the step at which it failed and the reason."""

    stage: Stage
    reason: str
    product_id: str
    image_id: str
    location: str


@dataclass(slots=True)
class Counts:
    """Counts of the images of one run: ``seen == done + known + failed``.

    ``repaired``: those of ``done`` whose file was cut short.
    """

    done: int = 0
    known: int = 0
    failed: int = 0
    repaired: int = 0

    @property
    def seen(self) -> int:
        """All images of the run."""
        return self.done + self.known + self.failed


# Embedding models -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class InputSpec:
    """The input of an embedding model: a square image of ``size`` pixels a side.

    ``stretch``: the whole image, its proportions ignored; ``pad``: the whole image on white; ``crop``: resized so that
    the shorter side has ``shorter`` pixels (0: ``size``), then cropped to the centre.
    """

    size: int
    resize: Resize
    interpolation: Interpolation
    shorter: int = 0


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """Everything that determines the vector of an image. ``key`` names the features in the store."""

    name: str
    key: str
    dimension: int
    input: InputSpec
    preprocessing: str
    weights: str
    licence: str
    precision: str = ""
    """``fp32``, ``bf16`` or ``int8`` for a network; empty for a model that is code."""
    commercial_use: bool = True
    """Whether the licence allows commercial use."""


class EmbeddingModel(Protocol):
    """Turns pixels into vectors."""

    spec: ModelSpec

    def embed(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Upright RGB ``(n, size, size, 3)`` to unit vectors ``(n, dimension)``."""
        ...


class TextModel(Protocol):
    """The text encoder of some embedding models: its vectors are in the same space as those of the images."""

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Texts to vectors ``(n, dimension)``, of unit length where all of the model reads text."""
        ...


@dataclass(frozen=True, slots=True)
class Features:
    """The stored vectors of one model: row ``i`` is view ``views[i]`` of image ``image_ids[i]``.

    Rows are sorted by product, image and view, so that runs of equal ids are adjacent.
    """

    image_ids: Sequence[str]
    product_ids: Sequence[str]
    views: Sequence[str]
    vectors: NDArray[np.float16]  # (n, dimension), unit length


# Search results ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The nearest rows of each query, best first: two arrays ``(queries, k)``."""

    rows: NDArray[np.intp]
    scores: NDArray[np.float32]  # cosine


class RowSet(Protocol):
    """A set of rows of a matrix, such as those that pass a filter; ``row_sets.py`` has it as a mask and as a list."""

    @property
    def count(self) -> int: ...

    def mask(self) -> NDArray[np.bool_]:
        """A mask over all rows of the matrix."""
        ...

    def numbers(self) -> NDArray[np.intp]:
        """The rows, each once, in any order."""
        ...

    def has(self, rows: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Whether each of ``rows`` is in the set."""
        ...


class NeighbourIndex(Protocol):
    """Nearest-neighbour search; returns exactly ``min(k, rows allowed)`` rows for each query."""

    def search(
        self, queries: NDArray[np.floating], k: int, allowed: RowSet | NDArray[np.bool_] | None = None
    ) -> Neighbours:
        """The ``k`` nearest rows of each query ``(m, dimension)``; ``allowed``: a set of rows or a mask, None: all."""
        ...


@dataclass(frozen=True, slots=True)
class ProductMatch:
    """One product of an answer, with the best-matching pair of images."""

    product_id: str
    rank: int
    """From 1."""
    score: float | None
    """Cosine, or points under the aggregate "votes"; None where only the first version's pickle has the answer."""
    image_id: str
    """The product's image."""
    query_image_id: str
    """The query's image."""
    probability: float | None = None
    """Probability that it is the same product as on the photo; None if not calibrated."""


class Progress(Protocol):
    """A callback for the progress of a job. ``total`` is None while it is not known."""

    def __call__(self, stage: str, done: int, total: int | None = None) -> None:
        """``done`` of ``total`` items of a stage; may be called many times a second."""
        ...


def no_progress(stage: str, done: int, total: int | None = None) -> None:
    """The default: ignore progress."""


class Notes(Protocol):
    """A callback for notes on a catalogue, called before the work begins where possible; see :class:`Progress`."""

    def __call__(self, text: str, /) -> None:
        """One sentence: what was guessed, joined, or left out."""
        ...


def no_notes(text: str, /) -> None:
    """The default: ignore notes."""


class NoteLog:
    """Passes each different note on once, and keeps all of them for a report."""

    def __init__(self, to: Notes = no_notes) -> None:
        self._to = to
        self._texts: dict[str, None] = {}  # an ordered set

    def __call__(self, text: str, /) -> None:
        """Pass a note on, unless it was passed on before."""
        if text not in self._texts:
            self._texts[text] = None
            self._to(text)

    def add_all(self, texts: Iterable[str]) -> None:
        for text in texts:
            self(text)

    @property
    def texts(self) -> tuple[str, ...]:
        return tuple(self._texts)
