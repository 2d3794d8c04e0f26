"""From a location to the source that reads it. A new kind of catalogue is one line in :data:`KINDS`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from image_similarity.catalogue.column_names import NO_NAMES, ColumnNames
from image_similarity.catalogue.folders import FolderSource, ProductFolders, listed
from image_similarity.catalogue.names import is_image_name
from image_similarity.catalogue.product_join import Described
from image_similarity.catalogue.tables import ProductTable, TableSource
from image_similarity.errors import CatalogueError, UsageError
from image_similarity.settings import Settings
from image_similarity.types import CatalogueImage, CatalogueSource, Failure, Product
from image_similarity.util.files import is_file, is_folder

TABLE_ENDINGS = (
    *(".csv", ".csv.gz", ".tsv", ".tsv.gz", ".txt", ".txt.gz"),
    *(".jsonl", ".jsonl.gz", ".ndjson", ".ndjson.gz", ".parquet"),
)


@dataclass(frozen=True, slots=True)
class Request:
    """What :func:`open_source` was asked for."""

    location: str
    products: str | None
    settings: Settings
    names: ColumnNames = NO_NAMES

    @property
    def path(self) -> Path:
        """The location as a path of this machine."""
        return Path(self.location)

    @property
    def product_table(self) -> ProductTable | None:
        """The separate table of products: the one that was named, or the folder's own."""
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
    """Open whatever lists products and images: a folder, a folder of folders, or a table, here or on S3.

    Args:
        location: a path, or ``s3://bucket/key`` of a table.
        products: a table with the products' titles and descriptions, where the catalogue has them apart. A folder's
            own ``products.csv`` is found without it.
        columns: which column is the ``product``, the ``image`` (one or several), the ``image_id``, the ``title``, the
            ``description``, where their names are not known.
        settings: where S3 is, and the addresses of a department's images.

    Raises:
        CatalogueError: nothing is there, or nothing that is a catalogue.
        UsageError: an address of another kind, or a column for something that there is not.
    """
    where = str(location)
    if where.startswith("//"):  # a path; among images it would be taken for an address without its scheme
        where = f"/{where.lstrip('/')}"
    names = ColumnNames.given(columns or {})
    request = Request(where, None if products is None else str(products), settings, names)
    return next(source for read in KINDS if (source := read(request)) is not None)


def items_of(source: CatalogueSource) -> Iterator[CatalogueImage | Product]:
    """Images and products of a source, each in their order; in one pass where it can give them so."""
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
    """Look before the work whether a source's products and images belong together.

    Returns:
        What is to be known of it: what was guessed, what is left out.

    Raises:
        CatalogueError: they do not.
        UsageError: a column that was named is not there.
    """
    if isinstance(source, Described):
        source.check()
    return notes_of(source)


def notes_of(source: CatalogueSource) -> list[str]:
    """What a source has to say of itself after :func:`check` or an iteration; nothing where it keeps no notes."""
    return list(getattr(source, "notes", ()))


def _table(request: Request) -> CatalogueSource | None:
    """A table of this machine or of S3."""
    if not request.location.startswith("s3://") and not is_file(request.path):
        return None
    return TableSource(request.location, request.settings, products=request.product_table, names=request.names)


def _folder_with_table(request: Request) -> CatalogueSource | None:
    """A folder whose ``images.csv`` or ``listing.csv`` says what its images are."""
    table = _table_in(request.path, "images", "listing")
    if table is None:
        return None
    return TableSource(str(table), request.settings, products=request.product_table, names=request.names)


def _flat_folder(request: Request) -> CatalogueSource | None:
    """A folder of images in the first version's naming."""
    if not any(is_image_name(path.name) and not path.is_dir() for path in _inside(request.path)):
        return None
    return FolderSource(request.path, request.product_table)


def _folder_of_folders(request: Request) -> CatalogueSource | None:
    """A folder that holds a folder of images for each product, or folders of such."""
    folders = [path for path in _inside(request.path) if path.is_dir()]
    for depth in (1, 2):
        if any(is_image_name(path.name) for folder in folders for path in _readable(folder)):
            return ProductFolders(request.path, request.product_table, depth)
        folders = [path for folder in folders for path in _readable(folder) if path.is_dir()]
    return None


def _nothing(request: Request) -> CatalogueSource | None:
    """Say what was wrong with a location that no line above it knew."""
    scheme, divider, _ = request.location.partition("://")
    if divider:
        raise UsageError(f"a catalogue cannot be read from {scheme}://: give a path of this machine or s3://bucket/key")
    if not is_folder(request.path):
        raise CatalogueError(f"there is no catalogue at {request.location}: no such file or folder")
    raise CatalogueError(
        f"the folder {request.location} is no catalogue: it holds no images, no folders of images one or two "
        "deep, and neither images.csv nor listing.csv"
    )


def _inside(folder: Path) -> list[Path]:
    return listed(folder) if is_folder(folder) else []


def _readable(folder: Path) -> list[Path]:
    """What a folder holds; nothing where it may not be looked into, which its source will say."""
    try:
        return listed(folder)
    except CatalogueError:
        return []


def _table_in(folder: Path, *stems: str) -> Path | None:
    names = (stem + ending for stem in stems for ending in TABLE_ENDINGS)
    return next((folder / name for name in names if is_file(folder / name)), None)


KINDS: tuple[Callable[[Request], CatalogueSource | None], ...] = (
    _table,
    _folder_with_table,
    _flat_folder,
    _folder_of_folders,
    _nothing,
)
"""Each takes the locations of its kind and leaves the others to the next."""
