"""A table as a catalogue: one row an image, or one row a product with a list of images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from html import unescape
from pathlib import Path, PurePath
from typing import BinaryIO
from urllib.parse import quote

from image_similarity.catalogue.addresses import as_address
from image_similarity.catalogue.columns import Columns, as_text
from image_similarity.catalogue.names import name_for_address
from image_similarity.catalogue.reading import reading
from image_similarity.catalogue.rows import BadRow, Table
from image_similarity.catalogue.s3 import open_object
from image_similarity.errors import CatalogueError, UsageError
from image_similarity.files import open_file
from image_similarity.settings import Settings
from image_similarity.types import CatalogueImage, Failure, Product

PLACEHOLDER = "{pixl_id}"


class RowError(Exception):
    """One row cannot be used; becomes a :class:`~image_similarity.types.Failure`."""


@contextmanager
def open_table(location: str, settings: Settings, region: str | None = None) -> Iterator[Table]:
    """Open a table of this machine or of S3 (``s3://bucket/key``) while the block lasts.

    Raises:
        CatalogueError: it is not there or is no table.
    """
    with _open_bytes(location, settings, region) as stream, reading(stream, location, settings.tables) as table:
        yield table


def _open_bytes(location: str, settings: Settings, region: str | None) -> BinaryIO:
    if location.startswith("s3://"):
        return open_object(location, settings, region)
    try:
        return open_file(Path(location))
    except FileNotFoundError as error:
        raise CatalogueError(f"there is no table {location}") from error
    except OSError as error:
        raise CatalogueError(f"cannot open the table {location}: {error.strerror or error}") from error


class ProductTable:
    """Products out of a table with a product column and, best, a title and a description.

    ``failures`` holds the rows of the last iteration that could not be used.
    """

    def __init__(self, location: str, settings: Settings, region: str | None = None) -> None:
        self.location = location
        self.failures: list[Failure] = []
        self._settings, self._region = settings, region

    def __iter__(self) -> Iterator[Product]:
        self.failures = []
        return self._products()

    def _products(self) -> Iterator[Product]:
        seen: set[str] = set()
        with open_table(self.location, self._settings, self._region) as table:
            columns = _columns(table, self.location)
            columns.require(self.location, table.header, image=False)
            for row in table.rows:
                if isinstance(row, BadRow):
                    self.failures.append(_failure(self.location, row.number, row.reason))
                    continue
                if tuple(row.cells) != table.header:  # JSON lines may name other columns in every row
                    columns = Columns.of(row.cells)
                product_id = as_text(_cell(row.cells, columns.product)).strip()
                if not product_id:
                    self.failures.append(_failure(self.location, row.number, "the row names no product"))
                elif product_id not in seen:
                    seen.add(product_id)
                    yield _product(product_id, columns, row.cells)


class TableSource:
    """Images, and products where the table describes them, out of one table.

    Paths are relative to the table's folder or to ``images/`` beside it. ``failures`` holds the rows of the last
    iteration that could not be used. Nothing but the ids of the products is kept in memory.
    """

    def __init__(
        self, location: str, settings: Settings, *, products: ProductTable | None = None, region: str | None = None
    ) -> None:
        self.location = location
        self.failures: list[Failure] = []
        self._settings, self._products, self._region = settings, products, region
        folder = None if location.startswith("s3://") else Path(location).parent
        self._bases = [] if folder is None else [folder, folder / "images"]

    @property
    def product_failures(self) -> list[Failure]:
        """The rows of the separate product table that the last :meth:`products` could not use."""
        return [] if self._products is None else self._products.failures

    def __iter__(self) -> Iterator[CatalogueImage]:
        self.failures = []
        return self._images()

    def products(self) -> Iterator[Product]:
        """The products, each once: the separate table's, or this table's where it has titles or descriptions."""
        if self._products is not None:
            yield from self._products
            return
        with open_table(self.location, self._settings, self._region) as table:
            described = Columns.of(table.header).describe_products
        if described:
            yield from ProductTable(self.location, self._settings, self._region)

    def _images(self) -> Iterator[CatalogueImage]:
        with open_table(self.location, self._settings, self._region) as table:
            columns = _columns(table, self.location)
            columns.require(self.location, table.header, image=True)
            for row in table.rows:
                if isinstance(row, BadRow):
                    self.failures.append(_failure(self.location, row.number, row.reason))
                    continue
                if tuple(row.cells) != table.header:  # JSON lines may name other columns in every row
                    columns = Columns.of(row.cells)
                yield from self._images_of(row.number, row.cells, columns)

    def _images_of(self, number: int, cells: Mapping[str, object], columns: Columns) -> Iterator[CatalogueImage]:
        product_id = as_text(_cell(cells, columns.product)).strip()
        values = _list(_cell(cells, columns.image or columns.pixl))
        image_ids = _image_ids(_cell(cells, columns.image_id), len(values))
        attributes = columns.attributes_of(cells)
        if not values:
            values, image_ids = [""], [""]
        for value, image_id in zip(values, image_ids, strict=True):
            text = as_text(value).strip()
            try:
                if not product_id:
                    raise RowError("the row names no product")
                if not text:
                    raise RowError("the row names no image")
                known_id, location = self._place(product_id, text, image_id, pixl=columns.image is None)
            except RowError as error:
                self.failures.append(_failure(self.location, number, str(error), product_id, image_id or text))
            else:
                yield CatalogueImage(known_id, product_id, location, attributes)

    def _place(self, product_id: str, text: str, image_id: str, *, pixl: bool) -> tuple[str, str]:
        """The image id, made up where the table gives none, and the location, of one image's cell."""
        if pixl:
            return image_id or f"{product_id}_{text}.jpg", pixl_address(text, self._settings)
        address = None if text.startswith("//") and is_file(Path(text)) else as_address(text)
        if address is not None:
            return image_id or name_for_address(address, product_id), address
        scheme, divider, _ = text.partition("://")
        if divider:
            raise RowError(f"a picture cannot be read from {scheme}://; use a path or an http(s) address")
        if not self._bases:
            raise RowError("a table on S3 can list http(s) addresses only, not paths")
        return image_id or text, str(self._path(text))

    def _path(self, text: str) -> Path:
        path = PurePath(text if not text.startswith("//") else text[1:])
        for base in self._bases:
            if is_file(base / path):
                if base is not self._bases[0]:
                    self._bases.reverse()  # its neighbours are most likely there too
                return base / path
        if path.is_absolute() or ".." in path.parts:
            # Such a path may point anywhere: it is believed only where it points at a file.
            raise RowError("there is no such file, and the path leads out of the table's folder")
        return Path(self.location).parent / path


def _columns(table: Table, where: str) -> Columns:
    columns = Columns.of(table.header)
    if columns.product in table.repeated:
        raise CatalogueError(f"{where} has two columns named {columns.product}. Rename one of them")
    return columns


def pixl_address(pixl_id: str, settings: Settings) -> str:
    """The address of one image of a department's listing.

    Raises:
        UsageError: the setting has no place for the id.
    """
    if PLACEHOLDER not in settings.image_address:
        raise UsageError(f"the image address {settings.image_address!r} must hold {PLACEHOLDER}")
    return settings.image_address.replace(PLACEHOLDER, quote(pixl_id, safe=""))


def _product(product_id: str, columns: Columns, cells: Mapping[str, object]) -> Product:
    # Shops export texts from their pages: `HeatTech&trade;` is meant to be read.
    title, description = (unescape(as_text(_cell(cells, name))) for name in (columns.title, columns.description))
    return Product(product_id, title, description, columns.attributes_of(cells))


def _cell(cells: Mapping[str, object], name: str | None) -> object:
    return None if name is None else cells.get(name)


def _list(value: object) -> list[object]:
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _image_ids(value: object, count: int) -> list[str]:
    """As many ids as the row has images: the list of them, or one that is numbered where it must serve for several."""
    ids = [as_text(item).strip() for item in _list(value)]
    if len(ids) == count:
        return ids
    return [f"{ids[0]}-{place}" if ids and ids[0] else "" for place in range(1, count + 1)]


def is_file(path: Path) -> bool:
    """Whether a path that somebody wrote into a table is a file's."""
    try:
        return path.is_file()
    except OSError:  # a name too long, a folder that may not be looked into
        return False


def _failure(where: str, number: int, reason: str, product_id: str = "", image_id: str = "") -> Failure:
    return Failure("list", reason, product_id, image_id, f"{where}:{number}")
