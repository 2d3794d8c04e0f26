"""Read ground truth: photos and their products (``query,product_id``), or pairs of similar products."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from image_similarity.catalogue.columns import IMAGE, PRODUCT, as_text, column_key
from image_similarity.catalogue.pairs import BAD, SIMILAR, VERDICT, read_pairs
from image_similarity.catalogue.remote_tables import is_remote
from image_similarity.catalogue.rows import BadRow
from image_similarity.catalogue.tables import open_table
from image_similarity.errors import CatalogueError
from image_similarity.types import Failure
from image_similarity.util.files import is_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from image_similarity.settings import Settings

SUBFOLDERS = ("", "photos", "images")  # of the table's folder
QUERY = ["query", "query_image", "query_path", "query_photo", *IMAGE]


@dataclass(frozen=True, slots=True)
class LabelledPhoto:
    """A query photo and its correct products, one or more, in table order. ``name`` is as in the table."""

    name: str
    path: Path
    product_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Labels:
    """A table's labels: either photos or pairs of similar products, and the rows that could not be used."""

    photos: Sequence[LabelledPhoto] = ()
    picks: Sequence[tuple[str, str]] = ()
    failures: Sequence[Failure] = ()


def read_labels(location: str, settings: Settings) -> Labels:
    """Read a CSV, JSON lines or Parquet table of labels. A photo in several rows has several correct products.

    Rows whose ``verdict`` is ``bad``, as in the service's feedback, are skipped.

    Args:
        location: a path or ``s3://bucket/key``. Photos are relative to the table's folder, or to ``photos/`` or
            ``images/`` beside it.
        settings: the S3 endpoint.

    Raises:
        CatalogueError: there is no such table, or it has neither form.
    """
    with open_table(location, settings) as table:
        header = table.header
    if _find_column(header, SIMILAR):
        return Labels(picks=read_pairs(location, settings))
    query, product = _find_column(header, QUERY), _find_column(header, PRODUCT)
    if query is None or product is None:
        existing = ", ".join(name for name in header if name) or "none at all"
        raise CatalogueError(
            f"{location} must have the columns query and product_id, or product_id and similar_product_id. "
            f"It has: {existing}"
        )
    return _photos(location, settings, query, product)


def _photos(location: str, settings: Settings, query: str, product: str) -> Labels:
    folder = Path() if is_remote(location) else Path(location).parent
    products: dict[str, dict[str, None]] = {}
    failures = []
    with open_table(location, settings) as table:
        for row in table.rows:
            where = f"{location}:{row.number}"
            if isinstance(row, BadRow):
                failures.append(Failure("list", row.reason, "", "", where))
                continue
            name, product_id = (as_text(row.cells.get(column)).strip() for column in (query, product))
            if as_text(row.cells.get(VERDICT)).strip().lower() == BAD:
                continue  # negative feedback is not a label
            if not name or not product_id:
                failures.append(Failure("list", f"the row needs {query} and {product}", product_id, name, where))
            elif "://" in name:
                failures.append(Failure("list", "a photo must be a local file", product_id, name, where))
            else:
                products.setdefault(name, {})[product_id] = None
    photos = [LabelledPhoto(name, _photo_path(folder, name), tuple(correct)) for name, correct in products.items()]
    return Labels(photos=photos, failures=failures)


def _photo_path(folder: Path, name: str) -> Path:
    paths = [folder / subfolder / name for subfolder in SUBFOLDERS]
    return next((path for path in paths if is_file(path)), paths[0])


def _find_column(header: Iterable[str], names: Iterable[str]) -> str | None:
    known = {column_key(name): name for name in reversed(list(header))}
    return next((known[column_key(name)] for name in names if column_key(name) in known), None)
