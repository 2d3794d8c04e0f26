"""The catalogues of the experiments: small images, quick to draw, all different."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

SIDE = 32  # pixels: small, so that decoding is only a small part of a fit's time
COLOURS = ("red", "green", "blue")


def image(number: int, side: int = SIDE) -> Image.Image:
    """A random image; the same number gives the same image."""
    rng = np.random.default_rng(number)
    rough = Image.fromarray(rng.integers(0, 256, (4, 4, 3), np.uint8))
    return rough.resize((side, side), Image.Resampling.BICUBIC)


def draw(folder: Path, numbers: Iterable[int], content: int = 0, changed: Iterable[int] = ()) -> Path:
    """Write a table and two images of each product; ``changed`` products get other images. Returns the table."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    other = set(changed)
    with (folder / "images.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["product_id", "image", "title", "colour", "price"])
        for number in numbers:
            for place in (0, 1):
                name = f"p{number}_{place}.png"
                seed = 2 * number + place + content + (1_000_000 if number in other else 0)
                image(seed).save(folder / "images" / name)
                table.writerow([f"p{number}", f"images/{name}", f"Product {number}", COLOURS[number % 3], number / 4])
    return folder / "images.csv"


def photo(number: int, folder: Path) -> bytes:
    """The bytes of an image that is in no catalogue."""
    path = folder / f"photo-{number}.png"
    if not path.exists():
        image(5_000_000 + number, 64).save(path)
    return path.read_bytes()


def copied(workspace: Path, to: Path) -> Path:
    """Copy a workspace; an earlier copy is removed."""
    shutil.rmtree(to, ignore_errors=True)
    shutil.copytree(workspace, to)
    return to
