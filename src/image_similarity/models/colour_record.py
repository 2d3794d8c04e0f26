"""The record of ``colour``, in a file without numpy and Pillow: looking a product up needs the record only."""

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
