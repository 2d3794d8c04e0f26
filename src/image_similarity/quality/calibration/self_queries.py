"""Query a catalogue with its own images, whose right answers are known: as they are, and as simulated photos."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from image_similarity.errors import ImageError
from image_similarity.images import STANDARD, decode, on_plain_background, read_bytes, simulated_photo
from image_similarity.neighbours import to_float32
from image_similarity.ranking import GalleryQuery, rank_products
from image_similarity.search import DEPTH, QueryScores
from image_similarity.types import Progress, no_progress
from image_similarity.util.processors import processors
from image_similarity.util.sampling import spread_over_products

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from image_similarity.models import Inputs, Model
    from image_similarity.ranking import Gallery
    from image_similarity.settings import Settings
    from image_similarity.store import CatalogueRecords

    Rows = NDArray[np.intp]

LEAVE_ONE_OUT, SIMULATED = "leave one image out", "simulated photos"
AT_ONCE = 32  # images
MOST_PHOTOS = 4  # simulated photos per image, if a catalogue has few images


@dataclass(frozen=True, slots=True)
class _SelfQuery:
    """An image of the catalogue by its row, and one of its simulated photos."""

    row: int
    copy: int
    plain: bool
    photo: Inputs
    photo_plain: bool


@dataclass(slots=True)
class SelfQueries:
    """Searches a gallery with its own images.

    ``project`` maps the model's vectors to those of the gallery. ``unread``: ids of images that can no longer be read.
    A photo that the model cannot embed is skipped.
    """

    gallery: Gallery
    model: Model
    settings: Settings
    records: CatalogueRecords
    folder: Path
    project: Callable[[NDArray[np.float32]], NDArray[np.float32]] = lambda vectors: vectors
    unread: list[str] = field(default_factory=list)

    def queries(self, rows: Rows, copies: int = 1, progress: Progress = no_progress) -> dict[str, QueryScores]:
        """The scores of the queries by their kind; empty if no image can be read.

        Args:
            rows: rows of the gallery, one for each image to query with.
            copies: simulated photos per image.
            progress: reports the photos made.
        """
        planned = [(int(row), copy) for copy in range(copies) for row in rows]
        queries: list[_SelfQuery] = []
        photos = []
        embedder = self.model.load(self.settings, progress)
        with ThreadPoolExecutor(processors()) as pool:
            for start in range(0, len(planned), AT_ONCE):
                # The store is read here, in the thread that opened it; the pool only decodes.
                chunk = [(*each, self._location(each[0])) for each in planned[start : start + AT_ONCE]]
                prepared = [each for each in pool.map(self._prepared, chunk) if each]
                vectors = embedder.embed([each.photo for each in prepared])
                usable = [
                    (each, row) for each, row in zip(prepared, vectors, strict=True) if not isinstance(row, ImageError)
                ]
                if usable:
                    photos.append(self.project(np.stack([row for _, row in usable])))
                queries += [each for each, _ in usable]
                progress("calibrate", min(start + AT_ONCE, len(planned)), len(planned))
        if not queries:
            return {}
        own = np.array([each.row for each in queries], np.intp)
        plain, photo_plain = np.array([(each.plain, each.photo_plain) for each in queries], bool).T
        once = np.array([each.copy == 0 for each in queries])  # an image as it is is one query
        images = self.gallery.features.vectors[own[once]]
        kinds = {
            LEAVE_ONE_OUT: self._scores(own[once], images, plain[once], with_own_image=False),
            SIMULATED: self._scores(own, np.concatenate(photos), photo_plain, with_own_image=True),
        }
        return {name: scores for name, scores in kinds.items() if len(scores)}

    def _location(self, row: int) -> Path | None:
        image = self.records.image(self.gallery.features.image_ids[row])
        return None if image is None else image.file(self.folder)

    def _prepared(self, planned: tuple[int, int, Path | None]) -> _SelfQuery | None:
        """Read an image and simulate a photo of it; None if it cannot be read."""
        row, copy, path = planned
        side = max(STANDARD.side, self.model.min_side or 0)  # at least the photo's size, even for a small network
        try:
            if path is None:
                raise ImageError("read", "not in the catalogue")
            data = read_bytes(path, self.settings.max_file_bytes)
            image = decode(data, max_pixels=self.settings.max_pixels, min_side=side)
        except ImageError:
            if not copy:
                self.unread.append(self.gallery.features.image_ids[row])
            return None
        photo = simulated_photo(image, row * MOST_PHOTOS + copy)
        return _SelfQuery(row, copy, on_plain_background(image), self.model.inputs(photo), on_plain_background(photo))

    def _scores(
        self, rows: Rows, vectors: NDArray[np.floating], plain: NDArray[np.bool_], *, with_own_image: bool
    ) -> QueryScores:
        """Search with vectors of the rows' images. ``with_own_image``: whether a row's own image may be found."""
        products = np.asarray(self.gallery.row_product)[rows].astype(np.intp)
        own = np.array([self._own(row, vector, with_own_image) for row, vector in zip(rows, vectors, strict=True)])
        queries = [GalleryQuery([""], vector[None], int(at)) for vector, at in zip(vectors, products, strict=True)]
        found = rank_products(self.gallery, queries, DEPTH, "best")
        others = np.array([[match.score for match in matches] for matches in found], np.float64)
        lone = np.isneginf(own)  # without its own image, a product with a single image has none to find
        everything = QueryScores(products, own, others, plain, np.ones(len(rows)))
        return everything.of(~lone)

    def _own(self, row: int, vector: NDArray[np.floating], with_own_image: bool) -> float:
        """The best score of the row's product; minus infinity if it has no image to find."""
        rows = self.gallery.rows_of(int(self.gallery.row_product[row]))
        scores = to_float32(self.gallery.features.vectors[rows]) @ to_float32(vector)
        if not with_own_image:
            same = np.asarray(self.gallery.row_image[rows]) == self.gallery.row_image[row]
            scores = np.where(same, -np.inf, scores)
        return round(float(scores.max()), 6)


def sampled_rows(gallery: Gallery, most: int, seed: int) -> Rows:
    """Sample images, one row each: a random one of every product, then a second, until there are enough.

    Args:
        gallery: the gallery.
        most: the number of images.
        seed: of the sample.
    """
    images = np.asarray(gallery.row_image)
    first = np.flatnonzero(np.diff(images, prepend=-1))  # the original is the first of an image's views
    starts = np.searchsorted(np.asarray(gallery.row_product)[first], np.arange(len(gallery.products) + 1))
    return np.sort(first[spread_over_products(starts, most, seed)])
