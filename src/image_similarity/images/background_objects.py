"""Drawn household objects for simulated photos: paper, a book, a mug, a pen, a phone, leaves, a cable."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

if TYPE_CHECKING:
    from collections.abc import Callable

    Rng = np.random.Generator
    DrawObject = Callable[[ImageDraw.ImageDraw, Rng], None]

SIDE = 260  # pixels of the square that an object is drawn on
COLOURS = ((36, 60, 96), (150, 40, 48), (46, 100, 80), (40, 40, 44), (226, 224, 216), (206, 150, 62), (60, 110, 150))


def draw_object(ground: Image.Image, rng: Rng) -> None:
    """Draw one random object with its shadow onto ``ground``, mostly away from the middle."""
    layer = Image.new("RGBA", (SIDE, SIDE))
    OBJECTS[int(rng.integers(len(OBJECTS)))](ImageDraw.Draw(layer), rng)
    side = max(ground.size) * rng.uniform(0.25, 0.45)
    layer = layer.rotate(rng.uniform(0, 360), Image.Resampling.BILINEAR)
    layer = layer.resize((math.ceil(side), math.ceil(side)), Image.Resampling.BILINEAR)
    angle, reach = rng.uniform(0, 2 * math.pi), rng.uniform(0.35, 0.6)
    left = round(ground.width * (0.5 + reach * math.cos(angle)) - side / 2)
    top = round(ground.height * (0.5 + reach * math.sin(angle)) - side / 2)
    shadow = layer.getchannel("A").filter(ImageFilter.BoxBlur(side / 40)).point([level // 2 for level in range(256)])
    ground.paste((12, 12, 18), (left + round(side / 45), top + round(side / 30)), shadow)
    ground.paste(layer, (left, top), layer)


def _colour(rng: Rng) -> tuple[int, int, int]:
    return COLOURS[int(rng.integers(len(COLOURS)))]


def _paper(draw: ImageDraw.ImageDraw, rng: Rng) -> None:
    draw.rectangle((54, 32, 206, 228), fill=(244, 242, 236))
    for y, end in zip(range(52, 208, 15), rng.uniform(118, 192, 11), strict=True):
        draw.line((68, y, end, y), fill=(120, 124, 136), width=3)


def _book(draw: ImageDraw.ImageDraw, rng: Rng) -> None:
    draw.rounded_rectangle((58, 32, 202, 228), 8, fill=_colour(rng))
    draw.rectangle((174, 32, 184, 228), fill=(24, 24, 28))
    draw.rectangle((84, 62, 152, 96), fill=(236, 232, 222))


def _mug(draw: ImageDraw.ImageDraw, rng: Rng) -> None:
    glaze = _colour(rng)
    draw.line((180, 130, 230, 130), fill=glaze, width=22)
    draw.ellipse((64, 64, 196, 196), fill=glaze)
    draw.ellipse((74, 74, 186, 186), fill=(52, 34, 26))
    draw.ellipse((79, 81, 183, 185), fill=(78, 48, 30))
    draw.arc((86, 88, 174, 174), 190, 260, fill=(150, 104, 70), width=5)


def _pen(draw: ImageDraw.ImageDraw, rng: Rng) -> None:
    draw.line((20, 130, 220, 130), fill=_colour(rng), width=13)
    draw.line((20, 127, 220, 127), fill=(200, 200, 204), width=3)
    draw.polygon([(220, 123), (250, 130), (220, 137)], fill=(222, 190, 150))


def _phone(draw: ImageDraw.ImageDraw, rng: Rng) -> None:
    draw.rounded_rectangle((72, 12, 188, 248), 18, fill=(26, 27, 31))
    draw.rounded_rectangle((79, 19, 181, 241), 13, fill=(44, 52, 70))
    shine = rng.uniform(40, 170)
    draw.polygon([(79, shine + 60), (181, shine - 20), (181, shine + 10), (79, shine + 70)], fill=(66, 78, 102))


def _leaves(draw: ImageDraw.ImageDraw, rng: Rng) -> None:
    for x, y, turn in rng.uniform((50, 50, 0), (210, 210, math.pi), (4, 3)):
        along, across = np.array((math.cos(turn), math.sin(turn))), np.array((-math.sin(turn), math.cos(turn)))
        places = np.linspace(-1, 1, 12)[:, None]
        half = 40 * along * places + 16 * across * (1 - places**2)
        outline = np.concatenate([half, -half]) + np.array((x, y))
        tone = rng.random()
        draw.polygon(list(map(tuple, outline.tolist())), fill=(round(200 - 80 * tone), 124, round(40 + 12 * tone)))


def _cable(draw: ImageDraw.ImageDraw, rng: Rng) -> None:
    turns = np.linspace(0, rng.uniform(1.5, 4) * math.pi, 60)
    x, y = 130 + np.cos(turns) * (100 - 9 * turns), 130 + np.sin(turns) * rng.uniform(50, 100)
    line = list(zip(x.tolist(), y.tolist(), strict=True))
    draw.line(line, fill=(40, 42, 46), width=7, joint="curve")
    draw.rectangle((line[-1][0] - 14, line[-1][1] - 10, line[-1][0] + 14, line[-1][1] + 10), fill=(40, 42, 46))


OBJECTS: tuple[DrawObject, ...] = (_paper, _book, _mug, _pen, _phone, _leaves, _cable)
