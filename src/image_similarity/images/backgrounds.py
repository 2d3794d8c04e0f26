"""Drawn backgrounds for simulated photos: a floor, a lawn, a cloth or a table, with household objects on it."""

from __future__ import annotations

import colorsys
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from image_similarity.images.background_objects import draw_object

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Rng = np.random.Generator
    Size = tuple[int, int]
    Values = NDArray[np.float32]
    Surface = Callable[[Size, Rng], Image.Image]

UNIT = 640  # the sizes below are in 1/640 of a photo's longer side


def draw_background(size: Size, objects: int, rng: Rng) -> Image.Image:
    """A surface with objects on it, RGB of ``size`` (width, height), slightly out of focus."""
    surface, upright = SURFACES[int(rng.integers(len(SURFACES)))], rng.random() < 0.5
    ground = surface(size, rng) if upright else surface(size[::-1], rng).transpose(Image.Transpose.ROTATE_90)
    for _ in range(objects):
        draw_object(ground, rng)
    return ground.filter(ImageFilter.GaussianBlur(max(size) / 500 * rng.uniform(0.4, 2.5)))


def _wood(size: Size, rng: Rng) -> Image.Image:
    """Boards, some lighter than others, with grain along them."""
    width, height = size
    board, which = _steps(height, rng.uniform(70, 110), size)
    shades = rng.uniform(0.86, 1.1, which[-1] + 1)[which]
    values = _plain(size, _between((196, 148, 98), (110, 72, 46), rng)) * shades[:, None, None].astype(np.float32)
    values[np.diff(which, prepend=0) > 0] *= 0.45
    for place, end in enumerate(rng.integers(0, width, which[-1] + 1)):
        values[round(place * board) : round((place + 1) * board), end : end + 2] *= 0.5
    return _rough(values, rng, (0.1, 160, 3), (0.08, 260, 9), (0.03, 30, 2))


def _tiles(size: Size, rng: Rng) -> Image.Image:
    width, height = size
    side = rng.uniform(80, 150)
    (_, down), (_, across) = _steps(height, side, size), _steps(width, side, size)
    shades = rng.uniform(0.9, 1.06, (down[-1] + 1, across[-1] + 1))[down[:, None], across]
    values = _plain(size, _between((218, 212, 202), (120, 126, 134), rng)) * shades[..., None].astype(np.float32)
    thick = max(1, round(max(size) / 200))
    for places, lines in ((down, values), (across, values.swapaxes(0, 1))):
        for start in np.flatnonzero(np.diff(places)):
            lines[start : start + thick] *= 0.6
    return _rough(values, rng, (0.05, 40, 40), (0.04, 5, 5))


def _grass(size: Size, rng: Rng) -> Image.Image:
    image = _rough(_plain(size, (58, 92, 38)), rng, (0.25, 50, 50))
    draw = ImageDraw.Draw(image)
    unit = max(size) / UNIT
    count = round(size[0] * size[1] / unit**2 / 90)
    starts, ends = rng.uniform(0, 1, (count, 2)) * size, rng.normal((0, -15), (7, 4), (count, 2)) * unit
    for start, end, tone in zip(starts, starts + ends, rng.random(count), strict=True):
        colour = round(42 + 108 * tone), round(82 + 104 * tone), round(30 + 54 * tone)
        draw.line((*start, *end), fill=colour, width=max(1, round(2 * tone * unit)))
    return image


def _carpet(size: Size, rng: Rng) -> Image.Image:
    """Diamonds of one colour on another."""
    cell = rng.uniform(70, 120) * max(size) / UNIT
    across, down = (np.abs(np.arange(side) / cell % 1 - 0.5) for side in size)
    diamond = across + down[:, None]
    motif = ((diamond > 0.42) & (diamond < 0.52)) | (diamond < 0.12)
    values = np.where(motif[..., None], _plain(size, _muted(rng)), _plain(size, _muted(rng)))
    return _rough(values, rng, (0.22, 2, 2), (0.08, 60, 60))


def _cloth(size: Size, rng: Rng) -> Image.Image:
    """A checked cloth with creases."""
    cell = rng.uniform(30, 80)
    across, down = (_steps(side, cell, size)[1] % 2 for side in size)
    values = _plain(size, _muted(rng)) * (1.1 - 0.24 * (across + down[:, None])[..., None]).astype(np.float32)
    return _rough(values, rng, (0.22, 190, 80), (0.12, 60, 150), (0.06, 2, 2))


def _concrete(size: Size, rng: Rng) -> Image.Image:
    values = _plain(size, _between((170, 168, 162), (86, 88, 94), rng))
    return _rough(values, rng, (0.1, 90, 90), (0.06, 9, 9), (0.12, 2, 2))


def _table(size: Size, rng: Rng) -> Image.Image:
    return _rough(_plain(size, _muted(rng)), rng, (0.06, 220, 3), (0.05, 120, 12), (0.08, 300, 300))


SURFACES: tuple[Surface, ...] = (_wood, _tiles, _grass, _carpet, _cloth, _concrete, _table)


def _plain(size: Size, colour: tuple[float, ...]) -> Values:
    return np.full((size[1], size[0], 3), colour, np.float32)


def _steps(length: int, step: float, size: Size) -> tuple[float, NDArray[np.intp]]:
    """The pixels of a step given in units, and for each of ``length`` pixels the number of its step."""
    pixels = max(1.0, step * max(size) / UNIT)
    return pixels, (np.arange(length) // pixels).astype(np.intp)


def _rough(values: Values, rng: Rng, *layers: tuple[float, float, float]) -> Image.Image:
    """Add unevenness. A layer is its strength, and the width and height of its bumps in units."""
    height, width = values.shape[:2]
    unit = max(width, height) / UNIT
    light = np.ones((height, width), np.float32)
    for strength, across, down in layers:
        bumps = 2 + int(height / unit / down), 2 + int(width / unit / across)
        small = Image.fromarray(rng.normal(0, strength / 2, bumps).astype(np.float32))
        light += np.asarray(small.resize((width, height), Image.Resampling.BICUBIC))
    return Image.fromarray(np.clip(values * light[..., None], 0, 255).astype(np.uint8))


def _between(first: tuple[int, int, int], last: tuple[int, int, int], rng: Rng) -> tuple[float, ...]:
    share = rng.random()
    return tuple(a + (b - a) * share for a, b in zip(first, last, strict=True))


def _muted(rng: Rng) -> tuple[float, ...]:
    """A random colour of low saturation, rarely a bright one."""
    light, bright = rng.uniform(0.2, 0.8), 0.6 * rng.random() ** 1.5
    return tuple(255 * each for each in colorsys.hls_to_rgb(rng.random(), light, bright))
