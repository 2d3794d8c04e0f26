"""The catalogue that is measured on, and its images' vectors: computed once and kept, by model, input and content."""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from image_similarity.images.decode import decode
from image_similarity.images.views import at_least, square
from image_similarity.models.choice import ModelChoice
from image_similarity.models.cielab import cielab
from image_similarity.models.table import load_model, model_spec
from image_similarity.models.unit_vectors import unit_length
from image_similarity.settings import Settings
from image_similarity.types import InputSpec, no_progress

Array = np.ndarray[Any, Any]
ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared"
NETWORKS = {"mobilenetv2": "mobilenetv2", "googlenet": "googlenet", "inception": "inception_v3_mixed9"}
PLAIN = {"colour-shape": "colour-shape", "colours": "colour"}  # models of the package without weights
HISTOGRAMS, HISTOGRAM_SIZE = ("lab", "lab-fine", "lab-thirds"), 200
LOW, HIGH = np.array([0.0, -60.0, -60.0]), np.array([100.0, 60.0, 60.0])
TINY = 1e-6
NOT_WHITE = 246  # darkest channel below this: of the product
MARGIN = 0.02  # around the product, of the longer side of its box
BATCH = 32


@dataclass(frozen=True)
class Shop:
    """The images of a catalogue in the order of its table; row ``i`` of all vectors is ``files[i]``."""

    files: list[Path]
    product: Array  # (n,) names
    colour: Array
    shot: Array

    @property
    def digest(self) -> str:
        """Of the names and bytes of all images."""
        hashed = hashlib.sha256()
        for file in self.files:
            hashed.update(file.name.encode() + hashlib.sha256(file.read_bytes()).digest())
        return hashed.hexdigest()[:12]


def read_shop(folder: Path) -> Shop:
    """Luma's ``images.csv``."""
    with (folder / "images.csv").open(encoding="utf-8", newline="") as table:
        rows = list(csv.DictReader(table))
    columns = [np.array([row[name] for row in rows]) for name in ("product_id", "colour", "shot")]
    return Shop([folder / "images" / row["image"] for row in rows], *columns)


class Vectors:
    """Unit vectors by name: ``mobilenetv2``, ``mobilenetv2:tight``, ``colour-shape``, ``shape``, ``lab`` ...

    ``shape``, ``colour`` and ``layout`` are the parts of ``colour-shape``; ``colours`` is the model ``colour``.

    ``mobilenetv2:448`` takes padded squares of 448 pixels; ``mobilenetv2:pad+tight`` is the
    mean of the two, of unit length again.
    """

    def __init__(self, shop: Shop, folder: Path) -> None:
        self.shop, self.folder, self.digest = shop, folder, shop.digest
        folder.mkdir(parents=True, exist_ok=True)

    def __getitem__(self, name: str) -> Array:
        """``(n, dimension)`` float32, rows of unit length."""
        name = name if ":" in name or name.partition(":")[0] not in NETWORKS else f"{name}:pad"
        if name in ("shape", "colour", "layout"):
            return _part(self["colour-shape"], name)
        network, _, way = name.partition(":")
        if "+" in way:
            return unit_length(sum(self[f"{network}:{each}"] for each in way.split("+")), name)
        key = model_spec(self._choice(network, way)).key if network not in HISTOGRAMS else network
        path = self.folder / f"{self.digest}-{key}-{way or 'pad'}.npy"
        if not path.exists():
            np.save(path, self._computed(network, way or "pad"))
        return np.load(path)

    def _computed(self, network: str, way: str) -> Array:
        if network in HISTOGRAMS:
            counted = [_lab_histograms(file)[network] for file in self.shop.files]
            return unit_length(np.stack(counted), network)
        model = load_model(self._choice(network, way), Settings(root=self.folder), no_progress)
        spec = replace(model.spec.input, resize="stretch" if way == "stretch" else "pad")
        return np.concatenate([model.embed(batch) for batch in self._pixels(spec, way)])

    def choice(self, name: str) -> ModelChoice:
        """The model behind a name."""
        network, _, way = name.partition(":")
        return self._choice(network, way)

    def _choice(self, network: str, way: str) -> ModelChoice:
        if network in PLAIN:
            return ModelChoice(PLAIN[network])
        description = SHARED / "weights" / f"{NETWORKS[network]}.toml"
        if way.isdigit():
            description = larger(description, int(way), self.folder)
        return ModelChoice(str(description), precision="fp32")

    def _pixels(self, spec: InputSpec, way: str) -> Iterator[Array]:
        for start in range(0, len(self.shop.files), BATCH):
            yield np.stack([_input(file, spec, way) for file in self.shop.files[start : start + BATCH]])


def larger(description: Path, size: int, folder: Path) -> Path:
    """The description of a network that ends in a mean over all places, for a larger square."""
    target = folder / f"{description.stem}-{size}.toml"
    text = description.read_text(encoding="utf-8")
    text = re.sub(r"(?m)^name = .*", f'name = "{target.stem}"', text)
    text = re.sub(r"(?m)^file = .*", f'file = "{description.with_suffix(".onnx")}"', text)
    text = re.sub(r"input_size = \d+", f"input_size = {size}\nany_size = true", text)
    target.write_text(text, encoding="utf-8")
    return target


def _input(file: Path, spec: InputSpec, way: str) -> Array:
    image = decode(file.read_bytes(), max_pixels=100_000_000, at_least=at_least(spec))
    if way == "mirrored":
        image = ImageOps.mirror(image)
    return square(tight(image) if way == "tight" else image, spec)


def tight(image: Image.Image) -> Image.Image:
    """The box around all that is not white, and a little more; the whole picture where that is all of it."""
    dark = np.asarray(image).min(axis=-1) < NOT_WHITE
    rows, columns = (np.flatnonzero(dark.mean(axis=axis) > 0.004) for axis in (1, 0))
    if not len(rows) or not len(columns):
        return image
    left, top, right, bottom = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
    more = round(MARGIN * max(right - left, bottom - top))
    box = max(0, left - more), max(0, top - more), min(image.width, right + more), min(image.height, bottom + more)
    return image.crop(tuple(int(side) for side in box))


def _lab_histograms(file: Path) -> dict[str, Array]:
    """Square roots of the shares of colours in CIELAB among the pixels that are not white, by name."""
    image = decode(file.read_bytes(), max_pixels=100_000_000, at_least=HISTOGRAM_SIZE)
    image.thumbnail((HISTOGRAM_SIZE, HISTOGRAM_SIZE))
    pixels = np.asarray(image)
    inside = pixels.min(axis=-1) < NOT_WHITE
    colours, heights = cielab(pixels)[inside].astype(np.float64), np.nonzero(inside)[0]
    top, bottom = np.percentile(heights, [1, 99]) if len(heights) else (0.0, 1.0)
    third = np.clip((heights - top) / (bottom - top + TINY) * 3, 0, 2).astype(np.intp)
    thirds = [shares(colours[third == each], (8, 10, 10)) for each in range(3)]
    counted = {"lab": shares(colours, (8, 8, 8)), "lab-fine": shares(colours, (12, 24, 24))}
    counted["lab-thirds"] = np.concatenate(thirds)
    return {name: np.sqrt(each + TINY).astype(np.float32) for name, each in counted.items()}


def shares(colours: Array, bins: tuple[int, int, int]) -> Array:
    """How many of the colours ``(n, 3)`` fall into each bin; each is shared among the eight nearest."""
    sides = np.array(bins)
    place = np.clip((colours - LOW) / (HIGH - LOW) * sides - 0.5, 0, sides - 1 - TINY)
    lower = np.minimum(place.astype(np.intp), sides - 2)
    upper, counted = place - lower, np.zeros(int(sides.prod()))
    for corner in np.ndindex(2, 2, 2):
        share = np.where(corner, upper, 1 - upper).prod(axis=1)
        at = np.ravel_multi_index((lower + corner).T, bins)
        counted += np.bincount(at, share, len(counted))
    return counted


def _part(joined: Array, name: str) -> Array:
    """One of the three parts that ``colour-shape`` is made of."""
    ends = {"shape": slice(0, 576), "colour": slice(576, 720), "layout": slice(720, 784)}
    return unit_length(joined[:, ends[name]], name)
