"""Open the catalogue source for a location. A new kind of catalogue is one entry in :data:`KINDS`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from image_similarity.catalogue.column_names import NO_NAMES, ColumnNames
from image_similarity.catalogue.folders import FolderSource, ProductFolders, listed
from image_similarity.catalogue.names import is_image_name
from image_similarity.catalogue.product_join import JoinedSource
from image_similarity.catalogue.remote_tables import is_remote
from image_similarity.catalogue.tables import ProductTable, TableSource
from image_similarity.errors import CatalogueError, UsageError
from image_similarity.settings import Settings
from image_similarity.types import CatalogueImage, CatalogueSource, Failure, Product
from image_similarity.util.files import is_file, is_folder

TABLE_EXTENSIONS = (
    *(".csv", ".csv.gz", ".tsv", ".tsv.gz", ".txt", ".txt.gz"),
    *(".jsonl", ".jsonl.gz", ".ndjson", ".ndjson.gz", ".parquet"),
)


@dataclass(frozen=True, slots=True)
class Request:
    """The arguments of :func:`open_source`."""

    location: str
    products: str | None
    settings: Settings
    names: ColumnNames = NO_NAMES

    @property
    def path(self) -> Path:
        """The location as a local path."""
        return Path(self.location)

    @property
    def product_table(self) -> ProductTable | None:
        """The separate product table: the one given, or the folder's own."""
        own = None if self.products is not None or not is_folder(self.path) else _table_in(self.path, "products")
        location = self.products if own is None else str(own)
        return None if location is None else ProductTable(location, self.settings, names=self.names)


def open_source(
    location: str | Path,
    *,
    products: str | Path | None = None,
    columns: Mapping[str, str | Sequence[str]] | None = None,
    settings: Settings,
) -> CatalogueSource:
    """Open a catalogue of products and images: a folder, a folder of folders, or a table.

    Args:
        location: a path; or of a table ``https://...`` or ``s3://bucket/key``.
        products: a separate table with the products' titles and descriptions. A folder's own ``products.csv`` is found
            automatically.
        columns: the columns for ``product``, ``image`` (one or several), ``image_id``, ``title`` and ``description``,
            if their names are not recognised.
        settings: the S3 endpoint, and the addresses of a department's images.

    Raises:
        CatalogueError: the location does not exist or is not a catalogue.
        UsageError: an unsupported address scheme, or a column for an unknown role.
    """
    where = str(location)
    if where.startswith("//"):  # a path, not an address without its scheme
        where = f"/{where.lstrip('/')}"
    names = ColumnNames.given(columns or {})
    request = Request(where, None if products is None else str(products), settings, names)
    return next(source for read in KINDS if (source := read(request)) is not None)


def items_of(source: CatalogueSource) -> Iterator[CatalogueImage | Product]:
    """Images and products of a source, each in order; in one pass where the source supports it."""
    together = getattr(source, "items", None)
    if together is not None:
        yield from together()
        return
    yield from source
    yield from source.products()


def failures_of(source: CatalogueSource) -> list[Failure]:
    """The rows or files that a source's last iteration could not use (stage ``list``); empty where it keeps none."""
    return list(getattr(source, "failures", ()))


def product_failures_of(source: CatalogueSource) -> list[Failure]:
    """The same for the rows of a separate product table, after the last ``products()``."""
    return list(getattr(source, "product_failures", ()))


def check(source: CatalogueSource) -> list[str]:
    """Check before the work that a source's products and images have common ids.

    Returns:
        Notes: what was guessed, what is left out.

    Raises:
        CatalogueError: no product has an image.
        UsageError: a named column does not exist.
    """
    if isinstance(source, JoinedSource):
        source.check()
    return notes_of(source)


def notes_of(source: CatalogueSource) -> list[str]:
    """A source's notes after :func:`check` or an iteration; empty if it keeps none."""
    return list(getattr(source, "notes", ()))


def _table(request: Request) -> CatalogueSource | None:
    """A table on disk, on S3 or on the web."""
    if not is_remote(request.location) and not is_file(request.path):
        return None
    return TableSource(request.location, request.settings, products=request.product_table, names=request.names)


def _folder_with_table(request: Request) -> CatalogueSource | None:
    """A folder with an ``images.csv`` or ``listing.csv`` that lists its images."""
    table = _table_in(request.path, "images", "listing")
    if table is None:
        return None
    return TableSource(str(table), request.settings, products=request.product_table, names=request.names)


def _flat_folder(request: Request) -> CatalogueSource | None:
    """A folder of images with the first version's file names."""
    if not any(is_image_name(path.name) and not path.is_dir() for path in _entries_if_folder(request.path)):
        return None
    return FolderSource(request.path, request.product_table)


def _folder_of_folders(request: Request) -> CatalogueSource | None:
    """A folder with one folder of images per product, or with groups of such folders."""
    folders = [path for path in _entries_if_folder(request.path) if path.is_dir()]
    for depth in (1, 2):
        if any(is_image_name(path.name) for folder in folders for path in _entries(folder)):
            return ProductFolders(request.path, request.product_table, depth)
        folders = [path for folder in folders for path in _entries(folder) if path.is_dir()]
    return None


def _not_a_catalogue(request: Request) -> CatalogueSource | None:
    """Report a location that no other kind accepted."""
    scheme, divider, _ = request.location.partition("://")
    if divider:
        raise UsageError(
            f"a catalogue cannot be read from {scheme}://: give a local path, https://... or s3://bucket/key"
        )
    if not is_folder(request.path):
        raise CatalogueError(f"there is no catalogue at {request.location}: no such file or folder")
    raise CatalogueError(
        f"the folder {request.location} is not a catalogue: it has no images, no folders of images one or two "
        "deep, and neither images.csv nor listing.csv"
    )


def _entries_if_folder(folder: Path) -> list[Path]:
    return listed(folder) if is_folder(folder) else []


def _entries(folder: Path) -> list[Path]:
    """The entries of a folder; empty if it cannot be read, which its source will report."""
    try:
        return listed(folder)
    except CatalogueError:
        return []


def _table_in(folder: Path, *stems: str) -> Path | None:
    names = (stem + ending for stem in stems for ending in TABLE_EXTENSIONS)
    return next((folder / name for name in names if is_file(folder / name)), None)


KINDS: tuple[Callable[[Request], CatalogueSource | None], ...] = (
    _table,
    _folder_with_table,
    _flat_folder,
    _folder_of_folders,
    _not_a_catalogue,
)
"""Tried in order: each opens the locations of its kind and returns None for others."""
