"""Balls: a pattern on the unit sphere, seen from a side, lit from the top left."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from image_similarity_demo.canvas import Canvas, without
from image_similarity_demo.colours import BLACK, WHITE, Colour, darker, lighter, on
from image_similarity_demo.logos import label, mark
from image_similarity_demo.look import Design, Family, Look, View
from image_similarity_demo.shading import dome, slope

Array = NDArray[np.float32]
PIXELS = 440  # the sphere is worked out at this size and then enlarged: its patterns have soft edges anyway
GOLDEN = (1 + 5**0.5) / 2


def draw(look: Look, view: View) -> Canvas:
    """One ball; the back is the same ball rolled on."""
    canvas = Canvas(900, 900)
    direction = _sphere(0.5 if view == "front" else 2.1, 0.35 if view == "front" else -0.5)
    colours, height = SHAPES[look.shape](direction, look)
    bump = np.clip(slope(height) * 0.5, -0.4, 0.4)[..., None]
    pixels = np.where(bump > 0, colours + (255 - colours) * bump, colours * (1 + bump))
    ball = canvas.ellipse(450, 450, 400, 400)
    canvas.paint(ball, Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)))
    if look.shape in ("hockey", "dimpled") and view == "front":
        ink, y = on(look.palette.main, look.palette), 510 if look.pattern == "band" else 430
        canvas.paint(mark(canvas, look.brand, 450, y, 170), ink, 0.95)
        canvas.paint(label(canvas, look.brand, 450, y + 124, 50), ink, 0.95)
    canvas.shade(ball, dome(0.12 if look.shape == "tennis" else 0.5))
    rim = without(ball, canvas.ellipse(442, 440, 396, 396))
    canvas.shade(rim, np.full((2, 2), -0.25, np.float32))
    return canvas


def _sphere(yaw: float, pitch: float) -> Array:
    """For each pixel of the disc the direction on the turned ball, ``(n, n, 3)``."""
    side = np.linspace(-1, 1, PIXELS, dtype=np.float32)
    x, y = np.meshgrid(side, side)
    z = np.sqrt(np.clip(1 - x * x - y * y, 0, None))
    y, z = y * np.cos(pitch) - z * np.sin(pitch), y * np.sin(pitch) + z * np.cos(pitch)
    x, z = x * np.cos(yaw) + z * np.sin(yaw), -x * np.sin(yaw) + z * np.cos(yaw)
    direction = np.stack([x, y, z], axis=-1)
    length = np.maximum(np.linalg.norm(direction, axis=-1, keepdims=True), 1e-6)
    return np.asarray(direction / length, dtype=np.float32)


def _blend(amount: Array, low: Colour | Array, high: Colour) -> Array:
    """``low`` where ``amount`` is 0, ``high`` where it is 1."""
    start, end = np.asarray(low, dtype=np.float32), np.asarray(high, dtype=np.float32)
    return start + (end - start) * amount[..., None]


def _edge(value: Array, at: float, width: float = 0.012) -> Array:
    """0 below ``at``, 1 above it, smooth over ``width``."""
    return np.asarray(np.clip((value - at) / width + 0.5, 0, 1), dtype=np.float32)


def _icosahedron() -> Array:
    corners = [(0, a, b * GOLDEN) for a in (-1, 1) for b in (-1, 1)]
    points = np.array([p[i:] + p[:i] for p in corners for i in range(3)], dtype=np.float32)
    return np.asarray(points / np.linalg.norm(points, axis=1, keepdims=True), dtype=np.float32)


def _fibonacci(count: int) -> Array:
    i = np.arange(count) + 0.5
    polar, around = np.arccos(1 - 2 * i / count), 2 * np.pi * i / GOLDEN
    points = np.stack([np.cos(around) * np.sin(polar), np.sin(around) * np.sin(polar), np.cos(polar)], axis=-1)
    return points.astype(np.float32)


def _football(direction: Array, look: Look) -> tuple[Array, Array]:
    """Pentagons and hexagons: the nearest of the 12 corners and 20 faces of an icosahedron."""
    corners = _icosahedron()
    faces = [
        a + b + c
        for i, a in enumerate(corners)
        for j, b in enumerate(corners[:i])
        for c in corners[:j]
        if min(a @ b, b @ c, a @ c) > 0.4
    ]
    centres = np.array([face / np.linalg.norm(face) for face in faces], dtype=np.float32)
    # The pentagons of a truncated icosahedron are smaller than its hexagons: a handicap on the corners' closeness.
    closeness = np.concatenate([direction @ corners.T * 0.985, direction @ centres.T], axis=-1)
    best = np.partition(closeness, -2, axis=-1)
    seam = best[..., -1] - best[..., -2]
    pentagon = (closeness[..., :12].max(axis=-1) > closeness[..., 12:].max(axis=-1)).astype(np.float32)
    colours = _blend(pentagon, WHITE if look.pattern == "classic" else look.palette.accent, look.palette.main)
    colours = _blend(1 - _edge(seam, 0.012, 0.008), colours, darker(look.palette.trim, 0.2))
    return colours, np.clip(seam * 60, 0, 4).astype(np.float32)


def _basketball(direction: Array, look: Look) -> tuple[Array, Array]:
    x, y, z = (direction[..., i] for i in range(3))
    curve = np.abs(z * z - 0.62 * y * y - 0.16)
    distance = np.minimum(np.minimum(np.abs(x), np.abs(y)), np.where(np.abs(x) > 0.05, curve * 0.7, 9))
    colour: Array | Colour = look.palette.main
    if look.pattern == "two-tone":
        colour = _blend((x * y > 0).astype(np.float32), look.palette.main, look.palette.accent)
    colours = _blend(
        1 - _edge(distance.astype(np.float32), 0.018, 0.01), np.asarray(colour, np.float32) + 0 * direction, BLACK
    )
    pebbles = look.rng().normal(0, 1, direction.shape[:2]).astype(np.float32)
    return colours, np.clip(distance * 40, 0, 1.5).astype(np.float32) + 0.22 * pebbles


def _tennis(direction: Array, look: Look) -> tuple[Array, Array]:
    x, y, z = (direction[..., i] for i in range(3))
    seam = np.abs(z - 1.1 * (x * x - y * y) * 0.75).astype(np.float32)
    fuzz = look.rng().normal(0, 1, direction.shape[:2]).astype(np.float32)
    fuzz = np.asarray((fuzz + np.roll(fuzz, 1, 0) + np.roll(fuzz, 1, 1)) / 3, dtype=np.float32)
    colours = _blend(1 - _edge(seam, 0.05, 0.03), look.palette.main, lighter(look.palette.accent, 0.5))
    return colours + 12 * fuzz[..., None], np.clip(seam * 20, 0, 1.5) + 0.5 * fuzz


def _dimpled(direction: Array, look: Look) -> tuple[Array, Array]:
    centres = _fibonacci(360)
    nearest = np.concatenate([(rows @ centres.T).max(axis=-1) for rows in np.array_split(direction, 8)])
    dip = np.asarray(np.clip((nearest - 0.9972) / 0.0022, 0, 1), dtype=np.float32)
    return _blend(dip * 0.25, look.palette.main, darker(look.palette.main, 0.5)), -6 * dip


def _smooth(direction: Array, look: Look) -> tuple[Array, Array]:
    """A field hockey ball with one moulded seam."""
    seam = np.abs(direction[..., 1] - 0.25)
    band = _edge(0.14 - np.abs(direction[..., 1] + 0.55), 0) if look.pattern == "band" else np.zeros_like(seam)
    colours = _blend(band, look.palette.main, look.palette.accent)
    return colours, np.clip(seam * 50, 0, 1.2).astype(np.float32)


def _volleyball(direction: Array, look: Look) -> tuple[Array, Array]:
    """Three panels on each side of a cube, each side turned against its neighbours."""
    axis = np.abs(direction).argmax(axis=-1)
    rolled = np.take_along_axis(direction, ((axis + 1) % 3)[..., None], -1)[..., 0]
    top = np.take_along_axis(direction, axis[..., None], -1)[..., 0]
    place = rolled / np.abs(top)
    panel = np.floor((np.clip(place, -0.999, 0.999) + 1) * 1.5)
    inner = np.minimum.reduce([np.abs(place + 1 / 3), np.abs(place - 1 / 3), 1 - np.abs(place)])
    others = np.sort(np.abs(direction), axis=-1)
    seam = np.minimum(inner, (others[..., 2] - others[..., 1]) * 1.2).astype(np.float32)
    colours = _blend((panel == 1).astype(np.float32), look.palette.main, look.palette.accent)
    if look.pattern == "tricolour":
        colours = _blend((panel == 2).astype(np.float32), colours, WHITE)
    colours = _blend(1 - _edge(seam, 0.02, 0.02), colours, darker(look.palette.main, 0.4))
    return colours, np.clip(seam * 25, 0, 3).astype(np.float32)


SHAPES: dict[str, Callable[[Array, Look], tuple[Array, Array]]] = {
    "football": _football,
    "basketball": _basketball,
    "tennis": _tennis,
    "dimpled": _dimpled,
    "hockey": _smooth,
    "volleyball": _volleyball,
}

FAMILY = Family(
    name="balls",
    prefix="ball",
    department="Balls",
    draw=draw,
    has_back=True,
    depth=0.15,
    focus=((0.45, 0.45), (0.6, 0.4)),
    designs=(
        Design(
            "Comet", "football", "Thirty-two stitched panels with a textured skin. Flies straight, feels soft, size 5.",
            27, "football", "classic", ("black", "royal blue", "crimson", "forest green"), 2,
        ),
        Design(
            "Courtside", "basketball", "Composite leather with deep channels, for indoor halls and outdoor courts.",
            34, "basketball", "plain", ("tangerine", "sand", "navy", "burgundy"),
        ),
        Design(
            "Courtside Duo", "basketball", "Two-tone grip for ball handling drills: every rotation can be seen.",
            36, "basketball", "two-tone", ("violet", "teal", "crimson"),
        ),
        Design(
            "Rally", "tennis ball", "Pressurised, with a dense felt that keeps its bounce through long sets.",
            3, "tennis", "plain", ("lime", "sunflower", "rose"),
        ),
        Design(
            "Dimple Pro", "field hockey ball", "Dimpled match ball that runs true on wet turf, 163 grams.",
            9, "dimpled", "plain", ("white", "tangerine", "lime", "sky blue"),
        ),
        Design(
            "Street", "street hockey ball", "A smooth, low-bounce ball for asphalt and school yards.",
            6, "hockey", "band", ("tangerine", "crimson", "teal", "violet"),
        ),
        Design(
            "Swirl", "volleyball", "Eighteen soft-touch panels, laminated by hand for a cushioned contact.",
            29, "volleyball", "tricolour", ("royal blue", "forest green", "rose", "sunflower"),
        ),
    ),
)  # fmt: skip
