"""Patterns printed on a part: stripes, chevrons, dots, camouflage. One table from name to printer."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from image_similarity.sample.canvas import SCALE, Canvas, Mask, both, gradient
from image_similarity.sample.colours import Palette, mix
from image_similarity.sample.geometry import Points, arc, curve

Box = tuple[float, float, float, float]
Printer = Callable[[Canvas, Mask, Box, Palette, np.random.Generator], None]


def print_pattern(canvas: Canvas, part: Mask, name: str, palette: Palette, rng: np.random.Generator) -> None:
    """Print the pattern ``name`` on a part that is painted in the main colour; ``plain`` prints nothing."""
    box = part.getbbox()
    if box is not None:
        x0, y0, x1, y1 = (side / SCALE for side in box)
        PATTERNS[name](canvas, part, (x0, y0, x1, y1), palette, rng)


def _plain(canvas: Canvas, part: Mask, box: Box, palette: Palette, rng: np.random.Generator) -> None:
    del canvas, part, box, palette, rng


def _hoops(canvas: Canvas, part: Mask, box: Box, palette: Palette, rng: np.random.Generator) -> None:
    x0, y0, x1, y1 = box
    step = (y1 - y0) / 6
    bars: list[Points] = [
        [(x0, y), (x1, y), (x1, y + step * 0.5), (x0, y + step * 0.5)]
        for y in (y0 + step * (i + 0.35) for i in range(6))
    ]
    canvas.paint(both(canvas.polygon(*bars), part), palette.accent)


def _pinstripes(canvas: Canvas, part: Mask, box: Box, palette: Palette, rng: np.random.Generator) -> None:
    x0, y0, x1, y1 = box
    step = (x1 - x0) / 14
    lines: list[Points] = [[(x, y0), (x, y1)] for x in (x0 + step * (i + 0.5) for i in range(14))]
    canvas.paint(both(canvas.lines(lines, 5), part), palette.accent, 0.9)


def _stripes(canvas: Canvas, part: Mask, box: Box, palette: Palette, rng: np.random.Generator) -> None:
    x0, y0, x1, y1 = box
    step = (x1 - x0) / 7
    bars: list[Points] = [[(x, y0), (x + step, y0), (x + step, y1), (x, y1)] for x in (x0 + step * i for i in (1, 3, 5))]
    canvas.paint(both(canvas.polygon(*bars), part), palette.accent)


def _sash(canvas: Canvas, part: Mask, box: Box, palette: Palette, rng: np.random.Generator) -> None:
    x0, y0, x1, y1 = box
    w = x1 - x0
    for start, width, colour in ((0.0, 0.26, palette.accent), (0.31, 0.05, palette.trim)):
        left = x0 + w * start
        outline = [(left, y0), (left + w * width, y0), (left + w * (0.62 + width), y1), (left + w * 0.62, y1)]
        canvas.paint(both(canvas.polygon([(x, y) for x, y in outline]), part), colour)


def _chevrons(canvas: Canvas, part: Mask, box: Box, palette: Palette, rng: np.random.Generator) -> None:
    x0, y0, x1, y1 = box
    middle, reach, h = (x0 + x1) / 2, (x1 - x0) * 0.3, y1 - y0
    for top, thick, colour in ((0.24, 0.13, palette.accent), (0.42, 0.05, palette.trim), (0.52, 0.05, palette.accent)):
        y, t = y0 + h * top, h * thick
        bar = [(x0, y - reach * 0.4), (middle, y + reach * 0.6), (x1, y - reach * 0.4)]
        outline = [*bar, *[(x, y + t) for x, y in reversed(bar)]]
        canvas.paint(both(canvas.polygon(outline), part), colour)


def _dots(canvas: Canvas, part: Mask, box: Box, palette: Palette, rng: np.random.Generator) -> None:
    x0, y0, x1, y1 = box
    step = max(44.0, (x1 - x0) / 11)
    spots: list[Points] = []
    for row in range(int((y1 - y0) / (step * 0.8)) + 1):
        for column in range(int((x1 - x0) / step) + 2):
            cx, cy = x0 + (column + 0.5 * (row % 2)) * step, y0 + (row + 0.5) * step * 0.8
            spots.append(arc(cx, cy, step * 0.22, step * 0.22))
    canvas.paint(both(canvas.polygon(*spots), part), palette.accent)


def _camouflage(canvas: Canvas, part: Mask, box: Box, palette: Palette, rng: np.random.Generator) -> None:
    x0, y0, x1, y1 = box
    size = max(x1 - x0, y1 - y0) * 0.1
    for colour in (palette.trim, mix(palette.main, palette.accent, 0.5), mix(palette.main, palette.trim, 0.5)):
        blots: list[Points] = []
        for _ in range(13):
            cx, cy = rng.uniform(x0, x1), rng.uniform(y0, y1)
            blots.append(
                curve(
                    [
                        (cx + math.cos(a) * r * 1.5, cy + math.sin(a) * r)
                        for a, r in zip(np.arange(8) * math.pi / 4, rng.uniform(0.4, 1.2, 8) * size, strict=True)
                    ],
                    closed=True,
                    steps=5,
                )
            )
        canvas.paint(both(canvas.polygon(*blots), part), colour)


def _halves(canvas: Canvas, part: Mask, box: Box, palette: Palette, rng: np.random.Generator) -> None:
    x0, y0, x1, y1 = box
    canvas.paint(both(canvas.box((x0 + x1) / 2, y0, x1 + 2, y1 + 2), part), palette.accent)


def _fade(canvas: Canvas, part: Mask, box: Box, palette: Palette, rng: np.random.Generator) -> None:
    canvas.paint(part, gradient(palette.main, palette.main, palette.accent))


def _zigzag(canvas: Canvas, part: Mask, box: Box, palette: Palette, rng: np.random.Generator) -> None:
    x0, y0, x1, y1 = box
    step = (x1 - x0) / 8
    lines: list[Points] = []
    for row in range(4):
        y = y0 + (y1 - y0) * (0.2 + 0.2 * row)
        lines.append([(x0 + i * step / 2, y + (step * 0.45 if i % 2 else -step * 0.45)) for i in range(17)])
    canvas.paint(both(canvas.lines(lines, max(10.0, step * 0.2)), part), palette.accent)


def _slashes(canvas: Canvas, part: Mask, box: Box, palette: Palette, rng: np.random.Generator) -> None:
    x0, y0, x1, y1 = box
    w = x1 - x0
    for start, width, colour in ((0.18, 0.09, palette.accent), (0.36, 0.2, palette.trim), (0.64, 0.05, palette.accent)):
        left = x0 + w * start
        outline = [(left + w * 0.3, y0), (left + w * (0.3 + width), y0), (left + w * (width - 0.1), y1), (left - w * 0.1, y1)]
        canvas.paint(both(canvas.polygon([(x, y) for x, y in outline]), part), colour)


def _checks(canvas: Canvas, part: Mask, box: Box, palette: Palette, rng: np.random.Generator) -> None:
    x0, y0, x1, y1 = box
    step = max(x1 - x0, y1 - y0) / 8
    squares: list[Points] = []
    for row in range(9):
        for column in range(row % 2, 9, 2):
            x, y = x0 + column * step, y0 + row * step
            squares.append([(x, y), (x + step, y), (x + step, y + step), (x, y + step)])
    canvas.paint(both(canvas.polygon(*squares), part), palette.accent)


PATTERNS: dict[str, Printer] = {
    "plain": _plain,
    "hoops": _hoops,
    "pinstripes": _pinstripes,
    "stripes": _stripes,
    "sash": _sash,
    "chevrons": _chevrons,
    "dots": _dots,
    "camouflage": _camouflage,
    "halves": _halves,
    "fade": _fade,
    "zigzag": _zigzag,
    "slashes": _slashes,
    "checks": _checks,
}
