"""A table of right answers: photos and their products (``query,product_id``), or products that somebody picked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from image_similarity.catalogue.columns import IMAGE, PRODUCT, as_text, column_key
from image_similarity.catalogue.pairs import BAD, SIMILAR, VERDICT, read_pairs
from image_similarity.catalogue.rows import BadRow
from image_similarity.catalogue.tables import open_table
from image_similarity.errors import CatalogueError
from image_similarity.types import Failure
from image_similarity.util.files import is_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from image_similarity.settings import Settings

BESIDE = ("", "photos", "images")  # of the table's folder
QUERY = ["query", "query_image", "query_path", "query_photo", *IMAGE]


@dataclass(frozen=True, slots=True)
class LabelledPhoto:
    """A photo and the products that are right for it, one or more, in the table's order. ``name`` is as written."""

    name: str
    path: Path
    product_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Labels:
    """What a table says: photos or picks, whichever it is of, and the rows that could not be used."""

    photos: Sequence[LabelledPhoto] = ()
    picks: Sequence[tuple[str, str]] = ()
    failures: Sequence[Failure] = ()


def read_labels(location: str, settings: Settings) -> Labels:
    """Read a CSV, JSON lines or Parquet table of right answers. A photo in several rows has several right products.

    A row whose column ``verdict`` says ``bad`` is no right answer: the service's marks have such.

    Args:
        location: a path or ``s3://bucket/key``. Photos are relative to the table's folder, or to ``photos/`` or
            ``images/`` beside it.
        settings: where S3 is.

    Raises:
        CatalogueError: there is no such table, or it has none of the two forms.
    """
    with open_table(location, settings) as table:
        header = table.header
    if _named(header, SIMILAR):
        return Labels(picks=read_pairs(location, settings))
    query, product = _named(header, QUERY), _named(header, PRODUCT)
    if query is None or product is None:
        there = ", ".join(name for name in header if name) or "none at all"
        raise CatalogueError(
            f"{location} must have the columns query and product_id, or product_id and similar_product_id. "
            f"It has: {there}"
        )
    return _photos(location, settings, query, product)


def _photos(location: str, settings: Settings, query: str, product: str) -> Labels:
    folder = Path() if location.startswith("s3://") else Path(location).parent
    answers: dict[str, dict[str, None]] = {}
    failures = []
    with open_table(location, settings) as table:
        for row in table.rows:
            where = f"{location}:{row.number}"
            if isinstance(row, BadRow):
                failures.append(Failure("list", row.reason, "", "", where))
                continue
            name, product_id = (as_text(row.cells.get(column)).strip() for column in (query, product))
            if as_text(row.cells.get(VERDICT)).strip().lower() == BAD:
                continue  # somebody said that this is not it: a word on an answer, not one
            if not name or not product_id:
                failures.append(Failure("list", f"the row needs {query} and {product}", product_id, name, where))
            elif "://" in name:
                failures.append(Failure("list", "a photo must be a file of this machine", product_id, name, where))
            else:
                answers.setdefault(name, {})[product_id] = None
    photos = [LabelledPhoto(name, _place(folder, name), tuple(right)) for name, right in answers.items()]
    return Labels(photos=photos, failures=failures)


def _place(folder: Path, name: str) -> Path:
    places = [folder / beside / name for beside in BESIDE]
    return next((place for place in places if is_file(place)), places[0])


def _named(header: Iterable[str], names: Iterable[str]) -> str | None:
    known = {column_key(name): name for name in reversed(list(header))}
    return next((known[column_key(name)] for name in names if column_key(name) in known), None)
