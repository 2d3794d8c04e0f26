"""Drinking bottles: a profile turned about its axis, with a cap, a print and a glossy side."""

from __future__ import annotations

from image_similarity_demo.canvas import Canvas, Mask, both, gradient, without
from image_similarity_demo.colours import BLACK, RUBBER, STEEL, WHITE, Palette, darker, lighter, on
from image_similarity_demo.geometry import Points, arc, curve, symmetric
from image_similarity_demo.logos import label, mark
from image_similarity_demo.look import Design, Family, Look, View
from image_similarity_demo.patterns import print_pattern
from image_similarity_demo.shading import cylinder, grain

X = 300.0
PROFILES: dict[str, Points] = {  # the right half, from the shoulder down
    "flask": [
        (36, 205),
        *curve([(40, 228), (92, 275), (122, 340), (126, 420)]),
        (126, 900),
        *curve([(126, 912), (116, 940), (90, 950)]),
    ],
    "squeeze": [
        (86, 232),
        *curve(
            [(96, 246), (132, 300), (140, 370), (128, 440), (106, 520), (110, 590), (134, 660), (140, 760), (136, 900)]
        ),
        *curve([(134, 916), (122, 944), (92, 952)]),
    ],
    "jug": [
        (92, 210),
        *curve([(104, 226), (168, 276), (182, 340)]),
        (182, 890),
        *curve([(180, 910), (164, 942), (128, 950)]),
    ],
    "tumbler": [
        (142, 236),
        (140, 300),
        *curve([(140, 320), (132, 560), (112, 900)]),
        *curve([(110, 920), (100, 944), (76, 950)]),
    ],
}


def draw(look: Look, view: View) -> Canvas:
    """One bottle, standing."""
    canvas = Canvas(600, 1000)
    palette = look.palette
    if look.shape == "jug":
        _handle(canvas, palette)
    body = canvas.polygon(symmetric([(X + x, y) for x, y in PROFILES[look.shape]], X))
    canvas.paint(body, palette.main)
    printed = both(body, canvas.box(0, 360, 600, 880))
    print_pattern(canvas, printed, look.pattern, palette, look.rng())
    if look.shape == "flask":
        foot = both(body, canvas.box(0, 890, 600, 1000))
        canvas.paint(foot, STEEL)
        canvas.shade(foot, 0.2 * grain(look.rng(), 200, 40, stretch=(20, 1)))
    if look.shape == "squeeze":
        _scale(canvas, body, palette)
    colour = on(palette.main, palette) if look.pattern in ("plain", "fade") else WHITE
    if view == "front":
        if look.pattern not in ("plain", "fade"):
            plate = both(body, canvas.box(X - 76, 540, X + 76, 740, 26))
            canvas.paint(plate, palette.trim)
        canvas.paint(mark(canvas, look.brand, X, 620, 96), colour)
        canvas.paint(label(canvas, look.brand, X, 706, 25), colour)
    else:
        canvas.paint(label(canvas, look.brand, X, 640, 54, turn=90), colour)
    canvas.relief(body, 20, 0.35, cylinder(0.6 if look.shape != "squeeze" else 0.42))
    CAPS[look.shape](canvas, palette)
    return canvas


def _scale(canvas: Canvas, body: Mask, palette: Palette) -> None:
    """A see-through strip with millilitre marks."""
    strip = both(body, canvas.box(X + 62, 340, X + 92, 900, 14))
    canvas.paint(strip, lighter(palette.main, 0.55))
    ticks: list[Points] = [[(X + 66, y), (X + (88 if i % 2 else 80), y)] for i, y in enumerate(range(380, 880, 40))]
    canvas.paint(canvas.lines(ticks, 3), darker(palette.main, 0.5))


def _ridged(canvas: Canvas, part: Mask, x0: float, x1: float, y0: float, y1: float) -> None:
    ridges: list[Points] = [[(x, y0), (x, y1)] for x in range(int(x0), int(x1), 14)]
    canvas.paint(both(canvas.lines(ridges, 4), part), BLACK, 0.35)


def _screw_cap(canvas: Canvas, palette: Palette) -> None:
    loop = without(canvas.ellipse(X, 96, 66, 58), canvas.ellipse(X, 100, 40, 36))
    canvas.paint(loop, RUBBER)
    canvas.relief(loop, 14, 0.9)
    cap = canvas.box(X - 54, 110, X + 54, 212, 14)
    canvas.paint(cap, RUBBER)
    canvas.shade(cap, cylinder(0.35))
    ring = canvas.box(X - 42, 200, X + 42, 226, 4)
    canvas.paint(ring, STEEL)
    canvas.shade(ring, cylinder(0.8))
    canvas.paint(canvas.box(X - 54, 168, X + 54, 178), palette.accent)


def _spout(canvas: Canvas, palette: Palette) -> None:
    nozzle = canvas.polygon(symmetric([(X + 22, 66), (X + 26, 96), (X + 22, 110), (X + 36, 150), (X + 44, 176)], X))
    canvas.paint(nozzle, lighter(palette.accent, 0.2))
    canvas.shade(nozzle, cylinder(0.5))
    lid = canvas.polygon(
        symmetric([(X + 60, 160), *curve([(X + 84, 172), (X + 104, 196), (X + 108, 214)]), (X + 108, 250)], X)
    )
    canvas.paint(lid, palette.trim)
    _ridged(canvas, lid, X - 110, X + 110, 204, 250)
    canvas.shade(lid, cylinder(0.45))


def _handle(canvas: Canvas, palette: Palette) -> None:
    grip = curve(
        [(X + 60, 160), (X + 130, 90), (X + 220, 150), (X + 236, 330), (X + 214, 520), (X + 150, 560)], steps=18
    )
    handle = canvas.stroke(grip, 44, 40, 44)
    canvas.paint(handle, palette.trim)
    canvas.relief(handle, 20, 1.0)


def _wide_lid(canvas: Canvas, palette: Palette) -> None:
    top = canvas.box(X - 60, 96, X + 60, 160, 24)
    canvas.paint(top, palette.accent)
    canvas.shade(top, cylinder(0.5))
    lid = canvas.box(X - 108, 140, X + 108, 226, 14)
    canvas.paint(lid, palette.trim)
    _ridged(canvas, lid, X - 108, X + 108, 150, 216)
    canvas.shade(lid, cylinder(0.4))


def _straw_lid(canvas: Canvas, palette: Palette) -> None:
    straw = canvas.stroke([(X + 30, 210), (X + 64, 40)], 26)
    canvas.paint(straw, palette.accent)
    canvas.shade(straw, cylinder(0.4))
    lid = canvas.box(X - 152, 196, X + 152, 250, 20)
    canvas.paint(lid, gradient(lighter(palette.trim, 0.25), palette.trim))
    canvas.shade(lid, cylinder(0.5))
    canvas.paint(canvas.polygon(arc(X + 32, 206, 34, 9)), darker(palette.trim, 0.5))


CAPS = {"flask": _screw_cap, "squeeze": _spout, "jug": _wide_lid, "tumbler": _straw_lid}

FAMILY = Family(
    name="bottles",
    prefix="bottle",
    department="Accessories",
    draw=draw,
    has_back=True,
    focus=((0.5, 0.6), (0.5, 0.22)),
    designs=(
        Design(
            "Fjord 0.75", "insulated bottle", "Double-walled steel: tea stays hot overnight, water cold all day.",
            32, "flask", "plain", ("teal", "white", "burgundy", "graphite", "sunflower"), 2,
        ),
        Design(
            "Fjord Print", "insulated bottle", "The double-walled classic with a powder-coated pattern.",
            36, "flask", "zigzag", ("navy", "rose", "forest green"),
        ),
        Design(
            "Gulp", "squeeze bottle", "Soft walls, a leak-free spout and a scale, made for the bike cage.",
            11, "squeeze", "plain", ("crimson", "sky blue", "lime", "violet"),
        ),
        Design(
            "Base Camp", "two-litre jug", "A wide mouth for ice cubes and a handle for long training days.",
            24, "jug", "fade", ("royal blue", "tangerine", "mint", "black"),
        ),
        Design(
            "Sip", "straw tumbler", "Fits the cup holder; the straw folds away in the kit bag.",
            19, "tumbler", "dots", ("rose", "mint", "navy", "violet"),
        ),
    ),
)  # fmt: skip
