"""Search each distinct vector once: a catalogue where thousands share one placeholder is as fast as any other."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from image_similarity.neighbours.packed_scores import FARTHEST, nearest, neighbours_of, packed_scores
from image_similarity.types import Neighbours
from image_similarity.util.files import replacing
from image_similarity.util.memory import release

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from image_similarity.types import Progress, RowSet

BLOCK = 1024  # rows that are read together
EXPANDED = 1 << 20  # scores packed together: 8 MB
WORTH_A_COPY = 8  # pairs of duplicates for each row, above which a copy of the distinct vectors pays
DIGEST = 16  # bytes


@dataclass(frozen=True, slots=True)
class Duplicates:
    """Which rows of a matrix have the same vector.

    Distinct vectors are numbered in the order of their first rows. ``members``: all rows, grouped by vector, ascending
    within each; those of vector ``i`` are ``members[starts[i]:starts[i + 1]]``. ``vector_of``: each row's vector.
    """

    members: NDArray[np.intp]
    starts: NDArray[np.intp]
    vector_of: NDArray[np.integer]

    @classmethod
    def from_numbers(cls, vector_of: NDArray[np.integer], vectors: int) -> Self:
        """Group rows whose vectors are numbered already, from 0 to ``vectors - 1``; a number may have no rows."""
        starts = np.append(0, np.cumsum(np.bincount(vector_of, minlength=vectors)))
        return cls(np.argsort(vector_of, kind="stable"), starts, vector_of)

    @classmethod
    def find(cls, vectors: NDArray[np.float16], only: NDArray[np.integer] | None = None) -> Self:
        """Find the duplicates in a matrix ``(n, dimension)``; pages read of a memory map are released.

        ``only``: rows to consider; the result then numbers them from 0, in this order.
        """
        count = len(vectors) if only is None else len(only)
        digests = np.empty(count, f"S{DIGEST}")
        for start in range(0, count, BLOCK):
            part = slice(start, start + BLOCK)
            block = np.ascontiguousarray(vectors[part] if only is None else vectors[only[part]])
            digests[part] = [hashlib.blake2b(row.data, digest_size=DIGEST).digest() for row in block]
            if only is None:
                release(vectors[part])
        _, first, group = np.unique(digests, return_index=True, return_inverse=True)
        return cls.from_numbers(np.searchsorted(np.sort(first), first[group]), len(first))

    @property
    def first_rows(self) -> NDArray[np.intp]:
        """The first row of each distinct vector, ascending."""
        return self.members[self.starts[:-1]]

    @property
    def are_many(self) -> bool:
        """Whether searching each vector once is worth a copy of the distinct ones."""
        sizes = np.diff(self.starts).astype(np.float64)
        return bool((sizes * (sizes - 1)).sum() > WORTH_A_COPY * len(self.members))

    def nearest_rows(self, found: Neighbours, k: int, allowed: RowSet | None = None) -> Neighbours:
        """The ``k`` nearest rows of each query, from its ``k`` nearest distinct vectors, or from all of them.

        Duplicates have equal scores and come in the order of their rows. With ``allowed``, every vector found must
        have an allowed row.
        """
        numbers, vector = np.unique(found.rows, return_inverse=True)
        group = self._subset(numbers, k, allowed)
        vector = vector.reshape(found.rows.shape)
        sizes = np.diff(group.starts)[vector]
        if found.rows.shape[1] < k:  # each query has found all vectors
            return group._expand(Neighbours(vector, found.scores), sizes, k)
        rows, scores = group.first_rows[vector], found.scores.copy()
        some = np.flatnonzero((sizes > 1).any(axis=1))
        if len(some):
            near = group._expand(Neighbours(vector[some], found.scores[some]), sizes[some], k)
            rows[some], scores[some] = near.rows, near.scores
        return Neighbours(rows, scores)

    def _subset(self, numbers: NDArray[np.intp], k: int, allowed: RowSet | None) -> Duplicates:
        """Only some vectors, renumbered in this order, each with its first ``k`` rows, or with all allowed ones."""
        sizes = np.diff(self.starts)[numbers]
        if allowed is None:
            sizes = np.minimum(sizes, k)
        members, vector_of = self.members[_runs(self.starts[numbers], sizes)], np.repeat(np.arange(len(numbers)), sizes)
        if allowed is not None:
            passing = allowed.has(members)
            vector_of, members = vector_of[passing], members[passing]
        starts = np.append(0, np.cumsum(np.bincount(vector_of, minlength=len(numbers))))
        return Duplicates(members, starts, vector_of)

    def _expand(self, found: Neighbours, sizes: NDArray[np.intp], k: int) -> Neighbours:
        """The ``k`` nearest rows of each query: up to ``k`` rows of each vector found, then the best of them."""
        sizes = np.minimum(sizes, k)
        widths = sizes.sum(axis=1)
        best = np.empty((len(sizes), k), np.int64)
        together = max(1, EXPANDED // max(1, int(widths.max(initial=0))))
        for start in range(0, len(sizes), together):
            part = slice(start, start + together)
            counts = sizes[part].reshape(-1)
            rows = self.members[_runs(self.starts[found.rows[part]].reshape(-1), counts)]
            packed = np.full((len(sizes[part]), int(widths[part].max())), FARTHEST)
            used = np.arange(packed.shape[1]) < widths[part, None]
            packed[used] = packed_scores(np.repeat(found.scores[part].reshape(-1), counts), rows)
            best[part] = nearest(packed, k)
        return neighbours_of(best)


def _runs(starts: NDArray[np.intp], lengths: NDArray[np.intp]) -> NDArray[np.intp]:
    """Concatenated ranges: ``lengths[0]`` numbers from ``starts[0]`` on, then those from ``starts[1]`` on, ..."""
    ends = np.cumsum(lengths)
    return np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts - ends + lengths, lengths)


def deduplicated_pairs(
    vectors: NDArray[np.float16],
    k: int,
    folder: Path,
    pairs: Callable[[NDArray[np.float16], int, Path, Progress], Neighbours],
    progress: Progress,
) -> Neighbours:
    """The ``k`` nearest rows of every row, as ``pairs`` finds them, but with each distinct vector compared once.

    Args:
        vectors: ``(n, dimension)``; a memory map is read in parts.
        k: rows per row; all, where there are fewer.
        folder: for resumable work; the results are memory maps of files in it.
        pairs: finds the nearest rows where all vectors are distinct, such as ``all_pairs``.
        progress: receives the number of rows done.

    Raises:
        OutputError: the folder cannot be written to.
    """
    duplicates = Duplicates.find(vectors)
    if not duplicates.are_many:
        return pairs(vectors, k, folder, progress)
    found = pairs(vectors[duplicates.first_rows], k, folder / "different", progress)
    return expand_pairs(duplicates, found, min(k, len(vectors)), folder)


def expand_pairs(duplicates: Duplicates, found: Neighbours, k: int, folder: Path) -> Neighbours:
    """The ``k`` nearest rows of every row, from the nearest distinct vectors of every distinct vector.

    The results are memory maps of files in the folder.

    Raises:
        OutputError: the folder cannot be written to.
    """
    count = len(duplicates.members)
    paths = folder / "expanded-rows.npy", folder / "expanded-scores.npy"
    with replacing(paths[0]) as rows_path, replacing(paths[1]) as scores_path:
        rows = np.lib.format.open_memmap(rows_path, "w+", np.int32, (count, k))
        scores = np.lib.format.open_memmap(scores_path, "w+", np.float32, (count, k))
        together = max(1, EXPANDED // found.rows.shape[1] // k)
        for start in range(0, count, together):
            part = slice(start, start + together)
            distinct, line = np.unique(duplicates.vector_of[part], return_inverse=True)
            nearest = Neighbours(found.rows[distinct].astype(np.intp), found.scores[distinct])
            nearest = duplicates.nearest_rows(nearest, k)
            rows[part], scores[part] = nearest.rows[line], nearest.scores[line]
            release(rows[part])
            release(scores[part])
        rows.flush()
        scores.flush()
    return Neighbours(rows=np.load(paths[0], mmap_mode="r"), scores=np.load(paths[1], mmap_mode="r"))
