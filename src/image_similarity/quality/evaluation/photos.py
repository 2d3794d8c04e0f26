"""Photos that ask in an evaluation: simulated out of the catalogue's images, or a shop's own, and their vectors."""

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

TOGETHER = 16  # photos in memory at a time
SMALL = 64  # pixels a side: enough to find out whether an image is whole


@dataclass(frozen=True, slots=True)
class Source:
    """An image of the catalogue that a photo is made of: its row, itself, and where its file is."""

    row: int
    image: CatalogueImage
    path: Path


@dataclass(slots=True)
class Photos:
    """Photos as files, with what is known of each; ``failures`` are those that could not be used."""

    paths: list[Path] = field(default_factory=list)
    seeds: list[int | None] = field(default_factory=list)
    """What a simulated photo was made with; None for a real one."""
    originals: list[Path] = field(default_factory=list)
    """The catalogue's image that a simulated photo was made of; a real photo itself."""
    asking: list[tuple[str, str]] = field(default_factory=list)
    """A product's id and an image's, or a photo's name: what a failure is called."""
    rows: list[int] = field(default_factory=list)
    """The row that a simulated photo was made of; of no meaning for a real one."""
    failures: list[Failure] = field(default_factory=list)


def simulate(sources: Sequence[Source], seed: int, folder: Path, max_pixels: int, progress: Progress) -> Photos:
    """A simulated photo of each source, as a file of ``folder``; each depends on the seed and its image's id alone."""

    def taken(numbered: tuple[int, Source]) -> Path | ImageError:
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
        for done, (source, path) in enumerate(zip(sources, pool.map(taken, enumerate(sources)), strict=True), start=1):
            if isinstance(path, ImageError):
                photos.failures.append(failed(path, source.image.product_id, source.image.image_id, source.path))
            else:
                photos.paths.append(path)
                photos.seeds.append(photo_seed(seed, source.image.image_id))
                photos.originals.append(source.path)
                photos.asking.append((source.image.product_id, source.image.image_id))
                photos.rows.append(source.row)
            progress("simulate photos", done, len(sources))
    return photos


def simulated(path: Path, seed: int, max_pixels: int) -> Image.Image:
    """The simulated photo of one image's file.

    Raises:
        ImageError: the file cannot be read.
    """
    return simulated_photo(decode(read_bytes(path), max_pixels=max_pixels, min_side=STANDARD.side), seed)


def photo_seed(seed: int, image_id: str) -> int:
    """The seed of one image's photo: other images, before it or after it, do not change it."""
    return int.from_bytes(sha256(f"{seed} {image_id}".encode("utf-8", "surrogatepass")).digest()[:6], "big")


def unreadable(path: Path, max_pixels: int) -> ImageError | None:
    """Why an image's file cannot be used; None where it can."""
    try:
        decode(read_bytes(path), max_pixels=max_pixels, min_side=SMALL)
    except ImageError as error:
        return error
    return None


@dataclass(frozen=True, slots=True)
class Embedded:
    """Vectors of photos, ``(photos, dimension)``, and why there is none of some, which have zeros; empty if of none."""

    vectors: NDArray[np.floating] = field(default_factory=lambda: np.empty((0, 0), np.float32))
    lost: dict[int, ImageError] = field(default_factory=dict)


def embedded(
    paths: Sequence[Path], side: Candidate, embedder: Embedder, max_pixels: int, told: Callable[[int], object]
) -> Embedded:
    """The vectors of photos that are known to be whole."""
    rows: list[NDArray[np.float32] | ImageError] = []
    for block in inputs_of(paths, side, max_pixels):
        rows += embedder.embed(block)
        told(len(rows))
    lost = {number: row for number, row in enumerate(rows) if isinstance(row, ImageError)}
    sound = next((row for row in rows if not isinstance(row, ImageError)), None)
    if sound is None:
        return Embedded(lost=lost)
    return Embedded(np.stack([np.zeros_like(sound) if isinstance(row, ImageError) else row for row in rows]), lost)


def inputs_of(paths: Sequence[Path], side: Candidate, max_pixels: int) -> Iterator[list[Inputs]]:
    """What a model takes of each image, some at a time, the next ones decoded meanwhile."""

    def taken(path: Path) -> Inputs:
        return side.model.inputs(decode(read_bytes(path), max_pixels=max_pixels, min_side=side.model.min_side))

    with ThreadPoolExecutor(processors()) as pool:
        for start in range(0, len(paths), TOGETHER):
            yield list(pool.map(taken, paths[start : start + TOGETHER]))


def readable(sources: Iterable[Source], count: int, max_pixels: int) -> list[Path]:
    """The first files that can be used."""
    found: list[Path] = []
    for source in sources:
        if len(found) == count:
            break
        if unreadable(source.path, max_pixels) is None:
            found.append(source.path)
    return found


def failed(error: ImageError, product_id: str, image_id: str, path: Path) -> Failure:
    """A photo that could not be used, as a row of the failures."""
    stage: Literal["read", "decode", "embed"] = (
        "read" if error.stage == "read" else "embed" if error.stage == "embed" else "decode"
    )
    return Failure(stage, error.reason, product_id, image_id, str(path))
