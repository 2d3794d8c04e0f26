"""The stock of the shop: which designs come in which colours this time, what they are called and what they cost."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from image_similarity_demo.colours import PALETTES
from image_similarity_demo.families import FAMILIES
from image_similarity_demo.logos import BRANDS
from image_similarity_demo.look import Family, Look


@dataclass(frozen=True, slots=True)
class Article:
    """One product of the shop: how it looks, and what stands in its row of ``products.csv``."""

    product_id: str
    family: Family
    look: Look
    title: str
    description: str
    price: str


def stock(seed: int, families: Sequence[Family] = FAMILIES) -> list[Article]:
    """Every product of the shop of ``seed``: the same designs, in other colours and of other brands."""
    return [article for family in families for article in _family(seed, family)]


def chance(seed: int, *names: str) -> Random:
    """A random generator that depends only on ``seed`` and ``names``, on every machine."""
    return Random(number(seed, *names))  # noqa: S311 - drawn, not kept secret


def number(seed: int, *names: str) -> int:
    """A number of 32 bits from ``seed`` and ``names``; ``hash()`` would differ from run to run."""
    return int.from_bytes(hashlib.blake2b("/".join((str(seed), *names)).encode(), digest_size=4).digest(), "big")


def _family(seed: int, family: Family) -> list[Article]:
    articles: list[Article] = []
    for design in family.designs:
        draw = chance(seed, family.name, design.name)
        brand = draw.choice(BRANDS)
        for colour in draw.sample(design.colours, design.variants):
            look = Look(design.shape, design.pattern, PALETTES[colour], brand, number(seed, family.name, design.name))
            articles.append(
                Article(
                    product_id=f"{family.prefix}{len(articles) + 1:02d}",
                    family=family,
                    look=look,
                    title=f"{brand} {design.name} {design.noun}, {colour}",
                    description=f"{design.description} Here in {colour}.",
                    price=f"{design.price - 0.05:.2f}",
                )
            )
    return articles
