"""Rackets and bats: tennis, badminton, table tennis and padel. Drawn upright; the studio leans them."""

from __future__ import annotations

from image_similarity_demo.canvas import Canvas, both, gradient, without
from image_similarity_demo.colours import BLACK, RUBBER, STEEL, WOOD, Colour, Palette, darker, lighter, on
from image_similarity_demo.geometry import Points, arc, curve, parallels, symmetric
from image_similarity_demo.logos import label, mark
from image_similarity_demo.look import Design, Family, Look, View
from image_similarity_demo.shading import cylinder, grain

X = 240.0


def draw(look: Look, view: View) -> Canvas:
    """One racket, head up."""
    canvas = Canvas(480, 1000)
    {"tennis": _tennis, "badminton": _badminton, "bat": _bat, "padel": _padel}[look.shape](canvas, look, view)
    return canvas


def _handle(canvas: Canvas, top: float, bottom: float, width: float, colour: Colour, accent: Colour) -> None:
    grip = canvas.box(X - width / 2, top, X + width / 2, bottom, 8)
    canvas.paint(grip, colour)
    turns: list[Points] = [[(X - width, y + 14), (X + width, y - 14)] for y in range(int(top), int(bottom) + 20, 22)]
    canvas.paint(both(canvas.lines(turns, 4), grip), darker(colour, 0.55))
    canvas.shade(grip, cylinder(0.3))
    butt = canvas.box(X - width / 2 - 6, bottom - 22, X + width / 2 + 6, bottom + 6, 9)
    canvas.paint(butt, BLACK)
    canvas.shade(butt, cylinder(0.4))
    band = canvas.box(X - width / 2 - 2, top - 8, X + width / 2 + 2, top + 8, 3)
    canvas.paint(band, accent)
    canvas.shade(band, cylinder(0.3))


def _strings(canvas: Canvas, rx: float, ry: float, cy: float, step: float, colour: Colour) -> None:
    bed = canvas.ellipse(X, cy, rx, ry)
    down = parallels(X - rx, X + rx, step, cy - ry, cy + ry)
    across: list[Points] = [
        [(X - rx, y), (X + rx, y)] for y in (cy - ry + i * step for i in range(int(2 * ry / step) + 1))
    ]
    canvas.paint(both(canvas.lines([*down, *across], 2.6), bed), colour)


def _hoop(canvas: Canvas, look: Look, rx: float, ry: float, cy: float, thick: float) -> None:
    palette = look.palette
    hoop = without(canvas.ellipse(X, cy, rx, ry), canvas.ellipse(X, cy, rx - thick, ry - thick))
    canvas.paint(hoop, palette.main)
    spans = ((200, 250), (290, 340)) if look.pattern == "flash" else ((150, 215), (325, 390))
    for start, end in spans:
        part = canvas.stroke(arc(X, cy, rx - thick / 2, ry - thick / 2, start, end), thick + 4, round_ends=False)
        canvas.paint(both(part, hoop), palette.accent)
    canvas.relief(hoop, thick * 0.7, 1.0)


def _tennis(canvas: Canvas, look: Look, view: View) -> None:
    palette = look.palette
    _strings(canvas, 178, 222, 270, 17, (214, 216, 206) if palette.name != "white" else (120, 124, 130))
    if view == "front":
        canvas.paint(
            both(mark(canvas, look.brand, X, 290, 190), canvas.ellipse(X, 270, 170, 216)), palette.accent, 0.55
        )
    for flip in (-1, 1):
        arm = canvas.stroke(
            curve([(X + flip * 118, 452), (X + flip * 70, 560), (X + flip * 22, 670), (X + flip * 10, 740)], steps=16),
            27,
        )
        canvas.paint(arm, palette.trim if look.pattern == "flash" else palette.main)
        canvas.relief(arm, 12, 1.0)
    bridge = canvas.stroke(curve([(X - 104, 470), (X, 498), (X + 104, 470)], steps=14), 22)
    canvas.paint(bridge, palette.trim)
    canvas.relief(bridge, 10, 0.8)
    _hoop(canvas, look, 196, 240, 270, 24)
    canvas.paint(canvas.stroke(arc(X, 270, 184, 228, 235, 305), 10, round_ends=False), BLACK)
    throat = canvas.polygon([(X - 30, 660), (X + 30, 660), (X + 24, 740), (X - 24, 740)])
    canvas.paint(throat, palette.main)
    canvas.shade(throat, cylinder(0.4))
    _handle(canvas, 730, 960, 50, RUBBER if look.pattern != "flash" else (236, 236, 232), palette.accent)


def _badminton(canvas: Canvas, look: Look, view: View) -> None:
    del view
    palette = look.palette
    _strings(canvas, 128, 166, 216, 14, (196, 200, 204))
    _hoop(canvas, look, 140, 178, 216, 15)
    shaft = canvas.box(X - 8, 390, X + 8, 760, 3)
    canvas.paint(shaft, gradient(palette.main, palette.accent))
    canvas.shade(shaft, cylinder(0.6))
    joint = canvas.polygon([(X - 26, 380), (X + 26, 380), (X + 9, 440), (X - 9, 440)])
    canvas.paint(joint, palette.trim)
    canvas.shade(joint, cylinder(0.4))
    cone = canvas.polygon([(X - 9, 716), (X + 9, 716), (X + 20, 764), (X - 20, 764)])
    canvas.paint(cone, palette.main)
    canvas.shade(cone, cylinder(0.5))
    _handle(canvas, 760, 960, 40, palette.trim, palette.accent)


def _bat(canvas: Canvas, look: Look, view: View) -> None:
    palette = look.palette
    blade = canvas.polygon(
        symmetric(
            [
                *curve(
                    [
                        (X, 88),
                        (X + 110, 106),
                        (X + 196, 196),
                        (X + 214, 330),
                        (X + 160, 500),
                        (X + 70, 580),
                        (X + 38, 640),
                    ]
                ),
                (X, 650),
            ],
            X,
        )
    )
    canvas.paint(blade, WOOD)
    canvas.shade(blade, 0.2 * grain(look.rng(), 200, 300, stretch=(1, 40)))
    cover = canvas.polygon(
        symmetric(
            [
                *curve([(X, 82), (X + 114, 100), (X + 204, 192), (X + 224, 330), (X + 176, 480), (X + 110, 546)]),
                (X, 548),
            ],
            X,
        )
    )
    canvas.paint(cover, palette.main if view == "front" else BLACK)
    if look.pattern == "pips":
        pips = [arc(x, y, 4, 4) for y in range(110, 540, 20) for x in range(int(X) - 220, int(X) + 221, 20)]
        canvas.paint(both(canvas.polygon(*pips), cover), lighter(palette.main, 0.25))
    canvas.relief(cover, 12, 0.6, 0.05 * grain(look.rng(), 220, 240))
    canvas.paint(both(canvas.stroke(arc(X, 320, 222, 250, 200, 340), 12, round_ends=False), blade), palette.accent)
    canvas.paint(mark(canvas, look.brand, X, 490, 60), on(palette.main, palette))
    _grip(canvas, palette)


def _grip(canvas: Canvas, palette: Palette) -> None:
    """A bat's handle of wood, with a stripe and a plate."""
    half = [(X, 560), (X + 36, 590), (X + 36, 640), (X + 40, 760)]
    handle = canvas.polygon(symmetric([*half, *curve([(X + 44, 860), (X + 56, 910), (X + 50, 930)]), (X, 934)], X))
    canvas.paint(handle, WOOD)
    canvas.paint(both(canvas.box(X - 17, 0, X + 17, 1000), handle), palette.trim)
    canvas.paint(both(canvas.box(X - 5, 0, X + 5, 1000), handle), palette.accent)
    canvas.relief(handle, 12, 0.6, cylinder(0.35))
    canvas.paint(canvas.ellipse(X, 800, 15, 34), STEEL)


def _padel(canvas: Canvas, look: Look, view: View) -> None:
    palette = look.palette
    face = canvas.polygon(
        symmetric(
            [
                *curve(
                    [
                        (X, 48),
                        (X + 112, 70),
                        (X + 194, 160),
                        (X + 206, 300),
                        (X + 170, 440),
                        (X + 90, 560),
                        (X + 34, 690),
                    ]
                ),
                (X, 720),
            ],
            X,
        )
    )
    face = without(
        face, canvas.polygon(symmetric([(X, 560), *curve([(X + 26, 566), (X + 34, 590), (X + 10, 650)]), (X, 660)], X))
    )
    canvas.paint(face, palette.main)
    split = both(face, canvas.polygon([(0, 120), (480, 380), (480, 900), (0, 900)]))
    canvas.paint(split, palette.trim if view == "front" else palette.accent)
    canvas.paint(both(face, canvas.polygon([(0, 120), (480, 380), (480, 420), (0, 160)])), palette.accent)
    canvas.relief(face, 20, 0.9, 0.05 * grain(look.rng(), 200, 300))
    holes = [
        arc(X + column * 42 + (21 if row % 2 else 0), 170 + row * 42, 11, 11)
        for row in range(7)
        for column in range(-4, 5)
        if abs(column * 42 + (21 if row % 2 else 0)) < 150 - max(0, row - 4) * 26 - max(0, 1 - row) * 40
    ]
    canvas.cut(canvas.polygon(*holes))
    canvas.paint(canvas.lines(holes, 2), BLACK, 0.7)
    canvas.paint(
        label(canvas, look.brand, X, 500, 32), on(palette.trim if view == "front" else palette.accent, palette)
    )
    _handle(canvas, 700, 950, 50, RUBBER, palette.accent)


FAMILY = Family(
    name="rackets",
    prefix="racket",
    department="Racket sports",
    draw=draw,
    has_back=True,
    pose="lying",
    lean=-30,
    focus=((0.5, 0.3), (0.5, 0.6)),
    designs=(
        Design(
            "Baseline 100", "tennis racket", "A forgiving head and an open string bed for easy topspin.",
            129, "tennis", "flash", ("crimson", "royal blue", "lime", "white"), 2,
        ),
        Design(
            "Volley", "tennis racket", "Lighter and stiffer, made for doubles players who live at the net.",
            99, "tennis", "plain", ("violet", "graphite", "sunflower"),
        ),
        Design(
            "Feather", "badminton racket", "Eighty-two grams with a whippy shaft: smashes without effort.",
            59, "badminton", "plain", ("sky blue", "tangerine", "rose", "forest green"),
        ),
        Design(
            "Spinner", "table tennis bat", "Tacky rubber on five plies of lime wood.",
            26, "bat", "plain", ("crimson", "royal blue", "forest green"),
        ),
        Design(
            "Pimple", "table tennis bat", "Short pips out for flat, fast and disconcerting returns.",
            31, "bat", "pips", ("violet", "burgundy", "teal"),
        ),
        Design(
            "Glasshouse", "padel racket", "A soft core in a carbon frame, drilled for control.",
            119, "padel", "plain", ("teal", "tangerine", "black"),
        ),
    ),
)  # fmt: skip
