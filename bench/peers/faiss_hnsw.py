"""FAISS, a graph over float32 vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import faiss

from peers import Peer, blocks

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from filters import Condition
    from numpy.typing import NDArray

LINKS, CONSTRUCTION = 32, 100


class FaissHnsw(Peer):
    """``IndexHNSWFlat``, inner product. Effort: ``efSearch``."""

    packages: ClassVar = ("faiss-cpu",)
    settings: ClassVar = f"M {LINKS}, efConstruction {CONSTRUCTION}, float32"

    def build(self, vectors: NDArray[np.float16], attributes: Mapping[str, NDArray] | None = None) -> None:
        """Insert block by block: what is held twice is a block."""
        faiss.omp_set_num_threads(self.threads)
        self._index = faiss.IndexHNSWFlat(vectors.shape[1], LINKS, faiss.METRIC_INNER_PRODUCT)
        self._index.hnsw.efConstruction = CONSTRUCTION
        for _, block in blocks(vectors):
            self._index.add(block)

    def try_harder(self, effort: int) -> None:
        """More candidates kept while walking the graph."""
        self._index.hnsw.efSearch = effort

    def search(self, queries: NDArray[np.float32], k: int, where: Condition | None = None) -> NDArray[np.int64]:
        """One call; FAISS spreads the queries over its threads."""
        rows: NDArray[np.int64] = self._index.search(queries, k)[1]
        return rows

    search_all = search

    def close(self) -> None:
        """Free the graph."""
        del self._index
