"""Skates in profile, toe to the right: ice, inline and quad."""

from __future__ import annotations

from image_similarity_demo.canvas import Canvas, Mask, both, gradient, without
from image_similarity_demo.colours import BLACK, STEEL, WHITE, Colour, darker, lighter, on
from image_similarity_demo.geometry import Points, curve
from image_similarity_demo.logos import mark
from image_similarity_demo.look import Design, Family, Look, View
from image_similarity_demo.shading import cylinder, dome, fall

# fmt: off
BOOTS: dict[str, Points] = {
    "ice": [
        *curve([(250, 130), (360, 100), (480, 120), (520, 170), (545, 330), (600, 430), (730, 480), (850, 520),
                (885, 590), (870, 660)]),
        (840, 672), (230, 672), *curve([(205, 640), (196, 540), (232, 420), (240, 280), (236, 180)]),
    ],
    "figure": [
        *curve([(270, 60), (360, 48), (470, 62), (490, 120), (510, 330), (580, 430), (700, 490), (830, 530),
                (872, 590), (866, 660)]),
        (840, 672), (240, 672), *curve([(222, 640), (214, 540), (250, 420), (258, 260), (256, 120)]),
    ],
    "inline": [
        *curve([(262, 100), (370, 74), (486, 96), (520, 160), (548, 330), (610, 420), (740, 470), (850, 530),
                (880, 600), (870, 650)]),
        (840, 664), (220, 664), *curve([(196, 620), (190, 530), (226, 420), (240, 270), (244, 160)]),
    ],
}
# fmt: on
BOOTS["quad"] = BOOTS["figure"]


def draw(look: Look, view: View) -> Canvas:
    """One skate; a pair's other boot is its mirror image, so the back view is left to the studio."""
    del view
    canvas = Canvas()
    palette = look.palette
    UNDERCARRIAGE[look.shape](canvas, look)
    tongue = canvas.polygon(
        curve([(380, 110), (470, 40), (560, 60), (570, 130), (600, 330), (640, 440), (520, 420)], closed=True)
    )
    canvas.paint(tongue, palette.trim)
    canvas.relief(tongue, 30, 0.9)
    boot = canvas.polygon(BOOTS[look.shape])
    canvas.paint(boot, palette.main)
    _panels(canvas, boot, look)
    canvas.relief(boot, 70, 1.0)
    canvas.shade(boot, fall(0.15, -0.15))
    sole = both(boot, canvas.box(0, 640, 1000, 700))
    canvas.paint(sole, darker(palette.trim, 0.2))
    canvas.shade(sole, cylinder(0.3, lying=True))
    _laces(canvas, look)
    return canvas


def _panels(canvas: Canvas, boot: Mask, look: Look) -> None:
    palette = look.palette
    collar = both(boot, canvas.polygon([(150, 0), (600, 0), (600, 170), (400, 200), (150, 230)]))
    canvas.paint(collar, palette.trim if look.pattern != "plain" else darker(palette.main, 0.12))
    toe = both(
        boot, canvas.polygon([*curve([(690, 400), (680, 520), (710, 620), (770, 700)]), (1000, 720), (1000, 400)])
    )
    if look.pattern in ("toe", "flash"):
        canvas.paint(toe, palette.trim)
        canvas.shade(toe, 0.7 * dome(0.5))
    if look.pattern == "flash":
        canvas.paint(
            both(
                boot,
                canvas.polygon([(180, 560), (440, 420), (420, 490), (640, 430), (380, 610), (410, 540), (180, 640)]),
            ),
            palette.accent,
        )
    elif look.pattern == "stripes":
        for x, width in ((300, 74), (402, 20)):
            bar = canvas.polygon([(x, 640), (x + width, 640), (x + width + 90, 420), (x + 90, 420)])
            canvas.paint(both(boot, bar), palette.accent)
    elif look.pattern == "toe":
        canvas.paint(
            both(boot, canvas.polygon([*curve([(200, 470), (320, 440), (420, 520), (430, 660)]), (180, 680)])),
            palette.accent,
        )
    seam = curve([(250, 480), (360, 440), (450, 520), (470, 640)], steps=30)
    canvas.paint(both(canvas.stitches(seam, width=3, dash=1), boot), lighter(palette.main, 0.45))
    canvas.paint(
        both(canvas.stitches(curve([(690, 420), (684, 520), (710, 640)], steps=24), width=3, dash=1), boot),
        lighter(palette.main, 0.45),
    )
    ink = on(palette.trim if look.pattern not in ("plain",) else palette.main, palette)
    canvas.paint(mark(canvas, look.brand, 360, 160, 88), ink)


def _laces(canvas: Canvas, look: Look) -> None:
    colour: Colour = WHITE if look.palette.name != "white" else look.palette.accent
    edge = curve([(488, 150), (518, 320), (570, 415), (690, 470)], steps=20)
    eyelets = edge[6:-2:9]
    for i, (x, y) in enumerate(eyelets):
        canvas.paint(canvas.ellipse(x - 14, y + 8, 9, 9), STEEL)
        lace = canvas.stroke([(x - 14, y + 8), (x + 62, y - 22 + (i % 2) * 10)], 15)
        canvas.cast(lace, dx=2, dy=7, blur=5, opacity=0.6)
        canvas.paint(lace, colour)
        canvas.relief(lace, 6, 0.7)
    for bow in (
        curve([(520, 170), (600, 110), (640, 160), (540, 190)], steps=16),
        curve([(520, 176), (610, 210), (620, 270), (590, 300)], steps=16),
    ):
        loop = canvas.stroke(bow, 13)
        canvas.cast(loop, dx=3, dy=8, blur=6)
        canvas.paint(loop, colour)
        canvas.relief(loop, 6, 0.7)


def _blade(canvas: Canvas, look: Look) -> None:
    holder = canvas.polygon(
        [
            (236, 670),
            (410, 670),
            (372, 770),
            (690, 770),
            (660, 670),
            (836, 670),
            (800, 800),
            (816, 836),
            (226, 836),
            (262, 790),
        ]
    )
    canvas.paint(holder, lighter(look.palette.accent, 0.1) if look.pattern == "flash" else (226, 229, 234))
    canvas.relief(holder, 20, 0.9)
    steel = canvas.polygon(
        [
            *curve([(176, 818), (190, 872), (240, 888), (500, 892), (800, 888), (880, 862), (912, 806)]),
            (884, 800),
            (846, 830),
            (220, 830),
        ]
    )
    canvas.paint(steel, gradient((232, 236, 240), (150, 158, 168), (225, 230, 236)))
    canvas.paint(canvas.lines([[(220, 832), (846, 832)]], 3), (110, 116, 126))


def _figure_blade(canvas: Canvas, look: Look) -> None:
    heel = canvas.polygon([(230, 666), (420, 666), (400, 740), (250, 740)])
    canvas.paint(heel, darker(look.palette.trim, 0.4))
    posts = canvas.polygon(
        [(280, 736), (370, 736), (350, 850), (300, 850)], [(600, 660), (810, 660), (760, 850), (640, 850)]
    )
    canvas.paint(posts, STEEL)
    canvas.relief(posts, 16, 1.0)
    steel = canvas.polygon(
        [
            (200, 836),
            (840, 836),
            (868, 800),
            (892, 806),
            (884, 826),
            (898, 836),
            (882, 850),
            (888, 866),
            (868, 872),
            (840, 884),
            *curve([(830, 886), (500, 894), (220, 880), (180, 850)]),
        ]
    )
    canvas.paint(steel, gradient((236, 240, 244), (150, 158, 168), (228, 232, 238)))


def _wheel(canvas: Canvas, x: float, y: float, radius: float, colour: Colour) -> None:
    tyre = canvas.ellipse(x, y, radius, radius)
    canvas.paint(tyre, colour)
    canvas.shade(tyre, 0.9 * dome(0.35))
    hub = canvas.ellipse(x, y, radius * 0.56, radius * 0.56)
    canvas.paint(hub, lighter(BLACK, 0.12))
    spokes: list[Points] = [
        curve([(x, y), (x + dx * radius * 0.5, y + dy * radius * 0.5)])
        for dx, dy in ((0.87, 0.5), (-0.87, 0.5), (0, -1))
    ]
    canvas.paint(canvas.lines(spokes, 9), STEEL)
    cap = canvas.ellipse(x, y, radius * 0.24, radius * 0.24)
    canvas.paint(cap, STEEL)
    canvas.shade(cap, dome(0.8))


def _inline(canvas: Canvas, look: Look) -> None:
    for x in (235.0, 415.0, 595.0, 775.0):
        _wheel(canvas, x, 854, 86, look.palette.accent)
    frame = canvas.polygon(
        [
            (200, 656),
            (840, 656),
            (860, 720),
            (830, 850),
            (770, 790),
            (690, 860),
            (600, 790),
            (505, 860),
            (415, 790),
            (320, 860),
            (240, 790),
            (190, 840),
            (180, 720),
        ]
    )
    frame = without(frame, canvas.box(300, 710, 480, 750, 18))
    frame = without(frame, canvas.box(540, 710, 720, 750, 18))
    canvas.cast(frame, dx=2, dy=8, blur=8)
    canvas.paint(frame, gradient((214, 218, 224), (140, 146, 156)))
    canvas.relief(frame, 14, 0.7)
    for x in (235.0, 415.0, 595.0, 775.0):
        bolt = canvas.ellipse(x, 822, 17, 17)
        canvas.paint(bolt, darker(STEEL, 0.4))
        canvas.relief(bolt, 7, 0.8)


def _quad(canvas: Canvas, look: Look) -> None:
    heel = canvas.polygon([(230, 666), (430, 666), (412, 730), (250, 730)])
    canvas.paint(heel, darker(look.palette.trim, 0.3))
    plate = canvas.polygon([(230, 722), (420, 722), (560, 690), (850, 680), (900, 720), (850, 770), (240, 780)])
    canvas.paint(plate, gradient((206, 210, 218), (120, 126, 138)))
    canvas.relief(plate, 14, 0.6)
    arm = canvas.polygon([(800, 690), (900, 700), (930, 740), (890, 770), (800, 740)])
    canvas.paint(arm, darker(STEEL, 0.3))
    canvas.relief(arm, 12, 0.8)
    stop = canvas.polygon(curve([(874, 736), (936, 720), (970, 770), (944, 836), (884, 820)], closed=True))
    canvas.paint(stop, look.palette.accent)
    canvas.relief(stop, 26, 1.0)
    for x in (268.0, 404.0, 640.0, 776.0):
        _wheel(canvas, x, 836, 80, look.palette.accent)


UNDERCARRIAGE = {"ice": _blade, "figure": _figure_blade, "inline": _inline, "quad": _quad}

FAMILY = Family(
    name="skates",
    prefix="skate",
    department="Skating",
    draw=draw,
    focus=((0.55, 0.35), (0.6, 0.8)),
    designs=(
        Design(
            "Slapshot", "ice hockey skates", "Stiff quarters, a replaceable steel blade and a reinforced toe.",
            149, "ice", "flash", ("black", "crimson", "royal blue", "forest green"), 2,
        ),
        Design(
            "Pirouette", "figure skates", "Leather uppers and a toe pick ground for first jumps.",
            119, "figure", "plain", ("white", "rose", "black"), 2,
        ),
        Design(
            "Boulevard", "inline skates", "Four fast wheels and a supportive cuff for miles of promenade.",
            99, "inline", "stripes", ("teal", "graphite", "violet", "lime"),
        ),
        Design(
            "Rink Disco", "roller skates", "Four wheels, a toe stop and a high boot: the music comes free.",
            84, "quad", "toe", ("rose", "sky blue", "sunflower", "mint"),
        ),
    ),
)  # fmt: skip
