"""A seeded catalogue of any size to measure on: vectors like those of photos, queries, and attributes to filter by.

A row is a point of a cluster in a space of 32 dimensions, pushed through one smooth map (a layer of tanh) into the
wanted dimension, with a little noise, of unit length and rounded to float16. Clusters have sizes, spreads and shapes
of their own, so that some neighbourhoods are crowded and flat and others wide and round. Row ``i`` is the same whatever
the number of rows. No photo, network or download is needed; a million rows of 512 take a quarter of a minute.

What it was set by: the features of MobileNetV2 for 709 photos of 172 products have, by their 20 nearest neighbours, an
intrinsic dimension of 9.4 (Levina and Bickel) and 6.3 (TwoNN), of 9.9 and 15.0 with one photo a product; the median
cosine of a photo and its nearest is 0.94, its tenth 0.88, any other 0.72. This generator, by
``python bench/vectors.py ROWS``: 11.3 and 8.0 for 709 rows (cosines 0.88, 0.81, 0.64), 10.6 and 17.5 for 100,000 (0.96,
0.94, 0.64), 15.9 and 20.5 for a million: nearer than that the noise, which has every dimension, begins to tell.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

LATENT, CLUSTERS, DEPARTMENTS, BRANDS = 32, 1000, 20, 1000
BLOCK = 16_384  # rows drawn at a time: 100 MB a thread
NOISE = 0.05  # length of the part that no cluster explains, beside a whole of 1
ROWS, QUERIES = 1, 2  # streams of chance: what is searched, and what is asked

Vectors = NDArray[np.float16]
Attributes = Mapping[str, NDArray]


@dataclass(frozen=True)
class Catalogue:
    """What one bench runs on. ``vectors`` is a memory map; nothing of it is in memory until it is read."""

    vectors: Vectors  # (rows, dimension), unit length
    attributes: Attributes  # department (text), brand (text), price (float), in_stock (bool): (rows,) each
    queries: NDArray[np.float32]  # (queries, dimension), exact in float16 too; none of them is a row


class Shop:
    """The law that rows are drawn by: the clusters, and the map from the latent space."""

    def __init__(self, dimension: int, seed: int) -> None:
        chance = np.random.default_rng([seed, 0])
        self.dimension, self.seed = dimension, seed
        departments = chance.normal(0, 0.5, (DEPARTMENTS, LATENT))
        self.department = _skewed(chance, DEPARTMENTS, CLUSTERS, 0.8)
        self.centre = (departments[self.department] + chance.normal(0, 0.5, (CLUSTERS, LATENT))).astype(np.float32)
        shape = np.arange(1, LATENT + 1) ** -0.6 * chance.lognormal(0.4, 0.25, (CLUSTERS, 1))
        self.spread = chance.permuted(shape, axis=1).astype(np.float32)  # each cluster wide in directions of its own
        share = chance.pareto(1.5, CLUSTERS).clip(0, 12) + 0.3
        self.share = np.cumsum(share / share.sum())
        self.map = chance.normal(0, LATENT**-0.5, (LATENT, dimension)).astype(np.float32)
        self.shift = chance.normal(0, 1.2, dimension).astype(np.float32)
        self.brands = _skewed(chance, BRANDS, (CLUSTERS, 8), 0.5)
        self.price = chance.lognormal(3.4, 0.7, CLUSTERS)

    def chance(self, stream: int, block: int) -> np.random.Generator:
        """The chance of one block of rows, and of no other."""
        return np.random.Generator(np.random.SFC64([self.seed, stream, block]))

    def clusters(self, chance: np.random.Generator, rows: int) -> NDArray[np.intp]:
        """The cluster of each row of a block."""
        return np.searchsorted(self.share, chance.random(rows), side="right").clip(0, CLUSTERS - 1)

    def vectors(self, stream: int, block: int) -> Vectors:
        """``BLOCK`` unit vectors."""
        chance = self.chance(stream, block)
        cluster = self.clusters(chance, BLOCK)
        latent = chance.standard_normal((BLOCK, LATENT), np.float32) * self.spread[cluster] + self.centre[cluster]
        wide = np.tanh(latent @ self.map + self.shift)
        noise = chance.standard_normal(wide.shape, np.float32)
        noise *= NOISE * np.linalg.norm(wide, axis=1, keepdims=True) / self.dimension**0.5
        wide += noise
        wide /= np.linalg.norm(wide, axis=1, keepdims=True)
        return wide.astype(np.float16)

    def attributes(self, block: int) -> Attributes:
        """What is known of the rows of a block. Three of four follow from the cluster, mostly."""
        cluster = self.clusters(self.chance(ROWS, block), BLOCK)  # the same draw as that of the vectors
        chance = self.chance(-1 & 0xFFFF, block)
        moved = chance.random(BLOCK) < 0.05  # put into a department by somebody else
        department = np.where(moved, _skewed(chance, DEPARTMENTS, BLOCK, 0.8), self.department[cluster])
        brand = self.brands[cluster, _skewed(chance, self.brands.shape[1], BLOCK, 0.7)]
        price = self.price[cluster] * chance.lognormal(0, 0.4, BLOCK)
        return {
            "department": _names("department", DEPARTMENTS)[department],
            "brand": _names("brand", BRANDS)[brand],
            "price": np.round(price, 2),
            "in_stock": chance.random(BLOCK) < 0.6,
        }


def catalogue(folder: Path, rows: int, dimension: int = 512, queries: int = 1000, *, seed: int = 7) -> Catalogue:
    """Draw a catalogue; its vectors are written to ``folder/vectors.npy`` block by block."""
    shop = Shop(dimension, seed)
    path = folder / "vectors.npy"
    vectors = np.lib.format.open_memmap(path, "w+", np.float16, (rows, dimension))

    def draw(block: int) -> None:
        piece = vectors[block * BLOCK : (block + 1) * BLOCK]
        piece[:] = shop.vectors(ROWS, block)[: len(piece)]

    blocks = -(-rows // BLOCK)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(draw, range(blocks)))
    vectors.flush()
    parts = [shop.attributes(block) for block in range(blocks)]
    attributes = {name: np.concatenate([part[name] for part in parts])[:rows] for name in parts[0]}
    asked = np.concatenate([shop.vectors(QUERIES, block) for block in range(-(-queries // BLOCK))])[:queries]
    return Catalogue(np.load(path, mmap_mode="r"), attributes, asked.astype(np.float32))


def _skewed(
    chance: np.random.Generator, values: int, shape: int | tuple[int, ...], steepness: float
) -> NDArray[np.intp]:
    """Numbers below ``values``, the small ones more often."""
    weight = np.cumsum(np.arange(1, values + 1) ** -steepness)
    return np.searchsorted(weight / weight[-1], chance.random(shape), side="right").clip(0, values - 1)


def _names(word: str, number: int) -> NDArray[np.str_]:
    return np.array([f"{word}-{i}" for i in range(number)])


def main() -> None:
    """Say how long a catalogue takes to draw and how like photos it is."""
    from tempfile import TemporaryDirectory

    from truth import likeness

    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with TemporaryDirectory() as folder:
        start = time.perf_counter()
        drawn = catalogue(Path(folder), rows)
        print(f"{rows} rows in {time.perf_counter() - start:.1f} s")
        for name, value in likeness(drawn.vectors, drawn.queries[:200]).items():
            print(f"{name}: {value:.3g}")


if __name__ == "__main__":
    main()
