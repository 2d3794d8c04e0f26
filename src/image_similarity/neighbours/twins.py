"""Rows of equal vectors, looked at once: a catalogue where thousands share one placeholder is as quick as any other."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from image_similarity.files import replacing
from image_similarity.mapped import let_go
from image_similarity.neighbours.keys import keys_of, largest, neighbours_of
from image_similarity.types import Neighbours

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from image_similarity.types import Progress

BLOCK = 1024  # rows that are read together
EXPANDED = 1 << 20  # keys made together: 8 MB
WORTH = 8  # pairs of twins for each row: from here on looking at each vector once pays for its copy
DIGEST = 16  # bytes


@dataclass(frozen=True, slots=True)
class Twins:
    """Which rows of a matrix have the same vector.

    ``members``: all rows, by the vector that they have, ascending for each vector; those of vector ``i`` are
    ``members[starts[i]:starts[i + 1]]``. Vectors are in the order of their first rows. ``vector_of``: of each row.
    """

    members: NDArray[np.intp]
    starts: NDArray[np.intp]
    vector_of: NDArray[np.intp]

    @classmethod
    def of(cls, vectors: NDArray[np.float16]) -> Self:
        """Find them in a matrix ``(n, dimension)``; what was read of a memory map is given back."""
        digests = np.empty(len(vectors), f"S{DIGEST}")
        for start in range(0, len(vectors), BLOCK):
            block = np.ascontiguousarray(vectors[start : start + BLOCK])
            digests[start : start + BLOCK] = [hashlib.blake2b(row.data, digest_size=DIGEST).digest() for row in block]
            let_go(vectors[start : start + BLOCK])
        _, first, group = np.unique(digests, return_index=True, return_inverse=True)
        vector_of = np.searchsorted(np.sort(first), first[group])
        starts = np.append(0, np.cumsum(np.bincount(vector_of)))
        return cls(np.argsort(vector_of, kind="stable"), starts, vector_of)

    @property
    def firsts(self) -> NDArray[np.intp]:
        """The first row of each vector, ascending."""
        return self.members[self.starts[:-1]]

    @property
    def are_many(self) -> bool:
        """Whether looking at each vector once is worth a copy of them."""
        sizes = np.diff(self.starts).astype(np.float64)
        return bool((sizes * (sizes - 1)).sum() > WORTH * len(self.members))

    def nearest_rows(self, found: Neighbours, k: int) -> Neighbours:
        """The ``k`` nearest rows of some vectors, out of their nearest different vectors: ``k``, or all.

        Every twin of a vector is as near; equal scores come in the order of the rows.
        """
        sizes = np.diff(self.starts)[found.rows]
        if found.rows.shape[1] < k:  # all vectors, in every line
            return self._with_twins(found, sizes, k)
        rows, scores = self.firsts[found.rows], found.scores.copy()
        some = np.flatnonzero((sizes > 1).any(axis=1))
        if len(some):
            near = self._with_twins(Neighbours(found.rows[some], found.scores[some]), sizes[some], k)
            rows[some], scores[some] = near.rows, near.scores
        return Neighbours(rows, scores)

    def _with_twins(self, found: Neighbours, sizes: NDArray[np.intp], k: int) -> Neighbours:
        places = np.arange(min(k, int(sizes.max())))
        there = places < sizes[:, :, None]
        members = self.members[np.where(there, self.starts[found.rows][:, :, None] + places, 0)]
        keys = keys_of(np.broadcast_to(found.scores[:, :, None], members.shape), members)
        keys[~there] = np.iinfo(np.int64).min
        return neighbours_of(largest(keys.reshape(len(keys), -1), k))


def pairs_once(
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
    twins = Twins.of(vectors)
    if not twins.are_many:
        return pairs(vectors, k, folder, progress)
    found = pairs(vectors[twins.firsts], k, folder / "different", progress)
    k = min(k, len(vectors))
    paths = folder / "twins-rows.npy", folder / "twins-scores.npy"
    with replacing(paths[0]) as rows_path, replacing(paths[1]) as scores_path:
        rows = np.lib.format.open_memmap(rows_path, "w+", np.int32, (len(vectors), k))
        scores = np.lib.format.open_memmap(scores_path, "w+", np.float32, (len(vectors), k))
        together = max(1, EXPANDED // found.rows.shape[1] // k)
        for start in range(0, len(vectors), together):
            part = slice(start, start + together)
            different, place = np.unique(twins.vector_of[part], return_inverse=True)
            nearest = Neighbours(found.rows[different].astype(np.intp), found.scores[different])
            nearest = twins.nearest_rows(nearest, k)
            rows[part], scores[part] = nearest.rows[place], nearest.scores[place]
            let_go(rows[part])
            let_go(scores[part])
        rows.flush()
        scores.flush()
    return Neighbours(rows=np.load(paths[0], mmap_mode="r"), scores=np.load(paths[1], mmap_mode="r"))
