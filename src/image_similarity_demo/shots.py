"""The studio: a shop's images of one product, from the drawing board to a frame with a soft shadow."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import numpy as np
from PIL import Image, ImageChops, ImageFilter

from image_similarity_demo.colours import Colour, Palette, mix
from image_similarity_demo.look import Family, Pose

SQUARE, PORTRAIT, LANDSCAPE = (600, 600), (480, 640), (640, 480)
PAPER: Colour = (255, 255, 255)
FILL = 0.84  # the part of a frame that a product takes
Corners = Sequence[tuple[float, float]]


def cut_out(board: Image.Image) -> Image.Image:
    """The drawing without its empty rim, with smooth edges, at the size that most shots use.

    Cut-outs have their colours multiplied by their alpha (mode ``RGBa``), as resizing and turning need them.
    """
    return board.crop(board.getbbox()).convert("RGBa").reduce(2)


def front(piece: Image.Image, family: Family, frame: tuple[int, int]) -> Image.Image:
    """The first image of every product: upright or leaning as its family does, on white."""
    return place(fit(turned(piece, family.lean), frame), frame, family.pose)


def angle(piece: Image.Image, family: Family, frame: tuple[int, int], chance: Random, *, mirrored: bool) -> Image.Image:
    """Seen from one side: foreshortened, the far edge smaller; ``mirrored`` shows its other side."""
    piece = turned(piece, family.lean if mirrored else -family.lean)
    piece = fit(piece.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if mirrored else piece, frame, fill=0.92)
    near, far = family.depth * chance.uniform(0.0, 0.03), family.depth * chance.uniform(0.07, 0.13)
    left, right = (near, far) if chance.random() < 0.5 else (far, near)
    squeeze = family.depth * chance.uniform(0.05, 0.1)
    piece = tilt(
        piece, ((squeeze, left), (1 - squeeze, right), (1 - squeeze, 1 - right * 0.4), (squeeze, 1 - left * 0.4))
    )
    piece = turned(piece, chance.uniform(-14, 14) if family.pose == "lying" else 0)
    if not 0.74 < max(piece.width / frame[0], piece.height / frame[1]) < 0.9:
        piece = fit(piece, frame)
    return place(piece, frame, family.pose)


def detail(board: Image.Image, family: Family, chance: Random) -> Image.Image:
    """A close-up of about half of the product, at one of its family's points of interest (``focus``)."""
    x, y = family.focus[chance.randrange(len(family.focus))]
    x, y = x + chance.uniform(-0.03, 0.03), y + chance.uniform(-0.03, 0.03)
    shares = (0.48, 0.58) if board.width > 0.7 * board.height else (0.8, 0.95)
    side = min(board.size) * chance.uniform(*shares)
    wide = side * (1.42 if family.lean else 1.0)
    left = min(max(x * board.width - wide / 2, -wide * 0.2), board.width - wide * 0.8)
    top = min(max(y * board.height - wide / 2, -wide * 0.2), board.height - wide * 0.8)
    crop = board.crop((round(left), round(top), round(left + wide), round(top + wide))).convert("RGBa")
    if family.lean:
        crop = crop.rotate(family.lean, Image.Resampling.BILINEAR)
        edge = (crop.width - side) / 2
        crop = crop.crop((round(edge), round(edge), round(edge + side), round(edge + side)))
    crop = crop.resize(SQUARE, Image.Resampling.BILINEAR)
    return place(crop, SQUARE, "lying")


def styled(piece: Image.Image, family: Family, palette: Palette, chance: Random) -> Image.Image:
    """The image for the magazine: on paper of a pale colour, turned a little further."""
    paper = mix(chance.choice((palette.main, palette.accent, (150, 170, 190))), (255, 255, 255), 0.82)
    turn = chance.uniform(-9, 9) if family.pose == "standing" else family.lean + chance.uniform(20, 60)
    return place(fit(turned(piece, turn), SQUARE, fill=0.7), SQUARE, "lying", paper)


# How a piece gets into its frame ----------------------------------------------------------------------------------


def turned(piece: Image.Image, degrees: float) -> Image.Image:
    """``piece`` without its empty rim, turned anti-clockwise."""
    piece = piece.crop(piece.getbbox())
    if not degrees:
        return piece
    piece = piece.rotate(degrees, Image.Resampling.BILINEAR, expand=True)
    return piece.crop(piece.getbbox())


def fit(piece: Image.Image, frame: tuple[int, int], *, fill: float = FILL) -> Image.Image:
    """``piece`` as large as ``fill`` of the frame allows."""
    scale = min(frame[0] * fill / piece.width, frame[1] * fill / piece.height)
    size = (max(1, round(piece.width * scale)), max(1, round(piece.height * scale)))
    return piece.resize(size, Image.Resampling.HAMMING if scale < 0.9 else Image.Resampling.BICUBIC)


def tilt(piece: Image.Image, corners: Corners) -> Image.Image:
    """``piece`` in perspective: its corners go to ``corners``, clockwise from top left, as fractions of its size."""
    width, height = piece.size
    source = ((0, 0), (width, 0), (width, height), (0, height))
    rows: list[list[float]] = []
    right: list[float] = []
    for (u, v), (fx, fy) in zip(source, corners, strict=True):
        x, y = fx * width, fy * height
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        right += [u, v]
    plan = np.linalg.solve(np.array(rows), np.array(right))
    return piece.transform(piece.size, Image.Transform.PERSPECTIVE, plan.tolist(), Image.Resampling.BILINEAR)


def place(piece: Image.Image, frame: tuple[int, int], pose: Pose, paper: Colour = PAPER) -> Image.Image:
    """``piece`` in the middle of a frame of plain paper, with its shadow."""
    image = Image.new("RGB", frame, paper)
    left, top = (frame[0] - piece.width) // 2, (frame[1] - piece.height) // 2
    shade = mix(paper, (24, 26, 40), 0.82)
    image.paste(Image.new("RGB", frame, shade), (0, 0), shadow(piece, (left, top), frame, pose))
    paste(image, piece, (left, top))
    return image


def paste(image: Image.Image, piece: Image.Image, corner: tuple[int, int]) -> None:
    """Paste a cut-out onto ``image``."""
    piece = piece.convert("RGBA")
    image.paste(piece, corner, piece)


def shadow(piece: Image.Image, corner: tuple[int, int], frame: tuple[int, int], pose: Pose) -> Image.Image:
    """How dark the ground is, ``L`` of the frame's size: a pool under what stands, a soft rim beside what lies."""
    alpha = piece.getchannel(3)
    small = (frame[0] // 4, frame[1] // 4)  # shadows are soft: a quarter of the size will do
    layers = []
    left, top, width = corner[0] / 4, corner[1] / 4, max(1, alpha.width // 4)
    if pose == "standing":
        foot = alpha.crop((0, alpha.height * 3 // 4, alpha.width, alpha.height))
        for high, blur, strength in ((0.09, 4.5, 0.5), (0.025, 1.3, 0.75)):
            pool = foot.resize((width, max(2, round(alpha.height * high / 4))))
            layer = Image.new("L", small)
            layer.paste(pool, (round(left + 1), round(top + alpha.height / 4 - pool.height * 0.6)))
            layers.append(layer.filter(ImageFilter.GaussianBlur(blur)).point(_times(strength)))
    else:
        flat = alpha.resize((width, max(1, alpha.height // 4)))
        for shift, blur, strength in ((2.4, 4.5, 0.36), (0.6, 1.0, 0.34)):
            layer = Image.new("L", small)
            layer.paste(flat, (round(left + shift * 0.6), round(top + shift)))
            layers.append(layer.filter(ImageFilter.GaussianBlur(blur)).point(_times(strength)))
    return ImageChops.lighter(*layers).resize(frame, Image.Resampling.BILINEAR)


def _times(strength: float) -> list[int]:
    return [round(level * strength) for level in range(256)]
