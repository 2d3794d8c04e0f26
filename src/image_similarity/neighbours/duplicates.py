"""Rows of equal vectors, looked at once: a catalogue where thousands share one placeholder is as quick as any other."""

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
WORTH = 8  # pairs of twins for each row: from here on looking at each vector once pays for its copy
DIGEST = 16  # bytes


@dataclass(frozen=True, slots=True)
class Duplicates:
    """Which rows of a matrix have the same vector.

    ``members``: all rows, by the vector that they have, ascending for each vector; those of vector ``i`` are
    ``members[starts[i]:starts[i + 1]]``. Vectors are in the order of their first rows. ``vector_of``: of each row.
    """

    members: NDArray[np.intp]
    starts: NDArray[np.intp]
    vector_of: NDArray[np.integer]

    @classmethod
    def from_numbers(cls, vector_of: NDArray[np.integer], vectors: int) -> Self:
        """Of rows whose vectors have numbers below ``vectors`` already; a number may be no row's."""
        starts = np.append(0, np.cumsum(np.bincount(vector_of, minlength=vectors)))
        return cls(np.argsort(vector_of, kind="stable"), starts, vector_of)

    @classmethod
    def find(cls, vectors: NDArray[np.float16], only: NDArray[np.integer] | None = None) -> Self:
        """Find them in a matrix ``(n, dimension)``; what was read of a memory map is given back.

        Where ``only`` some of its rows are asked about, they are numbered from 0 in this order.
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
        """The first row of each vector, ascending."""
        return self.members[self.starts[:-1]]

    @property
    def are_many(self) -> bool:
        """Whether looking at each vector once is worth a copy of them."""
        sizes = np.diff(self.starts).astype(np.float64)
        return bool((sizes * (sizes - 1)).sum() > WORTH * len(self.members))

    def nearest_rows(self, found: Neighbours, k: int, allowed: RowSet | None = None) -> Neighbours:
        """The ``k`` nearest rows of some vectors, out of their nearest different vectors: ``k``, or all.

        Every twin of a vector is as near; equal scores come in the order of the rows. Where only some rows are
        ``allowed``, every vector that was found has one of them.
        """
        numbers, place = np.unique(found.rows, return_inverse=True)
        twins = self._of_some(numbers, k, allowed)
        place = place.reshape(found.rows.shape)
        sizes = np.diff(twins.starts)[place]
        if found.rows.shape[1] < k:  # all vectors, in every line
            return twins._spread(Neighbours(place, found.scores), sizes, k)
        rows, scores = twins.first_rows[place], found.scores.copy()
        some = np.flatnonzero((sizes > 1).any(axis=1))
        if len(some):
            near = twins._spread(Neighbours(place[some], found.scores[some]), sizes[some], k)
            rows[some], scores[some] = near.rows, near.scores
        return Neighbours(rows, scores)

    def _of_some(self, numbers: NDArray[np.intp], k: int, allowed: RowSet | None) -> Duplicates:
        """The twins of some vectors, which are numbered anew in this order: the first ``k`` rows, or all allowed."""
        sizes = np.diff(self.starts)[numbers]
        if allowed is None:
            sizes = np.minimum(sizes, k)
        members, vector_of = self.members[_runs(self.starts[numbers], sizes)], np.repeat(np.arange(len(numbers)), sizes)
        if allowed is not None:
            passing = allowed.has(members)
            vector_of, members = vector_of[passing], members[passing]
        starts = np.append(0, np.cumsum(np.bincount(vector_of, minlength=len(numbers))))
        return Duplicates(members, starts, vector_of)

    def _spread(self, found: Neighbours, sizes: NDArray[np.intp], k: int) -> Neighbours:
        """Of each line's vectors the first rows, and of all these the ``k`` nearest."""
        sizes = np.minimum(sizes, k)
        widths = sizes.sum(axis=1)
        best = np.empty((len(sizes), k), np.int64)
        together = max(1, EXPANDED // max(1, int(widths.max(initial=0))))
        for start in range(0, len(sizes), together):
            part = slice(start, start + together)
            counts = sizes[part].reshape(-1)
            rows = self.members[_runs(self.starts[found.rows[part]].reshape(-1), counts)]
            packed = np.full((len(sizes[part]), int(widths[part].max())), FARTHEST)
            there = np.arange(packed.shape[1]) < widths[part, None]
            packed[there] = packed_scores(np.repeat(found.scores[part].reshape(-1), counts), rows)
            best[part] = nearest(packed, k)
        return neighbours_of(best)


def _runs(starts: NDArray[np.intp], lengths: NDArray[np.intp]) -> NDArray[np.intp]:
    """``starts[0], starts[0] + 1, ...``, ``lengths[0]`` numbers, then those from ``starts[1]`` on, and so on."""
    ends = np.cumsum(lengths)
    return np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts - ends + lengths, lengths)


def deduplicated_pairs(
    vectors: NDArray[np.float16],
    k: int,
    folder: Path,
    pairs: Callable[[NDArray[np.float16], int, Path, Progress], Neighbours],
    progress: Progress,
) -> Neighbours:
    """The ``k`` nearest rows of every row, as ``pairs`` finds them, but each different vector is looked at once.

    Args:
        vectors: ``(n, dimension)``; a memory map is read by parts.
        k: rows wanted; all, where there are fewer.
        folder: for what is done so far; the answers are memory maps of files in it.
        pairs: finds them where all vectors are different, such as ``all_pairs`` does.
        progress: told how many are done.

    Raises:
        OutputError: the folder cannot be written to.
    """
    twins = Duplicates.find(vectors)
    if not twins.are_many:
        return pairs(vectors, k, folder, progress)
    found = pairs(vectors[twins.first_rows], k, folder / "different", progress)
    return spread(twins, found, min(k, len(vectors)), folder)


def spread(twins: Duplicates, found: Neighbours, k: int, folder: Path) -> Neighbours:
    """The ``k`` nearest rows of every row, out of the nearest different vectors of every different vector.

    The answers are memory maps of files in the folder.

    Raises:
        OutputError: the folder cannot be written to.
    """
    count = len(twins.members)
    paths = folder / "twins-rows.npy", folder / "twins-scores.npy"
    with replacing(paths[0]) as rows_path, replacing(paths[1]) as scores_path:
        rows = np.lib.format.open_memmap(rows_path, "w+", np.int32, (count, k))
        scores = np.lib.format.open_memmap(scores_path, "w+", np.float32, (count, k))
        together = max(1, EXPANDED // found.rows.shape[1] // k)
        for start in range(0, count, together):
            part = slice(start, start + together)
            different, place = np.unique(twins.vector_of[part], return_inverse=True)
            nearest = Neighbours(found.rows[different].astype(np.intp), found.scores[different])
            nearest = twins.nearest_rows(nearest, k)
            rows[part], scores[part] = nearest.rows[place], nearest.scores[place]
            release(rows[part])
            release(scores[part])
        rows.flush()
        scores.flush()
    return Neighbours(rows=np.load(paths[0], mmap_mode="r"), scores=np.load(paths[1], mmap_mode="r"))
