"""Headwear: cap, visor, beanie and bucket hat."""

from __future__ import annotations

import math

from image_similarity_demo.canvas import Canvas, Mask, both, without
from image_similarity_demo.colours import Palette, darker, lighter, on
from image_similarity_demo.geometry import Points, arc, curve, symmetric
from image_similarity_demo.logos import mark
from image_similarity_demo.look import Design, Family, Look, View
from image_similarity_demo.patterns import print_pattern
from image_similarity_demo.shading import cylinder, dome, fall, folds, grain

X = 500.0


def draw(look: Look, view: View) -> Canvas:
    """One piece of headwear; the studio mirrors it for the other side."""
    del view
    canvas = Canvas(1000, 900)
    {"cap": _cap, "visor": _visor, "beanie": _beanie, "bucket": _bucket}[look.shape](canvas, look)
    return canvas


def _brim(canvas: Canvas, look: Look, line: Points, stitch: Points) -> None:
    palette = look.palette
    colour = palette.accent if look.pattern in ("halves", "plain") else palette.trim
    brim = canvas.polygon(line)
    canvas.paint(brim, colour)
    canvas.relief(brim, 26, 0.8, fall(0.2, -0.25))
    for i in range(4):
        row = [(x, y - i * 17) for x, y in stitch]
        canvas.paint(both(canvas.stitches(row, width=2.5, dash=1), brim), darker(colour, 0.35))


def _cap(canvas: Canvas, look: Look) -> None:
    """Seen from the front right, the peak towards the viewer's right."""
    palette = look.palette
    crown = canvas.polygon(
        curve([(106, 690), (110, 460), (200, 256), (400, 150), (580, 170), (730, 300), (790, 470), (800, 600)])
        + curve([(780, 650), (600, 650), (400, 700), (260, 752), (160, 756), (112, 720)])
    )
    canvas.paint(crown, palette.main)
    if look.pattern == "halves":
        canvas.paint(
            both(crown, canvas.polygon([*curve([(410, 140), (380, 300), (370, 460), (396, 800)]), (0, 800), (0, 100)])),
            palette.trim,
        )
    else:
        print_pattern(canvas, crown, look.pattern, palette, look.rng())
    canvas.relief(crown, 40, 0.5, 0.07 * grain(look.rng(), 300, 240), 0.9 * dome(0.15))
    _seams(canvas, crown, palette)
    for x, y in ((270, 330), (520, 270), (660, 380)):
        eye = without(canvas.ellipse(x, y, 16, 13), canvas.ellipse(x, y, 7, 6))
        canvas.paint(eye, darker(palette.main, 0.35))
    button = canvas.ellipse(422, 152, 34, 18)
    canvas.paint(button, palette.accent)
    canvas.relief(button, 12, 0.9)
    peak = curve(
        [
            (384, 668),
            (560, 596),
            (720, 574),
            (860, 606),
            (946, 690),
            (950, 752),
            (880, 776),
            (720, 760),
            (540, 734),
            (420, 716),
        ],
        closed=True,
    )
    canvas.cast(canvas.polygon(peak), dx=0, dy=-6, blur=12, opacity=0.35)
    _brim(canvas, look, peak, curve([(392, 692), (550, 716), (720, 742), (870, 758), (950, 726)], steps=24))
    badge = mark(canvas, look.brand, 556, 430, 150)
    canvas.cast(badge, dx=2, dy=4, blur=4)
    canvas.paint(badge, on(palette.main, palette))


def _seams(canvas: Canvas, crown: Mask, palette: Palette) -> None:
    """Where the panels of a crown meet, stitched on both sides."""
    for seam in (
        curve([(420, 158), (380, 300), (370, 460), (390, 640)], steps=24),
        curve([(420, 158), (600, 230), (700, 380), (740, 600)], steps=24),
        curve([(420, 158), (260, 230), (160, 400), (140, 640)], steps=24),
    ):
        canvas.paint(both(canvas.lines([seam], 4), crown), darker(palette.main, 0.5), 0.7)
        for shift in (-11, 11):
            canvas.paint(
                both(canvas.stitches([(x + shift, y) for x, y in seam], width=2.5, dash=1), crown),
                lighter(palette.main, 0.35),
            )


def _visor(canvas: Canvas, look: Look) -> None:
    palette = look.palette
    inner = canvas.polygon(arc(X, 350, 370, 120))
    canvas.paint(inner, darker(palette.main, 0.5))
    canvas.cut(canvas.polygon(arc(X, 330, 330, 88)))
    band = canvas.polygon(
        curve([(130, 340), (220, 420), (X, 470), (780, 420), (870, 340)])
        + curve([(868, 480), (780, 570), (X, 630), (220, 570), (132, 480)])
    )
    canvas.paint(band, palette.main)
    print_pattern(canvas, band, look.pattern, palette, look.rng())
    canvas.relief(band, 24, 0.6, cylinder(0.15))
    peak = curve([(170, 540), (300, 590), (X, 618), (700, 590), (830, 540)]) + curve(
        [(862, 560), (880, 660), (760, 770), (X, 812), (240, 770), (120, 660), (138, 560)]
    )
    _brim(canvas, look, peak, curve([(150, 680), (270, 750), (X, 782), (730, 750), (850, 680)], steps=24))
    canvas.paint(mark(canvas, look.brand, X, 545, 110), on(palette.main, palette))


def _beanie(canvas: Canvas, look: Look) -> None:
    palette = look.palette
    body = canvas.polygon(
        symmetric([(X, 160), *curve([(X + 90, 166), (690, 240), (772, 420), (790, 640)]), (X, 680)], X)
    )
    canvas.paint(body, palette.main)
    print_pattern(canvas, body, look.pattern, palette, look.rng())
    ribs: list[Points] = [curve([(X + i * 6, 170), (X + i * 24, 330), (X + i * 29, 660)]) for i in range(-10, 11)]
    canvas.paint(both(canvas.lines(ribs, 7), body), darker(palette.main, 0.6), 0.28)
    canvas.shade(body, 0.2 * grain(look.rng(), 150, 150), 0.9 * dome(0.1))
    cuff = canvas.polygon(
        symmetric(
            [
                (X, 600),
                *curve([(X + 100, 600), (790, 580), (812, 640), (806, 780)]),
                *curve([(806, 784), (700, 806), (X, 812)]),
            ],
            X,
        )
    )
    canvas.cast(cuff, dx=0, dy=-10, blur=12)
    canvas.paint(cuff, palette.accent if look.pattern == "plain" else palette.trim)
    knit: list[Points] = [curve([(X + i * 22, 596), (X + i * 22.5, 700), (X + i * 22, 812)]) for i in range(-14, 15)]
    canvas.paint(both(canvas.lines(knit, 8), cuff), (20, 20, 30), 0.25)
    canvas.relief(cuff, 34, 0.7, cylinder(0.1))
    patch = canvas.box(X - 76, 660, X + 76, 760, 10)
    canvas.paint(patch, darker(palette.trim, 0.2))
    canvas.paint(mark(canvas, look.brand, X, 710, 96), on(darker(palette.trim, 0.2), palette))
    rng = look.rng()
    tufts: list[Points] = []
    for _ in range(340):
        angle, reach = rng.uniform(0, 6.28), rng.uniform(40, 112)
        cos, sin = math.cos(angle), math.sin(angle)
        tufts.append([(X + cos * reach * 0.3, 130 + sin * reach * 0.3), (X + cos * reach, 130 + sin * reach * 0.92)])
    pompom = canvas.lines(tufts, 6)
    canvas.paint(canvas.ellipse(X, 130, 84, 78), darker(palette.accent, 0.15))
    canvas.paint(pompom, palette.accent)
    canvas.paint(canvas.lines(tufts[::4], 4), darker(palette.accent, 0.25), 0.6)
    canvas.shade(pompom, 0.8 * dome(0.1))


def _bucket(canvas: Canvas, look: Look) -> None:
    palette = look.palette
    rim = curve([(X, 470), (740, 500), (860, 620), (944, 742), (900, 796), (720, 836), (X, 850)], steps=16)
    brim = canvas.polygon(symmetric(rim, X))
    canvas.paint(brim, palette.main)
    print_pattern(canvas, brim, look.pattern, palette, look.rng())
    canvas.relief(brim, 40, 0.7, cylinder(0.1), 0.3 * folds(look.rng(), count=8))
    for i in range(5):
        row = curve([(90 + i * 26, 766 - i * 42), (X, 812 - i * 46), (910 - i * 26, 766 - i * 42)], steps=50)
        canvas.paint(both(canvas.stitches(row, width=2.5, dash=1), brim), lighter(palette.main, 0.35))
    crown = canvas.polygon(
        curve([(232, 560), (262, 380), (310, 230), (X, 190), (690, 230), (738, 380), (768, 560)])
        + curve([(700, 600), (X, 616), (300, 600)])
    )
    canvas.paint(crown, palette.main)
    print_pattern(canvas, crown, look.pattern, palette, look.rng())
    canvas.relief(crown, 40, 0.7, cylinder(0.12))
    top = canvas.polygon(arc(X, 236, 190, 44))
    canvas.paint(top, lighter(palette.main, 0.12), 0.9)
    canvas.relief(top, 14, 0.5)
    band = both(
        crown, canvas.polygon(curve([(200, 520), (X, 556), (800, 520)]) + curve([(800, 600), (X, 640), (200, 600)]))
    )
    canvas.paint(band, palette.trim)
    canvas.shade(band, cylinder(0.1))
    tag = canvas.box(X - 60, 380, X + 60, 470, 12)
    canvas.paint(tag, palette.trim)
    canvas.paint(mark(canvas, look.brand, X, 425, 84), on(palette.trim, palette))


FAMILY = Family(
    name="headwear",
    prefix="cap",
    department="Clothing",
    draw=draw,
    focus=((0.55, 0.5), (0.6, 0.75)),
    designs=(
        Design(
            "Bleachers", "baseball cap", "Six panels, a curved peak and an embroidered badge.",
            22, "cap", "plain", ("navy", "crimson", "forest green", "sand"), 2,
        ),
        Design(
            "Bleachers Duo", "baseball cap", "Two colours meet at the crown; a snap at the back fits all.",
            24, "cap", "halves", ("sky blue", "white", "tangerine"),
        ),
        Design(
            "Matchpoint", "sun visor", "Shade for the eyes, air for the head, towelling on the inside.",
            17, "visor", "plain", ("white", "rose", "teal", "lime"),
        ),
        Design(
            "Terrace", "bobble hat", "Warm rib knit with fleece lining and a proud pom-pom.",
            26, "beanie", "hoops", ("burgundy", "royal blue", "forest green", "violet"),
        ),
        Design(
            "Dugout", "bucket hat", "A packable brim against drizzle and high sun alike.",
            28, "bucket", "camouflage", ("sand", "graphite", "teal"),
        ),
        Design(
            "Dugout Dot", "bucket hat", "The packable hat with polka dots, for spectators in good spirits.",
            28, "bucket", "dots", ("mint", "navy", "sunflower"),
        ),
    ),
)  # fmt: skip
