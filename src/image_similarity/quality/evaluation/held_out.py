"""Cross-validate an adapted model: each product is a query to a projection that was learned without it."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.format import open_memmap

from image_similarity.images import ORIGINAL
from image_similarity.index import open_index
from image_similarity.models import projection_facts, read_projected_photos
from image_similarity.neighbours import ExactIndex
from image_similarity.quality.adaptation.job import smallest_part
from image_similarity.quality.adaptation.learn import Choice, Photos, held_out
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
    """A projection learned without some products, and the index projected with it.

    Attributes:
        candidate: the unadapted model and the projected index.
        projection: maps vectors of the model to those of the index.
        products: ``(products,)``, those that were held out.
    """

    candidate: Candidate
    projection: Projection
    products: NDArray[np.bool_]


def held_out_models(
    candidate: Candidate, database: Database, settings: Settings, folder: Path
) -> Iterator[HeldOutModel]:
    """An adapted model learned again for each fold, without the fold's products; each product is held out once.

    Dimension, regularisation and share are those chosen on all products.

    Args:
        candidate: a model that ends in ``+adapted``.
        database: the dataset's.
        settings: where the workspace is.
        folder: for the vectors, one set at a time.

    Raises:
        AdaptationError: the products outside a fold have no difference to learn from.
    """
    if candidate.model.learned is None:
        raise ValueError(f"{candidate.label} has learned nothing")
    plain = candidate.model.plain
    stored = open_index(plain.recipe, database, settings, candidate.stored.manifest.views)
    facts = projection_facts(candidate.model.learned)
    choice = Choice(**{name: facts[name] for name in Choice._fields})
    grouping = stored.grouping
    products, originals = np.asarray(grouping.row_product), None
    if grouping.view_count > 1:
        originals = np.array([view == ORIGINAL for view in stored.features.views])
    photos = _photos(candidate.model.learned, stored)
    parts = held_out(
        stored.features.vectors,
        products,
        choice,
        photos=photos,
        smallest_part=smallest_part(plain),
        trainable=originals,
    )
    for part in parts:
        path = folder / "held-out.npy"
        changed = _projected(stored, part.projection, path)
        products_out = part.out[np.asarray(grouping.starts)[:-1]]
        yield HeldOutModel(Candidate(candidate.label, plain, changed), part.projection, products_out)
        path.unlink()


def _photos(learned: Path, stored: StoredIndex) -> Photos | None:
    """The photos that a projection was learned from, of images that the index has."""
    kept = read_projected_photos(learned)
    if kept is None:
        return None
    wanted = set(kept.image_ids)
    rows = dict[str, int]()
    for row, image in enumerate(stored.features.image_ids):
        if image in wanted:
            rows.setdefault(image, row)  # the original is the first of an image's views
    known = [at for at, image in enumerate(kept.image_ids) if image in rows]
    return Photos(kept.vectors[known], np.array([rows[kept.image_ids[at]] for at in known], np.intp))


def queries_about(outcome: Outcome, products: NDArray[np.bool_]) -> Outcome:
    """The queries about some products, given as a mask ``(products,)``."""
    kept = products[outcome.products]
    return Outcome(*(getattr(outcome, field.name)[kept] for field in fields(Outcome)))


def without_photos(outcome: Outcome, photos: Container[int]) -> Outcome:
    """The queries other than those of some photos, given by number."""
    kept = np.array([number not in photos for number in outcome.numbers.tolist()], bool)
    return Outcome(*(getattr(outcome, field.name)[kept] for field in fields(Outcome)))


def merged(parts: Sequence[Outcome]) -> Outcome:
    """The queries of all parts, sorted by number: the same order as for any other model."""
    whole = [np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Outcome)]
    order = np.argsort(whole[0], kind="stable")
    return Outcome(*(values[order] for values in whole))


def _projected(stored: StoredIndex, projection: Projection, path: Path) -> StoredIndex:
    """The index with projected vectors in a file, so that memory does not grow with the catalogue; exact search."""
    vectors = stored.features.vectors
    projected = open_memmap(path, "w+", DTYPE, (len(vectors), projection.output_dimension))
    for start in range(0, len(vectors), ROWS):
        projected[start : start + ROWS] = projection.apply(vectors[start : start + ROWS])
        release(vectors[start : start + ROWS])
    projected.flush()
    release(projected)
    vectors = projected.view(np.ndarray)
    return replace(stored, features=replace(stored.features, vectors=vectors), index=ExactIndex(vectors))
