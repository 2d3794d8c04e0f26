"""Query a catalogue with its own images, whose products are known: as they are, and as simulated photos."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from image_similarity.errors import ImageError
from image_similarity.images import STANDARD, decode, on_plain_background, read_bytes, simulated_photo, with_crops
from image_similarity.models import mean_vector
from image_similarity.ranking import Gallery
from image_similarity.settings import Folders
from image_similarity.store import CatalogueRecords
from image_similarity.types import Progress, no_progress
from image_similarity.util.processors import processors
from image_similarity.util.sampling import spread_over_products

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from image_similarity.index import StoredIndex
    from image_similarity.models import Inputs, Model
    from image_similarity.settings import Settings
    from image_similarity.store import Database

    Rows = NDArray[np.intp]
    Vectors = NDArray[np.float32]
    Embedded = Vectors | ImageError

AT_ONCE, AT_ONCE_WITH_CROPS = 32, 8  # images
MOST_PHOTOS = 4  # simulated photos per image, if a catalogue has few images


@dataclass(frozen=True, slots=True)
class SelfQuery:
    """An image of the catalogue by its row, and one of its simulated photos.

    Attributes:
        row, copy: the image, and the number of the photo.
        plain, photo_plain: whether the image and the photo have a plain background.
        photos: the photo's vector, with those of its crops if they were requested, ``(1 or 6, dimension)``.
        images: the same of the image itself; empty if crops were not requested, for the image of a further photo, and
            where a crop cannot be embedded.
    """

    row: int
    copy: int
    plain: bool
    photo_plain: bool
    photos: Vectors
    images: Vectors

    @property
    def photo(self) -> Vectors:
        """The photo's vector ``(dimension,)``."""
        photo: Vectors = self.photos[0]
        return photo

    @property
    def photo_crops(self) -> Vectors | None:
        """The vector ``(dimension,)`` of a search with the photo's crops; None if there are none."""
        return mean_vector(self.photos)[0] if len(self.photos) > 1 else None

    @property
    def image_crops(self) -> Vectors | None:
        """The same of the image itself."""
        return mean_vector(self.images)[0] if len(self.images) else None

    def projected(self, project: Callable[[Vectors], Vectors]) -> SelfQuery:
        """The same query to a gallery whose vectors are projected."""
        images = project(self.images) if len(self.images) else self.images
        return replace(self, photos=project(self.photos), images=images)


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
class _Maker:
    """Makes queries of a gallery's own images.

    ``unread``: ids of images that can no longer be read. A photo that the model cannot embed is skipped.
    """

    gallery: Gallery
    model: Model
    settings: Settings
    records: CatalogueRecords
    folder: Path
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
                    query = self._query(each, photo, image)
                    queries += [] if query is None else [query]
                progress("simulated photos", min(start + at_once, len(planned)), len(planned))
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

    def _query(self, prepared: _Prepared, photos: Sequence[Embedded], images: Sequence[Embedded]) -> SelfQuery | None:
        """The embedded query; None if there is no vector of the photo."""
        first, *_ = photos
        if isinstance(first, ImageError):
            return None
        whole, crops = _all(photos), _all(images)
        none = np.empty((0, len(first)), np.float32)
        return SelfQuery(
            prepared.row,
            prepared.copy,
            prepared.plain,
            prepared.photo_plain,
            first[None] if whole is None else whole,
            none if crops is None else crops,
        )


def _all(vectors: Sequence[Embedded]) -> Vectors | None:
    """The vectors as rows; None if there are none, or one picture has none."""
    rows = [each for each in vectors if not isinstance(each, ImageError)]
    return np.stack(rows) if rows and len(rows) == len(vectors) else None


@dataclass(frozen=True, slots=True)
class PhotoSample:
    """How many self-queries to make.

    Attributes:
        images: how many images to query with; a catalogue with fewer is photographed several times.
        seed: of the sample.
        least: the least number of photos of each image.
        crops: whether to embed the crops of images and photos too.
    """

    images: int = 600
    seed: int = 0
    least: int = 1
    crops: bool = False


@dataclass(frozen=True, slots=True)
class MadeQueries:
    """The self-queries of a sample.

    Attributes:
        sample, gallery_rows: what they were made for.
        queries: with vectors of the model without a projection.
        unread: ids of images that can no longer be read.
    """

    sample: PhotoSample
    gallery_rows: int
    queries: Sequence[SelfQuery]
    unread: Sequence[str]

    def suit(self, sample: PhotoSample, stored: StoredIndex) -> bool:
        """Whether they are this sample of the index's catalogue."""
        return (self.sample, self.gallery_rows) == (sample, len(stored.features.vectors))


def make_queries(
    stored: StoredIndex, model: Model, database: Database, settings: Settings, sample: PhotoSample, progress: Progress
) -> MadeQueries:
    """Make the self-queries of a catalogue.

    Args:
        stored: an index of the catalogue; its vectors are not used.
        model: the model that embeds the photos.
        database: the dataset's.
        settings: the workspace's.
        sample: how many.
        progress: reports the photos made.

    Raises:
        WeightsError, ModelError: the model cannot be loaded.
    """
    gallery, folder = Gallery.of(stored), Folders(settings.root).images(database.dataset)
    rows = sampled_rows(gallery, sample.images, sample.seed)
    copies = min(MOST_PHOTOS, max(sample.images // max(1, len(rows)), sample.least))
    maker = _Maker(gallery, model.plain, settings, CatalogueRecords(database), folder, sample.crops)
    queries = maker.queries(rows, copies, progress) if len(rows) else []
    return MadeQueries(sample, len(gallery), queries, maker.unread)


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
