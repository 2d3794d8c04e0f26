"""Two catalogues, simulated photos that ask them, and the vectors of both in many guises: computed once and kept.

Luma is asked by a photo of each product, out of two images of each; the drawn shop (``image-similarity sample``) too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache as kept
from pathlib import Path
from typing import Any

import guises
import numpy as np
from PIL import Image
from shop import SHARED, read_shop

from image_similarity.dataset import Dataset
from image_similarity.images.decoding import decode, read_bytes
from image_similarity.images.simulator import simulated_photo
from image_similarity.images.views import square
from image_similarity.models.resolver import define_model
from image_similarity.options import ModelChoice
from image_similarity.settings import Settings
from image_similarity_demo import draw_sample

Array = np.ndarray[Any, Any]
OF_EACH = 2  # images of a Luma product
SIDE = 448  # pixels of the longer side that pictures are kept at: twice what the networks see
SEED = 2019  # of the drawn shop
BATCH = 32
MODELS = {"mobilenetv2": str(SHARED / "weights" / "mobilenetv2.toml"), "colour-shape": "colour-shape"}


@dataclass(frozen=True)
class Catalogue:
    """Images, product by product, and whose each is; and a photo of the first image of each product."""

    name: str
    files: list[Path]
    product: Array  # (files,) numbers
    photos: list[Path]  # (products,), in the products' order


def luma(cache: Path) -> Catalogue:
    """The real shop."""
    shop = read_shop(SHARED / "data" / "luma")
    order = np.lexsort(([file.name for file in shop.files], shop.product))
    names, product = np.unique(shop.product[order], return_inverse=True)
    starts = np.searchsorted(product, np.arange(len(names)))
    kept = np.flatnonzero(np.arange(len(product)) - starts[product] < OF_EACH)
    return _photographed("luma", [shop.files[order[at]] for at in kept], product[kept], cache)


def drawn(cache: Path) -> Catalogue:
    """The drawn shop."""
    folder = cache / f"sample-{SEED}"
    if not folder.exists():
        draw_sample(folder, seed=SEED)
    files = sorted((folder / "images").iterdir())
    product = np.unique([file.name.partition("_")[0] for file in files], return_inverse=True)[1]
    return _photographed("drawn shop", files, product, cache)


def _photographed(name: str, files: list[Path], product: Array, cache: Path) -> Catalogue:
    photos = []
    for at in np.unique(product, return_index=True)[1].tolist():
        file = cache / "simulated" / name / f"{files[at].stem}.png"
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            simulated_photo(decode(read_bytes(files[at]), max_pixels=100_000_000), at).save(file)
        photos.append(file)
    return Catalogue(name, files, product, photos)


@kept
def read(file: Path) -> Image.Image:
    """Upright RGB, at most :data:`SIDE` pixels a side."""
    picture = decode(read_bytes(file), max_pixels=100_000_000, min_side=SIDE)
    picture.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS, reducing_gap=3.0)
    return picture


class Vectors:
    """Unit vectors of pictures in a guise, under one model."""

    def __init__(self, model: str, cache: Path) -> None:
        self.name, self.cache = model, cache / "vectors"
        self.choice = ModelChoice(MODELS[model], precision="auto" if model == "colour-shape" else "fp32")
        (self.part,) = define_model(self.choice, Dataset.named("bench"), Settings(root=self.cache)).parts
        self.spec = self.part.spec
        self.cache.mkdir(parents=True, exist_ok=True)

    def __call__(self, files: list[Path], guise: str) -> Array:
        """``(files, dimension)``; ``guise`` is a name of :data:`guises.GUISES`."""
        about = "\n".join(f"{file.name} {file.stat().st_size}" for file in files)
        digest = hashlib.sha256(f"{guise}\n{about}".encode()).hexdigest()[:16]
        path = self.cache / f"{self.spec.key}-{digest}.npy"
        if not path.exists():
            print(f"  {self.name}: {len(files)} pictures, {guise}", flush=True)
            np.save(path, np.concatenate(list(self._computed(files, guise))))
        return np.load(path)

    def _computed(self, files: list[Path], guise: str) -> Iterator[Array]:
        model, dress = self.part.load(Settings(root=self.cache)), guises.GUISES[guise]
        for start in range(0, len(files), BATCH):
            chunk = [dress(read(file)) for file in files[start : start + BATCH]]
            yield model.embed(np.stack([square(picture, self.spec.input) for picture in chunk]))
