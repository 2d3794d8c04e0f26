"""Where users take their photos: floors, grass, cloth and tables, seen from above or with a wall behind."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from image_similarity_demo.clutter import scatter
from image_similarity_demo.colours import Colour, darker, mix
from image_similarity_demo.shots import paste, tilt

Rng = np.random.Generator
Size = tuple[int, int]
Texture = Callable[[Size, Rng], Image.Image]


def scene(name: str, size: Size, rng: Rng, *, wall: bool) -> Image.Image:
    """The ground ``name`` with other things on it; with a ``wall``, the ground recedes and meets it."""
    if not wall:
        ground = GROUNDS[name](size, rng)
        scatter(ground, rng, count=5 if name == "desk" else 3)
        return ground.filter(ImageFilter.GaussianBlur(0.7))
    width, height = size
    horizon = int(height * rng.uniform(0.38, 0.55))
    ground = GROUNDS[name]((width * 5 // 3, (height - horizon) * 5 // 3), rng)
    scatter(ground, rng, count=3)
    ground = tilt(ground.convert("RGBa"), ((0.2, 0), (0.8, 0), (1.25, 1), (-0.25, 1)))
    ground = ground.crop((ground.width // 5, 0, ground.width * 4 // 5, ground.height)).resize((width, height - horizon))
    picture = _wall(size, horizon, rng)
    paste(picture, ground, (0, horizon))
    return picture.filter(ImageFilter.GaussianBlur(1.4))


def noise(size: Size, rng: Rng, cell: tuple[int, int]) -> NDArray[np.float32]:
    """Smooth noise of about -1..1 with bumps of ``cell`` pixels (across, down), shape ``(height, width, 1)``."""
    small = rng.normal(0, 0.5, (max(2, size[1] // cell[1] + 1), max(2, size[0] // cell[0] + 1))).astype(np.float32)
    large = Image.fromarray(small).resize(size, Image.Resampling.BICUBIC)
    return np.asarray(large, dtype=np.float32)[..., None]


def _picture(values: NDArray[np.float32]) -> Image.Image:
    return Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))


def _plain(size: Size, colour: Colour) -> NDArray[np.float32]:
    return np.full((size[1], size[0], 3), colour, dtype=np.float32)


def _wall(size: Size, horizon: int, rng: Rng) -> Image.Image:
    colour = mix((236, 230, 220), (170, 186, 196), float(rng.random()))
    values = _plain(size, colour) * (1 + 0.05 * noise(size, rng, (160, 160)) + 0.015 * noise(size, rng, (3, 3)))
    picture = _picture(values)
    draw = ImageDraw.Draw(picture)
    if rng.random() < 0.6:  # the edge of a cupboard or a door frame
        x = int(size[0] * rng.uniform(0.05, 0.9))
        side = int(size[0] * rng.uniform(0.15, 0.4))
        tone = darker(mix(colour, (150, 110, 70), float(rng.random())), 0.2)
        draw.rectangle((x, -5, x + side, horizon), fill=tone, outline=darker(tone, 0.4), width=3)
    draw.rectangle((0, horizon - 22, size[0], horizon), fill=(238, 236, 230))
    draw.line((0, horizon - 23, size[0], horizon - 23), fill=(170, 168, 162), width=2)
    return picture


def _wood(size: Size, rng: Rng) -> Image.Image:
    width, height = size
    base = mix((196, 148, 98), (122, 80, 50), float(rng.random()))
    plank = int(rng.integers(70, 110))
    grain = 0.1 * noise(size, rng, (160, 3)) + 0.08 * noise(size, rng, (260, 9)) + 0.02 * noise(size, rng, (30, 2))
    values = _plain(size, base) * (1 + grain)
    for y in range(0, height, plank):
        values[y : y + plank] *= rng.uniform(0.86, 1.1)
    picture = _picture(values)
    draw = ImageDraw.Draw(picture)
    for y in range(0, height, plank):
        draw.line((0, y, width, y), fill=darker(base, 0.7), width=2)
        for _ in range(1 + width // 500):
            x = int(rng.integers(0, width))
            draw.line((x, y, x, y + plank), fill=darker(base, 0.65), width=2)
    return picture


def _grass(size: Size, rng: Rng) -> Image.Image:
    width, height = size
    picture = _picture(_plain(size, (58, 92, 38)) * (1 + 0.25 * noise(size, rng, (50, 50))))
    draw = ImageDraw.Draw(picture)
    count = width * height // 90
    starts = rng.uniform(0, 1, (count, 2)) * (width, height + 20)
    leans = rng.normal(0, 7, count)
    lengths = rng.uniform(8, 24, count)
    tones = rng.uniform(0, 1, count)
    for (x, y), lean, length, tone in zip(
        starts.tolist(), leans.tolist(), lengths.tolist(), tones.tolist(), strict=True
    ):
        colour = mix((42, 82, 30), (150, 186, 84), tone)
        draw.line((x, y, x + lean, y - length), fill=colour, width=2 if tone > 0.4 else 1)
    return picture


def _tiles(size: Size, rng: Rng) -> Image.Image:
    width, height = size
    base = mix((214, 210, 202), (150, 158, 166), float(rng.random()))
    side = int(rng.integers(90, 150))
    values = _plain(size, base) * (1 + 0.05 * noise(size, rng, (40, 40)) + 0.03 * noise(size, rng, (5, 5)))
    for y in range(0, height, side):
        for x in range(0, width, side):
            values[y : y + side, x : x + side] *= rng.uniform(0.93, 1.05)
    picture = _picture(values)
    draw = ImageDraw.Draw(picture)
    for y in range(0, height, side):
        draw.line((0, y, width, y), fill=darker(base, 0.35), width=4)
    for x in range(0, width, side):
        draw.line((x, 0, x, height), fill=darker(base, 0.35), width=4)
    return picture


def _carpet(size: Size, rng: Rng) -> Image.Image:
    base, other = [((126, 52, 56), (206, 178, 140)), ((66, 82, 108), (190, 196, 204)), ((150, 140, 124), (96, 88, 78))][
        int(rng.integers(0, 3))
    ]
    x, y = np.meshgrid(np.arange(size[0], dtype=np.float32), np.arange(size[1], dtype=np.float32))
    cell = float(rng.uniform(70, 120))
    diamond = np.abs((x / cell) % 1 - 0.5) + np.abs((y / cell) % 1 - 0.5)
    motif = ((diamond > 0.42) & (diamond < 0.52)) | (diamond < 0.12)
    values = np.where(motif[..., None], np.asarray(other, np.float32), np.asarray(base, np.float32))
    return _picture(values * (1 + 0.22 * noise(size, rng, (2, 2)) + 0.08 * noise(size, rng, (60, 60))))


def _concrete(size: Size, rng: Rng) -> Image.Image:
    base = mix((150, 148, 144), (96, 98, 104), float(rng.random()))
    values = _plain(size, base) * (1 + 0.1 * noise(size, rng, (90, 90)) + 0.06 * noise(size, rng, (9, 9)))
    values *= 1 + 0.12 * noise(size, rng, (2, 2))
    picture = _picture(values)
    draw = ImageDraw.Draw(picture)
    crack = np.cumsum(rng.normal(0, 9, 40))
    points = [(i * size[0] / 39, size[1] * 0.3 + y) for i, y in enumerate(crack.tolist())]
    draw.line(points, fill=darker(base, 0.5), width=2)
    return picture


def _blanket(size: Size, rng: Rng) -> Image.Image:
    base = [(176, 60, 58), (60, 96, 140), (84, 120, 88), (222, 214, 200)][int(rng.integers(0, 4))]
    x, y = np.meshgrid(np.arange(size[0], dtype=np.float32), np.arange(size[1], dtype=np.float32))
    cell = float(rng.uniform(46, 80))
    weave = ((x % (2 * cell)) < cell).astype(np.float32) + ((y % (2 * cell)) < cell).astype(np.float32)
    values = _plain(size, base) * (1.1 - 0.24 * weave[..., None])
    creases = 0.22 * noise(size, rng, (190, 80)) + 0.12 * noise(size, rng, (60, 150))
    return _picture(values * (1 + creases + 0.06 * noise(size, rng, (2, 2))))


def _desk(size: Size, rng: Rng) -> Image.Image:
    base = mix((226, 216, 200), (96, 74, 60), float(rng.random()))
    values = _plain(size, base) * (1 + 0.05 * noise(size, rng, (220, 3)) + 0.04 * noise(size, rng, (120, 12)))
    return _picture(values)


GROUNDS: dict[str, Texture] = {
    "wood": _wood,
    "grass": _grass,
    "tiles": _tiles,
    "carpet": _carpet,
    "concrete": _concrete,
    "blanket": _blanket,
    "desk": _desk,
}
