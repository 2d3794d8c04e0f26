"""What cells store of each row: its principal components, each as a 4-bit code and as a byte.

FAISS' fast scan (after André et al., "Quicker ADC", 2018) compares the codes of the nearest cells, 32 rows at a time.
The bytes are for filters that so few rows pass that these are scanned without cells.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from image_similarity.neighbours.cells.components import BYTE_STEPS, projected, to_bytes
from image_similarity.types import no_progress
from image_similarity.util.files import replacing
from image_similarity.util.sealed_json import read_sealed, write_sealed

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from image_similarity.types import Progress

CODES, FACTS, COMPONENTS, BYTES = "cells.faiss", "cells.json", "components.npy", "bytes.npy"
ADD_BLOCK = 16_384  # rows encoded together
SCAN_BLOCK = 1024  # rows whose bytes are multiplied together: they stay in the processor's nearest cache


@dataclass(frozen=True, slots=True)
class Effort:
    """How much to search, and the recall@10 that it gave on a sample of the catalogue."""

    probes: int  # cells to search
    rerank: int  # candidates to re-rank
    recall: float


@dataclass(frozen=True, slots=True)
class CellsFacts:
    """The content of ``cells.json``."""

    rows: int  # when the cells were trained
    cells: int
    query: Effort  # for single queries
    catalogue: Effort  # for all products at once


class CellCodes:
    """The encoded rows of an index. A row's number here is its slot: its position in the order of addition."""

    def __init__(self, codes: Any, components: NDArray[np.float32], small: NDArray[np.int8], facts: CellsFacts) -> None:
        self._codes, self.components, self._small, self.facts = codes, components, small, facts

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read the codes that :meth:`write` wrote."""
        import faiss

        facts = read_sealed(folder / FACTS)
        query, catalogue = (Effort(**facts.pop(name)) for name in ("query", "catalogue"))
        codes = faiss.read_index(str(folder / CODES))
        small = np.asarray(np.load(folder / BYTES, mmap_mode="r"))
        return cls(codes, np.load(folder / COMPONENTS), small, CellsFacts(**facts, query=query, catalogue=catalogue))

    def write(self, folder: Path) -> None:
        """Write the codes into a folder, each file atomically.

        Raises:
            OutputError: the folder cannot be written to.
        """
        import faiss

        with replacing(folder / CODES) as path:
            faiss.write_index(self._codes, str(path))
        for name, values in ((COMPONENTS, self.components), (BYTES, self._small)):
            with replacing(folder / name) as path, path.open("wb") as file:
                np.save(file, values)
        write_sealed(folder / FACTS, self.facts)

    def add(self, vectors: NDArray[np.float16], rows: NDArray[np.integer], progress: Progress = no_progress) -> None:
        """Encode some rows of a matrix; their slots follow the existing ones."""
        small = [self._small]
        for start in range(0, len(rows), ADD_BLOCK):
            components = projected(vectors[rows[start : start + ADD_BLOCK]], self.components)
            self._codes.add(components)
            small.append(to_bytes(components))
            progress("cells", min(len(rows), start + ADD_BLOCK), len(rows))
        self._small = np.concatenate(small)

    @property
    def slots(self) -> int:
        return int(self._codes.ntotal)

    def cells(self) -> list[NDArray[np.int64]]:
        """The slots of each cell."""
        import faiss

        lists = self._codes.invlists
        found = (faiss.rev_swig_ptr(lists.get_ids(cell), lists.list_size(cell)) for cell in range(lists.nlist))
        return [np.array(slots, np.int64) for slots in found]

    def centres(self) -> NDArray[np.float32]:
        """The centres of the cells, ``(cells, components)``."""
        import faiss

        centres = faiss.downcast_index(self._codes.quantizer)
        return np.asarray(centres.reconstruct_n(0, centres.ntotal))

    def nearest(
        self, queries: NDArray[np.float32], count: int, probes: int, allowed: NDArray[np.bool_] | None = None
    ) -> NDArray[np.int64]:
        """The nearest slots by their codes, in the nearest cells: ``(queries, count)``; -1 where there are fewer.

        Args:
            queries: ``(n, dimension)``.
            count: slots per query.
            probes: cells to search.
            allowed: ``(slots,)``, those that may be found; None: all.
        """
        import faiss

        options = faiss.SearchParametersIVF(nprobe=probes)
        if allowed is not None:
            bits = np.packbits(allowed, bitorder="little")
            options.sel = faiss.IDSelectorBitmap(len(allowed), faiss.swig_ptr(bits))
        _, slots = self._codes.search(projected(queries, self.components), count, params=options)
        return np.asarray(slots)

    def scan(
        self, query: NDArray[np.float32], count: int, slots: NDArray[np.intp]
    ) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
        """The ``count`` nearest of the given slots by their bytes, best first, and their approximate scores."""
        component = projected(query[None], self.components)[0] / np.float32(BYTE_STEPS)
        scores = np.empty(len(slots), np.float32)
        for start in range(0, len(slots), SCAN_BLOCK):
            some = self._small.take(slots[start : start + SCAN_BLOCK], axis=0)
            scores[start : start + SCAN_BLOCK] = np.vecdot(some.astype(np.float32), component)
        if len(slots) > count:
            best = np.argpartition(scores, len(slots) - count)[len(slots) - count :]
            slots, scores = slots[best], scores[best]
        best_first = np.argsort(-scores)
        return slots[best_first], scores[best_first]
