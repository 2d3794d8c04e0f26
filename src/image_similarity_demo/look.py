"""Families of products, their designs, and the look of one product."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from image_similarity_demo.canvas import Canvas
from image_similarity_demo.colours import Palette

View = Literal["front", "back"]
Pose = Literal["standing", "lying"]


@dataclass(frozen=True, slots=True)
class Look:
    """How one product looks. Two products of one design differ only in ``palette``."""

    shape: str
    pattern: str
    palette: Palette
    brand: str
    seed: int

    def rng(self) -> np.random.Generator:
        """Random numbers for creases, splashes and the like: the same for every view and colour of a design."""
        return np.random.default_rng(self.seed)


@dataclass(frozen=True, slots=True)
class Design:
    """One design of a family: a shape with a pattern, sold in ``variants`` of its ``colours``."""

    name: str
    noun: str
    description: str
    price: int
    shape: str
    pattern: str
    colours: tuple[str, ...]
    variants: int = 1


Draw = Callable[[Look, View], Canvas]


@dataclass(frozen=True, slots=True)
class Family:
    """One kind of product, and how the studio takes its image.

    ``pose`` says whether it stands on the table or lies on it, ``lean`` by how many degrees it is turned for the
    image, ``focus`` where a close-up looks, as fractions of the drawing board. ``prefix`` begins the product ids.
    ``has_back``: ``draw`` draws a different back; otherwise the studio mirrors the front, which
    then has no lettering. ``depth`` is how far perspective changes it: a ball stays round.
    """

    name: str
    prefix: str
    department: str
    draw: Draw
    designs: tuple[Design, ...]
    pose: Pose = "standing"
    lean: float = 0.0
    focus: tuple[tuple[float, float], ...] = ((0.5, 0.5),)
    has_back: bool = False
    depth: float = 1.0
