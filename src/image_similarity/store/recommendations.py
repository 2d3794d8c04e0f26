"""Writes and reads one dictionary: ``NAME.pickle``, ``NAME.parquet`` with scores and pictures, ``NAME.lookup``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from image_similarity.errors import NotFittedError, UsageError
from image_similarity.store import recommendations_lookup as lookup
from image_similarity.store import safe_pickle
from image_similarity.util.files import remove_leftovers_of, replacing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path
    from typing import TypeVar

    from image_similarity.types import ProductMatch

    T = TypeVar("T")

COLUMNS = ("product", "similar_product", "rank", "score", "image", "similar_image")
PICKLE, TABLE = ".pickle", ".parquet"
ROW_GROUP = 10_000  # rows written at a time: memory stays flat, and a reader skips what it does not look for


def write(stem: Path, answers: Iterable[tuple[str, list[ProductMatch]]]) -> int:
    """Write all three files, each whole or not at all; the pickle last, for the other two are believed only with it.

    One process at a time, as a fit's lock sees to: what an earlier one, killed, has half written goes.

    Args:
        stem: the path without an ending.
        answers: each product with its similar products, best first.

    Returns:
        The number of products.

    Raises:
        OutputError: a file cannot be written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    texts = pa.string()
    types = (texts, texts, pa.int32(), pa.float32(), texts, texts)
    schema = pa.schema(list(zip(COLUMNS, types, strict=True)))
    similar: dict[str, list[str]] = {}
    rows: list[tuple[object, ...]] = []
    for ending in (PICKLE, lookup.ENDING, TABLE):
        remove_leftovers_of(_file(stem, ending))
    # No file takes its place before all are whole.
    with (
        replacing(_file(stem, PICKLE)) as plain,
        replacing(_file(stem, lookup.ENDING)) as found,
        replacing(_file(stem, TABLE)) as table,
        lookup.writing(found) as finder,
    ):
        # A file that is open: Arrow takes no path that is not UTF-8.
        with table.open("wb") as opened, pq.ParquetWriter(opened, schema, write_page_checksum=True) as writer:
            for product_id, matches in answers:
                similar[product_id] = [match.product_id for match in matches]
                finder.add(product_id, matches)
                rows += [(product_id, m.product_id, m.rank, m.score, m.query_image_id, m.image_id) for m in matches]
                if len(rows) >= ROW_GROUP:
                    writer.write_batch(_batch(rows, schema), row_group_size=len(rows))
                    rows = []
            if rows:
                writer.write_batch(_batch(rows, schema), row_group_size=len(rows))
        plain.write_bytes(safe_pickle.dumps(similar))
        finder.finish(plain)
    return len(similar)


class _Answers(Protocol):
    """One of the ways to read a dictionary."""

    def products(self) -> Iterable[str]: ...

    def by_chance(self) -> str | None: ...

    def similar(self, product_id: str) -> list[ProductMatch] | None: ...


class Dictionary:
    """A dictionary that was written before: by its look-up file where that fits, else by its older files.

    Raises:
        NotFittedError: it was not written.
        StoreError: its file is damaged.
    """

    def __init__(self, stem: Path) -> None:
        pickle, table = _file(stem, PICKLE), _file(stem, TABLE)
        self._path = table if table.exists() and not pickle.exists() else pickle
        if not self._path.exists():
            raise NotFittedError(f"there is no dictionary {pickle}: run fit first")
        self._stem = stem
        self._answers: _Answers = lookup.find(_file(stem, lookup.ENDING), pickle) or self._older()

    def products(self) -> list[str]:
        """Every product that it knows, by id."""
        return self._ask(lambda answers: sorted(answers.products()))

    def by_chance(self) -> str:
        """One product that it knows.

        Raises:
            NotFittedError: it knows none.
        """
        product_id = self._ask(lambda answers: answers.by_chance())
        if product_id is None:
            raise NotFittedError(f"{self._path} holds no product: run fit first")
        return product_id

    def similar(self, product_id: str) -> list[ProductMatch]:
        """The products most similar to one.

        Raises:
            UsageError: there is no such product; the message has the nearest ids by spelling.
        """
        matches = self._ask(lambda answers: answers.similar(product_id))
        if matches is None:
            raise UsageError(f"there is no product {product_id!r} in {self._path}{self._hint(product_id)}")
        return matches

    def _ask(self, question: Callable[[_Answers], T]) -> T:
        try:
            return question(self._answers)
        except lookup.UnusableError:
            self._answers = self._older()
            return question(self._answers)

    def _older(self) -> _Answers:
        from image_similarity.store.older_recommendations import Pickled, Tabled

        table = _file(self._stem, TABLE)
        return Tabled(table) if self._path == table else Pickled(self._path, table)

    def _hint(self, product_id: str) -> str:
        import difflib

        near = self._ask(lambda answers: difflib.get_close_matches(product_id, answers.products(), n=5, cutoff=0.5))
        return f". Did you mean {', '.join(near)}?" if near else ""


def _batch(rows: list[tuple[object, ...]], schema: Any) -> Any:
    import pyarrow as pa

    columns = zip(*rows, strict=True)
    return pa.record_batch(
        [pa.array(values, field.type) for values, field in zip(columns, schema, strict=True)], schema
    )


def _file(stem: Path, ending: str) -> Path:
    return stem.with_name(stem.name + ending)
