"""The imaginary brands, and the little logos that they put on everything."""

from __future__ import annotations

from image_similarity.sample.canvas import Canvas, Mask
from image_similarity.sample.geometry import Points, arc, curve

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
    if brand == "Ovelo":  # an open ring with a ball rolling out of it
        ring = canvas.stroke(at(arc(0, 0, 0.72, 0.72, 20, 310)), size * 0.17, round_ends=False)
        ring.paste(255, (0, 0), canvas.ellipse(x + half * 0.86, y - half * 0.2, half * 0.22, half * 0.22))
        return ring
    if brand == "Kaimara":  # two waves
        crest = curve([(-1, 0.1), (-0.55, -0.4), (0, 0.1), (0.5, -0.4), (1, -0.05)])
        lower = [(px * 0.8, py + 0.5) for px, py in crest]
        waves = canvas.stroke(at(crest), size * 0.16, size * 0.06)
        waves.paste(255, (0, 0), canvas.stroke(at(lower), size * 0.06, size * 0.16))
        return waves
    # Brindlow: a leaf with its rib left open
    return canvas.polygon(
        at([*curve([(-0.9, 0.55), (-0.5, -0.35), (0.2, -0.6), (0.95, -0.6)]), (-0.75, 0.6)]),
        at([*curve([(1.0, -0.45), (0.75, 0.2), (0.2, 0.55), (-0.6, 0.68)]), (-0.5, 0.6)]),
    )


def label(canvas: Canvas, brand: str, x: float, y: float, size: float, *, turn: float = 0.0) -> Mask:
    """The brand's name in capitals, letters ``size`` units high."""
    return canvas.text(x, y, brand.upper(), size, turn=turn, weight=size * 0.035)
