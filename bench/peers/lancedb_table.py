"""LanceDB: a table with a vector index and an index on each attribute."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import lancedb
import pyarrow as pa
from filters import sql

from peers import Peer, blocks, padded

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy as np
    from filters import Condition
    from numpy.typing import NDArray

SCALAR = {"department": "BITMAP", "brand": "BITMAP", "in_stock": "BITMAP", "price": "BTREE"}
REFINE = 4  # rows looked at again in float32, for each one wanted


class LanceTable(Peer):
    """``IVF_HNSW_SQ`` by LanceDB's own choices, refined; the condition applied first. Effort: ``ef``."""

    packages: ClassVar = ("lancedb",)
    settings: ClassVar = f"IVF_HNSW_SQ (m 20, ef_construction 300), refine {REFINE}, bitmaps and a B-tree, prefilter"
    effort: ClassVar = (10, 2560)
    filters: ClassVar = True

    def build(self, vectors: NDArray[np.float16], attributes: Mapping[str, NDArray] | None = None) -> None:
        """Write the table in blocks, then index it."""
        attributes = attributes or {}
        fields = [pa.field("row", pa.int64()), pa.field("vector", pa.list_(pa.float32(), vectors.shape[1]))]
        fields += [pa.field(name, pa.array(values[:1]).type) for name, values in attributes.items()]
        schema = pa.schema(fields)
        reader = pa.RecordBatchReader.from_batches(schema, _batches(vectors, attributes, schema))
        self._table = lancedb.connect(self.folder).create_table("products", reader)
        self._table.create_index(metric="dot", index_type="IVF_HNSW_SQ")
        for name in attributes:
            self._table.create_scalar_index(name, index_type=SCALAR[name])
        self._table.wait_for_index([index.name for index in self._table.list_indices()])

    def try_harder(self, effort: int) -> None:
        """More candidates kept while walking the graph of each of twenty partitions (there is one up to a million)."""
        self._effort = effort

    def search(self, queries: NDArray[np.float32], k: int, where: Condition | None = None) -> NDArray[np.int64]:
        """One call a query."""
        condition = sql(where) if where is not None else None
        return padded([self._one(query, k, condition) for query in queries], k)

    def _one(self, query: NDArray[np.float32], k: int, condition: str | None) -> list[int]:
        asked: Any = self._table.search(query).distance_type("dot").select(["row", "_distance"]).limit(k)
        asked = asked.ef(max(self._effort, REFINE * k)).refine_factor(REFINE)
        if condition is not None:
            asked = asked.where(condition, prefilter=True)
        rows: list[int] = asked.to_arrow()["row"].to_pylist()
        return rows


def _batches(
    vectors: NDArray[np.float16], attributes: Mapping[str, NDArray], schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    for start, block in blocks(vectors):
        stop = start + len(block)
        arrays = [
            pa.array(range(start, stop), pa.int64()),
            pa.FixedSizeListArray.from_arrays(block.ravel(), vectors.shape[1]),
        ]
        arrays += [pa.array(values[start:stop]) for values in attributes.values()]
        yield pa.RecordBatch.from_arrays(arrays, schema=schema)
