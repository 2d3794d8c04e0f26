"""The colours of the shop: named palettes of a main colour, an accent and a trim that go together."""

from __future__ import annotations

from dataclasses import dataclass

Colour = tuple[int, int, int]

WHITE: Colour = (250, 250, 250)
BLACK: Colour = (28, 29, 34)
STEEL: Colour = (186, 192, 200)
RUBBER: Colour = (44, 45, 50)
WOOD: Colour = (205, 165, 115)


@dataclass(frozen=True, slots=True)
class Palette:
    """The colours of one product. ``name`` is what the shop calls them."""

    name: str
    main: Colour
    accent: Colour
    trim: Colour


PALETTES = {
    palette.name: palette
    for palette in (
        Palette("crimson", (203, 32, 49), (250, 240, 230), (52, 20, 28)),
        Palette("royal blue", (32, 82, 190), (245, 205, 66), (18, 32, 78)),
        Palette("forest green", (28, 105, 70), (238, 226, 186), (16, 48, 38)),
        Palette("sunflower", (247, 190, 36), (38, 42, 52), (196, 120, 16)),
        Palette("tangerine", (243, 112, 33), (252, 243, 226), (60, 42, 44)),
        Palette("violet", (112, 62, 168), (244, 180, 62), (48, 28, 84)),
        Palette("teal", (14, 140, 146), (250, 226, 204), (10, 62, 74)),
        Palette("rose", (236, 112, 146), (255, 244, 240), (140, 44, 84)),
        Palette("graphite", (64, 68, 78), (120, 214, 70), (30, 32, 38)),
        Palette("white", (238, 240, 243), (214, 40, 58), (40, 56, 98)),
        Palette("sky blue", (104, 180, 232), (255, 255, 255), (24, 66, 124)),
        Palette("lime", (158, 206, 44), (34, 60, 50), (88, 128, 24)),
        Palette("navy", (30, 44, 88), (240, 84, 74), (16, 22, 48)),
        Palette("sand", (220, 196, 158), (126, 66, 44), (110, 86, 62)),
        Palette("burgundy", (118, 26, 56), (232, 190, 120), (58, 12, 30)),
        Palette("mint", (150, 218, 190), (34, 84, 96), (70, 142, 124)),
        Palette("black", (44, 46, 52), (226, 52, 62), (24, 25, 29)),
    )
}


def mix(a: Colour, b: Colour, t: float) -> Colour:
    """``a`` at ``t`` 0, ``b`` at ``t`` 1, and what lies between."""
    return (round(a[0] + (b[0] - a[0]) * t), round(a[1] + (b[1] - a[1]) * t), round(a[2] + (b[2] - a[2]) * t))


def darker(colour: Colour, t: float = 0.3) -> Colour:
    """``colour`` mixed with a blue-black, which looks cleaner in shadow than pure black."""
    return mix(colour, (16, 16, 28), t)


def lighter(colour: Colour, t: float = 0.3) -> Colour:
    """``colour`` mixed with white."""
    return mix(colour, (255, 255, 255), t)


def on(colour: Colour, palette: Palette) -> Colour:
    """A colour of the palette that can be read on ``colour``: for marks and lettering."""
    candidates = (palette.accent, WHITE, BLACK)
    return max(candidates, key=lambda other: _contrast(colour, other))


def _contrast(a: Colour, b: Colour) -> float:
    light_a, light_b = (0.3 * c[0] + 0.59 * c[1] + 0.11 * c[2] for c in (a, b))
    return abs(light_a - light_b)
