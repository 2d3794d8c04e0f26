"""Simulate a customer's phone photo of the product on a catalogue image, reproducibly from a seed.

Simulated photos test robustness to another background, other light and a poorer lens, for catalogues without photos
from customers. They do not replace real photos: use those where there are any.
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageFilter

from image_similarity.images.backgrounds import draw_background
from image_similarity.images.cutout import cutout
from image_similarity.images.thumbnails import shrunk

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Rng = np.random.Generator
    Points = NDArray[np.float64]

ASPECT_RATIOS = ((3, 4), (3, 4), (1, 1), (9, 16))  # shorter to longer side
SAME_ORIENTATION = 0.8  # share of the photos that are portrait or landscape as the product is
GAMMA = 1 / 2.2  # light to grey levels


@dataclass(frozen=True, slots=True)
class PhotoOptions:
    """How hard the photos are. Each number is the maximum of a random choice; a pair is its range."""

    side: int = 512
    """The photo's longer side, in pixels."""
    fill: tuple[float, float] = (0.55, 0.95)
    """Size of the product, as a share of the frame's side in the same direction."""
    crop: tuple[float, float] = (1.1, 1.4)
    """Scale relative to the frame of an image from which no product could be cut out."""
    turn: float = 12.0
    """Rotation, in degrees."""
    tilt: float = 0.1
    """Perspective: how far each corner moves, as a share of the product's side."""
    offset: float = 0.5
    """Distance from the centre, as a share of the free space."""
    objects: tuple[int, int] = (1, 6)
    """Number of objects in the background."""
    exposure: float = 0.9
    """Stops, up or down."""
    warmth: float = 0.13
    """White balance: gain of red against blue, up or down, as a share."""
    gamma: float = 0.2
    """Contrast: an exponent between 1 / (1 + gamma) and 1 + gamma."""
    falloff: float = 0.35
    """How much darker one side of the photo is."""
    blur: float = 1.6
    """In pixels: a Gaussian's standard deviation, or a third of the length of motion blur."""
    noise: float = 7.0
    """Standard deviation, in grey levels."""
    quality: tuple[int, int] = (40, 88)
    """JPEG quality."""


STANDARD = PhotoOptions()


def simulated_photo(image: Image.Image, seed: int, options: PhotoOptions = STANDARD) -> Image.Image:
    """Cut out the product, place it on a background, apply perspective, light, blur, noise and JPEG compression.

    An image without a light and even background is used whole, scaled larger than the frame.

    Args:
        image: upright RGB, of any size; or RGBA, with the product's mask as alpha.
        seed: 0 or more; the same image, seed and options give the same photo.
        options: how hard the photo is.

    Returns:
        RGB, ``options.side`` pixels along its longer side.
    """
    rng = np.random.default_rng(seed)
    image = shrunk(image, options.side * 3 // 2, Image.Resampling.BOX)
    product = image.crop(image.getbbox()) if image.mode == "RGBA" else cutout(image)
    if product is None:
        photo = _scene(image, options, rng)
    else:
        short, long = ASPECT_RATIOS[int(rng.integers(len(ASPECT_RATIOS)))]
        upright = (product.height >= product.width) == (rng.random() < SAME_ORIENTATION)
        sides = max(1, round(options.side * short / long)), options.side
        frame = sides if upright else sides[::-1]
        photo = draw_background(frame, int(rng.integers(options.objects[0], options.objects[1] + 1)), rng)
        _paste(product, photo, options, rng)
    return _compressed(_with_blur_and_noise(_lit(photo, options, rng), options, rng), options, rng)


def _paste(product: Image.Image, photo: Image.Image, options: PhotoOptions, rng: Rng) -> None:
    """Paste the product onto the background, rotated and tilted, with a soft shadow."""
    room = np.array(photo.size) * rng.uniform(*options.fill)
    size = np.array(product.size) * (room / product.size).min()
    warped = _warped(product, size, photo.size, options, rng)
    alpha = warped.getchannel("A")
    length = max(photo.size)
    dark = alpha.filter(ImageFilter.GaussianBlur(length * rng.uniform(0.008, 0.03)))
    strength = rng.uniform(0.25, 0.65)
    shadow = dark.point([int(level * strength) for level in range(256)])
    dx, dy = (round(length * each) for each in rng.uniform(-0.015, 0.02, 2))
    photo.paste((10, 10, 14), (dx, dy), shadow)
    photo.paste(warped.convert("RGB"), (0, 0), alpha)


def _scene(image: Image.Image, options: PhotoOptions, rng: Rng) -> Image.Image:
    """The whole image, larger than the frame, rotated and tilted; free areas have its mean colour."""
    scale = options.side / max(image.size)
    frame = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    size = np.array(frame) * rng.uniform(*options.crop)
    warped = _warped(image.convert("RGBA"), size, frame, options, rng)
    red, green, blue = (int(level) for level in np.asarray(image).reshape(-1, 3).mean(axis=0))
    photo = Image.new("RGB", frame, (red, green, blue))
    photo.paste(warped.convert("RGB"), (0, 0), warped.getchannel("A"))
    return photo


def _warped(image: Image.Image, size: Points, frame: tuple[int, int], options: PhotoOptions, rng: Rng) -> Image.Image:
    """Resize the image to ``size`` and move its four corners at random; returns ``RGBA`` of the frame's size."""
    width, height = (max(1, round(float(side))) for side in size)
    image = image.resize((width, height), Image.Resampling.LANCZOS)
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float64)
    middle = np.array([width, height]) / 2
    turn = math.radians(rng.uniform(-options.turn, options.turn))
    turned = (corners - middle) @ np.array([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]])
    moved = turned + rng.uniform(-options.tilt, options.tilt, (4, 2)) * (width, height)
    free = np.abs(np.array(frame) - size) / 2
    target = moved + np.array(frame) / 2 + rng.uniform(-options.offset, options.offset, 2) * free
    coefficients = _perspective(target, corners)
    return image.transform(frame, Image.Transform.PERSPECTIVE, coefficients, Image.Resampling.BILINEAR)


def _perspective(places: Points, sources: Points) -> list[float]:
    """The eight coefficients of Pillow's perspective transform, from four pairs of points ``(4, 2)``."""
    rows = []
    for (x, y), (u, v) in zip(places, sources, strict=True):
        rows.append([x, y, 1, 0, 0, 0, -u * x, -u * y])
        rows.append([0, 0, 0, x, y, 1, -v * x, -v * y])
    solved: list[float] = np.linalg.solve(np.array(rows), sources.ravel()).tolist()
    return solved


def _lit(photo: Image.Image, options: PhotoOptions, rng: Rng) -> Image.Image:
    """Apply exposure, white balance, contrast, and light from one side."""
    width, height = photo.size
    angle = rng.uniform(0, 2 * math.pi)
    across, down = np.linspace(-0.5, 0.5, width), np.linspace(-0.5, 0.5, height)
    side = math.cos(angle) * across + math.sin(angle) * down[:, None]
    light = 1 - options.falloff * rng.random() * (side + 0.5)
    warmth = 1 + rng.uniform(-options.warmth, options.warmth)
    balance = np.array([warmth, 1 + rng.uniform(-0.3, 0.3) * options.warmth, 1 / warmth])
    gain = 2 ** (rng.uniform(-options.exposure, options.exposure) * GAMMA)
    contrast = (1 + options.gamma) ** rng.uniform(-1, 1)
    curve = ((np.arange(256) / 255) ** contrast * 255).astype(np.float32)
    lit = curve[np.asarray(photo)] * (light[..., None] * balance * gain).astype(np.float32)
    return Image.fromarray(np.clip(lit, 0, 255).astype(np.uint8))


def _with_blur_and_noise(photo: Image.Image, options: PhotoOptions, rng: Rng) -> Image.Image:
    """Apply defocus or motion blur, then sensor noise."""
    blur = options.blur * rng.random()
    if rng.random() < 0.5:
        blurred = np.asarray(photo.filter(ImageFilter.GaussianBlur(blur))).astype(np.float32)
    else:
        blurred = _motion_blur(photo, 3 * blur, rng.uniform(0, math.pi))
    strength = options.noise * rng.random()
    grey = strength * rng.standard_normal((*blurred.shape[:2], 1), np.float32)
    noise = rng.standard_normal(blurred.shape, np.float32)
    noise *= strength / 3
    noise += grey
    noise += blurred
    return Image.fromarray(np.clip(noise, 0, 255, out=noise).astype(np.uint8))


def _motion_blur(photo: Image.Image, length: float, angle: float) -> NDArray[np.float32]:
    """The mean of the photo along a straight line of ``length`` pixels: ``(height, width, 3)``."""
    steps = np.linspace(-length / 2, length / 2, max(2, math.ceil(length) + 1))
    total = np.zeros((photo.height, photo.width, 3), np.float32)
    width, height = photo.size
    for step in steps:
        dx, dy = math.cos(angle) * step, math.sin(angle) * step
        # The box stays inside the photo, so that no black is blended in.
        box = (max(dx, 0.0), max(dy, 0.0), width + min(dx, 0.0), height + min(dy, 0.0))
        moved = photo.transform(photo.size, Image.Transform.EXTENT, box, Image.Resampling.BILINEAR)
        total += np.asarray(moved)
    total /= len(steps)
    return total


def _compressed(photo: Image.Image, options: PhotoOptions, rng: Rng) -> Image.Image:
    file = io.BytesIO()
    photo.save(file, "JPEG", quality=int(rng.integers(options.quality[0], options.quality[1] + 1)))
    with Image.open(file, formats=("JPEG",)) as opened:
        return opened.convert("RGB")
