"""Bags: a backpack, a roll-top, a duffel and a drawstring bag, seen from the front."""

from __future__ import annotations

from image_similarity_demo.canvas import Canvas, Mask, both, gradient, without
from image_similarity_demo.colours import BLACK, STEEL, Colour, darker, lighter, on
from image_similarity_demo.geometry import Points, arc, curve, symmetric
from image_similarity_demo.logos import label, mark
from image_similarity_demo.look import Design, Family, Look, View
from image_similarity_demo.patterns import print_pattern
from image_similarity_demo.shading import cylinder, fall, folds, grain

X = 500.0


def draw(look: Look, view: View) -> Canvas:
    """One bag; the back shows its carrying straps."""
    canvas = Canvas()
    {"backpack": _backpack, "rolltop": _rolltop, "duffel": _duffel, "drawstring": _drawstring}[look.shape](canvas, look)
    if view == "back" and look.shape in ("backpack", "rolltop"):
        _straps(canvas, look)
    return canvas


def _cloth(canvas: Canvas, part: Mask, look: Look, colour: Colour, *, depth: float = 60, printed: bool = True) -> None:
    """A stuffed piece of fabric."""
    rng = look.rng()
    canvas.paint(part, colour)
    if printed:
        print_pattern(canvas, part, look.pattern, look.palette, rng)
    canvas.relief(part, depth, 0.95, 0.08 * grain(rng, 300, 300), 0.3 * folds(rng, count=6, lean=0.7))


def _zip(canvas: Canvas, line: Points, colour: Colour, *, pull: bool = True) -> None:
    canvas.paint(canvas.stroke(line, 15, round_ends=False), BLACK)
    canvas.paint(canvas.stitches(line, width=8, dash=1), STEEL)
    if pull:
        x, y = line[-max(2, len(line) // 6)]
        tag = canvas.box(x - 9, y, x + 9, y + 58, 8)
        canvas.cast(tag, dx=4, dy=5, blur=5)
        canvas.paint(tag, colour)
        canvas.relief(tag, 7, 0.8)


def _backpack(canvas: Canvas, look: Look) -> None:
    palette = look.palette
    handle = canvas.stroke(arc(X, 92, 74, 62, 180, 360), 26)
    canvas.paint(handle, palette.trim)
    canvas.relief(handle, 12, 0.9)
    for flip in (-1, 1):
        pocket = canvas.polygon(
            [
                (X + flip * x, y)
                for x, y in curve([(270, 560), (342, 600), (346, 820), (300, 900), (240, 890)], closed=True)
            ]
        )
        _cloth(canvas, pocket, look, darker(palette.main, 0.25), depth=30, printed=False)
    body = canvas.polygon(
        symmetric(
            [(X, 84), *curve([(X + 90, 86), (720, 150), (782, 330), (800, 620), (790, 860), (740, 940)]), (X, 950)], X
        )
    )
    _cloth(canvas, body, look, palette.main)
    _zip(
        canvas,
        curve([(236, 470), (262, 260), (370, 160), (X, 142), (630, 160), (738, 260), (764, 470)], steps=24),
        palette.accent,
    )
    pocket = canvas.polygon(
        symmetric([(X, 548), *curve([(X + 150, 548), (706, 570), (728, 640), (730, 800), (704, 890)]), (X, 904)], X)
    )
    canvas.cast(pocket, dx=4, dy=-4, blur=16)
    _cloth(canvas, pocket, look, palette.trim, depth=40, printed=False)
    _zip(canvas, curve([(300, 618), (400, 600), (X, 598), (600, 600), (700, 618)], steps=24), palette.accent)
    canvas.paint(canvas.stitches(arc(X, 740, 206, 138, 0, 180), width=3, dash=1), lighter(palette.trim, 0.3))
    ink = on(palette.trim, palette)
    canvas.paint(mark(canvas, look.brand, X, 722, 110), ink)
    canvas.paint(label(canvas, look.brand, X, 812, 32), ink)
    patch = canvas.box(X - 46, 360, X + 46, 420, 10)
    canvas.paint(patch, palette.accent)
    canvas.relief(patch, 8, 0.7)
    canvas.paint(canvas.lines([[(X - 18, 378), (X - 18, 402)], [(X + 18, 378), (X + 18, 402)]], 10), BLACK)


def _rolltop(canvas: Canvas, look: Look) -> None:
    palette = look.palette
    body = canvas.polygon(
        symmetric([(X, 240), (724, 240), *curve([(740, 300), (772, 560), (768, 850), (728, 944)]), (X, 952)], X)
    )
    _cloth(canvas, body, look, palette.main, depth=54)
    base = both(body, canvas.box(0, 800, 1000, 1000))
    canvas.paint(base, palette.trim)
    canvas.shade(base, fall(0.1, -0.4))
    roll = canvas.box(254, 100, 746, 262, 60)
    canvas.cast(roll, dx=0, dy=14, blur=14)
    canvas.paint(roll, lighter(palette.main, 0.06))
    canvas.shade(roll, cylinder(0.25, lying=True))
    canvas.paint(canvas.lines([[(262, 178), (738, 178)]], 5), darker(palette.main, 0.5))
    for x in (360.0, 640.0):
        strap = canvas.box(x - 17, 92, x + 17, 640, 6)
        canvas.cast(strap, dx=5, dy=5, blur=7)
        canvas.paint(strap, palette.accent)
        canvas.relief(strap, 9, 0.7)
        buckle = canvas.box(x - 30, 420, x + 30, 490, 10)
        canvas.paint(buckle, gradient(STEEL, darker(STEEL, 0.4)))
        canvas.paint(canvas.box(x - 17, 440, x + 17, 470, 4), darker(palette.accent, 0.2))
    ink = on(palette.main, palette)
    canvas.paint(mark(canvas, look.brand, X, 650, 120), ink)
    canvas.paint(label(canvas, look.brand, X, 760, 34), ink)


def _duffel(canvas: Canvas, look: Look) -> None:
    palette = look.palette
    strap = canvas.stroke(curve([(300, 480), (320, 260), (X, 190), (680, 260), (700, 480)], steps=20), 34)
    canvas.paint(strap, darker(palette.trim, 0.1))
    canvas.relief(strap, 14, 0.9)
    body = canvas.box(60, 380, 940, 840, 150)
    _cloth(canvas, body, look, palette.main, depth=110)
    for x0, x1 in ((60, 200), (800, 940)):
        end = both(body, canvas.box(x0, 0, x1, 1000))
        canvas.paint(end, palette.trim)
        canvas.shade(end, fall(0.15, -0.55))
    canvas.paint(canvas.stitches([(210, y) for y in range(390, 836, 6)], width=3, dash=1), lighter(palette.trim, 0.3))
    canvas.paint(canvas.stitches([(790, y) for y in range(390, 836, 6)], width=3, dash=1), lighter(palette.trim, 0.3))
    _zip(canvas, [(x, 432) for x in range(150, 856, 7)], palette.accent)
    for x in (310.0, 690.0):
        band = both(body, canvas.box(x - 24, 300, x + 24, 1000))
        canvas.paint(band, palette.accent)
        canvas.shade(band, fall(0.2, -0.5))
        canvas.paint(
            canvas.lines([[(x - 16, 400), (x - 16, 830)], [(x + 16, 400), (x + 16, 830)]], 2),
            darker(palette.accent, 0.4),
        )
    wrap = canvas.box(X - 62, 176, X + 62, 232, 18)
    canvas.paint(wrap, palette.accent)
    canvas.relief(wrap, 14, 0.8)
    if look.pattern == "plain":
        ink = on(palette.main, palette)
        canvas.paint(mark(canvas, look.brand, X, 580, 150), ink)
        canvas.paint(label(canvas, look.brand, X, 710, 46), ink)
    else:
        plate = canvas.box(X - 130, 560, X + 130, 720, 22)
        canvas.paint(plate, palette.trim)
        canvas.relief(plate, 10, 0.5)
        canvas.paint(mark(canvas, look.brand, X, 622, 90), on(palette.trim, palette))
        canvas.paint(label(canvas, look.brand, X, 692, 30), on(palette.trim, palette))


def _drawstring(canvas: Canvas, look: Look) -> None:
    palette = look.palette
    for flip in (-1, 1):
        cord = curve([(X, 130), (X + flip * 120, 330), (X + flip * 226, 640), (X + flip * 240, 910)], steps=16)
        canvas.paint(canvas.stroke(cord, 12), palette.accent)
    body = canvas.polygon(
        symmetric(
            [
                (X, 190),
                *curve([(X + 90, 186), (X + 120, 200), (X + 96, 250), (720, 380), (760, 600), (756, 880), (730, 944)]),
                (X, 952),
            ],
            X,
        )
    )
    _cloth(canvas, body, look, palette.main, depth=60)
    gathers: list[Points] = [curve([(X + i * 13, 196), (X + i * 12, 250), (X + i * 26, 350)]) for i in range(-7, 8)]
    canvas.paint(both(canvas.lines(gathers, 5), body), darker(palette.main, 0.6), 0.5)
    canvas.paint(both(canvas.box(0, 236, 1000, 252), body), palette.accent)
    for flip in (-1, 1):
        eye = without(canvas.ellipse(X + flip * 226, 908, 24, 24), canvas.ellipse(X + flip * 226, 908, 11, 11))
        canvas.paint(eye, STEEL)
        canvas.relief(eye, 8, 0.9)
        canvas.paint(
            canvas.stroke(curve([(X + flip * 14, 244), (X + flip * 40, 330), (X + flip * 26, 410)]), 10), palette.accent
        )
    plate = canvas.ellipse(X, 640, 128, 128)
    canvas.paint(plate, palette.trim)
    canvas.paint(mark(canvas, look.brand, X, 626, 130), on(palette.trim, palette))
    canvas.paint(label(canvas, look.brand, X, 704, 28), on(palette.trim, palette))


def _straps(canvas: Canvas, look: Look) -> None:
    """Padded shoulder straps over the back panel."""
    palette = look.palette
    panel = canvas.box(270, 250, 730, 900, 90)
    canvas.paint(panel, darker(palette.trim, 0.15))
    canvas.relief(panel, 40, 0.8, 0.25 * grain(look.rng(), 120, 160))
    for flip in (-1, 1):
        strap = canvas.stroke(
            curve(
                [(X + flip * 90, 190), (X + flip * 150, 420), (X + flip * 190, 700), (X + flip * 200, 900)], steps=16
            ),
            84,
            92,
            60,
            34,
        )
        canvas.cast(strap, dx=6, dy=10, blur=14)
        canvas.paint(strap, palette.main)
        canvas.relief(strap, 30, 0.9)
        canvas.paint(canvas.box(X + flip * 180 - 34, 640, X + flip * 180 + 34, 676, 8), BLACK)


FAMILY = Family(
    name="bags",
    prefix="bag",
    department="Bags",
    draw=draw,
    has_back=True,
    focus=((0.5, 0.7), (0.5, 0.35)),
    designs=(
        Design(
            "Satchel 24", "backpack", "Twenty-four litres, a padded laptop sleeve and pockets where hands look.",
            64, "backpack", "plain", ("royal blue", "crimson", "sunflower", "teal", "graphite"), 2,
        ),
        Design(
            "Satchel Camo", "backpack", "The everyday backpack in a quiet forest print.",
            69, "backpack", "camouflage", ("forest green", "sand", "navy"),
        ),
        Design(
            "Drift", "roll-top backpack", "Welded seams and a roll-top closure: rain stays outside.",
            89, "rolltop", "plain", ("tangerine", "mint", "black", "lime"),
        ),
        Design(
            "Away Day", "duffel bag", "Room for a full kit, with a ventilated end for wet boots.",
            58, "duffel", "plain", ("navy", "burgundy", "violet", "forest green"),
        ),
        Design(
            "Stripe Away", "duffel bag", "The kit bag in team stripes, with wipe-clean ends.",
            62, "duffel", "pinstripes", ("crimson", "sky blue", "teal"),
        ),
        Design(
            "Gymsac", "drawstring bag", "Weighs nothing, holds shoes, towel and a bottle.",
            14, "drawstring", "slashes", ("rose", "royal blue", "lime", "graphite"),
        ),
    ),
)  # fmt: skip
