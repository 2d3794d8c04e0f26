"""What cells keep of each row: a 4-bit code of each of its principal components, and these components in a byte each.

FAISS' fast scan (after André et al., "Quicker ADC", 2018) looks through the codes of the nearest cells, 32 rows at a
time. The bytes serve filters that so few rows pass that no cells are needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from image_similarity.neighbours.cells.components import BYTE_STEPS, dots, projected, to_bytes
from image_similarity.types import no_progress
from image_similarity.util.files import replacing
from image_similarity.util.sealed_json import read_sealed, write_sealed

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from image_similarity.types import Progress

CODES, FACTS, COMPONENTS, BYTES = "cells.faiss", "cells.json", "components.npy", "bytes.npy"
ADD_BLOCK = 16_384  # rows coded together
LOOK_BLOCK = 1024  # rows whose bytes are multiplied together: they stay in the processor's nearest cache


@dataclass(frozen=True, slots=True)
class Effort:
    """How far to look, and the share of the truly nearest ten that was found so on a sample of the catalogue."""

    probes: int  # cells
    close: int  # rows looked at closely
    recall: float


@dataclass(frozen=True, slots=True)
class CellsFacts:
    """What ``cells.json`` holds."""

    rows: int  # when the cells were made
    cells: int
    query: Effort  # for a photo, for one product
    catalogue: Effort  # for all products at once


class CellCodes:
    """The coded rows of an index. A row's number here is its slot: the order in which rows were added."""

    def __init__(self, codes: Any, components: NDArray[np.float32], small: NDArray[np.int8], facts: CellsFacts) -> None:
        self._codes, self.components, self._small, self.facts = codes, components, small, facts

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The codes that :meth:`write` put into a folder."""
        import faiss

        facts = read_sealed(folder / FACTS)
        query, catalogue = (Effort(**facts.pop(name)) for name in ("query", "catalogue"))
        codes = faiss.read_index(str(folder / CODES))
        small = np.asarray(np.load(folder / BYTES, mmap_mode="r"))
        return cls(codes, np.load(folder / COMPONENTS), small, CellsFacts(**facts, query=query, catalogue=catalogue))

    def write(self, folder: Path) -> None:
        """Write the codes into a folder, file by file, each whole or not at all.

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
        """Code some rows of a matrix; their slots follow those that there are."""
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
        import faiss

        lists = self._codes.invlists
        found = (faiss.rev_swig_ptr(lists.get_ids(cell), lists.list_size(cell)) for cell in range(lists.nlist))
        return [np.array(slots, np.int64) for slots in found]

    def centres(self) -> NDArray[np.float32]:
        """The centre of each cell ``(cells, components)``."""
        import faiss

        centres = faiss.downcast_index(self._codes.quantizer)
        return np.asarray(centres.reconstruct_n(0, centres.ntotal))

    def nearest(
        self, queries: NDArray[np.float32], close: int, probes: int, alive: NDArray[np.bool_] | None = None
    ) -> NDArray[np.int64]:
        """The slots of the nearest cells that look nearest, ``(queries, close)``; -1 where there are not so many.

        Args:
            queries: ``(n, dimension)``.
            close: slots wanted for each.
            probes: cells to look into.
            alive: ``(slots,)``, those that may be found; None: all.
        """
        import faiss

        options = faiss.SearchParametersIVF(nprobe=probes)
        if alive is not None:
            bits = np.packbits(alive, bitorder="little")
            options.sel = faiss.IDSelectorBitmap(len(alive), faiss.swig_ptr(bits))
        _, slots = self._codes.search(projected(queries, self.components), close, params=options)
        return np.asarray(slots)

    def among(
        self, query: NDArray[np.float32], close: int, slots: NDArray[np.intp]
    ) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
        """Those of the given slots that look nearest by their bytes, best first, and how near: at most ``close``."""
        component = projected(query[None], self.components)[0] / np.float32(BYTE_STEPS)
        scores = np.empty(len(slots), np.float32)
        for start in range(0, len(slots), LOOK_BLOCK):
            some = self._small.take(slots[start : start + LOOK_BLOCK], axis=0)
            scores[start : start + LOOK_BLOCK] = dots(some.astype(np.float32), component)
        if len(slots) > close:
            best = np.argpartition(scores, len(slots) - close)[len(slots) - close :]
            slots, scores = slots[best], scores[best]
        best_first = np.argsort(-scores)
        return slots[best_first], scores[best_first]
