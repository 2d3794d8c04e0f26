"""Sports shirts, laid out flat: tee, polo, long sleeves and singlet."""

from __future__ import annotations

from image_similarity_demo.canvas import Canvas, both, without
from image_similarity_demo.colours import BLACK, WHITE, darker, lighter, on
from image_similarity_demo.geometry import Points, arc, curve, mirror, symmetric
from image_similarity_demo.logos import mark
from image_similarity_demo.look import Design, Family, Look, View
from image_similarity_demo.patterns import print_pattern
from image_similarity_demo.shading import fall, folds, grain

X = 500.0
SLEEVES: dict[str, Points] = {  # the right sleeve
    "tee": [
        (690, 130),
        *curve([(740, 160), (830, 260), (900, 400)]),
        *curve([(860, 430), (790, 455), (748, 462)]),
        (705, 350),
    ],
    "long": [
        (690, 130),
        *curve([(750, 170), (840, 330), (900, 560), (930, 800)]),
        (850, 822),
        *curve([(800, 620), (745, 480), (705, 370)]),
    ],
    "singlet": [],
}
SLEEVES["polo"] = SLEEVES["tee"]


def draw(look: Look, view: View) -> Canvas:
    """One shirt; the back has no collar opening but a number."""
    canvas = Canvas()
    palette = look.palette
    rng = look.rng()
    neck = 78 if look.shape == "polo" else 96
    dip = 122 if view == "back" else {"tee": 190, "long": 168, "polo": 160, "singlet": 230}[look.shape]
    inside = canvas.polygon(arc(X, 118, neck, 34))
    if look.shape == "singlet":
        side = [(X + 96, 96), (X + 150, 100), *curve([(655, 110), (640, 220), (668, 330), (735, 400)])]
    else:
        side = [(X + neck, 96), *curve([(640, 112), (690, 130)]), *curve([(702, 200), (712, 300), (728, 390)])]
    half = [*side, *curve([(728, 400), (722, 560), (728, 760), (740, 920)]), *curve([(740, 922), (640, 944), (X, 948)])]
    torso = canvas.polygon(symmetric(half, X))
    throat = canvas.polygon(arc(X, 92, neck, dip - 92, 0, 180))
    canvas.paint(inside, darker(palette.main, 0.45))
    for sleeve in (SLEEVES[look.shape], mirror(SLEEVES[look.shape], X)):
        if sleeve:
            part = canvas.polygon(sleeve)
            canvas.paint(part, palette.trim if look.pattern in ("halves", "sash") else palette.main)
            canvas.paint(both(canvas.stroke(_cuff(sleeve, look.shape), 44, round_ends=False), part), palette.accent)
            canvas.relief(part, 34, 0.7, 0.55 * folds(rng, count=7))
    body = without(torso, throat)
    if SLEEVES[look.shape]:
        canvas.cast(body, dx=0, dy=4, blur=10, opacity=0.45)
    canvas.paint(body, palette.main)
    print_pattern(canvas, body, look.pattern, palette, rng)
    canvas.relief(body, 40, 0.6, 0.06 * grain(rng, 330, 330), 0.5 * folds(rng, count=12), fall(0.1, -0.15))
    _collar(canvas, look, view, neck, dip)
    hem = curve([(262, 904), (380, 922), (X, 926), (620, 922), (738, 904)], steps=40)
    canvas.paint(both(canvas.stitches(hem, width=2.5), body), darker(palette.main, 0.35))
    _badges(canvas, look, view)
    return canvas


def _cuff(sleeve: Points, shape: str) -> Points:
    """The line along the end of a sleeve: its two lowest corners."""
    ends = sorted(sleeve, key=lambda point: point[1])[-2:] if shape == "long" else None
    if ends:
        return ends
    left = sleeve[0][0] < X
    line: Points = [(748, 470), (800, 462), (870, 432), (905, 408)]
    return mirror(line, X) if left else line


def _collar(canvas: Canvas, look: Look, view: View, neck: float, dip: float) -> None:
    palette = look.palette
    colour = palette.accent if look.pattern != "plain" else palette.trim
    if look.shape == "polo":
        for flap in (
            [
                (X - neck - 4, 92),
                *curve([(X - neck - 34, 120), (X - 70, 178), (X - 46, 214)]),
                (X - 4, 156),
                (X - 40, 118),
            ],
            None,
        ):
            outline = flap or mirror(
                [(X - neck - 4, 92), (X - neck - 26, 136), (X - 46, 214), (X - 4, 156), (X - 40, 118)], X
            )
            part = canvas.polygon(outline)
            canvas.cast(part, dx=2, dy=6, blur=6)
            canvas.paint(part, colour)
            canvas.relief(part, 12, 0.7)
        if view == "front":
            placket = canvas.box(X - 22, 156, X + 22, 330, 4)
            canvas.paint(placket, lighter(palette.main, 0.08))
            canvas.relief(placket, 8, 0.6)
            for y in (196, 246, 296):
                canvas.paint(canvas.ellipse(X, y, 8, 8), palette.accent)
        return
    rim = canvas.stroke(arc(X, 92, neck, dip - 92, 0, 180), 22)
    canvas.paint(rim, colour)
    canvas.relief(rim, 10, 0.6)
    canvas.paint(canvas.stitches(arc(X, 92, neck + 17, dip - 75, 0, 180), width=2.0, dash=1), darker(palette.main, 0.4))
    back = canvas.stroke(arc(X, 96, neck, 20, 180, 360), 14)
    if view == "front":
        canvas.paint(back, darker(colour, 0.25))


def _badges(canvas: Canvas, look: Look, view: View) -> None:
    palette = look.palette
    ink = on(palette.main, palette)
    number = str(2 + look.seed % 21)
    if view == "back":
        canvas.paint(canvas.text(X, 470, number, 330, weight=16), WHITE if ink == BLACK else palette.trim)
        canvas.paint(canvas.text(X, 470, number, 330, weight=6), ink)
        canvas.paint(canvas.text(X, 250, look.brand.upper(), 52, weight=2), ink)
        return
    if look.pattern in ("plain", "fade", "pinstripes"):
        canvas.paint(mark(canvas, look.brand, 606, 300, 78), ink)
        return
    patch = canvas.ellipse(606, 300, 58, 58)
    canvas.paint(patch, palette.trim)
    canvas.paint(mark(canvas, look.brand, 606, 300, 78), on(palette.trim, palette))


FAMILY = Family(
    name="shirts",
    prefix="shirt",
    department="Clothing",
    draw=draw,
    has_back=True,
    pose="lying",
    focus=((0.58, 0.3), (0.5, 0.2)),
    designs=(
        Design(
            "Derby", "match shirt", "Light, quick-drying knit with bold hoops and ribbed cuffs.",
            39, "tee", "hoops", ("forest green", "crimson", "royal blue", "navy"), 2,
        ),
        Design(
            "Sash", "match shirt", "A diagonal sash in the old club tradition, cut for today.",
            42, "tee", "sash", ("white", "sky blue", "burgundy", "sunflower"),
        ),
        Design(
            "Clubhouse", "polo shirt", "Piqué polo with a contrasting collar, at home on and off the pitch.",
            45, "polo", "plain", ("navy", "rose", "white", "teal"),
        ),
        Design(
            "Chevron", "goalkeeper shirt", "Long sleeves, padded elbows and chevrons that strikers cannot miss.",
            54, "long", "chevrons", ("lime", "tangerine", "violet"),
        ),
        Design(
            "Breeze", "running singlet", "Barely there: an open weave for hot days and personal bests.",
            29, "singlet", "fade", ("rose", "royal blue", "mint", "tangerine"),
        ),
        Design(
            "Infield", "baseball shirt", "Pinstripes, a round neck and room to swing.",
            37, "tee", "pinstripes", ("white", "graphite"),
        ),
    ),
)  # fmt: skip
