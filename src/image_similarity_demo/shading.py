"""Light on a form: arrays of -1 (dark) to 1 (light) that a canvas stretches over a part. Light comes from top left."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

Field = NDArray[np.float32]


def cylinder(gloss: float = 0.5, *, lying: bool = False) -> Field:
    """An upright cylinder: one highlight left of the middle, dark flanks, a little light coming round the right."""
    x = np.linspace(-1, 1, 160, dtype=np.float32)
    body = 0.18 - 0.62 * np.abs(x + 0.12) ** 2.6
    shine = gloss * (np.exp(-(((x + 0.48) / 0.13) ** 2)) + 0.45 * np.exp(-(((x - 0.74) / 0.08) ** 2)))
    field = np.asarray((body + shine)[None, :], dtype=np.float32)
    return field.T.copy() if lying else field


def dome(gloss: float = 0.5) -> Field:
    """A ball: for helmets, caps and pom-poms too."""
    side = np.linspace(-1, 1, 96, dtype=np.float32)
    x, y = np.meshgrid(side, side)
    z = np.sqrt(np.clip(1.06 - x * x - y * y, 0, None))
    light = -0.45 * x - 0.62 * y + 0.64 * z
    shine = gloss * np.exp(-(((x + 0.36) ** 2 + (y + 0.5) ** 2) / 0.045))
    return np.asarray((light - 0.52) * 0.85 + shine, dtype=np.float32)


def fall(top: float = 0.2, bottom: float = -0.3, *, sideways: bool = False) -> Field:
    """A plain change of light from the top to the bottom, or from left to right."""
    field = np.linspace(top, bottom, 64, dtype=np.float32)[:, None]
    return field.T.copy() if sideways else field


def relief(mask: Image.Image, depth: float) -> Field:
    """The light on a cushion of this outline: its height is the blurred mask, ``depth`` pixels from rim to top."""
    small = mask.reduce(4)
    margin = max(2, int(depth / 2))
    padded = Image.new("L", (small.width + 2 * margin, small.height + 2 * margin))
    padded.paste(small, (margin, margin))
    height = np.asarray(padded.filter(ImageFilter.GaussianBlur(depth / 4)), dtype=np.float32) / np.float32(255)
    light = slope(height) * np.float32(depth / 4 * 1.6)
    return np.asarray(np.clip(light[margin:-margin, margin:-margin], -1, 1), dtype=np.float32)


def slope(height: Field) -> Field:
    """How far a surface of this ``height`` turns towards the light, for each pixel."""
    down, across = (np.asarray(change, dtype=np.float32) for change in np.gradient(height))
    return across * np.float32(0.6) + down * np.float32(0.8)


def folds(rng: np.random.Generator, *, count: int = 9, lean: float = 0.35) -> Field:
    """Soft creases of cloth: smooth waves that lean, fade and meet."""
    side = np.linspace(0, 1, 96, dtype=np.float32)
    x, y = np.meshgrid(side, side)
    field = np.zeros((96, 96), dtype=np.float32)
    for _ in range(count):
        angle = rng.uniform(-lean, lean) + np.pi / 2 * (rng.random() < 0.2)
        u = (x - rng.random()) * np.cos(angle) + (y - rng.random()) * np.sin(angle)
        v = (y - rng.uniform(0.2, 1.0)) * np.cos(angle) - (x - 0.5) * np.sin(angle)
        width = rng.uniform(0.02, 0.06)
        field += np.sign(rng.random() - 0.5) * (u / width) * np.exp(-((u / width) ** 2)) * np.exp(-((v / 0.35) ** 2))
    return np.asarray(np.clip(field, -1.2, 1.2) * 0.55, dtype=np.float32)


def grain(rng: np.random.Generator, width: int, height: int, *, stretch: tuple[int, int] = (1, 1)) -> Field:
    """Fine noise of mean 0 and deviation 0.4, drawn out by ``stretch`` (across, down): fabric, foam, brushed steel."""
    small = rng.normal(0, 0.4, (max(2, height // stretch[1]), max(2, width // stretch[0])))
    return small.astype(np.float32)
