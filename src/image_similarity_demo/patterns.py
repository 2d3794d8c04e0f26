"""Patterns printed on a part: stripes, chevrons, dots, camouflage. One table from name to printer."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from image_similarity_demo.canvas import SCALE, Canvas, Mask, both, gradient
from image_similarity_demo.colours import Colour, Palette, mix
from image_similarity_demo.geometry import Points, arc, curve


@dataclass(frozen=True, slots=True)
class Sheet:
    """What a pattern is printed on: a part of a canvas, and the box round it in design units."""

    canvas: Canvas
    part: Mask
    box: tuple[float, float, float, float]
    palette: Palette
    rng: np.random.Generator

    def print(self, mask: Mask, colour: Colour, opacity: float = 1.0) -> None:
        """Paint ``mask`` where it covers the part."""
        self.canvas.paint(both(mask, self.part), colour, opacity)


Printer = Callable[[Sheet], None]


def print_pattern(canvas: Canvas, part: Mask, name: str, palette: Palette, rng: np.random.Generator) -> None:
    """Print the pattern ``name`` on a part that is painted in the main colour; ``plain`` prints nothing."""
    box = part.getbbox()
    if box is not None:
        x0, y0, x1, y1 = (side / SCALE for side in box)
        PATTERNS[name](Sheet(canvas, part, (x0, y0, x1, y1), palette, rng))


def _plain(sheet: Sheet) -> None:
    del sheet


def _hoops(sheet: Sheet) -> None:
    x0, y0, x1, y1 = sheet.box
    step = (y1 - y0) / 6
    bars: list[Points] = [
        [(x0, y), (x1, y), (x1, y + step * 0.5), (x0, y + step * 0.5)]
        for y in (y0 + step * (i + 0.35) for i in range(6))
    ]
    sheet.print(sheet.canvas.polygon(*bars), sheet.palette.accent)


def _pinstripes(sheet: Sheet) -> None:
    x0, y0, x1, y1 = sheet.box
    step = (x1 - x0) / 14
    lines: list[Points] = [[(x, y0), (x, y1)] for x in (x0 + step * (i + 0.5) for i in range(14))]
    sheet.print(sheet.canvas.lines(lines, 5), sheet.palette.accent, 0.9)


def _stripes(sheet: Sheet) -> None:
    x0, y0, x1, y1 = sheet.box
    step = (x1 - x0) / 7
    bars: list[Points] = [
        [(x, y0), (x + step, y0), (x + step, y1), (x, y1)] for x in (x0 + step * i for i in (1, 3, 5))
    ]
    sheet.print(sheet.canvas.polygon(*bars), sheet.palette.accent)


def _sash(sheet: Sheet) -> None:
    x0, y0, x1, y1 = sheet.box
    w = x1 - x0
    for start, width, colour in ((0.0, 0.26, sheet.palette.accent), (0.31, 0.05, sheet.palette.trim)):
        left = x0 + w * start
        outline = [(left, y0), (left + w * width, y0), (left + w * (0.62 + width), y1), (left + w * 0.62, y1)]
        sheet.print(sheet.canvas.polygon([(x, y) for x, y in outline]), colour)


def _chevrons(sheet: Sheet) -> None:
    x0, y0, x1, y1 = sheet.box
    middle, reach, h = (x0 + x1) / 2, (x1 - x0) * 0.3, y1 - y0
    for top, thick, colour in (
        (0.24, 0.13, sheet.palette.accent),
        (0.42, 0.05, sheet.palette.trim),
        (0.52, 0.05, sheet.palette.accent),
    ):
        y, t = y0 + h * top, h * thick
        bar = [(x0, y - reach * 0.4), (middle, y + reach * 0.6), (x1, y - reach * 0.4)]
        outline = [*bar, *[(x, y + t) for x, y in reversed(bar)]]
        sheet.print(sheet.canvas.polygon(outline), colour)


def _dots(sheet: Sheet) -> None:
    x0, y0, x1, y1 = sheet.box
    step = max(44.0, (x1 - x0) / 11)
    spots: list[Points] = []
    for row in range(int((y1 - y0) / (step * 0.8)) + 1):
        for column in range(int((x1 - x0) / step) + 2):
            cx, cy = x0 + (column + 0.5 * (row % 2)) * step, y0 + (row + 0.5) * step * 0.8
            spots.append(arc(cx, cy, step * 0.22, step * 0.22))
    sheet.print(sheet.canvas.polygon(*spots), sheet.palette.accent)


def _camouflage(sheet: Sheet) -> None:
    x0, y0, x1, y1 = sheet.box
    size = max(x1 - x0, y1 - y0) * 0.1
    for colour in (
        sheet.palette.trim,
        mix(sheet.palette.main, sheet.palette.accent, 0.5),
        mix(sheet.palette.main, sheet.palette.trim, 0.5),
    ):
        blots: list[Points] = []
        for _ in range(13):
            cx, cy = sheet.rng.uniform(x0, x1), sheet.rng.uniform(y0, y1)
            blots.append(
                curve(
                    [
                        (cx + math.cos(a) * r * 1.5, cy + math.sin(a) * r)
                        for a, r in zip(np.arange(8) * math.pi / 4, sheet.rng.uniform(0.4, 1.2, 8) * size, strict=True)
                    ],
                    closed=True,
                    steps=5,
                )
            )
        sheet.print(sheet.canvas.polygon(*blots), colour)


def _halves(sheet: Sheet) -> None:
    x0, y0, x1, y1 = sheet.box
    sheet.print(sheet.canvas.box((x0 + x1) / 2, y0, x1 + 2, y1 + 2), sheet.palette.accent)


def _fade(sheet: Sheet) -> None:
    sheet.canvas.paint(sheet.part, gradient(sheet.palette.main, sheet.palette.main, sheet.palette.accent))


def _zigzag(sheet: Sheet) -> None:
    x0, y0, x1, y1 = sheet.box
    step = (x1 - x0) / 8
    lines: list[Points] = []
    for row in range(4):
        y = y0 + (y1 - y0) * (0.2 + 0.2 * row)
        lines.append([(x0 + i * step / 2, y + (step * 0.45 if i % 2 else -step * 0.45)) for i in range(17)])
    sheet.print(sheet.canvas.lines(lines, max(10.0, step * 0.2)), sheet.palette.accent)


def _slashes(sheet: Sheet) -> None:
    x0, y0, x1, y1 = sheet.box
    w = x1 - x0
    for start, width, colour in (
        (0.18, 0.09, sheet.palette.accent),
        (0.36, 0.2, sheet.palette.trim),
        (0.64, 0.05, sheet.palette.accent),
    ):
        left = x0 + w * start
        outline = [
            (left + w * 0.3, y0),
            (left + w * (0.3 + width), y0),
            (left + w * (width - 0.1), y1),
            (left - w * 0.1, y1),
        ]
        sheet.print(sheet.canvas.polygon([(x, y) for x, y in outline]), colour)


def _checks(sheet: Sheet) -> None:
    x0, y0, x1, y1 = sheet.box
    step = max(x1 - x0, y1 - y0) / 8
    squares: list[Points] = []
    for row in range(9):
        for column in range(row % 2, 9, 2):
            x, y = x0 + column * step, y0 + row * step
            squares.append([(x, y), (x + step, y), (x + step, y + step), (x, y + step)])
    sheet.print(sheet.canvas.polygon(*squares), sheet.palette.accent)


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
