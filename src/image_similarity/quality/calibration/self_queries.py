"""Query a catalogue with its own images, whose products are known: as they are, and as simulated photos."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from image_similarity.errors import ImageError
from image_similarity.images import STANDARD, decode, on_plain_background, read_bytes, simulated_photo, with_crops
from image_similarity.models import mean_vector
from image_similarity.types import Progress, no_progress
from image_similarity.util.processors import processors
from image_similarity.util.sampling import spread_over_products

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from image_similarity.models import Inputs, Model
    from image_similarity.ranking import Gallery
    from image_similarity.settings import Settings
    from image_similarity.store import CatalogueRecords

    Rows = NDArray[np.intp]
    Vector = NDArray[np.float32]
    Embedded = Vector | ImageError

AT_ONCE, AT_ONCE_WITH_CROPS = 32, 8  # images
MOST_PHOTOS = 4  # simulated photos per image, if a catalogue has few images


@dataclass(frozen=True, slots=True)
class SelfQuery:
    """An image of the catalogue by its row, and one of its simulated photos.

    Attributes:
        row, copy: the image, and the number of the photo.
        plain, photo_plain: whether the image and the photo have a plain background.
        photo: the photo's vector, ``(dimension,)``.
        image_crops, photo_crops: the vectors of a search with crops; None if they were not requested, for the image of
            a further photo, and where a crop cannot be embedded.
    """

    row: int
    copy: int
    plain: bool
    photo_plain: bool
    photo: Vector
    image_crops: Vector | None = None
    photo_crops: Vector | None = None


@dataclass(frozen=True, slots=True)
class _Prepared:
    """The same before it is embedded. ``photo``: with its crops, if requested; ``image``: the same, or nothing."""

    row: int
    copy: int
    plain: bool
    photo_plain: bool
    photo: list[Inputs]
    image: list[Inputs]


@dataclass(slots=True)
class SelfQueries:
    """Makes queries of a gallery's own images.

    ``project`` maps the model's vectors to those of the gallery. ``unread``: ids of images that can no longer be read.
    A photo that the model cannot embed is skipped.
    """

    gallery: Gallery
    model: Model
    settings: Settings
    records: CatalogueRecords
    folder: Path
    project: Callable[[NDArray[np.float32]], NDArray[np.float32]] = lambda vectors: vectors
    crops: bool = False
    unread: list[str] = field(default_factory=list)

    def queries(self, rows: Rows, copies: int = 1, progress: Progress = no_progress) -> list[SelfQuery]:
        """The queries; none if no image can be read.

        Args:
            rows: rows of the gallery, one for each image to query with.
            copies: simulated photos per image.
            progress: reports the photos made.
        """
        planned = [(int(row), copy) for copy in range(copies) for row in rows]
        at_once = AT_ONCE_WITH_CROPS if self.crops else AT_ONCE
        queries: list[SelfQuery] = []
        embedder = self.model.load(self.settings, progress)
        with ThreadPoolExecutor(processors()) as pool:
            for start in range(0, len(planned), at_once):
                # The store is read here, in the thread that opened it; the pool only decodes.
                chunk = [(*each, self._location(each[0])) for each in planned[start : start + at_once]]
                prepared = [each for each in pool.map(self._prepared, chunk) if each]
                vectors = iter(embedder.embed([inputs for each in prepared for inputs in (*each.photo, *each.image)]))
                for each in prepared:
                    photo, image = ([next(vectors) for _ in pictures] for pictures in (each.photo, each.image))
                    if not isinstance(photo[0], ImageError):
                        queries.append(self._query(each, photo[0], photo[1:] and photo, image))
                progress("calibrate", min(start + at_once, len(planned)), len(planned))
        return queries

    def _location(self, row: int) -> Path | None:
        image = self.records.image(self.gallery.features.image_ids[row])
        return None if image is None else image.file(self.folder)

    def _prepared(self, planned: tuple[int, int, Path | None]) -> _Prepared | None:
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
        pictures = with_crops(photo) if self.crops else [photo]
        crops = with_crops(image) if self.crops and not copy else []  # the vector of the image alone is in the gallery
        inputs = ([self.model.inputs(each) for each in some] for some in (pictures, crops))
        return _Prepared(row, copy, on_plain_background(image), on_plain_background(photo), *inputs)

    def _query(
        self, prepared: _Prepared, photo: Vector, photo_crops: Sequence[Embedded], image_crops: Sequence[Embedded]
    ) -> SelfQuery:
        crops = self._mean(image_crops), self._mean(photo_crops)
        (vector,) = self.project(photo[None])
        return SelfQuery(prepared.row, prepared.copy, prepared.plain, prepared.photo_plain, vector, *crops)

    def _mean(self, vectors: Sequence[Embedded]) -> Vector | None:
        """The vector of a search with a picture and its crops; None if one of them has none."""
        rows = [each for each in vectors if not isinstance(each, ImageError)]
        return mean_vector(self.project(np.stack(rows)))[0] if rows and len(rows) == len(vectors) else None


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
