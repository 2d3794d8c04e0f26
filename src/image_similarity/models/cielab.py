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


def cielab(pixels: NDArray[np.uint8]) -> Floats:
    """Convert RGB bytes ``(h, w, 3)`` to L 0..100 and a, b -128..127."""
    converted = ImageCms.applyTransform(Image.fromarray(pixels), _transform())
    encoded = np.asarray(converted)
    lab = np.empty(encoded.shape, np.float32)
    lab[..., 0] = encoded[..., 0] * (100 / 255)
    lab[..., 1:] = encoded[..., 1:].view(np.int8)
    return lab


def histogram(lab: Floats, weights: Floats, bins: tuple[int, int, int]) -> Floats:
    """The total weight of each colour bin, ``(product of bins,)``; a colour is shared among the eight nearest bins.

    Args:
        lab: ``(n, 3)``.
        weights: ``(n,)``.
        bins: of lightness, green to red, blue to yellow.
    """
    sides = np.array(bins, np.float32)
    position = (lab - LOW) / (HIGH - LOW) * sides - 0.5
    position = np.clip(position, 0, sides - 1 - EPSILON).astype(np.float32)
    lower = np.minimum(position.astype(np.intp), np.array(bins) - 2)
    upper_share = position - lower
    counted = np.zeros(int(np.prod(bins)), np.float32)
    shares = (1 - upper_share, upper_share)
    for corner in np.ndindex(2, 2, 2):
        light, green_red, blue_yellow = (lower[..., axis] + step for axis, step in enumerate(corner))
        share = weights.copy()
        for axis, step in enumerate(corner):
            share *= shares[step][..., axis]
        counted += count((light * bins[1] + green_red) * bins[2] + blue_yellow, share, len(counted))
    return counted


def count(index: NDArray[np.intp], weights: NDArray[np.floating], length: int) -> Floats:
    """The sum of the weights at each index, ``(length,)``."""
    return np.bincount(index.ravel(), weights.ravel(), length).astype(np.float32)


@cache
def _transform() -> Any:
    return ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
