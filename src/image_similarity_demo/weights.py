"""Weights: hexagonal and round dumbbells, plate dumbbells and kettlebells."""

from __future__ import annotations

from image_similarity_demo.canvas import Canvas, both, gradient, without
from image_similarity_demo.colours import RUBBER, STEEL, Colour, darker, lighter, on
from image_similarity_demo.geometry import Points, arc, curve
from image_similarity_demo.logos import label, mark
from image_similarity_demo.look import Design, Family, Look, View
from image_similarity_demo.shading import cylinder, dome


def draw(look: Look, view: View) -> Canvas:
    """One weight."""
    canvas = Canvas(1000, 900)
    {"hex": _hex, "soft": _soft, "plates": _plates, "kettlebell": _kettlebell}[look.shape](canvas, look, view)
    return canvas


def _bar(canvas: Canvas, x0: float, x1: float, y: float, radius: float) -> None:
    bar = canvas.polygon(
        curve([(x0, y - radius), ((x0 + x1) / 2, y - radius * 1.14), (x1, y - radius)])
        + curve([(x1, y + radius), ((x0 + x1) / 2, y + radius * 1.14), (x0, y + radius)])
    )
    canvas.paint(bar, STEEL)
    knurls: list[Points] = []
    for x in range(int(x0), int(x1) + 60, 11):
        knurls += [
            [(x, y - radius * 1.2), (x + 44, y + radius * 1.2)],
            [(x + 44, y - radius * 1.2), (x, y + radius * 1.2)],
        ]
    canvas.paint(both(canvas.lines(knurls, 1.8), bar), (92, 98, 108), 0.7)
    canvas.shade(bar, cylinder(0.8, lying=True))


def _hex(canvas: Canvas, look: Look, view: View) -> None:
    palette = look.palette
    base = RUBBER if look.pattern == "plain" else palette.main
    ink = palette.main if look.pattern == "plain" else on(palette.main, palette)
    _bar(canvas, 330, 700, 470, 40)
    for x0, x1 in ((700, 930), (160, 390)):
        _hex_head(canvas, x0, x1, base)
        canvas.paint(mark(canvas, look.brand, (x0 + x1) / 2 - 8, 474, 110), ink)
        if x0 == 160:
            ring = canvas.box(x1 - 4, 412, x1 + 26, 528, 12)
            canvas.cast(ring, dx=6, dy=0, blur=6)
            canvas.paint(ring, ink)
            canvas.shade(ring, cylinder(0.5, lying=True))
    if view == "front":
        canvas.paint(canvas.text(811, 632, "8 KG", 44, weight=2), ink)


def _hex_head(canvas: Canvas, x0: float, x1: float, base: Colour) -> None:
    """A hexagonal block whose left end can be seen: an edge on top, three faces towards the viewer."""
    back, heights = 44.0, (262.0, 366.0, 580.0, 684.0)
    corners = [(x0 - back, heights[0]), (x0, heights[1]), (x0, heights[2]), (x0 - back, heights[3])]
    for (xa, ya), (xb, yb), tone in zip(corners, corners[1:], (0.3, 0.06, -0.34), strict=False):
        side = canvas.polygon([(xa, ya), (xa + x1 - x0, ya), (xb + x1 - x0, yb), (xb, yb)])
        canvas.paint(side, lighter(base, tone) if tone > 0 else darker(base, -tone))
        canvas.relief(side, 12, 0.5)
    end = [*corners, (x0 - 2 * back, heights[2]), (x0 - 2 * back, heights[1])]
    face = canvas.polygon(end)
    canvas.paint(face, darker(base, 0.4))
    canvas.relief(face, 14, 0.8)
    boss = canvas.ellipse(x0 - back, 473, 22, 54)
    canvas.paint(boss, darker(STEEL, 0.2))
    canvas.relief(boss, 10, 0.8)


def _soft(canvas: Canvas, look: Look, view: View) -> None:
    """Neoprene: one smooth piece, waisted in the middle."""
    del view
    palette = look.palette
    bar = canvas.box(280, 400, 720, 530, 40)
    canvas.paint(bar, darker(palette.main, 0.12))
    canvas.shade(bar, cylinder(0.2, lying=True))
    for cx in (720.0, 280.0):
        head = canvas.polygon(
            curve(
                [
                    (cx - 110, 300),
                    (cx, 250),
                    (cx + 110, 300),
                    (cx + 130, 465),
                    (cx + 110, 630),
                    (cx, 680),
                    (cx - 110, 630),
                    (cx - 130, 465),
                ],
                closed=True,
            )
        )
        canvas.cast(head, dx=8, dy=4, blur=14)
        canvas.paint(head, palette.main)
        canvas.relief(head, 60, 0.8, cylinder(0.18, lying=True))
        disc = canvas.ellipse(cx, 465, 66, 84)
        canvas.paint(disc, darker(palette.main, 0.15))
        canvas.relief(disc, 14, -0.6)
    ink = on(palette.main, palette)
    canvas.paint(canvas.text(720, 465, "3", 100, weight=4), ink)
    canvas.paint(mark(canvas, look.brand, 280, 465, 90), ink)


def _plates(canvas: Canvas, look: Look, view: View) -> None:
    palette = look.palette
    _bar(canvas, 60, 940, 460, 26)
    _bar(canvas, 360, 640, 460, 34)
    for side in (1, -1):
        for i, (height, thick) in enumerate(((230, 62), (230, 62), (170, 46))):
            start = 500 + side * (160 + (0, 68, 136)[i])
            x0, x1 = sorted((start, start + side * thick))
            plate = canvas.box(x0, 460 - height, x1, 460 + height, 26)
            colour = palette.main if (i != 1 or look.pattern == "plain") else palette.accent
            canvas.paint(plate, colour)
            canvas.relief(plate, 16, 0.8, cylinder(0.35, lying=True))
            grooves: list[Points] = [[((x0 + x1) / 2, 470 - height), ((x0 + x1) / 2, 450 + height)]]
            canvas.paint(canvas.lines(grooves, 4), darker(colour, 0.5), 0.6)
        nut_x = 500 + side * 372
        nut = canvas.box(nut_x - 26, 396, nut_x + 26, 524, 18)
        canvas.paint(nut, palette.trim if palette.name != "black" else palette.accent)
        canvas.shade(nut, cylinder(0.4, lying=True))
        ridges: list[Points] = [[(nut_x - 26, y), (nut_x + 26, y)] for y in range(404, 524, 16)]
        canvas.paint(canvas.lines(ridges, 4), (16, 16, 22), 0.5)
    if view == "front":
        canvas.paint(label(canvas, look.brand, 691, 460, 36, turn=90), on(palette.main, palette))


def _kettlebell(canvas: Canvas, look: Look, view: View) -> None:
    palette = look.palette
    handle = without(
        canvas.polygon(curve([(330, 430), (300, 180), (390, 80), (500, 66), (610, 80), (700, 180), (670, 430)])),
        canvas.polygon(curve([(402, 430), (376, 230), (430, 154), (500, 144), (570, 154), (624, 230), (598, 430)])),
    )
    canvas.paint(handle, darker(palette.main, 0.35) if look.pattern != "plain" else RUBBER)
    canvas.relief(handle, 30, 1.0)
    body = canvas.polygon(
        curve(
            [
                (500, 330),
                (680, 380),
                (770, 540),
                (740, 740),
                (640, 846),
                (500, 852),
                (360, 846),
                (260, 740),
                (230, 540),
                (320, 380),
            ],
            closed=True,
        )
    )
    canvas.cast(body, dx=0, dy=-10, blur=20)
    canvas.paint(body, gradient(lighter(palette.main, 0.05), palette.main, darker(palette.main, 0.1)))
    if look.pattern == "band":
        ring = both(
            body,
            canvas.polygon(curve([(200, 420), (500, 470), (800, 420)]) + curve([(800, 480), (500, 530), (200, 480)])),
        )
        canvas.paint(ring, palette.accent)
    canvas.relief(body, 40, 0.5, dome(0.35))
    ink = on(palette.main, palette)
    if view == "front":
        ring = without(canvas.polygon(arc(500, 640, 124, 124)), canvas.polygon(arc(500, 640, 112, 112)))
        canvas.paint(ring, ink)
        canvas.paint(mark(canvas, look.brand, 500, 606, 100), ink)
        canvas.paint(canvas.text(500, 694, "12 KG", 44, weight=2), ink)
    else:
        canvas.paint(canvas.text(500, 650, "12", 200, weight=6), ink)


FAMILY = Family(
    name="weights",
    prefix="weight",
    department="Fitness",
    draw=draw,
    has_back=True,
    focus=((0.7, 0.5), (0.35, 0.5)),
    designs=(
        Design(
            "Anvil", "hex dumbbell", "Rubber heads that stay where you put them, on a knurled steel bar.",
            36, "hex", "plain", ("sunflower", "crimson", "sky blue", "lime"), 2,
        ),
        Design(
            "Pastel", "neoprene dumbbell", "Soft to hold, easy to wipe, and kind to wooden floors.",
            12, "soft", "plain", ("mint", "rose", "violet", "tangerine", "sky blue"),
        ),
        Design(
            "Stack", "plate dumbbell", "Plates and nuts to build any weight up to fifteen kilograms.",
            54, "plates", "two-tone", ("graphite", "royal blue", "burgundy"),
        ),
        Design(
            "Bell", "kettlebell", "Cast in one piece, with a handle wide enough for two hands.",
            44, "kettlebell", "plain", ("teal", "crimson", "navy"),
        ),
        Design(
            "Bell Ring", "kettlebell", "The one-piece kettlebell with its weight class on a coloured ring.",
            47, "kettlebell", "band", ("forest green", "violet", "graphite"),
        ),
    ),
)  # fmt: skip
