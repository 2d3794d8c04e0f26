"""What makes a row the same row in two generations: its image, its view and the content, whatever product it is of.

The store never changes the vector of a content that it has, so where the identity is the same the vector is.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from image_similarity.store import Block

DTYPE = np.dtype("<u8")
WIDTH = 2  # numbers of an identity
GONE = -1


def identities(block: Block) -> NDArray[np.uint64]:
    """The identities of a block's rows, ``(rows, 2)``: 16 bytes of BLAKE2b."""
    hashes = (
        blake2b(f"{image_id}\0{view}\0".encode() + digest, digest_size=WIDTH * DTYPE.itemsize).digest()
        for image_id, view, digest in zip(block.image_ids, block.views, block.digests, strict=True)
    )
    return np.frombuffer(b"".join(hashes), DTYPE).reshape(-1, WIDTH)


class Known:
    """The rows of the generation before, found by identity; ``moved`` follows what has become of them.

    Args:
        old: ``(n, 2)``.
    """

    def __init__(self, old: NDArray[np.uint64]) -> None:
        self._old = old
        self._order = np.argsort(old[:, 0], kind="stable")
        self._sorted = old[self._order, 0]
        self.moved = np.full(len(old), GONE, np.int64)
        """For each old row its new row, -1 while none has been found."""

    def find(self, new: NDArray[np.uint64], first: int) -> NDArray[np.int64]:
        """The old row of each new one, -1 where it is new.

        Args:
            new: ``(m, 2)``, the identities of adjacent new rows.
            first: the number of the first of them.
        """
        if not len(self._old):
            return np.full(len(new), GONE, np.int64)
        at = np.minimum(np.searchsorted(self._sorted, new[:, 0]), len(self._old) - 1)
        candidates = self._order[at]
        rows = np.where((self._old[candidates] == new).all(axis=1), candidates, GONE).astype(np.int64)
        found = np.flatnonzero(rows != GONE)
        self.moved[rows[found]] = first + found
        return rows
