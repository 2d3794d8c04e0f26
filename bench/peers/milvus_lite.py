"""Milvus Lite: a collection with a graph a segment, and an index on each attribute."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from filters import sql
from pymilvus import DataType, MilvusClient

from peers import Peer, blocks, padded

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from filters import Condition
    from numpy.typing import NDArray

LINKS, CONSTRUCTION = 16, 100
AT_ONCE = 8192  # rows a call: below the 64 MB of one message
KINDS = {"U": DataType.VARCHAR, "f": DataType.DOUBLE, "b": DataType.BOOL}
NAME = "products"


class MilvusLite(Peer):
    """``HNSW``, inner product, by its client; it runs as a server of its own. Effort: ``ef``."""

    packages: ClassVar = ("pymilvus", "milvus-lite")
    settings: ClassVar = f"HNSW M {LINKS}, efConstruction {CONSTRUCTION}, float32, INVERTED on attributes"
    filters: ClassVar = True

    def build(self, vectors: NDArray[np.float16], attributes: Mapping[str, NDArray] | None = None) -> None:
        """Insert, flush, index, load."""
        attributes = attributes or {}
        self._client = MilvusClient(str(self.folder / "milvus.db"))
        schema = self._client.create_schema(auto_id=False, enable_dynamic_field=False)
        schema.add_field("row", DataType.INT64, is_primary=True)
        schema.add_field("vector", DataType.FLOAT_VECTOR, dim=vectors.shape[1])
        for name, values in attributes.items():
            kind = KINDS[values.dtype.kind]
            schema.add_field(name, kind, **({"max_length": 64} if kind == DataType.VARCHAR else {}))
        self._client.create_collection(NAME, schema=schema)
        for start, block in blocks(vectors, AT_ONCE):
            columns = {name: values[start : start + AT_ONCE].tolist() for name, values in attributes.items()}
            rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
            rows = rows or [{} for _ in block]
            data = [{"row": start + i, "vector": vector, **rows[i]} for i, vector in enumerate(block)]
            self._client.insert(NAME, data)
        self._client.flush(NAME)
        self._index(attributes)
        self._client.load_collection(NAME)

    def _index(self, attributes: Mapping[str, NDArray]) -> None:
        wanted: Any = self._client.prepare_index_params()
        build = {"M": LINKS, "efConstruction": CONSTRUCTION}
        wanted.add_index("vector", index_type="HNSW", metric_type="IP", params=build)
        for name in attributes:
            wanted.add_index(name, index_type="INVERTED")
        self._client.create_index(NAME, wanted)

    def try_harder(self, effort: int) -> None:
        """More candidates kept while walking the graphs."""
        self._params = {"metric_type": "IP", "params": {"ef": effort}}

    def search(self, queries: NDArray[np.float32], k: int, where: Condition | None = None) -> NDArray[np.int64]:
        """One call with all queries."""
        condition = _told(where) if where is not None else ""
        answers = self._client.search(NAME, list(queries), filter=condition, limit=k, search_params=self._params)
        return padded([[hit["row"] for hit in answer] for answer in answers], k)

    def close(self) -> None:
        """Drop the rows and end the server."""
        self._client.drop_collection(NAME)
        self._client.close()


def _told(where: Condition) -> str:
    """Milvus reads SQL but for the words and the brackets of lists."""
    return sql(where, equal="==", brackets="[]")
