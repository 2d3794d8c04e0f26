"""A catalogue's own images as queries whose answers are known: as they are, and as simulated photos."""

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
MOST_TURNS = 4  # photos of one image, where a catalogue has few


@dataclass(frozen=True, slots=True)
class _Asking:
    """An image of the catalogue by its row, and one of the photos made of it."""

    row: int
    turn: int
    plain: bool
    photo: Inputs
    photo_plain: bool


@dataclass(slots=True)
class SelfQueries:
    """Asks a dataset with its own images.

    ``turned`` makes vectors of the gallery out of those that the model gives. ``unread`` are the ids of the images
    that could not be read any more. A photo that the model makes nothing of does not ask.
    """

    gallery: Gallery
    model: Model
    settings: Settings
    records: CatalogueRecords
    folder: Path
    turned: Callable[[NDArray[np.float32]], NDArray[np.float32]] = lambda vectors: vectors
    unread: list[str] = field(default_factory=list)

    def queries(self, rows: Rows, turns: int = 1, progress: Progress = no_progress) -> dict[str, QueryScores]:
        """The queries of each kind, by its name; none where no image can be read.

        Args:
            rows: rows of the gallery, one of each image that is to ask.
            turns: how many photos of each image ask.
            progress: told how many photos have been made.
        """
        wanted = [(int(row), turn) for turn in range(turns) for row in rows]
        asking: list[_Asking] = []
        photos = []
        embedder = self.model.load(self.settings, progress)
        with ThreadPoolExecutor(processors()) as pool:
            for start in range(0, len(wanted), AT_ONCE):
                # The store is asked here, by the thread that opened it; the pool only decodes.
                chunk = [(*each, self._location(each[0])) for each in wanted[start : start + AT_ONCE]]
                taken = [each for each in pool.map(self._taken, chunk) if each]
                vectors = embedder.embed([each.photo for each in taken])
                seen = [
                    (each, row) for each, row in zip(taken, vectors, strict=True) if not isinstance(row, ImageError)
                ]
                if seen:
                    photos.append(self.turned(np.stack([row for _, row in seen])))
                asking += [each for each, _ in seen]
                progress("calibrate", min(start + AT_ONCE, len(wanted)), len(wanted))
        if not asking:
            return {}
        own = np.array([each.row for each in asking], np.intp)
        plain, photo_plain = np.array([(each.plain, each.photo_plain) for each in asking], bool).T
        once = np.array([each.turn == 0 for each in asking])  # as it is, an image asks once
        kinds = {
            LEAVE_ONE_OUT: self._asked(own[once], self.gallery.features.vectors[own[once]], plain[once], itself=False),
            SIMULATED: self._asked(own, np.concatenate(photos), photo_plain, itself=True),
        }
        return {name: queries for name, queries in kinds.items() if len(queries)}

    def _location(self, row: int) -> Path | None:
        image = self.records.image(self.gallery.features.image_ids[row])
        return None if image is None else image.file(self.folder)

    def _taken(self, what: tuple[int, int, Path | None]) -> _Asking | None:
        row, turn, path = what
        side = max(STANDARD.side, self.model.min_side or 0)  # as large as the photo, however small the network's input
        try:
            if path is None:
                raise ImageError("read", "not in the catalogue")
            data = read_bytes(path, self.settings.max_file_bytes)
            image = decode(data, max_pixels=self.settings.max_pixels, min_side=side)
        except ImageError:
            if not turn:
                self.unread.append(self.gallery.features.image_ids[row])
            return None
        photo = simulated_photo(image, row * MOST_TURNS + turn)
        return _Asking(row, turn, on_plain_background(image), self.model.inputs(photo), on_plain_background(photo))

    def _asked(
        self, rows: Rows, vectors: NDArray[np.floating], plain: NDArray[np.bool_], *, itself: bool
    ) -> QueryScores:
        """Ask with images of the catalogue. ``itself``: whether the image of the row is an answer too."""
        products = np.asarray(self.gallery.row_product)[rows].astype(np.intp)
        own = np.array([self._own(row, vector, itself) for row, vector in zip(rows, vectors, strict=True)])
        asked = [GalleryQuery([""], vector[None], int(at)) for vector, at in zip(vectors, products, strict=True)]
        found = rank_products(self.gallery, asked, DEPTH, "best")
        others = np.array([[match.score for match in matches] for matches in found], np.float64)
        lone = np.isneginf(own)  # the only image of its product finds nothing, itself left out
        everything = QueryScores(products, own, others, plain, np.ones(len(rows)))
        return everything.of(~lone)

    def _own(self, row: int, vector: NDArray[np.floating], itself: bool) -> float:
        """The best score of the row's product."""
        rows = self.gallery.rows_of(int(self.gallery.row_product[row]))
        scores = to_float32(self.gallery.features.vectors[rows]) @ to_float32(vector)
        if not itself:
            same = np.asarray(self.gallery.row_image[rows]) == self.gallery.row_image[row]
            scores = np.where(same, -np.inf, scores)
        return round(float(scores.max()), 6)


def sampled_rows(gallery: Gallery, most: int, seed: int) -> Rows:
    """One row for each image that is to ask: of every product one by chance, then a second, until there are enough.

    Args:
        gallery: whose rows.
        most: images.
        seed: of chance.
    """
    images = np.asarray(gallery.row_image)
    first = np.flatnonzero(np.diff(images, prepend=-1))  # of its views the image as it is comes first
    starts = np.searchsorted(np.asarray(gallery.row_product)[first], np.arange(len(gallery.products) + 1))
    return np.sort(first[spread_over_products(starts, most, seed)])
