"""A scatter plot as inline SVG: points with their names and intervals, in the page's colours."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from image_similarity.html.markup import escape, one_line
from image_similarity.html.page import Plot, Point

WIDTH, HEIGHT = 460, 310
LEFT, RIGHT, TOP, BOTTOM = 52, 18, 26, 54
STEPS = (0.01, 0.02, 0.05, 0.1, 0.2)
MOST_TICKS = 6
HUES = 6
LETTER, LINE = 7.6, 17  # approximate width of a letter, height of a line
APART = 11  # from a point to its name


@dataclass(frozen=True, slots=True)
class _Scales:
    """Values to coordinates: y is linear from bottom to top, x logarithmic from left to right."""

    low_x: float
    high_x: float
    low_y: float
    high_y: float
    step: float

    def x(self, value: float) -> float:
        share = math.log(value / self.low_x) / math.log(self.high_x / self.low_x)
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        share = (value - self.low_y) / (self.high_y - self.low_y)
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)


def plot(shown: Plot) -> str:
    """A titled plot, with its values as text for screen readers."""
    title = escape(one_line(shown.title))
    if not shown.points:
        return f'<div class="ims-plot"><h3 dir="auto">{title}</h3><p class="ims-empty">Nothing to show.</p></div>\n'
    scales = _scales(shown)
    words = "; ".join(
        f"{one_line(point.name)}: {point.y.value:.3f} ({point.y.low:.3f} to {point.y.high:.3f}) at {point.x:.3g}"
        for point in shown.points
    )
    drawn = "".join((*_grid(shown, scales), *_marks(shown, scales), *_names(shown, scales)))
    label = escape(f"{shown.y_title} against {shown.x_title}. {words}")
    return (
        f'<div class="ims-plot">\n<h3 dir="auto">{title}</h3>\n'
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">\n{drawn}</svg>\n</div>\n'
    )


def _scales(shown: Plot) -> _Scales:
    low = max(0.0, min(point.y.low for point in shown.points) - 0.01)
    high = min(1.0, max(point.y.high for point in shown.points) + 0.01)
    step = next((step for step in STEPS if (high - low) / step <= MOST_TICKS - 1), STEPS[-1])
    low_y = math.floor(low / step + 1e-9) * step
    high_y = max(math.ceil(high / step - 1e-9) * step, low_y + step)
    low_x, high_x = (choose(point.x for point in shown.points) for choose in (min, max))
    margin = max(1.7, (high_x / low_x) ** 0.18)
    return _Scales(low_x / margin, high_x * margin, low_y, high_y, step)


def _grid(shown: Plot, scales: _Scales) -> Iterator[str]:
    right, floor = WIDTH - RIGHT, HEIGHT - BOTTOM
    digits = 1 if scales.step >= 0.1 else 2
    for tick in range(round((scales.high_y - scales.low_y) / scales.step) + 1):
        value = scales.low_y + tick * scales.step
        y = scales.y(value)
        yield f'<path class="ims-grid" d="M{LEFT} {y:.1f}H{right}"/>'
        yield f'<text x="{LEFT - 9}" y="{y + 4.5:.1f}" text-anchor="end">{value:.{digits}f}</text>\n'
    for value in _ticks(scales.low_x, scales.high_x):
        x = scales.x(value)
        yield f'<path class="ims-axis" d="M{x:.1f} {floor}v5"/>'
        yield f'<text x="{x:.1f}" y="{floor + 20}" text-anchor="middle">{value:g}</text>\n'
    yield f'<path class="ims-axis" d="M{LEFT} {floor}H{right}"/>'
    yield f'<text x="{(LEFT + right) / 2}" y="{HEIGHT - 8}" text-anchor="middle">{escape(shown.x_title)}</text>'
    yield f'<text x="{LEFT - 9}" y="13" text-anchor="start">{escape(shown.y_title)}</text>'
    yield f'<text class="ims-better" x="{right}" y="13" text-anchor="end">better \N{NORTH EAST ARROW}</text>\n'


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers from ``low`` to ``high``, at most :data:`MOST_TICKS`."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for leading in ((1, 1.5, 2, 3, 4, 5, 7), (1, 2, 5), (1, 3), (1,)):
        ticks = [lead * 10.0**decade for decade in decades for lead in leading if low <= lead * 10.0**decade <= high]
        if len(ticks) <= MOST_TICKS:
            return ticks
    return ticks[:: math.ceil(len(ticks) / MOST_TICKS)]


def _marks(shown: Plot, scales: _Scales) -> Iterator[str]:
    for point in shown.points:
        x, low, high = scales.x(point.x), scales.y(point.y.low), scales.y(point.y.high)
        ends = f"M{x - 5:.1f} {low:.1f}h10M{x - 5:.1f} {high:.1f}h10"
        yield (
            f'<g class="ims-mark ims-hue-{point.series % HUES}"><path d="M{x:.1f} {low:.1f}V{high:.1f}{ends}"/>'
            f'<circle cx="{x:.1f}" cy="{scales.y(point.y.value):.1f}" r="6.5"/></g>\n'
        )


def _names(shown: Plot, scales: _Scales) -> Iterator[str]:
    """Each name beside its point, moved down until it overlaps no other name."""
    taken: list[tuple[float, float, float]] = []  # left, right, y
    for point in sorted(shown.points, key=lambda point: (-point.y.value, point.x)):
        left, anchor = _beside(point, scales)
        width = LETTER * len(one_line(point.name))
        y = scales.y(point.y.value)
        while any(a < left + width and left < b and abs(y - line) < LINE for a, b, line in taken):
            y += 1
        taken.append((left, left + width, y))
        x = left if anchor == "start" else left + width
        yield (
            f'<text class="ims-name" x="{x:.1f}" y="{y + 5:.1f}" text-anchor="{anchor}">'
            f"{escape(one_line(point.name))}</text>\n"
        )


def _beside(point: Point, scales: _Scales) -> tuple[float, str]:
    """The x coordinate of a name's left end, and which of its ends is anchored at the point."""
    x, width = scales.x(point.x), LETTER * len(one_line(point.name))
    if x + APART + width <= WIDTH - RIGHT:
        return x + APART, "start"
    return max(2.0, x - APART - width), "end"
