"""Helmets in profile, brow to the right: bike, ice hockey, skate and ski."""

from __future__ import annotations

from image_similarity_demo.canvas import Canvas, both, gradient, without
from image_similarity_demo.colours import BLACK, RUBBER, STEEL, darker, lighter, on
from image_similarity_demo.geometry import Point, Points, arc, curve
from image_similarity_demo.logos import mark
from image_similarity_demo.look import Design, Family, Look, View
from image_similarity_demo.patterns import print_pattern
from image_similarity_demo.shading import dome


def draw(look: Look, view: View) -> Canvas:
    """One helmet; the studio mirrors it for the other side."""
    del view
    canvas = Canvas()
    {"bike": _bike, "hockey": _hockey, "skate": _skate, "ski": _ski}[look.shape](canvas, look)
    return canvas


def _strap(canvas: Canvas, look: Look, *lines: tuple[Point, ...]) -> None:
    for line in lines:
        strap = canvas.stroke(curve(line, steps=16), 22)
        canvas.paint(strap, RUBBER)
        canvas.relief(strap, 8, 0.6)
    x, y = lines[0][-1]
    buckle = canvas.box(x - 24, y - 20, x + 24, y + 30, 9)
    canvas.paint(buckle, look.palette.accent)
    canvas.relief(buckle, 9, 0.8)


def _bike(canvas: Canvas, look: Look) -> None:
    palette = look.palette
    _strap(canvas, look, ((330, 600), (420, 760), (500, 880)), ((680, 600), (600, 760), (500, 880)))
    shell = canvas.polygon(
        curve([(70, 590), (80, 420), (220, 240), (450, 160), (680, 190), (850, 320), (930, 500), (940, 560)])
        + curve([(900, 590), (760, 570), (600, 610), (420, 640), (260, 690), (130, 700), (80, 650)])
    )
    canvas.paint(shell, palette.main)
    print_pattern(canvas, shell, look.pattern, palette, look.rng())
    rim = both(
        shell,
        canvas.stroke(curve([(940, 566), (760, 566), (600, 606), (420, 636), (260, 686), (90, 690)], steps=16), 70),
    )
    canvas.paint(rim, palette.trim)
    canvas.relief(shell, 44, 0.7, 0.9 * dome(0.5))
    vents: list[Points] = [
        curve([(180, 470), (300, 330), (450, 270), (470, 300), (340, 390), (220, 520)], closed=True),
        curve([(540, 262), (680, 280), (800, 390), (790, 420), (660, 340), (540, 300)], closed=True),
        curve([(170, 610), (300, 490), (450, 420), (470, 450), (340, 550), (220, 630)], closed=True),
        curve([(540, 410), (680, 400), (830, 480), (830, 510), (680, 480), (540, 460)], closed=True),
    ]
    for vent in vents:
        hole = canvas.polygon(vent)
        canvas.paint(hole, gradient((22, 23, 28), (58, 60, 70)))
        lip = canvas.lines([[*vent, vent[0]]], 7)
        canvas.paint(both(lip, shell), lighter(palette.main, 0.4), 0.7)
    canvas.paint(mark(canvas, look.brand, 640, 562, 54), on(palette.trim, palette))


def _hockey(canvas: Canvas, look: Look) -> None:
    palette = look.palette
    _strap(canvas, look, ((420, 700), (520, 830), (640, 900)))
    shell = canvas.polygon(
        [
            *curve([(120, 640), (110, 440), (210, 230), (430, 130), (660, 160), (800, 290), (850, 450), (850, 490)]),
            (600, 500),
            (560, 560),
            (560, 720),
            *curve([(520, 750), (380, 740), (220, 720), (140, 690)]),
        ]
    )
    canvas.paint(shell, palette.main)
    band = both(
        shell,
        canvas.polygon(
            [*curve([(100, 480), (300, 400), (600, 390), (900, 420)]), (900, 350), (600, 318), (300, 330), (100, 420)]
        ),
    )
    canvas.paint(band, palette.accent if look.pattern == "band" else darker(palette.main, 0.25))
    canvas.relief(shell, 40, 0.7, 0.95 * dome(0.6))
    slots: list[Points] = [[(300 + i * 90, 230 - i * 8), (350 + i * 90, 214 - i * 4)] for i in range(4)]
    canvas.paint(canvas.lines(slots, 24), (26, 27, 32))
    ear = without(canvas.ellipse(450, 610, 78, 84), canvas.ellipse(450, 610, 46, 52))
    canvas.paint(ear, darker(palette.main, 0.35))
    canvas.relief(ear, 18, 0.9)
    for x, y in ((190, 560), (250, 660), (600, 440), (780, 430)):
        screw = canvas.ellipse(x, y, 15, 15)
        canvas.paint(screw, STEEL)
        canvas.relief(screw, 7, 1.0)
    (_cage if look.pattern == "band" else _clear_visor)(canvas)
    canvas.paint(mark(canvas, look.brand, 300, 520, 110), on(palette.main, palette))


def _cage(canvas: Canvas) -> None:
    bars = [
        curve([(830, 470), (930, 560), (920, 720), (800, 850)], steps=16),
        curve([(600, 500), (620, 700), (690, 840)], steps=16),
    ]
    bars += [[(605 + i * 9, 560 + i * 75), (925 - i * 22, 560 + i * 75)] for i in range(4)]
    bars += [curve([(700 + i * 80, 480), (740 + i * 74, 660), (740 + i * 34, 850)], steps=12) for i in range(2)]
    cage = canvas.lines(bars, 14)
    canvas.paint(cage, STEEL)
    canvas.relief(cage, 6, 0.9)


def _clear_visor(canvas: Canvas) -> None:
    rim = curve([(880, 540), (880, 640), (850, 690)]) + curve([(760, 690), (660, 660), (600, 620)])
    visor = canvas.polygon([(590, 480), (860, 470), *rim])
    canvas.paint(visor, gradient((150, 196, 226), (206, 228, 240)), 0.8)
    glint = canvas.polygon([(660, 460), (720, 460), (680, 700), (620, 700)])
    canvas.paint(both(glint, visor), (255, 255, 255), 0.55)


def _skate(canvas: Canvas, look: Look) -> None:
    palette = look.palette
    _strap(canvas, look, ((330, 690), (420, 820), (520, 900)), ((680, 640), (620, 780), (520, 900)))
    shell = canvas.polygon(
        curve([(110, 600), (120, 400), (240, 210), (480, 130), (720, 190), (860, 370), (890, 560)])
        + curve([(880, 590), (740, 600), (640, 620), (560, 700), (420, 740), (240, 730), (140, 690)])
    )
    canvas.paint(shell, palette.main)
    print_pattern(canvas, shell, look.pattern, palette, look.rng())
    canvas.relief(shell, 36, 0.6, dome(0.75))
    for cx, cy, rx in ((360, 250, 34), (500, 214, 38), (640, 236, 34)):
        hole = canvas.ellipse(cx, cy, rx, 20, turn=(cx - 500) / 9)
        canvas.paint(hole, (24, 25, 30))
    lip = canvas.stroke(
        curve([(890, 584), (740, 606), (640, 626), (560, 706), (420, 744), (240, 734), (130, 690)], steps=16), 20
    )
    canvas.paint(lip, BLACK)
    canvas.relief(lip, 9, 0.8)
    plate = canvas.ellipse(350, 520, 96, 96)
    canvas.paint(plate, palette.trim)
    canvas.paint(mark(canvas, look.brand, 350, 520, 124), on(palette.trim, palette))
    for x, y in ((220, 640), (700, 560)):
        rivet = canvas.ellipse(x, y, 15, 15)
        canvas.paint(rivet, STEEL)
        canvas.relief(rivet, 7, 1.0)


def _ski(canvas: Canvas, look: Look) -> None:
    palette = look.palette
    _strap(canvas, look, ((430, 760), (500, 850), (580, 910)))
    pad = canvas.polygon(curve([(250, 560), (420, 540), (560, 580), (560, 760), (480, 840), (330, 790)], closed=True))
    canvas.paint(pad, RUBBER)
    canvas.relief(pad, 40, 0.9)
    shell = canvas.polygon(
        curve([(100, 580), (110, 400), (230, 210), (470, 130), (710, 180), (850, 340), (880, 480)])
        + curve([(800, 500), (640, 500), (560, 560), (420, 590), (300, 680), (180, 700), (120, 650)])
    )
    canvas.cast(shell, dx=0, dy=16, blur=14)
    canvas.paint(shell, palette.main)
    print_pattern(canvas, shell, look.pattern, palette, look.rng())
    canvas.relief(shell, 36, 0.6, 0.95 * dome(0.7))
    for i in range(3):
        slot = canvas.stroke(
            curve([(300 + i * 150, 270 - i * 24), (350 + i * 150, 236 - i * 12), (410 + i * 150, 230)]), 24
        )
        canvas.paint(slot, (24, 25, 30))
    frame = canvas.polygon(
        curve(
            [(610, 470), (760, 440), (910, 450), (950, 540), (920, 680), (800, 720), (650, 690), (600, 580)],
            closed=True,
        )
    )
    canvas.paint(frame, BLACK)
    lens = canvas.polygon(
        curve(
            [(640, 500), (770, 472), (890, 482), (918, 550), (892, 654), (800, 684), (676, 660), (634, 580)],
            closed=True,
        )
    )
    canvas.paint(lens, gradient(palette.accent, darker(palette.accent, 0.2), (60, 70, 120), sideways=True))
    canvas.paint(both(canvas.polygon([(700, 440), (760, 440), (720, 720), (660, 720)]), lens), (255, 255, 255), 0.4)
    band = canvas.stroke(curve([(620, 540), (400, 500), (130, 520)], steps=16), 60)
    band = both(band, shell)
    canvas.paint(band, palette.trim)
    canvas.relief(band, 12, 0.7)
    canvas.paint(mark(canvas, look.brand, 380, 506, 50), on(palette.trim, palette))
    canvas.paint(canvas.polygon(arc(610, 560, 22, 40)), BLACK)


FAMILY = Family(
    name="helmets",
    prefix="helmet",
    department="Protection",
    draw=draw,
    focus=((0.55, 0.4), (0.35, 0.55)),
    designs=(
        Design(
            "Breezeway", "bike helmet", "Deep channels pull cool air through; a dial at the back sets the fit.",
            79, "bike", "plain", ("crimson", "sky blue", "white", "lime"), 2,
        ),
        Design(
            "Breezeway Slash", "bike helmet", "The airy road helmet with graphics that drivers notice.",
            85, "bike", "slashes", ("sunflower", "violet", "teal"),
        ),
        Design(
            "Bulwark", "ice hockey helmet with cage", "Dual-density foam and a steel cage, adjustable without tools.",
            95, "hockey", "band", ("navy", "crimson", "black", "forest green"),
        ),
        Design(
            "Clearview", "ice hockey helmet with visor", "A curved, hard-coated visor that keeps the puck in sight.",
            109, "hockey", "plain", ("white", "royal blue", "burgundy"),
        ),
        Design(
            "Halfpipe", "skate helmet", "The round classic: hard shell, soft liner, loud print.",
            45, "skate", "checks", ("graphite", "rose", "mint", "tangerine"),
        ),
        Design(
            "Firn", "ski helmet with goggles", "Warm ear pads, closable vents and a matching mirrored goggle.",
            139, "ski", "fade", ("teal", "violet", "graphite", "tangerine"),
        ),
    ),
)  # fmt: skip
