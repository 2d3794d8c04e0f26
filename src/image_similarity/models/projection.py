"""A learned projection of vectors, and its two files. It is applied when an index is built and to each query.

numpy is imported where it is used: to look a product up takes the digest only.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from image_similarity.errors import NotFittedError, StoreError
from image_similarity.util.files import replacing
from image_similarity.util.sealed_json import read_sealed, write_sealed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

FORMAT = 1
RECORD = "projection.json"
SHOWN = 100  # characters of what zip says of its damage: it may say it with the damage itself
DIGITS = 8
TRIES = 10  # times that the files may be replaced between reading the one and the other
AGAIN = "Run adapt again"


@dataclass(frozen=True, slots=True)
class Projection:
    """A linear map of vectors that were centred: ``(vector - mean) @ matrix``, then unit length.

    Make it with :meth:`of`, or :func:`read_projection`.
    """

    mean: NDArray[np.float32]  # (d,)
    matrix: NDArray[np.float32]  # (d, m)
    digest: str
    """Eight hexadecimal digits over mean and matrix: other numbers are another model."""

    @classmethod
    def of(cls, mean: NDArray[np.floating], matrix: NDArray[np.floating]) -> Projection:
        """A projection with its digest; numbers are kept as float32.

        Args:
            mean: ``(d,)``.
            matrix: ``(d, m)``, ``m`` at least 1.

        Raises:
            ValueError: the shapes do not go together, or a number is not finite.
        """
        import numpy as np

        mean, matrix = (np.ascontiguousarray(each, np.dtype("<f4")) for each in (mean, matrix))
        if mean.ndim != 1 or matrix.ndim != 2 or matrix.shape[0] != len(mean) or not matrix.size:
            raise ValueError(f"a mean {mean.shape} and a matrix {matrix.shape} make no projection")
        if not (np.isfinite(mean).all() and np.isfinite(matrix).all()):
            raise ValueError("the projection holds numbers that are not finite")
        shape = f"{matrix.shape[0]} {matrix.shape[1]} ".encode()
        digest = hashlib.sha256(shape + mean.tobytes() + matrix.tobytes()).hexdigest()[:DIGITS]
        return cls(mean, matrix, digest)

    @property
    def dimension(self) -> int:
        """Of the vectors that come in, ``d``."""
        return int(self.matrix.shape[0])

    @property
    def projected(self) -> int:
        """The dimension of the vectors that come out, ``m``."""
        return int(self.matrix.shape[1])

    def apply(self, vectors: NDArray[np.floating]) -> NDArray[np.float32]:
        """Vectors ``(n, d)`` to vectors ``(n, m)`` of unit length.

        Raises:
            ModelError: a number is not finite.
        """
        import numpy as np

        from image_similarity.models.unit_vectors import unit_length

        projected = (np.asarray(vectors, np.float32) - self.mean) @ self.matrix
        return unit_length(projected.astype(np.float32, copy=False), f"adapted-{self.digest}")


def projection_digest(folder: Path) -> str:
    """The digest of the projection in a folder, without reading its numbers.

    Raises:
        NotFittedError: there is none.
        StoreError: its record is damaged.
    """
    return str(_record(folder)["digest"])


def projection_facts(folder: Path) -> dict[str, Any]:
    """What :func:`write_projection` was told about a projection: how it was learned, and what it gave.

    Raises:
        NotFittedError: there is none.
        StoreError: its record is damaged.
    """
    return dict(_record(folder)["facts"])


def read_projection(folder: Path) -> Projection:
    """The projection of a folder, checked against its digest.

    Raises:
        NotFittedError: there is none.
        StoreError: a file of it is damaged.
    """
    for _ in range(TRIES):
        digest = projection_digest(folder)
        path = folder / _file_of(digest)
        try:
            projection = _read(path)
        except FileNotFoundError as error:
            if projection_digest(folder) == digest:  # else it was replaced just now
                raise StoreError(f"{path} is missing. {AGAIN}") from error
            continue
        if projection.digest != digest:
            raise StoreError(f"{path} is damaged: its numbers are not those of its name. {AGAIN}")
        return projection
    raise StoreError(f"the projection in {folder} is replaced faster than it can be read")


def write_projection(folder: Path, projection: Projection, facts: Mapping[str, Any]) -> None:
    """Put a projection in place of the one before, in one step.

    Args:
        folder: of this dataset and model; made where it is not there.
        projection: what was learned.
        facts: how, from what, and what it gave; plain values, ready for JSON.

    Raises:
        OutputError: it cannot be written; the one before stays.
    """
    import numpy as np

    name = _file_of(projection.digest)
    with replacing(folder / name) as temporary, temporary.open("wb") as file:
        np.savez(file, mean=projection.mean, matrix=projection.matrix)
    record = {"format": FORMAT, "digest": projection.digest, "facts": facts}
    write_sealed(record_file(folder), record)  # from here on the new one is the one that is meant
    for other in folder.glob("projection-*.npz"):
        if other.name != name:
            with suppress(OSError):
                other.unlink()


def record_file(folder: Path) -> Path:
    """The file of a folder that names the projection which is meant, written last."""
    return folder / RECORD


def _file_of(digest: str) -> str:
    return f"projection-{digest}.npz"


def _record(folder: Path) -> dict[str, Any]:
    path = record_file(folder)
    try:
        record = read_sealed(path)
    except FileNotFoundError:
        raise NotFittedError(f"nothing has been learned yet for this model (no {path}): run adapt first") from None
    except (OSError, ValueError) as error:
        raise StoreError(f"{path} cannot be read: {error}. {AGAIN}") from error
    if record.get("format") != FORMAT:
        raise StoreError(f"{path} is no record of a projection of format {FORMAT}. {AGAIN}")
    digest, facts = record.get("digest"), record.get("facts")
    if not isinstance(digest, str) or len(digest) != DIGITS or set(digest) - set("0123456789abcdef"):
        raise StoreError(f"{path} is damaged: its digest is {digest!r}. {AGAIN}")
    if not isinstance(facts, dict):
        raise StoreError(f"{path} is damaged: it has no facts. {AGAIN}")
    return record


def _read(path: Path) -> Projection:
    import numpy as np

    try:
        with np.load(path, allow_pickle=False) as arrays:
            return Projection.of(arrays["mean"], arrays["matrix"])
    except FileNotFoundError:
        raise
    except Exception as error:  # a damaged archive makes nearly anything of it
        raise StoreError(f"{path} is damaged: {str(error)[:SHOWN]}. {AGAIN}") from error
