"""Row identities: a row of two generations is the same if image, view and content are, whatever its product.

The store never changes the vector of a content, so equal identities mean equal vectors.
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
NO_ROW = -1


def identities(block: Block) -> NDArray[np.uint64]:
    """The identities of a block's rows, ``(rows, 2)``: 16 bytes of BLAKE2b."""
    hashes = (
        blake2b(f"{image_id}\0{view}\0".encode() + digest, digest_size=WIDTH * DTYPE.itemsize).digest()
        for image_id, view, digest in zip(block.image_ids, block.views, block.digests, strict=True)
    )
    return np.frombuffer(b"".join(hashes), DTYPE).reshape(-1, WIDTH)


class PreviousRows:
    """Finds rows of the previous generation by identity, and records in ``moved`` where they are now.

    Args:
        old: ``(n, 2)``, the identities of its rows.
    """

    def __init__(self, old: NDArray[np.uint64]) -> None:
        self._old = old
        self._order = np.argsort(old[:, 0], kind="stable")
        self._sorted = old[self._order, 0]
        self.moved = np.full(len(old), NO_ROW, np.int64)
        """The new row of each old row; -1 until it is found."""

    def find(self, new: NDArray[np.uint64], first: int) -> NDArray[np.int64]:
        """The old row of each new row; -1 if there was none.

        Args:
            new: ``(m, 2)``, the identities of consecutive new rows.
            first: the number of the first of them.
        """
        if not len(self._old):
            return np.full(len(new), NO_ROW, np.int64)
        at = np.minimum(np.searchsorted(self._sorted, new[:, 0]), len(self._old) - 1)
        candidates = self._order[at]
        rows = np.where((self._old[candidates] == new).all(axis=1), candidates, NO_ROW).astype(np.int64)
        found = np.flatnonzero(rows != NO_ROW)
        self.moved[rows[found]] = first + found
        return rows
