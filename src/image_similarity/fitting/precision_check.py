"""Quantise a dataset's network to int8 on a sample of its catalogue, and compare it with fp32 before use."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from image_similarity.errors import ImageError, ModelError, NotFittedError
from image_similarity.fitting.sampling import Sample, sample_catalogue
from image_similarity.images import decode, min_side, read_bytes, square
from image_similarity.models import digest_of, embed_each, int8_folder, quantise
from image_similarity.neighbours import ExactIndex
from image_similarity.settings import Folders
from image_similarity.util.processors import processors
from image_similarity.util.sealed_json import read_sealed, write_sealed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

    from image_similarity.dataset import Dataset
    from image_similarity.models import ModelPart
    from image_similarity.settings import Settings
    from image_similarity.types import CatalogueImage, EmbeddingModel, Progress

NEAREST = 10
MIN_OVERLAP, MAX_RECALL_LOSS = 0.90, 0.01
CHECK = "check.json"
BATCH = 16  # images embedded together


@dataclass(frozen=True, slots=True)
class Int8Check:
    """Comparison of an int8 network with fp32, on images of its catalogue.

    ``r_at_1`` is None if no product has two of the images. ``held_out`` is False if the catalogue is too small to hold
    images out, so that the calibration images were used.
    """

    digest: str  # of the network
    calibrated_on: int
    images: int
    held_out: bool
    overlap: float  # of the ten nearest neighbours, mean over the images
    r_at_1: float | None
    r_at_1_fp32: float | None

    @property
    def passed(self) -> bool:
        """Whether the network is close enough to fp32 to be used without force."""
        loss = (self.r_at_1_fp32 or 0.0) - (self.r_at_1 or 0.0)
        return round(self.overlap, 6) >= MIN_OVERLAP and round(loss, 6) <= MAX_RECALL_LOSS

    def __str__(self) -> str:
        kind = (
            "held-out" if self.held_out else "its own calibration images (the catalogue is too small to hold any out)"
        )
        recall = "no product has two of them"
        if self.r_at_1 is not None and self.r_at_1_fp32 is not None:
            recall = f"R@1 {self.r_at_1:.3f}, fp32 {self.r_at_1_fp32:.3f}"
        return (
            f"int8, calibrated on {self.calibrated_on} images, compared with fp32 on {self.images} {kind} images: "
            f"{self.overlap:.3f} of the ten nearest are the same, {recall}"
        )


def ensure_int8(
    part: ModelPart,
    source: Iterable[CatalogueImage],
    dataset: Dataset,
    settings: Settings,
    how: tuple[bool, Progress],
) -> Int8Check:
    """Create a dataset's int8 network and compare it with fp32, unless both were done before.

    Args:
        part: the network.
        source: the catalogue to calibrate on.
        dataset: the dataset to which the network belongs.
        settings: the workspace's.
        how: whether to accept the network however far it is from fp32; and the progress callback.

    Raises:
        ModelError: NNCF is not installed, or the network is too far from fp32 and not forced.
        NotFittedError: no image of the catalogue can be used.
    """
    forced, progress = how
    base = part.definition.spec
    folder = int8_folder(base.key, dataset, settings)
    check = _stored_check(folder) if folder.is_dir() else None
    if check is None:
        taken = sample_catalogue(source)
        images = Folders(settings.root).images(dataset)
        fp32 = replace(part, spec=base, int8=None)
        exact = fp32.load(settings, progress)
        if not folder.is_dir():
            pixels = _embedded(taken.calibration, exact, images, settings).pixels
            quantise(base, fp32.graph(progress), pixels, folder, progress)
        reference = _embedded(taken.check, exact, images, settings)
        check = _compare(taken, reference, replace(fp32, int8=folder).load(settings, progress), folder, progress)
        write_sealed(folder / CHECK, check)
    if not check.passed and not forced:
        raise ModelError(
            f"{check}. That is too far from fp32 (required: at least {MIN_OVERLAP:.2f} of the ten nearest, and "
            f"R@1 at most {MAX_RECALL_LOSS:.2f} lower): use `precision` bf16, or `force_int8` to use int8 anyway"
        )
    return check


def _stored_check(folder: Path) -> Int8Check | None:
    """The stored check of the folder's network; None if there is none or it is of another network."""
    try:
        check = Int8Check(**read_sealed(folder / CHECK))
    except (OSError, ValueError, TypeError):
        return None
    return check if check.digest == digest_of(folder) else None


def _compare(
    taken: Sample, reference: _EmbeddedImages, int8: EmbeddingModel, folder: Path, progress: Progress
) -> Int8Check:
    vectors: list[NDArray[np.float32]] = []
    for start in range(0, len(reference.pixels), BATCH):
        rows = embed_each(_batch_embedder(int8), list(reference.pixels[start : start + BATCH]))
        # An image without an int8 vector gets zeros: it has no neighbours, which counts against int8.
        vectors += [np.zeros_like(reference.vectors[0]) if isinstance(row, ImageError) else row for row in rows]
        progress("compare int8 with fp32", len(vectors), len(reference.pixels))
    used = reference.images
    products = np.unique([image.product_id for image in used], return_inverse=True)[1]
    near = {"fp32": _nearest(reference.vectors), "int8": _nearest(np.stack(vectors))}
    same = [len(set(ours) & set(theirs)) for ours, theirs in zip(near["int8"], near["fp32"], strict=True)]
    return Int8Check(
        digest=digest_of(folder),
        calibrated_on=len(taken.calibration),
        images=len(used),
        held_out=taken.held_out,
        overlap=float(np.mean(same)) / max(1, min(NEAREST, len(used) - 1)),
        r_at_1=_r_at_1(near["int8"], products),
        r_at_1_fp32=_r_at_1(near["fp32"], products),
    )


def _nearest(vectors: NDArray[np.float32]) -> list[list[int]]:
    """The ten nearest other rows of each row."""
    found = ExactIndex(vectors).search(vectors, NEAREST + 1).rows
    return [[int(row) for row in rows if row != own][:NEAREST] for own, rows in enumerate(found)]


def _r_at_1(near: list[list[int]], products: NDArray[Any]) -> float | None:
    queries = [row for row, size in enumerate(np.bincount(products)[products]) if size > 1]
    if not queries:
        return None
    return float(np.mean([products[near[row][0]] == products[row] for row in queries]))


@dataclass(frozen=True, slots=True)
class _EmbeddedImages:
    """Pixels ``(n, size, size, 3)`` of images, and their vectors in fp32."""

    pixels: NDArray[np.uint8]
    vectors: NDArray[np.float32]
    images: list[CatalogueImage]


def _embedded(
    images: Sequence[CatalogueImage], fp32: EmbeddingModel, folder: Path, settings: Settings
) -> _EmbeddedImages:
    """The images that can be decoded and embedded in fp32; the fit reports the others."""
    spec = fp32.spec.input

    def loaded(image: CatalogueImage) -> NDArray[np.uint8] | None:
        try:
            path = image.file(folder)
            data = read_bytes(path, settings.max_file_bytes)
            return square(decode(data, max_pixels=settings.max_pixels, min_side=min_side(spec)), spec)
        except ImageError:
            return None

    with ThreadPoolExecutor(processors()) as pool:
        decoded = [each for each in zip(pool.map(loaded, images), images, strict=True) if each[0] is not None]
    found: list[tuple[Any, CatalogueImage, NDArray[np.float32]]] = []
    for start in range(0, len(decoded), BATCH):
        some = decoded[start : start + BATCH]
        rows = embed_each(_batch_embedder(fp32), [array for array, _ in some])
        found += [(*each, row) for each, row in zip(some, rows, strict=True) if not isinstance(row, ImageError)]
    if not found:
        raise NotFittedError("no image of the catalogue can be used to calibrate int8")
    pixels, used, vectors = zip(*found, strict=True)
    return _EmbeddedImages(np.stack(pixels), np.stack(vectors), list(used))


def _batch_embedder(model: EmbeddingModel) -> Callable[[Sequence[Any]], NDArray[np.float32]]:
    return lambda pixels: model.embed(np.stack(pixels))
