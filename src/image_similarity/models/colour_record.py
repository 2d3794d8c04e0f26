"""The record of ``colour``, apart from what computes it: to look a product up takes neither numpy nor Pillow."""

from __future__ import annotations

from math import prod

from image_similarity.types import InputSpec, ModelSpec

SIZE = 128  # pixels a side
BINS = (8, 16, 16)

SPEC = ModelSpec(
    name="colour",
    key="colour",
    dimension=prod(BINS),
    input=InputSpec(SIZE, "pad", "box"),
    preprocessing="CIELAB (D50)",
    weights="none",
    licence="Apache-2.0",
)
