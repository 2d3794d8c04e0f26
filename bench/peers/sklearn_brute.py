"""scikit-learn, every score; a side of allpairs.py only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sklearn.neighbors import NearestNeighbors

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def all_pairs(vectors: NDArray[np.float16], k: int) -> NDArray[np.integer]:
    """The ``k`` nearest rows of every row, itself among them: ``(n, k)``."""
    wide = vectors.astype("float32")
    found: NDArray[np.integer] = (
        NearestNeighbors(n_neighbors=k, algorithm="brute", metric="cosine").fit(wide).kneighbors(wide)[1]
    )
    return found
