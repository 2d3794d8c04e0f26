"""A table as a catalogue: one row per image, or one row per product with a list of images."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from html import unescape
from itertools import islice
from pathlib import Path, PureWindowsPath
from typing import BinaryIO
from urllib.parse import quote, unquote, urljoin

from image_similarity.catalogue.addresses import parse_address
from image_similarity.catalogue.column_names import NO_NAMES, ColumnNames
from image_similarity.catalogue.columns import Columns, as_text, column_key
from image_similarity.catalogue.image_cells import images_in, shows_image
from image_similarity.catalogue.image_columns import IMAGE_WORDS
from image_similarity.catalogue.names import is_text, name_for_address, shown_text
from image_similarity.catalogue.paths import AmbiguousPathError, FileFinder, leads_out
from image_similarity.catalogue.product_join import JoinedSource
from image_similarity.catalogue.remote_tables import is_on_web, is_remote, open_remote, shown_location
from image_similarity.catalogue.rows import BadRow, Row, Table
from image_similarity.catalogue.table_files import reading
from image_similarity.errors import CatalogueError, UsageError
from image_similarity.settings import Settings
from image_similarity.types import CatalogueImage, Failure, Product
from image_similarity.util.files import is_file, open_file

PLACEHOLDER = "{pixl_id}"
SAMPLED = 200  # rows searched for unused image columns
TAG = re.compile(
    r"</?(?:p|br|b|i|u|a|em|strong|small|span|font|div|section|h[1-6]|ul|ol|li|dl|dt|dd|table|tbody|thead|tr|td|th|hr|img"
    r"|su[bp]|blockquote|iframe|meta|style)(?:\s[^<>]*)?/?>|<!--.*?-->",
    re.IGNORECASE | re.DOTALL,
)
SHOWN = 200  # characters of a failed cell shown in place of an id


class RowError(Exception):
    """A row cannot be used; becomes a :class:`~image_similarity.types.Failure`."""


@contextmanager
def open_table(location: str, settings: Settings, region: str | None = None) -> Iterator[Table]:
    """Open a table by its path, ``s3://bucket/key`` or web address for the duration of the block.

    Raises:
        CatalogueError: it does not exist or is not a table.
    """
    with (
        _open_bytes(location, settings, region) as stream,
        reading(stream, shown_location(location), settings.tables) as table,
    ):
        yield table


def _open_bytes(location: str, settings: Settings, region: str | None) -> BinaryIO:
    if is_remote(location):
        return open_remote(location, settings, region)
    try:
        return open_file(Path(location))
    except FileNotFoundError as error:
        raise CatalogueError(f"there is no table {location}") from error
    except OSError as error:
        raise CatalogueError(f"cannot open the table {location}: {error.strerror or error}") from error


class ProductTable:
    """Products from a table with a product column, and usually a title and a description.

    ``failures`` and ``notes`` are of the last iteration: rows that could not be used, and what was guessed or skipped.
    """

    def __init__(
        self, location: str, settings: Settings, region: str | None = None, names: ColumnNames = NO_NAMES
    ) -> None:
        self.location, self._address = shown_location(location), location
        self.failures: list[Failure] = []
        self.notes: list[str] = []
        self._settings, self._region, self._names = settings, region, names

    def __iter__(self) -> Iterator[Product]:
        self.failures, self.notes = [], []
        return self._products()

    def header(self) -> tuple[str, ...]:
        with open_table(self._address, self._settings, self._region) as table:
            return table.header

    def _products(self) -> Iterator[Product]:
        seen: set[str] = set()
        with open_table(self._address, self._settings, self._region) as table:
            self.notes = table.notes
            of_table = _columns(table, self.location, self._names, image=False)
            for row, columns in _rows(table, of_table, self.location, self._names, self.failures):
                product_id = product_of_row(row.cells, columns)
                if not product_id:
                    self.failures.append(_failure(self.location, row.number, "the row has no product id"))
                elif product_id not in seen:
                    seen.add(product_id)
                    yield _product(product_id, columns, row.cells)


class TableSource(JoinedSource):
    """Images from one table, and products where it describes them.

    Paths are relative to the table's folder or to ``images/`` in it. ``failures`` holds the rows of the last iteration
    that could not be used. Only product ids are kept in memory.
    """

    def __init__(
        self,
        location: str,
        settings: Settings,
        *,
        products: ProductTable | None = None,
        region: str | None = None,
        names: ColumnNames = NO_NAMES,
    ) -> None:
        super().__init__(products)
        self.location, self._address = shown_location(location), location
        self._settings, self._region, self._names = settings, region, names
        folder = None if is_remote(location) else Path(location).parent
        self._files = None if folder is None else FileFinder([folder, folder / "images"])
        self._last_product_with_images = ""

    def products(self) -> Iterator[Product]:
        """The products, each once: from the separate table, or from this one if it has titles or descriptions."""
        if self.product_table is not None:
            yield from super().products()
            return
        with open_table(self._address, self._settings, self._region) as table:
            described = Columns.of(table.header, self._names).describe_products
        if described:
            yield from ProductTable(self._address, self._settings, self._region, self._names)

    def items(self) -> Iterator[CatalogueImage | Product]:
        """Images and products in the order of the table, in one pass over it."""
        notes = self._header_notes()
        if self.product_table is not None:
            yield from super().items()
        else:
            self.failures, self.notes = [], []
            yield from self._read(products=True)
        for note in notes:
            self.note(note)

    def check(self) -> None:
        """Also check that every named column exists."""
        notes = self._header_notes()
        super().check()
        for note in notes:
            self.note(note)

    def _header_notes(self) -> list[str]:
        """Notes on the image columns that are read and on those that are not, from the header and first rows."""
        with open_table(self._address, self._settings, self._region) as table:
            header, unread = table.header, self._unread(table)
            notes = list(table.notes)
        if self._names.named:
            own = self.product_table
            self._names.check(self.location, [*header, *(own.header() if own is not None else ())])
        columns = Columns.of(header, self._names)
        read = [name for name in (columns.image, *columns.images.additional) if name]
        if len(read) > 1:
            notes.append(f"images are read from {len(read)} columns: {', '.join(read)}")
        if columns.images.fallbacks and not self._names.of("image"):
            fallbacks, given = ", ".join(columns.images.fallbacks), " and ".join(read)
            notes.append(
                f"{fallbacks} is read only where {given} is empty, else it is an attribute: map the columns to read all"
            )
        if unread and not self._names.of("image"):
            notes.append(f"{', '.join(unread)} also have images and are not read: map the columns to read all")
        return notes

    def _unread(self, table: Table) -> list[str]:
        """Columns that are not read although their first cells name images."""
        found: dict[str, None] = {}
        for row in islice(table.rows, SAMPLED):
            if isinstance(row, BadRow):
                continue
            columns = Columns.of(row.cells, self._names)
            for name in columns.attributes:
                expected = IMAGE_WORDS.search(column_key(name)) is not None
                if name not in columns.images.fallbacks and shows_image(row.cells.get(name), expected=expected):
                    found[name] = None
        return list(found)

    def _images(self) -> Iterator[CatalogueImage]:
        for item in self._read(products=False):
            if isinstance(item, CatalogueImage):
                yield item

    def _read(self, *, products: bool) -> Iterator[CatalogueImage | Product]:
        """The images of each row; with ``products`` also each product once, before its images."""
        self._last_product_with_images, seen = "", set[str]()
        with open_table(self._address, self._settings, self._region) as table:
            self.notes = table.notes
            of_table = _columns(table, self.location, self._names, image=True)
            products = products and of_table.describe_products
            for row, columns in _rows(table, of_table, self.location, self._names, self.failures):
                product_id = product_of_row(row.cells, columns) if products else ""
                if product_id and product_id not in seen:
                    seen.add(product_id)
                    yield _product(product_id, columns, row.cells)
                yield from self._images_of(row.number, row.cells, columns)
        if self._files is not None and self._files.by_end:
            path, text = next(iter(self._files.by_end.items()))
            self.note(
                f"{len(self._files.by_end)} paths of another machine are matched to files here with the same ending, "
                f"{text} for {path.name}"
            )

    def _images_of(self, number: int, cells: Mapping[str, object], columns: Columns) -> Iterator[CatalogueImage]:
        product_id = product_of_row(cells, columns)
        values = self._image_values(cells, columns)
        if not values and product_id and product_id == self._last_product_with_images:
            return  # another variant of a product whose image is in a row above
        image_ids = _image_ids(_cell(cells, columns.image_id), len(values))
        attributes = columns.attributes_of(cells)
        if not values:
            values, image_ids = [""], [""]
        for text, image_id in zip(values, image_ids, strict=True):
            try:
                if not product_id:
                    raise RowError("the row has no product id")
                if not text:
                    raise RowError("the row has no image")
                known_id, location = self._place(product_id, text, image_id, pixl=columns.image is None)
                if not is_text(location):
                    raise RowError("the path of the file is not UTF-8")
            except RowError as error:
                shown = image_id or text[:SHOWN]
                self.failures.append(_failure(self.location, number, str(error), product_id, shown))
            else:
                self._last_product_with_images = product_id
                yield CatalogueImage(known_id, product_id, location, attributes)

    def _image_values(self, cells: Mapping[str, object], columns: Columns) -> list[str]:
        """The images named in a row's image columns, or in the fallback columns where those are empty."""
        if columns.image is None:
            return [text for each in _list(_cell(cells, columns.pixl)) if (text := as_text(each).strip())]
        for names in ((columns.image, *columns.images.additional), columns.images.fallbacks):
            found = [text for name in names for text in images_in(cells.get(name), self._file_exists)]
            if found:
                return list(dict.fromkeys(found))
        return []

    def _file_exists(self, text: str) -> bool:
        return self._files is not None and any(is_file(folder / text) for folder in self._files.folders)

    def _place(self, product_id: str, text: str, image_id: str, *, pixl: bool) -> tuple[str, str]:
        """The image id, generated where the table has none, and the location of one image."""
        if pixl:
            return image_id or f"{product_id}_{text}.jpg", pixl_address(text, self._settings)
        address = None if text.startswith("//") and is_file(Path(text)) else parse_address(text)
        if address is not None:
            return image_id or name_for_address(address, product_id), address
        scheme, divider, rest = text.partition("://")
        if scheme.lower() == "file" and divider:
            return self._place(product_id, _path_of(rest), image_id, pixl=False)
        if divider:
            raise RowError(f"an image cannot be read from {scheme}://; use a path or an http(s) address")
        if self._files is None and is_on_web(self._address):
            address = urljoin(self._address, text)
            return image_id or name_for_address(address, product_id), address
        if self._files is None:
            raise RowError("a table on S3 can list http(s) addresses only, not paths")
        return image_id or text, str(self._path(text, self._files))

    def _path(self, text: str, files: FileFinder) -> Path:
        try:
            found = files.find(text if not text.startswith("//") else text[1:])
        except AmbiguousPathError as error:
            raise RowError(str(error)) from None
        if found is not None:
            return found
        if leads_out(text):
            # Such a path may point anywhere, so it is used only if the file exists.
            if PureWindowsPath(text).drive:
                name = PureWindowsPath(text).name
                raise RowError(f"it is a path of another machine, and there is no file {name} beside the table")
            raise RowError("there is no such file, and the path leads out of the table's folder")
        return Path(self.location).parent / text


def _columns(table: Table, where: str, names: ColumnNames, *, image: bool) -> Columns:
    columns = Columns.of(table.header, names)
    if columns.product in table.repeated:
        raise CatalogueError(f"{where} has two columns named {columns.product}. Rename one of them")
    columns.require(where, table.header, image=image)
    return columns


def _rows(
    table: Table, columns: Columns, where: str, names: ColumnNames, failures: list[Failure]
) -> Iterator[tuple[Row, Columns]]:
    """Each readable row with its columns: JSON lines may have other ones in every row. The others become failures."""
    for row in table.rows:
        if isinstance(row, BadRow):
            failures.append(_failure(where, row.number, row.reason))
        else:
            yield row, columns if tuple(row.cells) == table.header else Columns.of(row.cells, names)


def _path_of(rest: str) -> str:
    """The path of a ``file://`` address, given the part after the scheme."""
    path = unquote(rest.removeprefix("localhost"))
    return path[1:] if re.match(r"/[A-Za-z]:", path) else path


def pixl_address(pixl_id: str, settings: Settings) -> str:
    """The address of an image of a department's listing.

    Raises:
        UsageError: the setting has no placeholder for the id.
    """
    if PLACEHOLDER not in settings.image_address:
        raise UsageError(f"the image address {settings.image_address!r} must hold {PLACEHOLDER}")
    return settings.image_address.replace(PLACEHOLDER, quote(pixl_id, safe=""))


def _product(product_id: str, columns: Columns, cells: Mapping[str, object]) -> Product:
    title, description = (as_text(_first(_cell(cells, name))) for name in (columns.title, columns.description))
    return Product(product_id, unescape(title), _without_markup(description), columns.attributes_of(cells))


def _without_markup(text: str) -> str:
    """Shops export texts from their pages, with tags and entities: ``<p>HeatTech&trade;</p>``."""
    return unescape(" ".join(TAG.sub(" ", text).split()) if TAG.search(text) else text)


def product_of_row(cells: Mapping[str, object], columns: Columns) -> str:
    """The product id of a row; empty where it has none."""
    return as_text(_cell(cells, columns.product)).strip() or as_text(_cell(cells, columns.fallback_product)).strip()


def _cell(cells: Mapping[str, object], name: str | None) -> object:
    return None if name is None else cells.get(name)


def _first(value: object) -> object:
    """The first cell of a repeated column."""
    return value[0] if isinstance(value, list) and value else value


def _list(value: object) -> list[object]:
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _image_ids(value: object, count: int) -> list[str]:
    """One id per image of a row: the listed ids, or a single id with numbers appended."""
    ids = [as_text(item).strip() for item in _list(value)]
    if len(ids) == 1 and (count > 1 or ids[0][:1] == "["):
        divided = [each.strip(" '\"") for each in re.split(r"[,;|\s]+", ids[0].strip("[]() \t\n"))]
        ids = divided if len(divided) == count and all(divided) else ids
    if len(ids) == count:
        return ids
    return [f"{ids[0]}-{place}" if ids and ids[0] else "" for place in range(1, count + 1)]


def _failure(where: str, number: int, reason: str, product_id: str = "", image_id: str = "") -> Failure:
    return Failure("list", reason, product_id, image_id, f"{shown_text(where)}:{number}")
