"""Query photos of an evaluation, simulated from the catalogue's images or a shop's own, and their vectors."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from image_similarity.errors import ImageError
from image_similarity.images import STANDARD, decode, read_bytes, simulated_photo
from image_similarity.types import Failure
from image_similarity.util.processors import processors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from numpy.typing import NDArray
    from PIL import Image

    from image_similarity.models import Embedder, Inputs
    from image_similarity.quality.evaluation.candidates import Candidate
    from image_similarity.types import CatalogueImage, Progress

BATCH = 16  # photos in memory at a time
SMALL = 64  # pixels a side: enough to check that an image can be decoded


@dataclass(frozen=True, slots=True)
class Source:
    """An image of the catalogue that a photo is simulated from; ``path`` is its file."""

    row: int
    image: CatalogueImage
    path: Path


@dataclass(slots=True)
class Photos:
    """Query photos as files, in parallel lists; ``failures`` are those that could not be used."""

    paths: list[Path] = field(default_factory=list)
    seeds: list[int | None] = field(default_factory=list)
    """The seed of a simulated photo; None for a real one."""
    originals: list[Path] = field(default_factory=list)
    """The catalogue image of a simulated photo; a real photo itself."""
    ids: list[tuple[str, str]] = field(default_factory=list)
    """Product id and image id, or photo name; for failures."""
    rows: list[int] = field(default_factory=list)
    """The gallery row of a simulated photo's image; empty for real photos."""
    failures: list[Failure] = field(default_factory=list)


def simulate(sources: Sequence[Source], seed: int, folder: Path, max_pixels: int, progress: Progress) -> Photos:
    """Write a simulated photo of each source to ``folder``; it depends only on the seed and its image's id."""

    def render(numbered: tuple[int, Source]) -> Path | ImageError:
        number, source = numbered
        try:
            photo = simulated(source.path, photo_seed(seed, source.image.image_id), max_pixels)
        except ImageError as error:
            return error
        path = folder / f"{number}.png"
        photo.save(path, compress_level=1)
        return path

    photos = Photos()
    with ThreadPoolExecutor(processors()) as pool:
        for done, (source, path) in enumerate(zip(sources, pool.map(render, enumerate(sources)), strict=True), start=1):
            if isinstance(path, ImageError):
                photos.failures.append(failure_of(path, source.image.product_id, source.image.image_id, source.path))
            else:
                photos.paths.append(path)
                photos.seeds.append(photo_seed(seed, source.image.image_id))
                photos.originals.append(source.path)
                photos.ids.append((source.image.product_id, source.image.image_id))
                photos.rows.append(source.row)
            progress("simulate photos", done, len(sources))
    return photos


def simulated(path: Path, seed: int, max_pixels: int) -> Image.Image:
    """Simulate a photo of one image file.

    Raises:
        ImageError: the file cannot be read.
    """
    return simulated_photo(decode(read_bytes(path), max_pixels=max_pixels, min_side=STANDARD.side), seed)


def photo_seed(seed: int, image_id: str) -> int:
    """The seed of one image's photo, independent of the other images."""
    return int.from_bytes(sha256(f"{seed} {image_id}".encode("utf-8", "surrogatepass")).digest()[:6], "big")


def read_error(path: Path, max_pixels: int) -> ImageError | None:
    """Why an image file cannot be used; None if it can."""
    try:
        decode(read_bytes(path), max_pixels=max_pixels, min_side=SMALL)
    except ImageError as error:
        return error
    return None


@dataclass(frozen=True, slots=True)
class Embedded:
    """Vectors of photos, ``(photos, dimension)``, empty if there are none; photos with an error have zeros."""

    vectors: NDArray[np.floating] = field(default_factory=lambda: np.empty((0, 0), np.float32))
    errors: dict[int, ImageError] = field(default_factory=dict)


def embedded(
    paths: Sequence[Path],
    candidate: Candidate,
    embedder: Embedder,
    max_pixels: int,
    on_progress: Callable[[int], object],
) -> Embedded:
    """Embed photos that are known to be readable."""
    rows: list[NDArray[np.float32] | ImageError] = []
    for block in inputs_of(paths, candidate, max_pixels):
        rows += embedder.embed(block)
        on_progress(len(rows))
    errors = {number: row for number, row in enumerate(rows) if isinstance(row, ImageError)}
    sound = next((row for row in rows if not isinstance(row, ImageError)), None)
    if sound is None:
        return Embedded(errors=errors)
    return Embedded(np.stack([np.zeros_like(sound) if isinstance(row, ImageError) else row for row in rows]), errors)


def inputs_of(paths: Sequence[Path], candidate: Candidate, max_pixels: int) -> Iterator[list[Inputs]]:
    """A model's inputs for each image, in batches that are decoded in parallel."""

    def prepare(path: Path) -> Inputs:
        return candidate.model.inputs(
            decode(read_bytes(path), max_pixels=max_pixels, min_side=candidate.model.min_side)
        )

    with ThreadPoolExecutor(processors()) as pool:
        for start in range(0, len(paths), BATCH):
            yield list(pool.map(prepare, paths[start : start + BATCH]))


def readable(sources: Iterable[Source], count: int, max_pixels: int) -> list[Path]:
    """The first ``count`` files that can be used."""
    found: list[Path] = []
    for source in sources:
        if len(found) == count:
            break
        if read_error(source.path, max_pixels) is None:
            found.append(source.path)
    return found


def failure_of(error: ImageError, product_id: str, image_id: str, path: Path) -> Failure:
    """A photo that could not be used, as a :class:`Failure`."""
    stage: Literal["read", "decode", "embed"] = (
        "read" if error.stage == "read" else "embed" if error.stage == "embed" else "decode"
    )
    return Failure(stage, error.reason, product_id, image_id, str(path))
