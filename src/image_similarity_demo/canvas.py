"""A drawing board for product images: masks in design units, and paint, light and shadow through a mask.

A mask is a grey image (``L``) of the board's size, white where the part is. Boards are drawn large and without
anti-aliasing; the shots reduce them, which smooths the edges (supersampling).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont

from image_similarity_demo.colours import Colour
from image_similarity_demo.geometry import Point, arc, ribbon
from image_similarity_demo.shading import Field, relief as relief_field

SCALE = 1.2  # pixels a design unit: twice the images' resolution, so that a close-up of half a board is still sharp
GRID = 4  # pixels between the points at which light is worked out
Mask = Image.Image
Fill = Colour | Image.Image
SHADOW: Colour = (14, 14, 26)


class Canvas:
    """A transparent board of ``width`` by ``height`` design units."""

    def __init__(self, width: int = 1000, height: int = 1000) -> None:
        self.size = (round(width * SCALE), round(height * SCALE))
        self.image = Image.new("RGBA", self.size)

    # Masks --------------------------------------------------------------------------------------------------------

    def polygon(self, *outlines: Sequence[Point]) -> Mask:
        """The union of filled outlines."""
        mask = Image.new("L", self.size)
        draw = ImageDraw.Draw(mask)
        for outline in outlines:
            draw.polygon([(x * SCALE, y * SCALE) for x, y in outline], fill=255)
        return mask

    def ellipse(self, cx: float, cy: float, rx: float, ry: float, *, turn: float = 0.0) -> Mask:
        """A filled ellipse."""
        return self.polygon(arc(cx, cy, rx, ry, turn=turn))

    def box(self, x0: float, y0: float, x1: float, y1: float, radius: float = 0.0) -> Mask:
        """A rectangle with round corners."""
        mask = Image.new("L", self.size)
        corners = (x0 * SCALE, y0 * SCALE, x1 * SCALE, y1 * SCALE)
        ImageDraw.Draw(mask).rounded_rectangle(corners, radius * SCALE, fill=255)
        return mask

    def stroke(self, line: Sequence[Point], *widths: float, round_ends: bool = True) -> Mask:
        """A brush stroke along ``line``; several ``widths`` are spread along it."""
        outlines = [ribbon(line, widths)]
        if round_ends:
            outlines += [arc(*line[0], widths[0] / 2, widths[0] / 2), arc(*line[-1], widths[-1] / 2, widths[-1] / 2)]
        return self.polygon(*outlines)

    def lines(self, lines: Sequence[Sequence[Point]], width: float) -> Mask:
        """Many thin lines of one width."""
        mask = Image.new("L", self.size)
        draw = ImageDraw.Draw(mask)
        for line in lines:
            draw.line([(x * SCALE, y * SCALE) for x, y in line], 255, max(1, round(width * SCALE)), "curve")
        return mask

    def stitches(self, line: Sequence[Point], *, width: float = 3.0, dash: int = 2) -> Mask:
        """A seam: every second piece of ``dash`` points of ``line``, so that dense lines give short stitches."""
        pieces = [line[i : i + dash + 1] for i in range(0, len(line) - dash, 2 * dash)]
        return self.lines(pieces, width)

    def text(self, x: float, y: float, words: str, size: float, *, turn: float = 0.0, weight: float = 0.0) -> Mask:
        """Lettering centred on a point, turned anti-clockwise by ``turn`` degrees."""
        font = _font(round(size * SCALE))
        thick = round(weight * SCALE)
        left, top, right, bottom = font.getbbox(words, stroke_width=thick)
        label = Image.new("L", (int(right - left) + 4, int(bottom - top) + 4))
        ImageDraw.Draw(label).text((2 - left, 2 - top), words, fill=255, font=font, stroke_width=thick)
        if turn:
            label = label.rotate(turn, Image.Resampling.BICUBIC, expand=True)
        mask = Image.new("L", self.size)
        mask.paste(label, (round(x * SCALE - label.width / 2), round(y * SCALE - label.height / 2)))
        return mask

    # Paint --------------------------------------------------------------------------------------------------------

    def paint(self, mask: Mask, fill: Fill, opacity: float = 1.0) -> Mask:
        """Lay a colour, or an image stretched over the mask's box, through ``mask``; gives the mask back."""
        box = mask.getbbox()
        if box is None:
            return mask
        shape = mask.crop(box)
        if opacity < 1:
            shape = shape.point([round(level * opacity) for level in range(256)])
        if isinstance(fill, Image.Image):
            self.image.paste(fill.convert("RGBA").resize(shape.size, Image.Resampling.BILINEAR), box, shape)
        else:
            self._lay(fill, box, shape)
        return mask

    def shade(self, mask: Mask, *fields: Field) -> None:
        """Lighten and darken what is painted under ``mask`` by the sum of ``fields``, each stretched over its box."""
        box = mask.getbbox()
        if box is None:
            return
        shape = mask.crop(box)
        grid = (max(2, shape.width // GRID), max(2, shape.height // GRID))  # light changes slowly: a coarse sum will do
        total = np.zeros(grid[::-1], dtype=np.float32)
        for field in fields:
            total += np.asarray(Image.fromarray(field).resize(grid, Image.Resampling.BILINEAR))
        for sign, colour, reach in ((1, (255, 255, 255), 0.75), (-1, SHADOW, 0.8)):
            amount = np.clip(total * sign, 0, 1) * (255 * reach)
            if amount.max() < 2:
                continue
            film = Image.fromarray(amount.astype(np.uint8)).resize(shape.size, Image.Resampling.BILINEAR)
            self._lay(colour, box, ImageChops.multiply(film, shape))

    def relief(self, mask: Mask, depth: float = 30.0, strength: float = 0.7, *fields: Field) -> None:
        """Round off a painted part like a cushion, ``depth`` design units from rim to top, and add ``fields``."""
        box = mask.getbbox()
        if box is not None:
            self.shade(mask, relief_field(mask.crop(box), depth * SCALE) * np.float32(strength), *fields)

    def cast(self, mask: Mask, *, dx: float = 6, dy: float = 12, blur: float = 12, opacity: float = 0.5) -> None:
        """The shadow of a part that is still to be painted, on what is painted already."""
        box = mask.getbbox()
        if box is None:
            return
        margin = round(2.5 * blur * SCALE)
        left, top = round(box[0] + dx * SCALE) - margin, round(box[1] + dy * SCALE) - margin
        width, height = box[2] - box[0] + 2 * margin, box[3] - box[1] + 2 * margin
        shadow = Image.new("L", (max(1, width // 4), max(1, height // 4)))
        part = mask.crop(box).resize((max(1, (box[2] - box[0]) // 4), max(1, (box[3] - box[1]) // 4)))
        shadow.paste(part, (margin // 4, margin // 4))
        shadow = shadow.filter(ImageFilter.GaussianBlur(blur * SCALE / 4)).resize((width, height))
        shadow = shadow.point([round(level * opacity) for level in range(256)])
        area = (left, top, left + width, top + height)
        shadow = ImageChops.multiply(shadow, self.image.getchannel("A").crop(area))
        self._lay(SHADOW, area, shadow)

    def cut(self, mask: Mask) -> None:
        """Make a hole."""
        self.image.paste(Image.new("RGBA", self.size), (0, 0), mask)

    def _lay(self, colour: Colour, box: tuple[int, int, int, int], mask: Mask) -> None:
        # Pillow pastes an image through a mask four times as fast as it pastes a colour.
        self.image.paste(Image.new("RGBA", mask.size, (*colour, 255)), box, mask)


def both(a: Mask, b: Mask) -> Mask:
    """Where both masks are: clips a pattern to a part."""
    return ImageChops.multiply(a, b)


def either(*masks: Mask) -> Mask:
    """Where any of the masks is."""
    whole = masks[0]
    for mask in masks[1:]:
        whole = ImageChops.lighter(whole, mask)
    return whole


def without(a: Mask, b: Mask) -> Mask:
    """Where ``a`` is and ``b`` is not."""
    return ImageChops.subtract(a, b)


def gradient(*colours: Colour, sideways: bool = False) -> Image.Image:
    """A fill that runs through ``colours`` from the top down, or from the left to the right."""
    strip = np.array([colours], dtype=np.float32)
    place = np.linspace(0, len(colours) - 1, 96)
    blend = np.stack([np.interp(place, range(len(colours)), strip[0, :, c]) for c in range(3)], axis=-1)
    pixels = np.round(blend).astype(np.uint8)
    return Image.fromarray(pixels[None, :, :] if sideways else pixels[:, None, :])


@lru_cache(maxsize=32)
def _font(pixels: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size=pixels)
