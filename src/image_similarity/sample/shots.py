"""The studio: a shop's pictures of one product, from the drawing board to a frame with a soft shadow."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import numpy as np
from PIL import Image, ImageChops, ImageFilter

from image_similarity.sample.colours import Colour, Palette, mix
from image_similarity.sample.look import Family, Pose

SQUARE, PORTRAIT, LANDSCAPE = (600, 600), (480, 640), (640, 480)
PAPER: Colour = (255, 255, 255)
SMOOTH = 720
FILL = 0.84  # the part of a frame that a product takes
Corners = Sequence[tuple[float, float]]


def cut_out(board: Image.Image) -> Image.Image:
    """The drawing without its empty rim, with smooth edges, in the size from which most pictures are made."""
    return fit(board.crop(board.getbbox()), (SMOOTH, SMOOTH), fill=1.0)


def front(piece: Image.Image, family: Family, frame: tuple[int, int]) -> Image.Image:
    """The first picture of every product: upright or leaning as its family does, on white."""
    return place(fit(turned(piece, family.lean), frame), frame, family.pose)


def angle(piece: Image.Image, family: Family, frame: tuple[int, int], chance: Random, *, mirrored: bool) -> Image.Image:
    """Seen from one side: foreshortened, the far edge smaller, perhaps from the other side altogether."""
    piece = turned(piece, family.lean)
    piece = piece.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if mirrored else piece
    near, far = chance.uniform(0.0, 0.03), chance.uniform(0.07, 0.13)
    left, right = (near, far) if chance.random() < 0.5 else (far, near)
    squeeze = chance.uniform(0.05, 0.1)
    piece = tilt(piece, ((squeeze, left), (1 - squeeze, right), (1 - squeeze, 1 - right * 0.4), (squeeze, 1 - left * 0.4)))
    if family.pose == "lying":
        piece = turned(piece, chance.uniform(-14, 14))
    return place(fit(piece, frame), frame, family.pose)


def detail(board: Image.Image, family: Family, chance: Random) -> Image.Image:
    """A close-up of about half of the product, at one of the places that its family is proud of."""
    x, y = family.focus[chance.randrange(len(family.focus))]
    x, y = x + chance.uniform(-0.03, 0.03), y + chance.uniform(-0.03, 0.03)
    wanted = (0.48, 0.58) if board.width > 0.7 * board.height else (0.8, 0.95)
    side = min(board.size) * chance.uniform(*wanted)
    wide = side * (1.42 if family.lean else 1.0)
    left = min(max(x * board.width - wide / 2, -wide * 0.2), board.width - wide * 0.8)
    top = min(max(y * board.height - wide / 2, -wide * 0.2), board.height - wide * 0.8)
    crop = board.crop((round(left), round(top), round(left + wide), round(top + wide)))
    if family.lean:
        crop = crop.rotate(family.lean, Image.Resampling.BICUBIC)
        edge = (crop.width - side) / 2
        crop = crop.crop((round(edge), round(edge), round(edge + side), round(edge + side)))
    crop = crop.resize(SQUARE, Image.Resampling.BILINEAR)
    return place(crop, SQUARE, "lying")


def styled(piece: Image.Image, family: Family, palette: Palette, chance: Random) -> Image.Image:
    """The picture for the magazine: on paper of a pale colour, turned a little further."""
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
    picture = Image.new("RGB", frame, paper)
    left, top = (frame[0] - piece.width) // 2, (frame[1] - piece.height) // 2
    shade = mix(paper, (24, 26, 40), 0.82)
    picture.paste(shade, (0, 0), shadow(piece, (left, top), frame, pose))
    picture.paste(piece, (left, top), piece)
    return picture


def shadow(piece: Image.Image, corner: tuple[int, int], frame: tuple[int, int], pose: Pose) -> Image.Image:
    """How dark the ground is, ``L`` of the frame's size: a pool under what stands, a soft rim beside what lies."""
    alpha = piece.getchannel("A")
    small = (frame[0] // 2, frame[1] // 2)
    layers = []
    left, top = corner
    if pose == "standing":
        foot = alpha.crop((0, alpha.height * 3 // 4, alpha.width, alpha.height))
        for high, blur, strength in ((0.09, 9, 0.5), (0.025, 2.5, 0.75)):
            pool = foot.resize((max(1, alpha.width // 2), max(2, round(alpha.width * high / 2))))
            layer = Image.new("L", small)
            layer.paste(pool, (left // 2 + 3, (top + alpha.height) // 2 - pool.height * 2 // 3))
            layers.append(layer.filter(ImageFilter.GaussianBlur(blur)).point(_times(strength)))
    else:
        flat = alpha.resize((max(1, alpha.width // 2), max(1, alpha.height // 2)))
        for shift, blur, strength in ((8, 9, 0.34), (2, 2, 0.34)):
            layer = Image.new("L", small)
            layer.paste(flat, (left // 2 + shift // 2, top // 2 + shift))
            layers.append(layer.filter(ImageFilter.GaussianBlur(blur)).point(_times(strength)))
    return ImageChops.lighter(*layers).resize(frame, Image.Resampling.BILINEAR)


def _times(strength: float) -> list[int]:
    return [round(level * strength) for level in range(256)]
