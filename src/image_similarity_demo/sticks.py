"""Hockey sticks: field, ice and floorball. Drawn upright; the studio leans them."""

from __future__ import annotations

from image_similarity_demo.canvas import Canvas, Mask, both, either, gradient, without
from image_similarity_demo.colours import BLACK, RUBBER, WHITE, Palette, darker, lighter, mix, on
from image_similarity_demo.geometry import Points, arc, curve
from image_similarity_demo.logos import label, mark
from image_similarity_demo.look import Design, Family, Look, View
from image_similarity_demo.shading import cylinder

X = 130.0  # the middle of the shaft


def draw(look: Look, view: View) -> Canvas:
    """One stick, blade at the foot."""
    canvas = Canvas(470, 1000)
    {"field": _field, "ice": _ice, "floorball": _floorball}[look.shape](canvas, look)
    if view == "front":
        colour = on(look.palette.main, look.palette)
        if look.pattern != "bands":
            canvas.paint(mark(canvas, look.brand, X, 392, 26), colour)
        canvas.paint(label(canvas, look.brand, X, 500, 21, turn=90), colour)
    return canvas


def _graphics(canvas: Canvas, part: Mask, pattern: str, palette: Palette, top: float, bottom: float) -> None:
    """The print of the shaft from ``top`` to ``bottom``."""
    if pattern == "bands":
        for y, high, colour in ((0.1, 0.1, palette.accent), (0.5, 0.2, palette.trim), (0.75, 0.08, palette.accent)):
            start = top + (bottom - top) * y
            canvas.paint(both(canvas.box(0, start, 470, start + (bottom - top) * high), part), colour)
    elif pattern == "chevrons":
        for i in range(7):
            y = top + (bottom - top) * (0.42 + i * 0.08)
            outline = [(X - 40, y - 30), (X, y), (X + 40, y - 30), (X + 40, y - 12), (X, y + 18), (X - 40, y - 12)]
            canvas.paint(both(canvas.polygon(outline), part), mix(palette.accent, palette.main, i / 10))
    elif pattern == "fade":
        canvas.paint(both(canvas.box(0, top, 470, 1000), part), gradient(palette.main, palette.main, palette.accent))
    elif pattern == "slashes":
        for i, thick in enumerate((60, 30, 90, 24)):
            y = top + (bottom - top) * (0.3 + i * 0.17)
            outline = [(X - 40, y + 70), (X + 40, y), (X + 40, y + thick), (X - 40, y + 70 + thick)]
            canvas.paint(both(canvas.polygon(outline), part), palette.trim if i % 2 else palette.accent)


def _grip(canvas: Canvas, top: float, bottom: float, width: float, look: Look, *, knob: bool = False) -> None:
    """Wrapped tape from the butt end downwards."""
    grip = canvas.box(X - width / 2, top, X + width / 2, bottom, 7)
    colour = RUBBER if look.palette.name not in ("black", "graphite") else look.palette.accent
    canvas.paint(grip, colour)
    turns: list[Points] = [[(X - width, y + 16), (X + width, y - 16)] for y in range(int(top), int(bottom) + 20, 20)]
    wraps = both(canvas.lines(turns, 3.5), grip)
    canvas.paint(wraps, darker(colour, 0.5))
    shifted: list[Points] = [[(x, y + 4) for x, y in line] for line in turns]
    canvas.paint(both(canvas.lines(shifted, 2), grip), lighter(colour, 0.25))
    canvas.shade(grip, cylinder(0.3))
    if knob:
        butt = canvas.box(X - width / 2 - 5, top - 8, X + width / 2 + 5, top + 16, 9)
        canvas.paint(butt, BLACK)
        canvas.shade(butt, cylinder(0.4))
    band = canvas.box(X - width / 2 - 1, bottom - 6, X + width / 2 + 1, bottom + 8)
    canvas.paint(band, look.palette.accent)
    canvas.shade(band, cylinder(0.2))


def _field(canvas: Canvas, look: Look) -> None:
    palette = look.palette
    hook = curve([(X, 800), (X + 2, 868), (X + 26, 930), (X + 92, 962), (X + 162, 936), (X + 192, 868)], steps=20)
    shaft = canvas.box(X - 24, 40, X + 24, 806, 6)
    head = canvas.stroke(hook, 48, 60, 70, 72, 66, 46)
    whole = either(shaft, head)
    canvas.paint(whole, palette.main)
    _graphics(canvas, whole, look.pattern, palette, 330, 960)
    canvas.shade(shaft, cylinder(0.45))
    canvas.relief(head, 26, 0.9)
    toe = both(canvas.stroke(hook[-26:], 22, 3), head)
    canvas.paint(toe, lighter(palette.main, 0.5), 0.25)
    ink = on(palette.accent if look.pattern == "fade" else palette.main, palette)
    canvas.paint(mark(canvas, look.brand, X + 92, 962, 46), ink)
    _grip(canvas, 40, 330, 52, look)


def _ice(canvas: Canvas, look: Look) -> None:
    palette = look.palette
    shaft = canvas.polygon([(X - 22, 30), (X + 22, 30), (X + 22, 840), (X + 10, 900), (X - 30, 900), (X - 22, 820)])
    canvas.paint(shaft, palette.main)
    _graphics(canvas, shaft, look.pattern, palette, 290, 860)
    canvas.shade(shaft, cylinder(0.25))
    bevel = canvas.lines([[(X - 12, 280), (X - 12, 880)], [(X + 12, 280), (X + 12, 880)]], 2.5)
    canvas.paint(bevel, WHITE, 0.35)
    blade = canvas.polygon(
        curve([(X - 26, 872), (X + 20, 878), (X + 130, 884), (X + 250, 862), (X + 306, 846)])
        + curve(
            [
                (X + 318, 866),
                (X + 314, 908),
                (X + 280, 936),
                (X + 120, 966),
                (X - 20, 966),
                (X - 42, 940),
                (X - 34, 890),
            ]
        )
    )
    canvas.paint(blade, darker(palette.main, 0.55))
    tape = both(canvas.polygon([(X + 70, 830), (X + 330, 800), (X + 330, 1000), (X + 50, 1000)]), blade)
    canvas.paint(tape, WHITE if look.pattern in ("fade", "bands") else BLACK)
    wraps: list[Points] = [[(x, 1000), (x + 16, 800)] for x in range(int(X) + 60, int(X) + 320, 15)]
    canvas.paint(both(canvas.lines(wraps, 2.5), tape), (120, 122, 128), 0.8)
    canvas.relief(blade, 18, 0.8)
    canvas.paint(mark(canvas, look.brand, X + 12, 924, 44), palette.accent)
    _grip(canvas, 30, 190, 50, look, knob=True)


def _floorball(canvas: Canvas, look: Look) -> None:
    palette = look.palette
    shaft = canvas.box(X - 15, 40, X + 15, 850, 8)
    canvas.paint(shaft, palette.main)
    _graphics(canvas, shaft, look.pattern, palette, 360, 830)
    canvas.shade(shaft, cylinder(0.5))
    blade = canvas.polygon(
        curve([(X - 22, 838), (X + 24, 836), (X + 60, 868), (X + 150, 858), (X + 240, 836), (X + 300, 838)])
        + curve([(X + 318, 868), (X + 304, 918), (X + 240, 956), (X + 120, 978), (X + 10, 966), (X - 26, 916)])
    )
    canvas.paint(blade, palette.accent)
    canvas.relief(blade, 22, 0.8)
    holes: list[Points] = []
    for row, y in enumerate((884, 912, 940)):
        for i in range(7 - row):
            x = X + 56 + i * 34 + row * 8
            holes.append(arc(x, y - i * 4.2 + row, 11, 9))
    cuts = both(canvas.polygon(*holes), without(blade, canvas.box(0, 0, X + 36, 1000)))
    canvas.cut(cuts)
    canvas.paint(canvas.lines([*holes], 2), darker(palette.accent, 0.35), 0.8)
    neck = canvas.polygon([(X - 19, 800), (X + 19, 800), (X + 26, 866), (X - 22, 866)])
    canvas.paint(neck, darker(palette.main, 0.3))
    canvas.shade(neck, cylinder(0.4))
    _grip(canvas, 40, 350, 40, look, knob=True)


FAMILY = Family(
    name="hockey sticks",
    prefix="stick",
    department="Hockey",
    draw=draw,
    has_back=True,
    pose="lying",
    lean=32,
    focus=((0.4, 0.92), (0.28, 0.4)),
    designs=(
        Design(
            "Flick 90", "field hockey stick", "A 90 percent carbon stick with a late bow for drag flicks and aerials.",
            189, "field", "slashes", ("crimson", "royal blue", "lime", "violet", "tangerine"), 2,
        ),
        Design(
            "Meadow", "field hockey stick", "Forgiving wood-and-glass composite for a first season on turf.",
            49, "field", "fade", ("sky blue", "rose", "sunflower", "mint"),
        ),
        Design(
            "Anchor", "field hockey stick", "Stiff defender's stick with extra weight in the head.",
            129, "field", "bands", ("navy", "white", "burgundy", "forest green"),
        ),
        Design(
            "Glacier", "ice hockey stick", "One-piece carbon with a quick mid kick point, blade taped and ready.",
            159, "ice", "chevrons", ("teal", "crimson", "graphite", "royal blue"),
        ),
        Design(
            "Pond", "ice hockey stick", "A light junior stick for the frozen pond and the first league game.",
            69, "ice", "bands", ("tangerine", "violet", "sunflower"),
        ),
        Design(
            "Vent 27", "floorball stick", "Perforated blade and a round 27 millimetre shaft: quick hands, soft touch.",
            74, "floorball", "fade", ("black", "lime", "violet", "sky blue"),
        ),
    ),
)  # fmt: skip
