"""What both sections of search.py share: the catalogue, and the sides built on it."""

from __future__ import annotations

import gc
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import filters
import numpy as np
from harness import versions
from peers import Peer, installed
from truth import exact
from vectors import catalogue

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True)
class Built:
    """A side, ready to be asked."""

    name: str
    peer: Peer
    seconds: float  # to build
    megabytes: int  # that this process has grown by; a server's own memory and files are not in it
    note: dict[str, str]


class Bench:
    """One section's rows and queries.

    Sides are swept on the queries that they are measured with: one number is too little to learn them by heart, and
    the recall in the table is then the one that was wanted.
    """

    def __init__(self, chosen: argparse.Namespace, folder: Path, rows: int, threads: int) -> None:
        self.chosen, self.folder, self.threads, self.k = chosen, folder, threads, chosen.k
        start = time.perf_counter()
        self.data = catalogue(folder, rows, chosen.dimension, chosen.queries)
        print(f"drawn in {time.perf_counter() - start:.1f} s", file=sys.stderr, flush=True)
        self.asked = self.data.queries

    def right(self, queries: NDArray[np.float32], where: filters.Condition | None = None) -> NDArray[np.int64]:
        """The exact answers."""
        passing = None if where is None else filters.mask(where, self.data.attributes)
        return exact(self.data.vectors, queries, self.k, passing)

    def build(self, names: Sequence[str], section: str) -> list[Built]:
        """Build every side that is installed; say which are not and go on."""
        filtered = section == "filtered"
        return [self._build(name, kind, filtered) for name, kind in installed(names) if kind.filters or not filtered]

    def _build(self, name: str, kind: type[Peer], with_attributes: bool) -> Built:
        folder = self.folder / name
        folder.mkdir()
        gc.collect()
        before, start = resident(), time.perf_counter()
        peer = kind(folder, self.threads)
        peer.build(self.data.vectors, self.data.attributes if with_attributes else None)
        seconds = time.perf_counter() - start
        grown = round((resident() - before) / 2**20)
        print(f"{name}: built in {seconds:.1f} s", file=sys.stderr, flush=True)
        return Built(name, peer, seconds, grown, {**versions(*kind.packages), "built": kind.settings})


def resident() -> int:
    """Bytes of memory that are this process's own: pages of mapped files do not count."""
    path = Path("/proc/self/statm")
    if not path.exists():
        return 0
    _, whole, shared = (int(field) for field in path.read_text().split()[:3])
    return (whole - shared) * os.sysconf("SC_PAGE_SIZE")
