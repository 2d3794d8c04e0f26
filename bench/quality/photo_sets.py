"""Photos that ask, the catalogues they ask, and the vectors of both in many guises: computed once and kept.

Luma, two images of each product, is asked by simulated photos; the drawn shop (``image-similarity sample``) by
simulated ones and by photos as users take them, drawn by the same code as its ``photos.csv``, two of every product.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache as kept
from pathlib import Path
from typing import Any

import guises
import numpy as np
from PIL import Image

from image_similarity.dataset import Dataset
from image_similarity.images.decode import decode, read_bytes
from image_similarity.images.simulated_photo import STANDARD, simulated_photo
from image_similarity.images.views import square
from image_similarity.models.resolve import named
from image_similarity.options import ModelChoice
from image_similarity.settings import Settings
from image_similarity_demo import draw_sample, photos, shots
from image_similarity_demo.scenes import GROUNDS
from image_similarity_demo.stock import number, stock
from shop import SHARED, read_shop

Array = np.ndarray[Any, Any]
OF_EACH = 2  # images of a Luma product
DRAWN_OF_EACH = 2
SIDE = 448  # pixels of the longer side that pictures are kept at: twice what the networks see
SEED = 2019  # of the drawn shop
SMALL = replace(STANDARD, side=320, blur=STANDARD.blur * 320 / STANDARD.side)  # for the index: as large as networks see
BATCH = 32
MODELS = {"mobilenetv2": str(SHARED / "weights" / "mobilenetv2.toml"), "colour-shape": "colour-shape"}


@dataclass(frozen=True)
class Catalogue:
    """Images, product by product, and whose each is."""

    name: str
    files: list[Path]
    product: Array  # (n,) numbers


@dataclass(frozen=True)
class Photos:
    """Pictures that ask a catalogue; ``product`` are the right answers."""

    name: str
    files: list[Path]
    product: Array


def luma(cache: Path) -> tuple[Catalogue, list[Photos]]:
    """The real shop and a simulated photo of each product."""
    shop = read_shop(SHARED / "data" / "luma")
    order = np.lexsort(([file.name for file in shop.files], shop.product))
    names, product = np.unique(shop.product[order], return_inverse=True)
    starts = np.searchsorted(product, np.arange(len(names)))
    kept = np.flatnonzero(np.arange(len(product)) - starts[product] < OF_EACH)
    return _asked_by_simulated(Catalogue("luma", [shop.files[order[at]] for at in kept], product[kept]), cache)


def drawn(cache: Path) -> tuple[Catalogue, list[Photos]]:
    """The drawn shop, simulated photos of all of its images, and photos drawn as users take them."""
    folder = cache / f"sample-{SEED}"
    if not folder.exists():
        draw_sample(folder, seed=SEED)
    files = sorted((folder / "images").iterdir())
    owners = [file.name.partition("_")[0] for file in files]
    names, product = np.unique(owners, return_inverse=True)
    catalogue, simulated = _asked_by_simulated(Catalogue("drawn", files, product), cache)
    return catalogue, [*simulated, _as_users(list(names), cache)]


def _asked_by_simulated(catalogue: Catalogue, cache: Path) -> tuple[Catalogue, list[Photos]]:
    """A photo of the first image of each product."""
    made = []
    asking = np.unique(catalogue.product, return_index=True)[1]
    for at in asking.tolist():
        file = cache / "simulated" / catalogue.name / f"{catalogue.files[at].stem}.png"
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            whole = decode(read_bytes(catalogue.files[at]), max_pixels=100_000_000)
            simulated_photo(whole, at).save(file)
        made.append(file)
    return catalogue, [Photos("simulated", made, catalogue.product[asking])]


def _as_users(names: list[str], cache: Path) -> Photos:
    folder = cache / "as-users"
    folder.mkdir(parents=True, exist_ok=True)
    made, owners, grounds = [], [], list(GROUNDS)
    for article in stock(SEED):
        piece: Image.Image | None = None
        for turn in range(DRAWN_OF_EACH):
            file = folder / f"{article.product_id}.{turn}.jpg"
            if not file.exists():
                piece = piece or shots.cut_out(article.family.draw(article.look, "front").image)
                rng = np.random.default_rng(number(SEED, "more photos", article.product_id, str(turn)))
                ground = grounds[len(made) % len(grounds)]
                photos.take_photo(piece, article.family, ground, rng).save(file, quality=photos.QUALITY)
            made.append(file)
            owners.append(names.index(article.product_id))
    return Photos("as users", made, np.array(owners))


@kept
def read(file: Path) -> Image.Image:
    """Upright RGB, at most :data:`SIDE` pixels a side."""
    picture = decode(read_bytes(file), max_pixels=100_000_000, at_least=SIDE)
    picture.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS, reducing_gap=3.0)
    return picture


class Vectors:
    """Unit vectors of pictures in a guise, under one model."""

    def __init__(self, model: str, cache: Path) -> None:
        self.name, self.cache = model, cache / "vectors"
        self.choice = ModelChoice(MODELS[model], precision="auto" if model == "colour-shape" else "fp32")
        (self.part,) = named(self.choice, Dataset.named("bench"), Settings(root=self.cache)).parts
        self.spec = self.part.spec
        self.cache.mkdir(parents=True, exist_ok=True)

    def __call__(self, files: list[Path], guise: str) -> Array:
        """``(files, dimension)``; ``guise`` is a name of :data:`guises.GUISES`, or ``simulated 0``, ``simulated 1``."""
        about = "\n".join(f"{file.name} {file.stat().st_size}" for file in files)
        digest = hashlib.sha256(f"{guise}\n{about}".encode()).hexdigest()[:16]
        path = self.cache / f"{self.spec.key}-{digest}.npy"
        if not path.exists():
            print(f"  {self.name}: {len(files)} pictures, {guise}", flush=True)
            np.save(path, np.concatenate(list(self._computed(files, guise))))
        return np.load(path)

    def _computed(self, files: list[Path], guise: str) -> Iterator[Array]:
        model, dress = self.part.load(Settings(root=self.cache)), dressed(guise)
        for start in range(0, len(files), BATCH):
            chunk = [dress(file, at) for at, file in enumerate(files[start : start + BATCH], start)]
            yield model.embed(np.stack([square(picture, self.spec.input) for picture in chunk]))


def dressed(guise: str) -> Callable[[Path, int], Image.Image]:
    """What makes a picture of a file as the guise says; it is told the file's place too."""
    name, _, turn = guise.partition(" ")
    if name == "simulated":
        return lambda file, at: _simulated_small(file, 1_000_000 * (1 + int(turn)) + at)
    return lambda file, _: guises.GUISES[guise](read(file))


@kept
def _simulated_small(file: Path, seed: int) -> Image.Image:
    return simulated_photo(read(file), seed, SMALL)
