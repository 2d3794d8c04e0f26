"""Points and outlines, in design units: a drawing board is 1000 units high, x to the right, y downwards."""

from __future__ import annotations

import math
from collections.abc import Sequence

Point = tuple[float, float]
Points = list[Point]


def curve(points: Sequence[Point], *, closed: bool = False, steps: int = 12) -> Points:
    """A smooth line through ``points`` (a uniform Catmull-Rom spline), ``steps`` points for each stretch."""
    count = len(points)
    last = count if closed else count - 1
    line: Points = []
    for i in range(last):
        if closed:
            p0, p1, p2, p3 = (points[(i + shift) % count] for shift in (-1, 0, 1, 2))
        else:
            p0, p1, p2, p3 = points[max(i - 1, 0)], points[i], points[i + 1], points[min(i + 2, count - 1)]
        for step in range(steps):
            t = step / steps
            x, y = (
                0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t * t + (3 * b - a - 3 * c + d) * t**3)
                for a, b, c, d in zip(p0, p1, p2, p3, strict=True)
            )
            line.append((x, y))
    if not closed:
        line.append(points[-1])
    return line


def arc(
    cx: float, cy: float, rx: float, ry: float, start: float = 0.0, end: float = 360.0, *, turn: float = 0.0
) -> Points:
    """Points of an ellipse from ``start`` to ``end`` degrees (0 is to the right, 90 is down), turned by ``turn``."""
    steps = max(8, int(abs(end - start) / 4))
    cos, sin = math.cos(math.radians(turn)), math.sin(math.radians(turn))
    line: Points = []
    for step in range(steps + 1):
        angle = math.radians(start + (end - start) * step / steps)
        x, y = rx * math.cos(angle), ry * math.sin(angle)
        line.append((cx + x * cos - y * sin, cy + x * sin + y * cos))
    return line


def ribbon(line: Sequence[Point], widths: Sequence[float]) -> Points:
    """The outline of a brush stroke along ``line``; ``widths`` are spread evenly along it and blended between."""
    left: Points = []
    right: Points = []
    for i, (x, y) in enumerate(line):
        before, after = line[max(i - 1, 0)], line[min(i + 1, len(line) - 1)]
        dx, dy = after[0] - before[0], after[1] - before[1]
        length = math.hypot(dx, dy) or 1.0
        half = spread(widths, i / max(len(line) - 1, 1)) / 2
        left.append((x - dy / length * half, y + dx / length * half))
        right.append((x + dy / length * half, y - dx / length * half))
    return left + right[::-1]


def spread(values: Sequence[float], t: float) -> float:
    """The value at ``t`` in 0..1 of a piecewise linear function through ``values``."""
    place = t * (len(values) - 1)
    low = min(int(place), max(len(values) - 2, 0))
    high = min(low + 1, len(values) - 1)
    return values[low] + (values[high] - values[low]) * (place - low)


def mirror(points: Sequence[Point], axis: float) -> Points:
    """``points`` reflected in the vertical line ``x = axis``, in reverse order so that halves join to an outline."""
    return [(2 * axis - x, y) for x, y in reversed(points)]


def symmetric(half: Sequence[Point], axis: float) -> Points:
    """A closed outline from its right half, listed from top to bottom."""
    return [*half, *mirror(half, axis)]


def parallels(x0: float, x1: float, step: float, y0: float, y1: float, lean: float = 0.0) -> list[Points]:
    """Lines from ``y0`` down to ``y1``, ``step`` apart from ``x0`` to ``x1``; each ends ``lean`` further right."""
    count = int((x1 - x0) / step) + 1
    return [[(x0 + i * step, y0), (x0 + i * step + lean, y1)] for i in range(count)]
