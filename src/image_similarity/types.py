"""The things that flow from room to room, and the joints between the rooms.

Read this file first: every other module turns one of these into another.
"""

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
"""Where an image failed."""
Resize = Literal["stretch", "pad", "crop"]
Clock = Callable[[], float]  # seconds, from any start
Interpolation = Literal["nearest", "box", "bilinear", "bicubic", "lanczos"]


# What a catalogue lists -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Product:
    """What is sold.

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
    """One image of one product. ``location`` is a path of this machine or an address: ``http(s)://``,
    ``//host/...`` without its scheme, or ``data:`` with the image in it."""

    image_id: str
    product_id: str
    location: str
    attributes: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_remote(self) -> bool:
        """Whether the image must be downloaded before it can be decoded."""
        return self.location.startswith(("http://", "https://", "//", "data:"))

    def file(self, downloads: Path) -> Path:
        """Where its file is on this machine; ``downloads`` is the dataset's folder of downloaded images."""
        return downloads / self.image_id if self.is_remote else Path(self.location)


class CatalogueSource(Protocol):
    """Where products and images are listed. Both iterators may be taken more than once and never hold the whole."""

    def __iter__(self) -> Iterator[CatalogueImage]: ...

    def products(self) -> Iterator[Product]:
        """The products, each once; a source that knows no titles yields none."""
        ...


# What can go wrong with one image ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Failure:
    """One image that could not be used. A row with a stage and a reason, never a lost line in a log."""

    stage: Stage
    reason: str
    product_id: str
    image_id: str
    location: str


@dataclass(slots=True)
class Counts:
    """What became of the images of one run: ``seen == done + known + failed``, always.

    ``repaired``: of those done, how many came from a file that was cut short.
    """

    done: int = 0
    known: int = 0
    failed: int = 0
    repaired: int = 0

    @property
    def seen(self) -> int:
        """Every image that the run looked at."""
        return self.done + self.known + self.failed


# From pixels to vectors -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class InputSpec:
    """The pixels that an embedding model takes: square, ``size`` pixels a side.

    ``stretch``: the whole image, out of proportion; ``pad``: whole, on white; ``crop``: its middle, cut out once its
    shorter side has ``shorter`` pixels (0: ``size``).
    """

    size: int
    resize: Resize
    interpolation: Interpolation
    shorter: int = 0


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """Everything that decides which vector an image gets. ``key`` names its features in the store."""

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
    """Whether the licence lets a shop use it."""


class EmbeddingModel(Protocol):
    """Turns pixels into vectors."""

    spec: ModelSpec

    def embed(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Upright RGB ``(n, size, size, 3)`` to unit vectors ``(n, dimension)``."""
        ...


class TextModel(Protocol):
    """The other half of some embedding models: turns words into vectors that lie near those of fitting images."""

    spec: ModelSpec

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Texts to unit vectors ``(n, dimension)``."""
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


# From vectors to answers ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The nearest rows of each query, best first: two arrays ``(queries, k)``."""

    rows: NDArray[np.intp]
    scores: NDArray[np.float32]  # cosine


class RowSet(Protocol):
    """Some rows of a matrix, such as those that a filter lets pass. ``row_sets.py`` has a mask and a list."""

    @property
    def count(self) -> int: ...

    def mask(self) -> NDArray[np.bool_]:
        """A mask over all rows of the matrix."""
        ...

    def numbers(self) -> NDArray[np.intp]:
        """The rows, each once, in any order."""
        ...

    def has(self, rows: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Whether each of some rows is one of them."""
        ...


class NeighbourIndex(Protocol):
    """Finds nearest vectors. Exactly ``min(k, rows allowed)`` rows for each query, always."""

    def search(
        self, queries: NDArray[np.floating], k: int, allowed: RowSet | NDArray[np.bool_] | None = None
    ) -> Neighbours:
        """The ``k`` best rows of each query ``(m, dimension)``; ``allowed``: a set of rows or a mask, None: all."""
        ...


@dataclass(frozen=True, slots=True)
class ProductMatch:
    """One product of an answer, and the pair of images that spoke for it."""

    product_id: str
    rank: int  # from 1
    score: (
        float | None
    )  # cosine; points under the aggregate "votes"; None where only the first version's pickle is left
    image_id: str  # the answer's image
    query_image_id: str  # the query's image
    probability: float | None = None  # of being the very product of a photo; None where that was not calibrated


class Progress(Protocol):
    """Told how far a job is. ``total`` is None while nobody knows it."""

    def __call__(self, stage: str, done: int, total: int | None = None) -> None:
        """``done`` of ``total`` things of one stage; a stage may be told of more than once a second."""
        ...


def no_progress(stage: str, done: int, total: int | None = None) -> None:
    """The default listener: does not listen."""


class Notes(Protocol):
    """Told what is to be known of a catalogue, before the work where that is possible; see :class:`Progress`."""

    def __call__(self, text: str, /) -> None:
        """One sentence: what was guessed, joined, or left out."""
        ...


def no_notes(text: str, /) -> None:
    """The default listener: does not listen."""


class NoteLog:
    """Passes notes on, each once, and keeps them for a report."""

    def __init__(self, to: Notes = no_notes) -> None:
        self._to = to
        self._texts: dict[str, None] = {}  # an ordered set

    def __call__(self, text: str, /) -> None:
        """One sentence, if it has not been told yet."""
        if text not in self._texts:
            self._texts[text] = None
            self._to(text)

    def add_all(self, texts: Iterable[str]) -> None:
        for text in texts:
            self(text)

    @property
    def texts(self) -> tuple[str, ...]:
        return tuple(self._texts)
