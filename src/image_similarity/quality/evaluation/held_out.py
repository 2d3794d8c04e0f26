"""A model that learned from this catalogue, asked honestly: about products that it is made to forget first."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.format import open_memmap

from image_similarity.images import ORIGINAL
from image_similarity.index import open_index
from image_similarity.models import projection_facts
from image_similarity.neighbours import ExactIndex
from image_similarity.quality.adaptation.learn import Choice, held_out
from image_similarity.quality.evaluation.candidates import Candidate
from image_similarity.quality.evaluation.protocols import Outcome
from image_similarity.store import DTYPE
from image_similarity.util.memory import release

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from image_similarity.index import StoredIndex
    from image_similarity.models import Projection
    from image_similarity.settings import Settings
    from image_similarity.store import Database

ROWS = 4096  # projected together


@dataclass(frozen=True, slots=True)
class HeldOutModel:
    """What was learned without some products: the index as it would be, and which products those are ``(products,)``.

    ``projection`` turns the vectors of photos, as :attr:`side`'s model gives them, into those of the index.
    """

    side: Candidate
    projection: Projection
    forgotten: NDArray[np.bool_]


def held_out_models(side: Candidate, database: Database, settings: Settings, folder: Path) -> Iterator[HeldOutModel]:
    """A learned model several times over, each without a part of the products; each product is left out once.

    How much was learned (dimension, regularisation) is what all of the products chose.

    Args:
        side: a model that ends in ``+adapted``.
        database: the dataset's.
        settings: where the workspace is.
        folder: for the vectors, one set at a time.

    Raises:
        AdaptationError: without a part of them the products teach nothing.
    """
    if side.model.learned is None:
        raise ValueError(f"{side.label} has learned nothing")
    plain = side.model.plain
    stored = open_index(plain.recipe, database, settings, side.stored.manifest.views)
    facts = projection_facts(side.model.learned)
    choice = Choice(int(facts["dimension"]), float(facts["regularisation"]), float(facts["share"]))
    grouping = stored.grouping
    products, originals = np.asarray(grouping.row_product), None
    if grouping.view_count > 1:
        originals = np.array([view == ORIGINAL for view in stored.features.views])
    for part in held_out(stored.features.vectors, products, choice, teaching=originals):
        path = folder / "held-out.npy"
        changed = _projected(stored, part.projection, path)
        forgotten = part.out[np.asarray(grouping.starts)[:-1]]
        yield HeldOutModel(Candidate(side.label, plain, changed), part.projection, forgotten)
        path.unlink()


def about(outcome: Outcome, products: NDArray[np.bool_]) -> Outcome:
    """The queries about some of the products ``(products,)``."""
    kept = products[outcome.products]
    return Outcome(*(getattr(outcome, field.name)[kept] for field in fields(Outcome)))


def without(outcome: Outcome, lost: Container[int]) -> Outcome:
    """The queries but for those that some of the photos, by number, would have asked."""
    kept = np.array([name not in lost for name in outcome.names.tolist()], bool)
    return Outcome(*(getattr(outcome, field.name)[kept] for field in fields(Outcome)))


def together(parts: Sequence[Outcome]) -> Outcome:
    """The queries of all parts, in the order of what asks, as they are asked of any other model."""
    whole = [np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Outcome)]
    order = np.argsort(whole[0], kind="stable")
    return Outcome(*(values[order] for values in whole))


def _projected(stored: StoredIndex, projection: Projection, path: Path) -> StoredIndex:
    """The same rows with other vectors, in a file: what is held does not grow with the catalogue. Asked exactly."""
    vectors = stored.features.vectors
    turned = open_memmap(path, "w+", DTYPE, (len(vectors), projection.output_dimension))
    for start in range(0, len(vectors), ROWS):
        turned[start : start + ROWS] = projection.apply(vectors[start : start + ROWS])
        release(vectors[start : start + ROWS])
    turned.flush()
    release(turned)
    vectors = turned.view(np.ndarray)
    return replace(stored, features=replace(stored.features, vectors=vectors), index=ExactIndex(vectors))
