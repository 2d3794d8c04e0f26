"""Exact nearest rows of every row: each pair of rows is multiplied once, in low precision, for both of its rows.

A sample of the columns gives a lower bound for each row: a score that about a hundred other rows reach. Rows that reach
it, allowing for the error of low precision, are candidates, which are re-ranked in float32. A row with too few
candidates is searched by itself. So the result equals that of :class:`ExactIndex`.

The work is done in units of rows. A unit's result, and the candidates that it found for later units, are files: an
interrupted run resumes after its last complete unit.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from image_similarity.neighbours.allpairs.candidates import best_of, of_rows, other_of, packed, row_of
from image_similarity.neighbours.allpairs.lower_bounds import lower_bounds
from image_similarity.neighbours.allpairs.rerank import rerank_pairs
from image_similarity.neighbours.allpairs.tiles import SIDE, Tiles
from image_similarity.neighbours.allpairs.work_folder import resume
from image_similarity.neighbours.exact import ExactIndex
from image_similarity.neighbours.float16 import to_float32
from image_similarity.neighbours.packed_scores import neighbours_of, packed_scores
from image_similarity.types import Neighbours, no_progress
from image_similarity.util.files import replacing
from image_similarity.util.memory import release, trim
from image_similarity.util.processors import processors

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from image_similarity.types import Progress

UNIT = 4  # tiles: what an interrupted run repeats at most
RERANK_BLOCK = 1 << 20  # values of the rows whose candidates are re-ranked together: 4 MB in float32
MAX_CANDIDATES = 64  # per row of a tile, on average: more are reduced at once, or duplicates would fill the memory


def all_pairs(
    vectors: NDArray[np.float16], k: int, folder: Path, progress: Progress = no_progress, unit: int = UNIT
) -> Neighbours:
    """The ``k`` nearest rows of every row, itself among them: as ``ExactIndex(vectors).search(vectors, k)``.

    Args:
        vectors: ``(n, dimension)``, about unit length; a memory map is read in parts.
        k: nearest rows per row; all, where there are fewer.
        folder: for resumable work; the results are memory maps of files in it.
        progress: receives the number of rows done.
        unit: the number of tiles in a unit.

    Raises:
        OutputError: the folder cannot be written to.
    """
    work = _Work(vectors, min(k, len(vectors)), folder, unit)
    with ThreadPoolExecutor(1) as finisher:  # one unit is re-ranked while the next is multiplied
        finishing: list[Future[None]] = []
        for number in range(work.units):
            if not work.is_done(number):
                finishing.append(finisher.submit(work.finish, number, work.candidates(number)))
            for done in finishing[:-1]:
                done.result()  # at most one waits, so that candidates do not pile up
            progress("nearest", min(number * unit * SIDE, len(vectors)), len(vectors))
        for done in finishing:
            done.result()
    progress("nearest", len(vectors), len(vectors))
    return work.answers()


class _Work:
    """One run: units of some tiles, each multiplied with itself and all later tiles."""

    def __init__(self, vectors: NDArray[np.float16], k: int, folder: Path, tiles: int) -> None:
        self.vectors, self.k, self.folder, self.unit = np.asarray(vectors), k, folder, tiles
        self.tiles = Tiles(vectors)
        trim()
        self.units = -(-self.tiles.count // tiles)
        self.pool = ThreadPoolExecutor(processors())
        resume(folder, self.vectors, {"k": self.k, "error": self.tiles.error, "unit": tiles})
        self.lower_bounds = lower_bounds(self.vectors, self.k, self.tiles, self.pool)
        # Twice the error: a score and the one that it is compared with may both be off.
        self.thresholds = np.full(self.tiles.count * SIDE, np.inf, np.float32)
        self.thresholds[: len(vectors)] = self.lower_bounds - 2 * self.tiles.error

    def is_done(self, unit: int) -> bool:
        """Whether an earlier run completed this unit."""
        return self._path(unit, "nearest").exists()

    def candidates(self, unit: int) -> NDArray[np.int64]:
        """The candidates of a unit's rows. Those that it finds for later units are saved."""
        tiles = range(unit * self.unit, min((unit + 1) * self.unit, self.tiles.count))
        found: list[list[NDArray[np.int64]]] = [[] for _ in range(self.units)]
        for pairs in self.pool.map(self._column, range(tiles.start, self.tiles.count), [tiles] * self.tiles.count):
            for target, some in pairs:
                found[target].append(some)
        self._save(unit, "ends", np.cumsum([0, *(sum(map(len, pieces)) for pieces in found[unit + 1 :])]))
        self._save(unit, "later", *(piece for pieces in found[unit + 1 :] for piece in pieces))
        del found[unit + 1 :]
        return np.concatenate([*found[unit], *(self._earlier(before, unit) for before in range(unit))])

    def finish(self, unit: int, candidates: NDArray[np.int64]) -> None:
        """Re-rank a unit's candidates and save its nearest rows, which completes the unit."""
        candidates.sort()
        self._save(unit, "nearest", self._nearest(unit, candidates))
        trim()

    def answers(self) -> Neighbours:
        """The results of all units together, as memory maps."""
        shape = (len(self.vectors), self.k)
        with replacing(self.folder / "rows.npy") as rows_path, replacing(self.folder / "scores.npy") as scores_path:
            rows = np.lib.format.open_memmap(rows_path, "w+", np.int32, shape)
            scores = np.lib.format.open_memmap(scores_path, "w+", np.float32, shape)
            start = 0
            for unit in range(self.units):
                found = neighbours_of(np.load(self._path(unit, "nearest")))
                rows[start : start + len(found.rows)] = found.rows
                scores[start : start + len(found.rows)] = found.scores
                release(rows[start : start + len(found.rows)])
                release(scores[start : start + len(found.rows)])
                start += len(found.rows)
            rows.flush()
            scores.flush()
            del rows, scores
        self.pool.shutdown()
        return Neighbours(
            rows=np.load(self.folder / "rows.npy", mmap_mode="r"),
            scores=np.load(self.folder / "scores.npy", mmap_mode="r"),
        )

    def _column(self, column: int, tiles: range) -> list[tuple[int, NDArray[np.int64]]]:
        """The candidates from a unit's tiles and one tile that is not before them, each with the unit of its rows."""
        found = []
        for tile in tiles:
            if tile > column:
                break
            scores = self.tiles.scores(tile, column)
            found.append(self._candidates(tile, column, scores))
            if tile != column:
                found.append(self._candidates(column, tile, scores.T))
        return found

    def _candidates(self, tile: int, other: int, scores: NDArray[np.float32]) -> tuple[int, NDArray[np.int64]]:
        """The tile's unit, and the pairs of the tile's rows that reach their thresholds; ``(tile, other)`` scores."""
        unit, within = divmod(tile, self.unit)
        thresholds = self.thresholds[tile * SIDE : tile * SIDE + len(scores)]
        # The mask is made in the memory order of the scores: the other order would miss the cache at each score.
        if scores.strides[1] == scores.itemsize:
            rows, others = np.divmod(np.flatnonzero(scores >= thresholds[:, None]), scores.shape[1])
        else:
            others, rows = np.divmod(np.flatnonzero(np.greater_equal(scores.T, thresholds)), scores.shape[0])
        if len(rows) > MAX_CANDIDATES * len(scores) and len(rows) > self.k * len(scores):
            rows, others, values = self._best_of_tile(tile, other)
        else:
            values = scores[rows, others]
        return unit, packed(rows + within * SIDE, others + other * SIDE, values)

    def _best_of_tile(self, tile: int, other: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.floating]]:
        """The ``k`` best of another tile for each row of a tile, exactly."""
        rows, others = self.tiles.rows(tile), self.tiles.rows(other)
        found = ExactIndex(self.vectors[others]).search(self.vectors[rows], self.k)
        row = np.repeat(np.arange(rows.stop - rows.start), found.rows.shape[1])
        return row, found.rows.reshape(-1), found.scores.reshape(-1)

    def _nearest(self, unit: int, pairs: NDArray[np.int64]) -> NDArray[np.int64]:
        """The packed scores of the ``k`` nearest of a unit's rows, from its sorted candidates."""
        part = slice(unit * self.unit * SIDE, (unit + 1) * self.unit * SIDE)
        vectors, bounds = self.vectors[part], self.lower_bounds[part]
        nearest = np.empty((len(vectors), self.k), np.int64)
        unresolved = np.zeros(len(vectors), bool)
        together = max(1, RERANK_BLOCK // self.vectors.shape[1])
        for start in range(0, len(vectors), together):
            rows = range(start, min(start + together, len(vectors)))
            part = slice(rows.start, rows.stop)
            kept, short = best_of(of_rows(pairs, rows), rows, self.k, bounds[part], 2 * self.tiles.error)
            block = to_float32(vectors[part])
            release(vectors[part])
            unresolved[part] = short
            nearest[part][~short] = rerank_pairs(self.vectors, block, (row_of(kept) - start, other_of(kept)), self.k)
        if unresolved.any():
            found = ExactIndex(self.vectors).search(vectors[unresolved], self.k)
            nearest[unresolved] = packed_scores(found.scores.astype(np.float64), found.rows)
        return nearest

    def _earlier(self, before: int, unit: int) -> NDArray[np.int64]:
        """The candidates that an earlier unit saved for a later one."""
        ends = np.load(self._path(before, "ends"))
        start, stop = ends[unit - before - 1 : unit - before + 1]
        return np.asarray(np.load(self._path(before, "later"), mmap_mode="r")[start:stop])

    def _path(self, unit: int, what: str) -> Path:
        return self.folder / f"{unit:05}.{what}.npy"

    def _save(self, unit: int, what: str, *pieces: NDArray[np.int64]) -> None:
        """Write some arrays as one, ``(n,)`` or ``(n, k)``, without concatenating them in memory."""
        shape = (sum(map(len, pieces)), *(pieces[0].shape[1:] if pieces else ()))
        with replacing(self._path(unit, what)) as path, path.open("wb") as file:
            header = {"descr": np.lib.format.dtype_to_descr(np.dtype(np.int64)), "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(file, header)
            for piece in pieces:
                file.write(np.ascontiguousarray(piece).data)
