"""The catalogues that the experiments fit: small pictures, quick to draw, no two alike."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

SIDE = 32  # pixels: most of a fit's time shall be its own, not the decoder's
COLOURS = ("red", "green", "blue")


def picture(number: int, side: int = SIDE) -> Image.Image:
    """The same for the same number."""
    chance = np.random.default_rng(number)
    rough = Image.fromarray(chance.integers(0, 256, (4, 4, 3), np.uint8))
    return rough.resize((side, side), Image.Resampling.BICUBIC)


def draw(folder: Path, numbers: Iterable[int], content: int = 0, changed: Iterable[int] = ()) -> Path:
    """A table and its pictures: two of each product; the ``changed`` ones have the pictures of another product."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    other = set(changed)
    with (folder / "images.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["product_id", "image", "title", "colour", "price"])
        for number in numbers:
            for place in (0, 1):
                name = f"p{number}_{place}.png"
                seed = 2 * number + place + content + (1_000_000 if number in other else 0)
                picture(seed).save(folder / "images" / name)
                table.writerow([f"p{number}", f"images/{name}", f"Product {number}", COLOURS[number % 3], number / 4])
    return folder / "images.csv"


def photo(number: int, folder: Path) -> bytes:
    """The bytes of a picture of nobody's catalogue yet."""
    path = folder / f"photo-{number}.png"
    if not path.exists():
        picture(5_000_000 + number, 64).save(path)
    return path.read_bytes()


def copied(workspace: Path, to: Path) -> Path:
    """Another workspace like one that is there."""
    shutil.rmtree(to, ignore_errors=True)
    shutil.copytree(workspace, to)
    return to
