"""An index opened for reading: all files are memory-mapped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from image_similarity.errors import IndexDamagedError
from image_similarity.images import SIX_VIEWS
from image_similarity.index.arrays import map_array, map_bytes, map_texts
from image_similarity.index.columns import Columns
from image_similarity.index.generations import IndexFolder, Manifest
from image_similarity.index.identities import DTYPE as IDENTITY, WIDTH
from image_similarity.index.text_column import TextsOfRows
from image_similarity.neighbours import ExactIndex, open_or_exact
from image_similarity.store import DTYPE
from image_similarity.types import Features

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from image_similarity.neighbours import LargeIndex
    from image_similarity.types import NeighbourIndex

TRIES = 100  # how often a generation may be replaced between reading its name and mapping it


@dataclass(frozen=True, slots=True)
class Grouping:
    """The product and image of each row. Products are numbered in the order of their ids, their rows consecutive."""

    products: Sequence[str]
    starts: NDArray[np.integer]  # (products + 1,): the first row of each, and the end
    row_product: NDArray[np.integer]  # (rows,)
    row_image: NDArray[np.integer]  # (rows,)
    view_count: int


@dataclass(frozen=True, slots=True)
class StoredIndex:
    """One generation of an index. It stays usable after a newer one has replaced it."""

    folder: Path
    manifest: Manifest
    features: Features
    grouping: Grouping
    identities: NDArray[np.uint64]  # (rows, 2)
    columns: Columns
    index: NeighbourIndex

    @classmethod
    def open(cls, place: IndexFolder, large: type[LargeIndex] | None = None) -> StoredIndex | None:
        """Map the present generation; None if there is none.

        Args:
            place: the index's folder.
            large: the class that opens the approximate index, if the generation has one.

        Raises:
            IndexDamagedError: its files do not match its manifest.
        """
        for _ in range(TRIES):
            folder = place.current()
            if folder is None:
                return None
            try:
                return cls.of_folder(folder, large)
            except FileNotFoundError as error:
                if place.current() == folder:  # else it was replaced just now
                    raise IndexDamagedError(f"the index in {folder} lacks a file: {error.filename}") from error
            except (OSError, TypeError, ValueError, AttributeError, OverflowError) as error:
                raise IndexDamagedError(f"the index in {folder} cannot be read: {error}") from error
        raise IndexDamagedError(f"the index in {place.folder} is replaced faster than it can be opened")

    @classmethod
    def of_folder(cls, folder: Path, large: type[LargeIndex] | None = None) -> StoredIndex:
        """Map the folder of one generation.

        Raises:
            IndexDamagedError: its files do not match its manifest.
            OSError: a file cannot be opened.
        """
        manifest = Manifest.read(folder)
        manifest.check(folder)
        rows, products = manifest.rows, manifest.products
        vectors = map_array(folder / "vectors.npy", DTYPE, (rows, manifest.dimension))
        grouping = Grouping(
            products=map_texts(folder, "product_ids", products),
            starts=map_array(folder / "product_starts.npy", "<i8", (products + 1,)),
            row_product=map_array(folder / "row_product.npy", "<i4", (rows,)),
            row_image=map_array(folder / "row_image.npy", "<i4", (rows,)),
            view_count=len(manifest.views),
        )
        images = map_texts(folder, "image_ids", manifest.images)
        features = Features(
            TextsOfRows(images, grouping.row_image),
            TextsOfRows(grouping.products, grouping.row_product),
            TextsOfRows(SIX_VIEWS, map_array(folder / "views.npy", "u1", (rows,))),
            vectors,
        )
        approximate = large if manifest.large else None
        return cls(
            folder=folder,
            manifest=manifest,
            features=features,
            grouping=grouping,
            identities=map_array(folder / "identities.npy", IDENTITY, (rows, WIDTH)),
            columns=Columns(map_bytes(folder / "columns.bin"), manifest.columns, rows),
            index=open_or_exact(approximate, vectors, folder / "large") if approximate else ExactIndex(vectors),
        )
