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
BLUES = int(HIGH[2] - LOW[2]) + 1
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
    light, red, blue = encoded.T
    (dark, lighter), (green, redder) = _bin_tables(bins)[:2]
    place = ((dark * bins[1]).take(light) + green.take(red)) * BLUES + _blue_places().take(blue)
    size = bins[0] * bins[1] * BLUES
    counted = np.zeros(size)
    upper = lighter.take(light) * weights
    for step, share in ((0, weights - upper), (bins[1] * BLUES, upper)):
        redder_share = share * redder.take(red)
        counted += np.bincount(place + step, share - redder_share, size)
        counted += np.bincount(place + (step + BLUES), redder_share, size)
    # Sharing is linear: on the last axis whole numbers are counted, and each is shared once instead of once a pixel.
    shared: Floats = counted.astype(np.float32).reshape(-1, BLUES) @ _blue_shares(bins)
    return shared.ravel()


@cache
def _blue_places() -> NDArray[np.intp]:
    """For each byte of the last axis: its place among the whole numbers that bins divide."""
    places: NDArray[np.intp] = np.clip(np.arange(256, dtype=np.uint8).view(np.int8), LOW[2], HIGH[2]).astype(np.intp)
    return places - int(LOW[2])


@cache
def _blue_shares(bins: tuple[int, int, int]) -> Floats:
    """The share of each of these whole numbers in each bin, ``(BLUES, bins)``."""
    levels = (np.arange(BLUES) + int(LOW[2])).astype(np.int8).view(np.uint8)
    lower, upper = (table.take(levels) for table in _bin_tables(bins)[2])
    shares, row = np.zeros((BLUES, bins[2]), np.float32), np.arange(BLUES)
    shares[row, lower], shares[row, lower + 1] = 1 - upper, upper
    return shares


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
