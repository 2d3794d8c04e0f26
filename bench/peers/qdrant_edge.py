"""Qdrant Edge: a shard with a graph, and an index on each attribute."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import qdrant_edge as edge
from filters import All, Between, Either, In, Not

from peers import Peer, blocks, padded

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from filters import Condition
    from numpy.typing import NDArray

LINKS, CONSTRUCTION, FULL_SCAN_KB = 16, 100, 10_000  # Qdrant's own choices
ACORN = edge.AcornSearchParams(enable=True, max_selectivity=1.0)
AT_ONCE = 4096  # points a call
KINDS = {"U": "Keyword", "f": "Float", "b": "Integer"}  # MatchValue(True) asks for the number 1, so True is stored as 1


class QdrantEdge(Peer):
    """``EdgeShard`` with HNSW, dot product, optimised to the end. Effort: ``hnsw_ef``.

    ACORN for every share of passing rows: without it a condition that half of the rows pass keeps the graph below 0.99.
    """

    packages: ClassVar = ("qdrant-edge-py",)
    settings: ClassVar = f"HNSW m {LINKS}, ef_construct {CONSTRUCTION}, float32, payload indexes, ACORN"
    filters: ClassVar = True

    def build(self, vectors: NDArray[np.float16], attributes: Mapping[str, NDArray] | None = None) -> None:
        """Indexes on the attributes first, so that the graph is built knowing them."""
        attributes = attributes or {}
        graph = edge.HnswIndexConfig(LINKS, CONSTRUCTION, FULL_SCAN_KB, max_indexing_threads=self.threads)
        config = edge.EdgeConfig(
            vectors=edge.EdgeVectorParams(vectors.shape[1], edge.Distance.Dot, hnsw_config=graph),
            max_search_threads=self.threads,
        )
        self._shard = edge.EdgeShard.create(str(self.folder), config)
        for name, values in attributes.items():
            kind = getattr(edge.PayloadSchemaType, KINDS[values.dtype.kind])
            self._shard.update(edge.UpdateOperation.create_field_index(name, kind))
        for start, block in blocks(vectors, AT_ONCE):
            columns = {name: _plain(values[start : start + AT_ONCE]) for name, values in attributes.items()}
            payloads = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
            points = [
                edge.Point(start + i, vector, payloads[i] if payloads else None)
                for i, vector in enumerate(block.tolist())
            ]
            self._shard.update(edge.UpdateOperation.upsert_points(points))
        while self._shard.optimize():
            pass
        self._shard.flush()

    def try_harder(self, effort: int) -> None:
        """More candidates kept while walking the graph."""
        self._params = edge.SearchParams(hnsw_ef=effort, acorn=ACORN)

    def search(self, queries: NDArray[np.float32], k: int, where: Condition | None = None) -> NDArray[np.int64]:
        """One call a query."""
        condition = edge.Filter(must=[_told(where)]) if where is not None else None
        found = []
        for query in queries.tolist():
            asked: Any = edge.SearchRequest(edge.Query.Nearest(query), k, filter=condition, params=self._params)
            found.append([point.id for point in self._shard.search(asked)])
        return padded(found, k)

    def close(self) -> None:
        """Close the shard."""
        self._shard.close()


def _plain(values: NDArray) -> list[str | float | int]:
    plain: list[str | float | int] = (values.astype(int) if values.dtype.kind == "b" else values).tolist()
    return plain


def _told(where: Condition) -> Any:
    match where:
        case In(name, (value,)):
            return edge.FieldCondition(name, match=edge.MatchValue(value))
        case In(name, values):
            return edge.FieldCondition(name, match=edge.MatchAny(list(values)))
        case Between(name, low, high):
            return edge.FieldCondition(name, range=edge.RangeFloat(gte=low, lt=high))
        case All(parts):
            return edge.Filter(must=[_told(part) for part in parts])
        case Either(parts):
            return edge.Filter(should=[_told(part) for part in parts])
        case Not(part):
            return edge.Filter(must_not=[_told(part)])
