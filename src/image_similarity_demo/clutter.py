"""The other things on a photo: paper, a mug, pens, a phone, keys, leaves; and a hand that holds the product."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from image_similarity_demo.canvas import Canvas, both
from image_similarity_demo.colours import Colour, darker, lighter, mix
from image_similarity_demo.geometry import Points, arc, curve, ribbon

Rng = np.random.Generator
Thing = Callable[[ImageDraw.ImageDraw, float, Rng], None]
SIDE = 260  # a thing is drawn on a square of this many pixels, round its middle


def scatter(picture: Image.Image, rng: Rng, *, count: int) -> None:
    """Lay ``count`` things near the edges of ``picture``, each with a shadow."""
    names = list(THINGS)
    for _ in range(count):
        layer = Image.new("RGBA", (SIDE, SIDE))
        THINGS[names[int(rng.integers(0, len(names)))]](ImageDraw.Draw(layer), SIDE / 2, rng)
        layer = layer.rotate(float(rng.uniform(0, 360)), Image.Resampling.BILINEAR)
        angle = rng.uniform(0, 2 * math.pi)
        x = int(picture.width * (0.5 + 0.46 * math.cos(angle)) - SIDE / 2)
        y = int(picture.height * (0.5 + 0.46 * math.sin(angle)) - SIDE / 2)
        dark = layer.getchannel("A").filter(ImageFilter.BoxBlur(7)).point([level // 2 for level in range(256)])
        picture.paste((12, 12, 20), (x + 6, y + 9), dark)
        picture.paste(layer, (x, y), layer)


def hand(size: tuple[int, int], rng: Rng) -> Image.Image:
    """Three or four fingers and a thumb's ball that reach in from the bottom right corner, ``RGBA`` of ``size``."""
    skin = mix((246, 208, 178), (96, 62, 46), float(rng.random()) ** 1.3)
    canvas = Canvas()
    palm = canvas.polygon(
        curve([(1010, 640), (880, 690), (790, 820), (800, 1010), (1100, 1100), (1100, 600)], closed=True)
    )
    canvas.paint(palm, skin)
    canvas.relief(palm, 90, 0.8)
    for i, reach in enumerate((250, 300, 290, 230)):
        y = 650 + i * 78
        line = curve([(980, y + 40), (900, y - 6), (980 - reach, y - 8 + i * 8)])
        finger = canvas.polygon(ribbon(line, (92, 86, 70)), arc(*line[-1], 35, 35))
        canvas.cast(finger, dx=-2, dy=8, blur=8, opacity=0.5)
        canvas.paint(finger, skin)
        canvas.relief(finger, 34, 0.9)
        tip = line[-1]
        nail = canvas.ellipse(tip[0] - 4, tip[1] - 6, 24, 17)
        canvas.paint(both(nail, finger), lighter(mix(skin, (240, 170, 170), 0.4), 0.25))
        canvas.paint(
            canvas.lines([curve([(tip[0] + 92, tip[1] - 18), (tip[0] + 98, tip[1]), (tip[0] + 92, tip[1] + 18)])], 3),
            darker(skin, 0.3),
            0.6,
        )
    return canvas.image.resize(size, Image.Resampling.BILINEAR)


def _paper(draw: ImageDraw.ImageDraw, at: float, rng: Rng) -> None:
    draw.rectangle((at - 76, at - 98, at + 76, at + 98), fill=(244, 242, 236))
    for i in range(11):
        y = at - 78 + i * 15
        draw.line((at - 62, y, at - 62 + float(rng.uniform(50, 124)), y), fill=(120, 124, 136), width=3)


def _notebook(draw: ImageDraw.ImageDraw, at: float, rng: Rng) -> None:
    cover: Colour = [(36, 60, 96), (150, 40, 48), (46, 100, 80), (40, 40, 44)][int(rng.integers(0, 4))]
    draw.rounded_rectangle((at - 72, at - 98, at + 72, at + 98), 8, fill=cover)
    draw.rectangle((at + 44, at - 98, at + 54, at + 98), fill=darker(cover, 0.5))
    draw.rectangle((at - 46, at - 68, at + 22, at - 34), fill=(236, 232, 222))


def _mug(draw: ImageDraw.ImageDraw, at: float, rng: Rng) -> None:
    glaze: Colour = [(236, 236, 232), (60, 110, 150), (206, 96, 62), (74, 78, 84)][int(rng.integers(0, 4))]
    draw.line((at + 50, at, at + 100, at), fill=darker(glaze, 0.15), width=22)
    draw.ellipse((at - 66, at - 66, at + 66, at + 66), fill=glaze)
    draw.ellipse((at - 56, at - 56, at + 56, at + 56), fill=darker(glaze, 0.3))
    draw.ellipse((at - 52, at - 50, at + 53, at + 55), fill=(70, 42, 26))
    draw.arc((at - 44, at - 42, at + 44, at + 44), 190, 260, fill=(150, 104, 70), width=5)


def _pen(draw: ImageDraw.ImageDraw, at: float, rng: Rng) -> None:
    body: Colour = [(230, 180, 40), (40, 60, 130), (190, 40, 44), (30, 32, 36)][int(rng.integers(0, 4))]
    draw.line((at - 110, at, at + 90, at), fill=body, width=13)
    draw.line((at - 110, at - 3, at + 90, at - 3), fill=lighter(body, 0.4), width=3)
    draw.polygon([(at + 90, at - 7), (at + 120, at), (at + 90, at + 7)], fill=(222, 190, 150))


def _phone(draw: ImageDraw.ImageDraw, at: float, rng: Rng) -> None:
    draw.rounded_rectangle((at - 58, at - 118, at + 58, at + 118), 18, fill=(26, 27, 31))
    draw.rounded_rectangle((at - 51, at - 111, at + 51, at + 111), 13, fill=(44, 52, 70))
    draw.polygon([(at - 51, at + 40), (at + 51, at - 80), (at + 51, at - 20), (at - 51, at + 100)], fill=(66, 78, 102))
    if rng.random() < 0.5:
        draw.rounded_rectangle((at - 36, at - 20, at + 36, at + 10), 7, fill=(226, 228, 234))


def _keys(draw: ImageDraw.ImageDraw, at: float, rng: Rng) -> None:
    draw.ellipse((at - 34, at - 34, at + 34, at + 34), outline=(176, 180, 188), width=6)
    for turn in (20.0, 75.0, float(rng.uniform(120, 200))):
        cos, sin = math.cos(math.radians(turn)), math.sin(math.radians(turn))
        start, end = (at + 34 * cos, at + 34 * sin), (at + 126 * cos, at + 126 * sin)
        draw.line((*start, *end), fill=(198, 186, 150), width=13)
        head: Points = arc(at + 52 * cos, at + 52 * sin, 24, 24)
        draw.polygon(head, fill=(188, 176, 140))
        draw.polygon(arc(at + 46 * cos, at + 46 * sin, 6, 6), fill=(70, 66, 56))


def _leaves(draw: ImageDraw.ImageDraw, at: float, rng: Rng) -> None:
    for _ in range(4):
        x, y = at + float(rng.uniform(-100, 100)), at + float(rng.uniform(-100, 100))
        colour = mix((196, 120, 40), (120, 130, 50), float(rng.random()))
        turn = float(rng.uniform(0, 180))
        draw.polygon(arc(x, y, 40, 16, turn=turn), fill=colour)
        cos, sin = math.cos(math.radians(turn)), math.sin(math.radians(turn))
        draw.line((x - 48 * cos, y - 48 * sin, x + 38 * cos, y + 38 * sin), fill=darker(colour, 0.4), width=3)


def _cable(draw: ImageDraw.ImageDraw, at: float, rng: Rng) -> None:
    points = [(at + float(rng.uniform(-120, 120)), at + float(rng.uniform(-120, 120))) for _ in range(6)]
    draw.line(curve(points, steps=20), fill=(40, 42, 46), width=6, joint="curve")
    x, y = points[-1]
    draw.rectangle((x - 14, y - 10, x + 14, y + 10), fill=(40, 42, 46))


THINGS: dict[str, Thing] = {
    "paper": _paper,
    "notebook": _notebook,
    "mug": _mug,
    "pen": _pen,
    "phone": _phone,
    "keys": _keys,
    "leaves": _leaves,
    "cable": _cable,
}
