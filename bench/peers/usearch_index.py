"""USearch, a graph over bfloat16 vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
from usearch.index import Index

from peers import Peer, blocks

if TYPE_CHECKING:
    from collections.abc import Mapping

    from filters import Condition
    from numpy.typing import NDArray

LINKS, CONSTRUCTION = 16, 100


class UsearchIndex(Peer):
    """``Index``, inner product. Effort: ``expansion_search``."""

    packages: ClassVar = ("usearch",)
    settings: ClassVar = f"bf16, M {LINKS}, efConstruction {CONSTRUCTION}"

    def build(self, vectors: NDArray[np.float16], attributes: Mapping[str, NDArray] | None = None) -> None:
        """Insert block by block: what is held twice is a block."""
        self._index = Index(
            ndim=vectors.shape[1], metric="ip", dtype="bf16", connectivity=LINKS, expansion_add=CONSTRUCTION
        )
        for start, block in blocks(vectors):
            self._index.add(np.arange(start, start + len(block)), block, threads=self.threads)

    def try_harder(self, effort: int) -> None:
        """More candidates kept while walking the graph."""
        self._index.expansion_search = effort

    def search(self, queries: NDArray[np.float32], k: int, where: Condition | None = None) -> NDArray[np.int64]:
        """One call; USearch spreads the queries over its threads."""
        if len(queries) == 1:
            keys = self._index.search(queries[0], k, threads=1).keys[None]
        else:
            keys = self._index.search(queries, k, threads=self.threads).keys
        return keys.astype(np.int64)

    search_all = search

    def close(self) -> None:
        """Free the graph."""
        self._index.reset()
