"""FAISS, every row in 8 bits, the best of them again in 16."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import faiss
import numpy as np

from peers import Peer, blocks

if TYPE_CHECKING:
    from collections.abc import Mapping

    from filters import Condition
    from numpy.typing import NDArray

TRAINING = 50_000


class FaissFlatSq8Rerank(Peer):
    """``IndexScalarQuantizer`` (8 bits), one shard a thread, under an ``IndexRefine`` (float16).

    Shards, because FAISS spreads queries over threads and a single query has only one. Effort: rows looked at again.
    """

    packages: ClassVar = ("faiss-cpu",)
    settings: ClassVar = "QT_8bit flat, one shard a thread, re-ranked in float16"
    effort: ClassVar = (10, 640)

    def build(self, vectors: NDArray[np.float16], attributes: Mapping[str, NDArray] | None = None) -> None:
        """Train the ranges on a sample of rows, then encode."""
        faiss.omp_set_num_threads(1)
        dimension, product = vectors.shape[1], faiss.METRIC_INNER_PRODUCT
        coarse = faiss.IndexShards(dimension, True, True)  # threaded, numbers by order of adding
        chosen = np.sort(np.random.default_rng(0).choice(len(vectors), min(TRAINING, len(vectors)), replace=False))
        sample = np.ascontiguousarray(vectors[chosen], np.float32)
        for part in np.array_split(np.arange(len(vectors)), self.threads):
            shard = faiss.IndexScalarQuantizer(dimension, faiss.ScalarQuantizer.QT_8bit, product)
            shard.train(sample)
            for _, block in blocks(vectors[part[0] : part[-1] + 1]):
                shard.add(block)
            coarse.add_shard(shard)
        fine = faiss.IndexScalarQuantizer(dimension, faiss.ScalarQuantizer.QT_fp16, product)
        for _, block in blocks(vectors):
            fine.add(block)
        self._parts = coarse, fine
        self._index = faiss.IndexRefine(coarse, fine)

    def try_harder(self, effort: int) -> None:
        """More rows looked at again, counted for ten wanted."""
        self._index.k_factor = effort / 10

    def search(self, queries: NDArray[np.float32], k: int, where: Condition | None = None) -> NDArray[np.int64]:
        """One call; each shard on its own thread."""
        rows: NDArray[np.int64] = self._index.search(queries, k)[1]
        return rows

    search_all = search

    def close(self) -> None:
        """Free both sets of codes."""
        del self._index, self._parts
