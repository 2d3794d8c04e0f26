"""What lies behind a thing on a photo from home: a table, a floor or a cloth, and other things on it. Drawn."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Colour = tuple[int, int, int]
    Ground = Callable[[tuple[int, int], np.random.Generator], Image.Image]

GRAIN = 24  # the coarse noise's cells along a side


def draw_clutter(size: tuple[int, int], things: int, rng: np.random.Generator) -> Image.Image:
    """A ground with things on it, RGB of ``size`` (width, height), a little out of focus."""
    ground = GROUNDS[int(rng.integers(len(GROUNDS)))](size, rng)
    for _ in range(things):
        _lay_thing(ground, rng)
    return ground.filter(ImageFilter.GaussianBlur(max(size) / 500 * rng.uniform(0.4, 2.5)))


def _lay_thing(ground: Image.Image, rng: np.random.Generator) -> None:
    """One thing with its shadow, mostly away from the middle."""
    width, height = ground.size
    side = max(width, height) * rng.uniform(0.06, 0.3)
    angle = rng.uniform(0, 2 * math.pi)
    reach = rng.uniform(0.25, 0.62)
    x, y = width * (0.5 + reach * math.cos(angle)), height * (0.5 + reach * math.sin(angle))
    outline = _outline(side, rng)
    mask, corner = _filled(outline, side), (round(x - 1.25 * side), round(y - 1.25 * side))
    shadow = mask.filter(ImageFilter.BoxBlur(side / 12 + 1)).point([level // 2 for level in range(256)])
    ground.paste((14, 14, 18), (corner[0] + round(side / 20) + 1, corner[1] + round(side / 14) + 1), shadow)
    ground.paste(_colour(rng), corner, mask)
    if rng.random() < 0.5:  # a label, a screen, a pattern
        ground.paste(_colour(rng), corner, _filled(outline * rng.uniform(0.4, 0.8), side))


def _filled(outline: NDArray[np.float64], side: float) -> Image.Image:
    """A shape around the origin as a mask of two and a half sides."""
    mask = Image.new("L", (math.ceil(2.5 * side), math.ceil(2.5 * side)))
    ImageDraw.Draw(mask).polygon([(float(x), float(y)) for x, y in outline + 1.25 * side], fill=255)
    return mask


def _outline(side: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """A box, a disc, a stick or a shapeless thing around the origin, turned by chance: ``(points, 2)``."""
    kind = int(rng.integers(4))
    if kind == 0:
        long, broad = side / 2, side / 2 * rng.uniform(0.4, 1)
        points = np.array([(-long, -broad), (long, -broad), (long, broad), (-long, broad)])
    elif kind == 1:
        turns = np.linspace(0, 2 * math.pi, 48, endpoint=False)
        points = np.column_stack([np.cos(turns), np.sin(turns) * rng.uniform(0.6, 1)]) * side / 2
    elif kind == 2:
        long, broad = side, side * rng.uniform(0.02, 0.07)
        points = np.array([(-long, -broad), (long, -broad), (long, broad), (-long, broad)])
    else:
        turns = np.sort(rng.uniform(0, 2 * math.pi, 7))
        points = np.column_stack([np.cos(turns), np.sin(turns)]) * side / 2 * rng.uniform(0.5, 1.1, (7, 1))
    turn = rng.uniform(0, 2 * math.pi)
    turned: NDArray[np.float64] = points @ np.array(
        [[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]]
    )
    return turned


def _plain(size: tuple[int, int], rng: np.random.Generator) -> Image.Image:
    return Image.fromarray(_rough(np.full((size[1], size[0], 3), _colour(rng), np.float32), rng))


def _planks(size: tuple[int, int], rng: np.random.Generator) -> Image.Image:
    """Boards of wood or laminate, some lighter than others, with grain along them."""
    width, height = size
    wood = np.array(_colour(rng), np.float32) * 0.5 + np.array((150, 110, 70), np.float32) * 0.5
    boards = int(rng.integers(4, 10))
    which = np.arange(height) * boards // height
    shades = rng.uniform(0.8, 1.15, boards)[which] + rng.normal(0, 0.03, height)
    seam = np.diff(which, prepend=0) > 0
    shades[seam] *= 0.45
    lines: NDArray[np.float32] = wood * shades[:, None, None].astype(np.float32)
    picture = Image.fromarray(_rough(np.repeat(lines, width, axis=1), rng))
    return picture.transpose(Image.Transpose.ROTATE_90).resize(size) if rng.random() < 0.5 else picture


def _checks(size: tuple[int, int], rng: np.random.Generator) -> Image.Image:
    """Tiles or a checked cloth."""
    width, height = size
    cells = rng.integers(3, 12)
    side = max(width, height) / cells
    down, across = (np.arange(length) // side for length in (height, width))
    odd = ((down[:, None] + across) % 2)[..., None]
    first, second = np.array(_colour(rng), np.float32), np.array(_colour(rng), np.float32)
    return Image.fromarray(_rough((first * odd + second * (1 - odd)).astype(np.float32), rng))


def _rough(values: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Unevenness of two sizes, as no surface at home is without."""
    height, width = values.shape[:2]
    for cells, strength in ((5, 22.0), (GRAIN * 4, 9.0)):
        noise = Image.fromarray(rng.normal(0, strength, (cells, cells)).astype(np.float32))
        values = values + np.asarray(noise.resize((width, height), Image.Resampling.BICUBIC))[..., None]
    rough: NDArray[np.uint8] = np.clip(values, 0, 255).astype(np.uint8)
    return rough


def _colour(rng: np.random.Generator) -> Colour:
    """Mostly muted, as things at home are: a grey, moved some way towards a hue."""
    light = rng.uniform(40, 225)
    hue = rng.normal(0, 1, 3)
    moved = light + 50 * rng.random() ** 2 * (hue - hue.mean())
    red, green, blue = (int(level) for level in np.clip(moved, 8, 247))
    return red, green, blue


GROUNDS: tuple[Ground, ...] = (_plain, _planks, _checks)
