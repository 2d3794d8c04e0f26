"""The record of ``colour-shape``, in a file without numpy and Pillow: looking a product up needs the record only."""

from __future__ import annotations

from math import prod

from image_similarity.types import InputSpec, ModelSpec

SIZE = 96  # pixels a side: eight cells of twelve
CELLS, ORIENTATIONS = 8, 9
COLOUR_BINS = (4, 6, 6)
FIELDS = 4

SPEC = ModelSpec(
    name="colour-shape",
    key="colour-shape",
    dimension=CELLS * CELLS * ORIENTATIONS + prod(COLOUR_BINS) + FIELDS * FIELDS * 4,
    input=InputSpec(SIZE, "pad", "box"),
    preprocessing="CIELAB (D50)",
    weights="none",
    licence="Apache-2.0",
)

_SHAPE, _COLOUR = CELLS * CELLS * ORIENTATIONS, prod(COLOUR_BINS)
COLOUR_SHAPE_PARTS = (
    ("shape", slice(0, _SHAPE)),
    ("colour", slice(_SHAPE, _SHAPE + _COLOUR)),
    ("layout", slice(_SHAPE + _COLOUR, SPEC.dimension)),
)
"""The parts of its vectors, and where they are."""
