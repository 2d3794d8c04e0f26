"""The imaginary brands, and the little logos that they put on everything."""

from __future__ import annotations

from image_similarity_demo.canvas import Canvas, Mask, either
from image_similarity_demo.geometry import Points, arc, curve

BRANDS = ("Tarnfell", "Ovelo", "Kaimara", "Brindlow")


def mark(canvas: Canvas, brand: str, x: float, y: float, size: float) -> Mask:
    """The logo of ``brand``, ``size`` units wide, centred on a point."""
    half = size / 2

    def at(points: Points) -> Points:
        return [(x + px * half, y + py * half) for px, py in points]

    if brand == "Tarnfell":  # two peaks and the lake before them
        return canvas.polygon(
            at([(-1, 0.45), (-0.35, -0.65), (0.0, -0.05), (0.28, -0.4), (1, 0.45)]),
            at([(-0.7, 0.62), (0.7, 0.62), (0.5, 0.78), (-0.5, 0.78)]),
        )
    if brand == "Ovelo":  # a sun that rises
        sky = canvas.stroke(at(arc(0, 0.4, 0.86, 0.86, 180, 360)), size * 0.13, round_ends=False)
        return either(
            sky,
            canvas.polygon(at(arc(0, 0.4, 0.5, 0.5, 180, 360))),
            canvas.lines([at([(-1, 0.62), (1, 0.62)])], size * 0.08),
        )
    if brand == "Kaimara":  # two waves
        crest = curve([(-1, 0.1), (-0.55, -0.4), (0, 0.1), (0.5, -0.4), (1, -0.05)])
        lower = [(px * 0.8, py + 0.5) for px, py in crest]
        return either(
            canvas.stroke(at(crest), size * 0.16, size * 0.06), canvas.stroke(at(lower), size * 0.06, size * 0.16)
        )
    # Brindlow: a leaf, its two halves left and right of the rib, and its stem
    tip, base = (0.62, -0.9), (-0.42, 0.5)
    upper = [*curve([tip, (-0.1, -0.72), (-0.72, -0.12), base]), (-0.05, -0.05)]
    lower = [*curve([(0.7, -0.78), (0.74, -0.02), (0.3, 0.56), (-0.3, 0.6)]), (0.08, 0.06)]
    stem = canvas.stroke(at([(-0.36, 0.54), (-0.78, 0.95)]), size * 0.07)
    return either(canvas.polygon(at(upper), at(lower)), stem)


def label(canvas: Canvas, brand: str, x: float, y: float, size: float, *, turn: float = 0.0) -> Mask:
    """The brand's name in capitals, letters ``size`` units high."""
    return canvas.text(x, y, brand.upper(), size, turn=turn, weight=size * 0.035)
