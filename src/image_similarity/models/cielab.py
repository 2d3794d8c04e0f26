"""Perceptual colours: conversion to CIELAB (D50), and colour histograms."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageCms

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

LOW = np.array([0.0, -60.0, -60.0], np.float32)
HIGH = np.array([100.0, 60.0, 60.0], np.float32)
"""The range of lightness and the two colour axes that bins divide; values outside go to the outermost bins."""
EPSILON = 1e-6


def encoded_lab(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Convert RGB bytes ``(h, w, 3)`` to CIELAB in three bytes: L as 0..255, a and b as two's complement."""
    return np.asarray(ImageCms.applyTransform(Image.fromarray(pixels), _transform()))


def decoded_lab(encoded: NDArray[np.uint8]) -> Floats:
    """CIELAB bytes ``(..., 3)`` to L 0..100 and a, b -128..127."""
    lab = np.empty(encoded.shape, np.float32)
    lab[..., 0] = encoded[..., 0] * (100 / 255)
    lab[..., 1:] = encoded[..., 1:].view(np.int8)
    return lab


def histogram(encoded: NDArray[np.uint8], weights: Floats, bins: tuple[int, int, int]) -> Floats:
    """The total weight of each colour bin, ``(product of bins,)``; a colour is shared among the eight nearest bins.

    Args:
        encoded: CIELAB bytes ``(n, 3)``.
        weights: ``(n,)``.
        bins: of lightness, green to red, blue to yellow.
    """
    axes = [(lower[level], upper[level]) for (lower, upper), level in zip(_bin_tables(bins), encoded.T, strict=True)]
    size = int(np.prod(bins))
    counted = np.zeros(size, np.float32)
    corners = [(np.zeros(len(encoded), np.intp), weights)]  # a place among the bins, and the weight that goes there
    for (lower, upper), bins_of_axis in zip(axes, bins, strict=True):
        corners = [
            (place * bins_of_axis + lower + step, weight * (upper if step else 1 - upper))
            for place, weight in corners
            for step in (0, 1)
        ]
    for place, weight in corners:
        counted += count(place, weight, size)
    return counted


@cache
def _bin_tables(bins: tuple[int, int, int]) -> list[tuple[NDArray[np.intp], Floats]]:
    """For each axis and each of its 256 levels: the lower of the two nearest bins, and the share of the upper one."""
    levels = np.arange(256, dtype=np.uint8)
    sides = np.array(bins, np.float32)
    position = (decoded_lab(np.stack([levels] * 3, axis=1)) - LOW) / (HIGH - LOW) * sides - 0.5
    position = np.clip(position, 0, sides - 1 - EPSILON).astype(np.float32)
    lower = np.minimum(position.astype(np.intp), np.array(bins) - 2)
    return list(zip(lower.T.copy(), (position - lower).T.copy(), strict=True))


def count(index: NDArray[np.intp], weights: NDArray[np.floating], length: int) -> Floats:
    """The sum of the weights at each index, ``(length,)``."""
    return np.bincount(index.ravel(), weights.ravel(), length).astype(np.float32)


@cache
def _transform() -> Any:
    return ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
