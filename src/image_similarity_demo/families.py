"""All families of products. A new family is one file with a ``FAMILY``, and one line here."""

from __future__ import annotations

from image_similarity_demo import (
    bags,
    balls,
    bottles,
    caps,
    helmets,
    mats,
    rackets,
    shirts,
    skates,
    sticks,
    weights,
)

FAMILIES = (
    sticks.FAMILY,
    balls.FAMILY,
    bottles.FAMILY,
    bags.FAMILY,
    shirts.FAMILY,
    skates.FAMILY,
    helmets.FAMILY,
    mats.FAMILY,
    rackets.FAMILY,
    caps.FAMILY,
    weights.FAMILY,
)
