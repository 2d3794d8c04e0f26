"""What was learned, as a file: a mean and a matrix."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from image_similarity.errors import ModelError
from image_similarity.files import replacing

if TYPE_CHECKING:
    from pathlib import Path

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Projection:
    """Vectors less ``mean (d,)``, times ``matrix (out, d)``, brought to unit length. ``digest`` names the numbers."""

    mean: Floats
    matrix: Floats
    digest: str

    @classmethod
    def of(cls, mean: Floats, matrix: Floats) -> Projection:
        """The projection with its digest, eight hexadecimal digits."""
        mean, matrix = np.ascontiguousarray(mean, "<f4"), np.ascontiguousarray(matrix, "<f4")
        return cls(mean, matrix, hashlib.sha256(mean.tobytes() + matrix.tobytes()).hexdigest()[:8])

    def __call__(self, vectors: NDArray[np.floating]) -> Floats:
        """Unit vectors ``(n, out)`` of ``(n, d)``; the mean itself, which has no direction, becomes zeros."""
        turned = (vectors.astype(np.float32) - self.mean) @ self.matrix.T
        unit: Floats = turned / np.maximum(np.linalg.norm(turned, axis=1, keepdims=True), np.finfo(np.float32).tiny)
        return unit


def write_projection(path: Path, projection: Projection) -> None:
    """Write it whole or not at all.

    Raises:
        OutputError: the folder cannot be written to.
    """
    with replacing(path) as temporary, temporary.open("wb") as opened:
        np.savez(opened, mean=projection.mean, matrix=projection.matrix)


def read_projection(path: Path) -> Projection:
    """Read it again.

    Raises:
        ModelError: it is not there, or is no projection.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            mean, matrix = arrays["mean"], arrays["matrix"]
    except Exception as error:  # whatever a damaged archive makes of itself
        raise ModelError(f"{path} is no projection: {error}. Run adapt again") from error
    if mean.ndim != 1 or matrix.ndim != 2 or matrix.shape[1] != len(mean) or not np.isfinite(matrix).all():
        raise ModelError(
            f"{path} is no projection: its mean is {mean.shape}, its matrix {matrix.shape}. Run adapt again"
        )
    return Projection.of(mean, matrix)
