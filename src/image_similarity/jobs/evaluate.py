"""How good are the answers? Without labels: an image has to find another image of its own product."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from image_similarity.embedding.choice import ModelChoice
from image_similarity.errors import NotFittedError
from image_similarity.features.database import Database
from image_similarity.jobs.chosen import chosen
from image_similarity.ranking.gallery import Gallery
from image_similarity.settings import Folders

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from image_similarity.dataset import Dataset
    from image_similarity.settings import Settings

DEPTHS = (1, 5, 10)
BLOCK = 2048  # questions that are in memory together


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Shares of ``questions`` whose product is among the first 1, 5, 10 images; the asking image itself left out."""

    model_key: str
    images: int
    questions: int
    r_at_1: float
    r_at_5: float
    r_at_10: float

    def as_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self)


def evaluate(dataset: Dataset, settings: Settings, model: ModelChoice) -> Evaluation:
    """Leave one image out: each image of a product with two or more asks among all other images.

    Raises:
        NotFittedError: no features of this model, or no product has two images.
    """
    folders = Folders(settings.root)
    with Database(folders.database, dataset, timeout=settings.lock_timeout) as database:
        asked = chosen(model, database, dataset, settings)
        gallery = Gallery.of(asked.index(database, settings))
    sizes = np.diff(gallery.starts)[gallery.row_product]
    questions = np.flatnonzero(sizes > 1)
    if not len(questions):
        raise NotFittedError(f"no product of {dataset.name} has two images: there is nothing to ask")
    ranks = np.concatenate([_ranks(gallery, part) for part in np.array_split(questions, -(-len(questions) // BLOCK))])
    shares = (float((ranks < depth).mean()) for depth in DEPTHS)
    return Evaluation(asked.key, len(gallery), len(questions), *shares)


def _ranks(gallery: Gallery, questions: NDArray[np.intp]) -> NDArray[np.intp]:
    """:func:`_rank` of each row that asks."""
    found = gallery.index.search(gallery.features.vectors[questions], max(DEPTHS) + 1).rows
    gallery.let_go()
    return np.array([_rank(gallery, int(row), hits) for row, hits in zip(questions, found, strict=True)])


def _rank(gallery: Gallery, asking: int, hits: np.ndarray[Any, Any]) -> int:
    """The position, from 0, of the first other image of the same product; past the deepest when there is none."""
    others = hits[hits != asking]  # itself out by identity: a twin with the same pixels may come before it
    right = np.flatnonzero(gallery.row_product[others] == gallery.row_product[asking])
    return int(right[0]) if len(right) else max(DEPTHS)
