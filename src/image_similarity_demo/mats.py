"""Mats: half rolled, rolled up with a strap, and folding gym mats."""

from __future__ import annotations

import math

from image_similarity_demo.canvas import Canvas, both, gradient
from image_similarity_demo.colours import RUBBER, darker, lighter, on
from image_similarity_demo.geometry import Point, Points, curve
from image_similarity_demo.logos import mark
from image_similarity_demo.look import Design, Family, Look, View
from image_similarity_demo.patterns import print_pattern
from image_similarity_demo.shading import cylinder, fall, grain


def draw(look: Look, view: View) -> Canvas:
    """One mat."""
    del view
    canvas = Canvas()
    {"unrolled": _unrolled, "rolled": _rolled, "folding": _folding}[look.shape](canvas, look)
    return canvas


def _spiral(cx: float, cy: float, rx: float, ry: float, turns: float) -> Points:
    """The edge of a rolled-up sheet, from its outside inwards."""
    steps = int(turns * 40)
    line: Points = []
    for i in range(steps + 1):
        t = i / steps
        angle, reach = 0.5 * math.pi + t * turns * 2 * math.pi, 1 - 0.86 * t
        line.append((cx + rx * reach * math.cos(angle), cy + ry * reach * math.sin(angle)))
    return line


def _unrolled(canvas: Canvas, look: Look) -> None:
    """A sheet that lies towards the viewer and is still rolled at its far end."""
    palette = look.palette
    edge = canvas.polygon([(60, 862), (850, 862), (850, 886), (60, 886)])
    canvas.paint(edge, darker(palette.main, 0.4))
    sheet = canvas.polygon([(200, 420), (870, 420), (850, 864), (60, 864)])
    canvas.paint(sheet, palette.main)
    print_pattern(canvas, sheet, look.pattern, palette, look.rng())
    canvas.shade(sheet, 0.12 * grain(look.rng(), 260, 160), fall(-0.25, 0.15))
    border = [(190, 520), (130, 820), (806, 820), (822, 520)]
    canvas.paint(canvas.lines([[*border]], 4), lighter(palette.main, 0.5), 0.7)
    ink = on(palette.main, palette)
    if look.pattern != "plain":
        canvas.paint(canvas.ellipse(720, 720, 84, 72), palette.trim)
        ink = on(palette.trim, palette)
    canvas.paint(mark(canvas, look.brand, 720, 720, 104), ink)
    roll = canvas.polygon([(200, 250), (880, 250), (880, 470), (200, 470)])
    canvas.cast(roll, dx=0, dy=26, blur=18)
    canvas.paint(roll, lighter(palette.main, 0.04))
    canvas.shade(roll, 0.1 * grain(look.rng(), 260, 60), cylinder(0.2, lying=True))
    end = canvas.ellipse(200, 360, 52, 111)
    canvas.paint(end, palette.trim if look.pattern != "plain" else darker(palette.main, 0.25))
    canvas.paint(canvas.lines([_spiral(200, 360, 46, 103, 4)], 4), lighter(palette.main, 0.35))
    far = both(canvas.ellipse(880, 360, 50, 111), canvas.box(880, 0, 1000, 1000))
    canvas.paint(far, lighter(palette.main, 0.04))
    canvas.shade(far, cylinder(0.2, lying=True))


def _rolled(canvas: Canvas, look: Look) -> None:
    """A roll that lies across the image, with a carrying strap."""
    palette = look.palette
    cord = curve([(330, 390), (400, 210), (500, 170), (610, 210), (690, 390)], steps=16)
    sling = canvas.stroke(cord, 30)
    canvas.paint(sling, RUBBER)
    canvas.relief(sling, 12, 0.8)
    right = canvas.ellipse(860, 540, 84, 196)
    canvas.paint(right, palette.main)
    body = canvas.polygon([(150, 344), (860, 344), (860, 736), (150, 736)])
    canvas.paint(body, palette.main)
    print_pattern(canvas, body, look.pattern, palette, look.rng())
    canvas.shade(body, 0.12 * grain(look.rng(), 280, 120), cylinder(0.22, lying=True))
    canvas.shade(both(right, canvas.box(860, 0, 1000, 1000)), cylinder(0.2, lying=True))
    flap = canvas.polygon([(150, 690), (860, 690), (860, 722), (150, 722)])
    canvas.paint(flap, darker(palette.main, 0.35), 0.6)
    end = canvas.ellipse(150, 540, 84, 196)
    canvas.paint(end, darker(palette.main, 0.2) if look.pattern == "plain" else palette.trim)
    canvas.paint(canvas.lines([_spiral(150, 540, 76, 184, 5)], 5), lighter(palette.main, 0.4))
    for x in (330.0, 690.0):
        band: list[Point] = [
            (x - 20, 342),
            (x + 20, 342),
            *curve([(x + 34, 440), (x + 38, 640), (x + 20, 738)]),
            (x - 20, 738),
        ]
        band += curve([(x - 2, 640), (x - 6, 440), (x - 20, 344)])
        strap = canvas.polygon(band)
        canvas.cast(strap, dx=6, dy=4, blur=6)
        canvas.paint(strap, palette.accent)
        canvas.shade(strap, cylinder(0.1, lying=True))
        buckle = canvas.box(x - 14, 500, x + 48, 548, 10)
        canvas.paint(buckle, RUBBER)
        canvas.relief(buckle, 9, 0.8)
    ink = on(palette.main, palette)
    if look.pattern == "plain":
        canvas.paint(mark(canvas, look.brand, 515, 540, 150), ink)


def _folding(canvas: Canvas, look: Look) -> None:
    """Four thick panels standing like a screen, each turned against the next."""
    palette = look.palette
    top = [(70, 330), (285, 250), (500, 330), (715, 250), (930, 330)]
    for i in range(4):
        (x0, y0), (x1, y1) = top[i], top[i + 1]
        outline: Points = [(x0, y0), (x1, y1), (x1, y1 + 470), (x0, y0 + 500)]
        if i % 2:
            outline = [(x0, y0), (x1, y1), (x1, y1 + 500), (x0, y0 + 470)]
        panel = canvas.polygon(outline)
        colour = palette.main if i % 2 == 0 or look.pattern == "plain" else palette.accent
        canvas.paint(panel, gradient(lighter(colour, 0.1), colour, darker(colour, 0.12)))
        canvas.relief(panel, 34, 0.8, fall(0.12 if i % 2 == 0 else -0.22, 0.0 if i % 2 == 0 else -0.4, sideways=True))
        thick: Points = [(x0, y0), (x1, y1), (x1, y1 - 54), (x0, y0 - 54)]
        rim = canvas.polygon(thick)
        canvas.paint(rim, lighter(colour, 0.3))
        canvas.relief(rim, 16, 0.7)
        lower = outline[3][1], outline[2][1]
        inner = [(x0 + 14, y0 + 18), (x1 - 14, y1 + 18), (x1 - 14, lower[1] - 18), (x0 + 14, lower[0] - 18)]
        dense = [p for a, b in zip(inner, [*inner[1:], inner[0]], strict=True) for p in _between(a, b, 36)]
        canvas.paint(canvas.stitches(dense, width=3, dash=1), lighter(colour, 0.45))
    ink = on(palette.main, palette)
    canvas.paint(
        mark(canvas, look.brand, 392, 500, 100), ink if look.pattern == "plain" else on(palette.accent, palette)
    )
    canvas.paint(canvas.box(820, 470, 850, 600, 12), RUBBER)


def _between(a: Point, b: Point, steps: int) -> Points:
    return [(a[0] + (b[0] - a[0]) * i / steps, a[1] + (b[1] - a[1]) * i / steps) for i in range(steps)]


FAMILY = Family(
    name="mats",
    prefix="mat",
    department="Fitness",
    draw=draw,
    focus=((0.3, 0.42), (0.62, 0.6)),
    designs=(
        Design(
            "Dawn", "yoga mat", "Six millimetres of closed-cell foam that grips warm hands.",
            38, "unrolled", "plain", ("violet", "teal", "rose", "sand", "forest green"), 2,
        ),
        Design(
            "Dawn Print", "yoga mat", "The grippy studio mat with a pattern to centre on.",
            42, "unrolled", "zigzag", ("navy", "mint", "burgundy"),
        ),
        Design(
            "Trail Roll", "exercise mat with strap", "Rolls tight and rides on any rucksack.",
            33, "rolled", "plain", ("tangerine", "graphite", "royal blue", "lime"),
        ),
        Design(
            "Trail Stripe", "exercise mat with strap", "The travelling mat in stripes, with buckled straps.",
            35, "rolled", "stripes", ("sky blue", "crimson", "mint"),
        ),
        Design(
            "Tumble", "folding gym mat", "Five centimetres of firm foam under wipe-clean vinyl, folds to a seat.",
            92, "folding", "panels", ("royal blue", "crimson", "forest green", "violet"),
        ),
    ),
)  # fmt: skip
