"""Users' photos: a product where it is used, taken in haste with a phone."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from image_similarity_demo.clutter import hand
from image_similarity_demo.look import Family
from image_similarity_demo.scenes import noise, scene
from image_similarity_demo.shots import fit, paste, shadow, tilt, turned

Rng = np.random.Generator
SIZES = ((480, 640), (640, 480), (540, 540))
QUALITY = 70


def take_photo(piece: Image.Image, family: Family, ground: str, rng: Rng) -> Image.Image:
    """One photo of the product cut out as ``piece``, on a ground of ``scenes.GROUNDS``."""
    size = SIZES[int(rng.integers(0, len(SIZES)))]
    upright = family.pose == "standing" and rng.random() < 0.6
    picture = scene(ground, size, rng, wall=upright)
    piece = _posed(piece, family, size, rng, upright=upright)
    held = rng.random() < 0.25
    left = int((size[0] - piece.width) * (rng.uniform(0.5, 0.6) if held else rng.uniform(0.3, 0.7)))
    low = rng.uniform(0.72, 0.95) if upright else rng.uniform(0.3, 0.7)
    top = int((size[1] - piece.height) * low)
    dark = shadow(piece, (left, top), size, "standing" if upright else "lying")
    dark = dark.point([min(255, round(level * 1.5)) for level in range(256)])
    picture.paste(Image.new("RGB", size, (10, 10, 16)), (0, 0), dark)
    paste(picture, piece, (left, top))
    if held:
        fingers = hand(size, rng)
        picture.paste(fingers, (0, 0), fingers)
    return _through_lens(picture, rng)


def _posed(piece: Image.Image, family: Family, size: tuple[int, int], rng: Rng, *, upright: bool) -> Image.Image:
    """The product in perspective: nearly straight when it stands, any way round when it was put down flat."""
    if upright:
        degrees = rng.uniform(-2, 2)
    elif family.pose == "lying":
        degrees = family.lean + rng.choice((-1.0, 1.0)) * rng.uniform(5, 35)
    else:
        degrees = rng.uniform(-28, 28)
    piece = turned(piece, float(degrees))
    depth = family.depth * (0.6 if upright else 1.0)
    near = rng.uniform(0.0, 0.04, 4) * depth
    far, side = rng.uniform(0.05, 0.16) * depth, rng.uniform(-0.1, 0.1) * depth
    corners = (
        (far + near[0], max(side, 0.0)),
        (1 - far - near[1], max(-side, 0.0)),
        (1 - near[2], 1 - max(-side, 0.0) * 0.3),
        (near[3], 1 - max(side, 0.0) * 0.3),
    )
    return fit(
        tilt(piece, corners), size, fill=float(rng.uniform(0.8, 0.96) if family.lean else rng.uniform(0.66, 0.84))
    )


def _through_lens(picture: Image.Image, rng: Rng) -> Image.Image:
    """Uneven light, somebody's shadow, a colour cast, little contrast, blur and noise."""
    size = picture.size
    if rng.random() < 0.4:
        picture = _overshadowed(picture, rng)
    picture = picture.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.3, 1.1))))
    pixels = np.asarray(picture, dtype=np.float32)
    slope = np.linspace(-1, 1, size[0], dtype=np.float32)[None, :, None] * rng.uniform(-0.18, 0.18)
    slope = slope + np.linspace(-1, 1, size[1], dtype=np.float32)[:, None, None] * rng.uniform(-0.18, 0.12)
    light = rng.uniform(0.82, 1.08) * (1 + slope + 0.1 * noise(size, rng, (200, 200)))
    warmth = rng.uniform(-0.09, 0.12)
    cast = np.array([1 + warmth, 1 + rng.uniform(-0.02, 0.03), 1 - warmth], dtype=np.float32)
    values = 128 + (pixels * light * cast - 128) * rng.uniform(0.85, 1.02) + rng.uniform(-4, 8)
    values += rng.normal(0, rng.uniform(2.0, 4.5), (*pixels.shape[:2], 1))
    return Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))


def _overshadowed(picture: Image.Image, rng: Rng) -> Image.Image:
    """The soft shadow of the person with the phone: a head and shoulders from below."""
    width, height = picture.size
    x, reach = width * rng.uniform(0.2, 0.8), height * rng.uniform(0.35, 0.6)
    mask = Image.new("L", (width // 4, height // 4))
    draw = ImageDraw.Draw(mask)
    cx, top, head = x / 4, (height - reach) / 4, width / 26
    draw.ellipse((cx - head, top, cx + head, top + 2.6 * head), fill=110)
    draw.rounded_rectangle((cx - 2.6 * head, top + 2.5 * head, cx + 2.6 * head, height), head, fill=110)
    mask = mask.filter(ImageFilter.GaussianBlur(5)).resize(picture.size, Image.Resampling.BILINEAR)
    picture.paste(Image.new("RGB", picture.size, (12, 14, 24)), (0, 0), mask)
    return picture
