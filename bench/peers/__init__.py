"""What we are measured beside: one file a peer, behind one small class."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import ClassVar

import numpy as np
from filters import Condition
from numpy.typing import NDArray

AT_ONCE = 32_768  # queries a call
BLOCK = 16_384  # rows turned into float32 at a time

# name -> module:class. Ours is one of them: nothing here knows which.
PEERS = {
    "ours": "peers.ours:Ours",
    "faiss-hnsw": "peers.faiss_hnsw:FaissHnsw",
    "faiss-sq8": "peers.faiss_flat_sq8_rerank:FaissFlatSq8Rerank",
    "usearch": "peers.usearch_index:UsearchIndex",
    "lancedb": "peers.lancedb_table:LanceTable",
    "qdrant-edge": "peers.qdrant_edge:QdrantEdge",
    "milvus-lite": "peers.milvus_lite:MilvusLite",
}


class Peer:
    """An index that is built once and searched with more or less effort.

    Args:
        folder: an empty directory of its own, for peers that keep files.
        threads: processors that it may use.
    """

    packages: ClassVar[tuple[str, ...]] = ()  # whose versions are stated
    settings: ClassVar[str] = ""  # how it is built, for the table
    effort: ClassVar[tuple[int, int]] = (10, 5120)  # the least and the most that :meth:`try_harder` may be given
    tuned: ClassVar[bool] = False  # whether it finds for itself how far to look for all rows
    filters: ClassVar[bool] = False  # whether it can be asked with a condition

    def __init__(self, folder: Path, threads: int) -> None:
        self.folder, self.threads = folder, threads

    def build(self, vectors: NDArray[np.float16], attributes: Mapping[str, NDArray] | None = None) -> None:
        """Take all rows ``(n, dimension)``, perhaps a memory map, and index them; return when searches are at speed."""
        raise NotImplementedError

    def try_harder(self, effort: int) -> None:
        """Set what trades time for recall."""
        raise NotImplementedError

    def search(self, queries: NDArray[np.float32], k: int, where: Condition | None = None) -> NDArray[np.int64]:
        """The rows nearest to each query ``(m, dimension)``, best first: ``(m, k)``, -1 where there are no more."""
        raise NotImplementedError

    def search_all(self, queries: NDArray[np.float32], k: int) -> NDArray[np.int64]:
        """As :meth:`search`, for many queries at once on all threads. Here: as many clients as there are threads."""
        edges = np.linspace(0, len(queries), 8 * self.threads + 1).astype(int)
        with ThreadPoolExecutor(self.threads) as pool:
            parts = pool.map(lambda edge: self.search(queries[edge[0] : edge[1]], k), pairwise(edges))
            return np.concatenate(list(parts))

    def search_rows(self, vectors: NDArray[np.float16], k: int) -> NDArray[np.int64]:
        """The ``k`` rows nearest to each row that was built on. Here: as so many queries."""
        parts = (vectors[start : start + AT_ONCE].astype(np.float32) for start in range(0, len(vectors), AT_ONCE))
        return np.concatenate([self.search_all(part, k) for part in parts])

    def close(self) -> None:
        """Give back memory, files and processes."""


def load(name: str) -> type[Peer]:
    """The class of a peer.

    Raises:
        ImportError: its package is not installed; what :mod:`search` says of it and goes on without.
    """
    module, _, attribute = PEERS[name].partition(":")
    peer: type[Peer] = getattr(importlib.import_module(module), attribute)
    return peer


def installed(names: Sequence[str]) -> Iterator[tuple[str, type[Peer]]]:
    """Those of the peers that are installed; says which are not."""
    for name in names:
        try:
            yield name, load(name)
        except ImportError as error:
            print(f"{name}: left out, {error}", file=sys.stderr, flush=True)


def padded(rows: list[list[int]], k: int) -> NDArray[np.int64]:
    """Lists of rows as one array; -1 where a list is short."""
    found = np.full((len(rows), k), -1, np.int64)
    for line, some in zip(found, rows, strict=True):
        line[: len(some)] = some
    return found


def blocks(vectors: NDArray[np.float16], rows: int = BLOCK):
    """The rows piece by piece in float32: the first row's number, and the piece."""
    for start in range(0, len(vectors), rows):
        yield start, vectors[start : start + rows].astype(np.float32)
