"""A learned projection of vectors, and its two files. It is applied to rows when an index is built, and to queries.

numpy is imported where it is used: looking a product up needs the digest only.
"""

from __future__ import annotations

import hashlib
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from image_similarity.errors import NotFittedError, StoreError
from image_similarity.util.files import replacing
from image_similarity.util.sealed_json import read_sealed, write_sealed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

FORMAT = 1
RECORD = "projection.json"
MAX_REASON = 100  # characters: zipfile's messages may contain the damaged bytes
DIGITS = 8
TRIES = 10  # how often the files may be replaced between reading the one and the other
AGAIN = "Run adapt again"


@dataclass(frozen=True, slots=True)
class Projection:
    """A linear map of centred vectors: ``(vector - mean) @ matrix``, scaled to unit length.

    Created by :meth:`of` or :func:`read_projection`.
    """

    mean: NDArray[np.float32]  # (d,)
    matrix: NDArray[np.float32]  # (d, m)
    digest: str
    """Eight hexadecimal digits over mean and matrix: other values make another model."""

    @classmethod
    def of(cls, mean: NDArray[np.floating], matrix: NDArray[np.floating]) -> Projection:
        """Create a projection, in float32, with its digest.

        Args:
            mean: ``(d,)``.
            matrix: ``(d, m)``, ``m`` at least 1.

        Raises:
            ValueError: the shapes do not match, or a number is not finite.
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
        """The dimension of the vectors to project, ``d``."""
        return int(self.matrix.shape[0])

    @property
    def output_dimension(self) -> int:
        """The dimension of the projected vectors, ``m``."""
        return int(self.matrix.shape[1])

    def apply(self, vectors: NDArray[np.floating]) -> NDArray[np.float32]:
        """Project vectors ``(n, d)`` to ``(n, m)``, of unit length.

        Raises:
            ModelError: a number is not finite.
        """
        import numpy as np

        from image_similarity.models.unit_vectors import unit_length

        projected = (np.asarray(vectors, np.float32) - self.mean) @ self.matrix
        return unit_length(projected.astype(np.float32, copy=False), f"adapted-{self.digest}")


@dataclass(frozen=True, slots=True)
class ProjectedPhotos:
    """The simulated photos that a projection was learned from.

    Attributes:
        image_ids: the image that each is of.
        vectors: ``(photos, d)``, of unit length, not projected.
    """

    image_ids: Sequence[str]
    vectors: NDArray[np.floating]


def projection_digest(folder: Path) -> str:
    """The digest of the projection in a folder; reads only its record.

    Raises:
        NotFittedError: there is none.
        StoreError: its record is damaged.
    """
    return str(_record(folder)["digest"])


def projection_facts(folder: Path) -> dict[str, Any]:
    """The ``facts`` given to :func:`write_projection`: how the projection was learned, and what it achieved.

    Raises:
        NotFittedError: there is none.
        StoreError: its record is damaged.
    """
    return dict(_record(folder)["facts"])


def read_projection(folder: Path) -> Projection:
    """Read the projection in a folder, and check it against its digest.

    Raises:
        NotFittedError: there is none.
        StoreError: one of its files is damaged.
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
            raise StoreError(f"{path} is damaged: its content does not match its name. {AGAIN}")
        return projection
    raise StoreError(f"the projection in {folder} is replaced faster than it can be read")


def read_projected_photos(folder: Path) -> ProjectedPhotos | None:
    """The photos given to :func:`write_projection`; None if there were none.

    Raises:
        NotFittedError: there is no projection.
        StoreError: one of its files is damaged.
    """
    import numpy as np

    path = folder / _file_of(projection_digest(folder))
    with _arrays(path) as arrays:
        if "photos" not in arrays:
            return None
        return ProjectedPhotos(arrays["image_ids"].tolist(), arrays["photos"].astype(np.float32))


def write_projection(
    folder: Path, projection: Projection, facts: Mapping[str, Any], photos: ProjectedPhotos | None = None
) -> None:
    """Write a projection, and replace the previous one atomically.

    Args:
        folder: of this dataset and model; created if it is missing.
        projection: the projection.
        facts: how and from what it was learned, and what it achieved; JSON.
        photos: what it was learned from besides the catalogue: to learn again without some products.

    Raises:
        OutputError: it cannot be written; the previous one stays.
    """
    import numpy as np

    name = _file_of(projection.digest)
    with replacing(folder / name) as temporary, temporary.open("wb") as file:
        arrays: dict[str, NDArray[Any]] = {"mean": projection.mean, "matrix": projection.matrix}
        if photos is not None:
            arrays |= {"photos": photos.vectors.astype(np.float16), "image_ids": np.array(photos.image_ids, np.str_)}
        np.savez(file, **arrays)  # type: ignore[arg-type]  # numpy's stubs take its options for names of arrays
    record = {"format": FORMAT, "digest": projection.digest, "facts": facts}
    write_sealed(record_file(folder), record)  # now the new one is in use
    for other in folder.glob("projection-*.npz"):
        if other.name != name:
            with suppress(OSError):
                other.unlink()


def record_file(folder: Path) -> Path:
    """The file that names the projection in use, written last."""
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
    with _arrays(path) as arrays:
        return Projection.of(arrays["mean"], arrays["matrix"])


@contextmanager
def _arrays(path: Path) -> Iterator[Any]:
    import numpy as np

    try:
        with np.load(path, allow_pickle=False) as arrays:
            yield arrays
    except FileNotFoundError:
        raise
    except Exception as error:  # a damaged archive can raise nearly anything
        raise StoreError(f"{path} is damaged: {str(error)[:MAX_REASON]}. {AGAIN}") from error
