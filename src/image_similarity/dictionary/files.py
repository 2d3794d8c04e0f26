"""Writes and reads one dictionary's two files: ``NAME.pickle`` and, with scores and pictures, ``NAME.parquet``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from image_similarity.dictionary import safe_pickle
from image_similarity.errors import NotFittedError, StoreError, UsageError
from image_similarity.files import replacing
from image_similarity.types import ProductMatch

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

COLUMNS = ("product", "similar_product", "rank", "score", "image", "similar_image")
DECIMALS = 6  # of a score: what a ranking gives, and all that float32 keeps
ROW_GROUP = 50_000  # rows written at a time: memory stays flat, and a reader skips what it does not look for


def write(stem: Path, answers: Iterable[tuple[str, list[ProductMatch]]]) -> int:
    """Write both files, each whole or not at all; the pickle last.

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
    # Neither file takes its place before both are whole.
    with replacing(_file(stem, ".pickle")) as plain, replacing(_file(stem, ".parquet")) as table:
        with pq.ParquetWriter(table, schema) as writer:
            for product_id, matches in answers:
                similar[product_id] = [match.product_id for match in matches]
                rows += [(product_id, m.product_id, m.rank, m.score, m.query_image_id, m.image_id) for m in matches]
                if len(rows) >= ROW_GROUP:
                    writer.write_batch(_batch(rows, schema), row_group_size=len(rows))
                    rows = []
            if rows:
                writer.write_batch(_batch(rows, schema), row_group_size=len(rows))
        plain.write_bytes(safe_pickle.dumps(similar))
    return len(similar)


class Dictionary:
    """A dictionary that was written before.

    Raises:
        NotFittedError: it was not.
        StoreError: the file is damaged.
    """

    def __init__(self, stem: Path) -> None:
        self._stem = stem
        path = _file(stem, ".pickle")
        if not path.exists():
            raise NotFittedError(f"there is no dictionary {path}: run fit first")
        self._similar = safe_pickle.load(path)

    def products(self) -> list[str]:
        """Every product that it knows, by id."""
        return sorted(self._similar)

    def similar(self, product_id: str) -> list[ProductMatch]:
        """The products most similar to one.

        The pickle says which; scores and pictures come from the Parquet file, where it is there and agrees.

        Raises:
            UsageError: there is no such product; the message has the nearest ids by spelling.
        """
        if product_id not in self._similar:
            raise UsageError(
                f"there is no product {product_id!r} in {_file(self._stem, '.pickle')}{self._hint(product_id)}"
            )
        wanted = self._similar[product_id]
        matches = self._details(product_id)
        if [match.product_id for match in matches] == wanted:
            return matches
        return [ProductMatch(other, rank, None, "", "") for rank, other in enumerate(wanted, start=1)]

    def _details(self, product_id: str) -> list[ProductMatch]:
        path = _file(self._stem, ".parquet")
        if not path.exists():
            return []
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            rows = pq.read_table(path, filters=[("product", "=", product_id)]).to_pylist()
            return [
                ProductMatch(
                    row["similar_product"], row["rank"], round(row["score"], 6), row["similar_image"], row["image"]
                )
                for row in rows
            ]
        except (pa.ArrowException, OSError, KeyError, TypeError) as error:
            raise StoreError(f"{path} is damaged: {error}. Run fit again") from error

    def _hint(self, product_id: str) -> str:
        import difflib

        near = difflib.get_close_matches(product_id, self._similar, n=5, cutoff=0.5)
        return f". Did you mean {', '.join(near)}?" if near else ""


def _batch(rows: list[tuple[object, ...]], schema: Any) -> Any:
    import pyarrow as pa

    columns = zip(*rows, strict=True)
    return pa.record_batch(
        [pa.array(values, field.type) for values, field in zip(columns, schema, strict=True)], schema
    )


def _file(stem: Path, ending: str) -> Path:
    return stem.with_name(stem.name + ending)
