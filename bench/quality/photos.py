"""What helps photos of users to find their product: the table "Photos of users" of docs/quality.md.

python bench/quality/photos.py --cache /tmp/photos
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]
import guises  # noqa: E402
import harness  # noqa: E402
import numpy as np  # noqa: E402
import photo_sets as sets  # noqa: E402

from image_similarity.quality.evaluation.intervals import intervals  # noqa: E402

Array = np.ndarray[Any, Any]
Ask = Callable[[str], Array]  # a guise to vectors
PLAIN = "as it is"
VOTED = 50  # images, as the aggregate ``votes`` has it
NUMBER = 10


def unit(vectors: Array) -> Array:
    """Rows of unit length."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)


def mean_of(ask: Ask, *names: str) -> Array:
    """The mean vector of several guises, of unit length again."""
    return unit(np.sum([ask(name) for name in names], axis=0))


class Setting:
    """A catalogue, photos that ask it, and a model."""

    def __init__(self, catalogue: sets.Catalogue, photos: sets.Photos, model: str, cache: Path) -> None:
        vectors = sets.Vectors(model, cache)
        self.photo: Ask = lambda guise: vectors(photos.files, guise)
        self.image: Ask = lambda guise: vectors(catalogue.files, guise)
        self.owner, self.right = catalogue.product, photos.product
        self.starts = np.searchsorted(self.owner, np.arange(self.owner.max() + 1))
        self.name = f"{catalogue.name}, {photos.name}, {model}"

    def best(self, scores: Array) -> Array:
        """Of images ``(photos, images)`` the products' best: ``(photos, products)``."""
        return np.maximum.reduceat(scores, self.starts, axis=1)

    def mean(self, scores: Array) -> Array:
        """The products' means."""
        return np.add.reduceat(scores, self.starts, axis=1) / np.bincount(self.owner)

    def softmax(self, scores: Array, sharpness: float) -> Array:
        """Between best and mean: the mean of the exponentials."""
        return self.mean(np.exp(sharpness * scores))

    def votes(self, scores: Array) -> Array:
        """The first version's points; ties by the best pair."""
        points = np.zeros((len(scores), self.owner.max() + 1))
        order = np.argsort(-scores, axis=1, kind="stable")[:, :VOTED][:, :NUMBER]
        for place in range(order.shape[1]):
            np.add.at(points, (np.arange(len(scores)), self.owner[order[:, place]]), NUMBER - place)
        return points + self.best(scores) / 100

    def hits(self, products: Array) -> Array:
        """1 where the right product comes first."""
        return (products.argmax(axis=1) == self.right).astype(np.float64)

    def asked(self, photo: Array, image: Array) -> Array:
        """Hits by the best pair."""
        return self.hits(self.best(photo @ image.T))


def variants(s: Setting) -> Iterator[tuple[str, Array]]:
    """Each way with its hits, one a photo; the first is what ``search`` does."""
    photo, image = s.photo(PLAIN), s.image(PLAIN)
    plain = photo @ image.T
    yield "as `search` does: the photo, the images, the best pair", s.hits(s.best(plain))
    for guise in ("neutral", "tight", "neutral and tight"):
        yield f"{guise}: the photo", s.asked(s.photo(guise), image)
        if guise != "tight":
            yield f"{guise}: the catalogue", s.asked(photo, s.image(guise))
            yield f"{guise}: both", s.asked(s.photo(guise), s.image(guise))
        yield f"{guise}: the photo, beside the photo as it is (mean)", s.asked(mean_of(s.photo, PLAIN, guise), image)
    crops = [s.photo(name) for name in guises.CROPS]
    yield "the photo and its middle (mean)", s.asked(mean_of(s.photo, PLAIN, "middle"), image)
    yield "the photo and five crops (mean)", s.asked(mean_of(s.photo, PLAIN, *guises.CROPS), image)
    yield (
        "the photo and five crops (best)",
        s.hits(np.max([s.best(each @ image.T) for each in (photo, *crops)], axis=0)),
    )
    yield "the photo and its mirror image (mean)", s.asked(mean_of(s.photo, PLAIN, "mirrored"), image)
    yield (
        "photo and images, each with its mirror image (mean)",
        s.asked(mean_of(s.photo, PLAIN, "mirrored"), mean_of(s.image, PLAIN, "mirrored")),
    )
    views = [s.image(name) for name in guises.VIEWS]
    yield "the six views in the index", s.hits(np.max([s.best(photo @ each.T) for each in views], axis=0))
    yield from _simulated(s, photo, image)
    for near in (1, 3, 10):
        yield f"query expansion, {near} nearest", s.asked(_expanded(photo, image, near), image)
    yield "aggregate `mean`", s.hits(s.mean(plain))
    yield "aggregate `votes`", s.hits(s.votes(plain))
    for sharpness in (5, 20, 60):
        yield f"aggregate softmax, sharpness {sharpness}", s.hits(s.softmax(plain, sharpness))


def _simulated(s: Setting, photo: Array, image: Array) -> Iterator[tuple[str, Array]]:
    """The index carrying what the images would look like on photos. Their seeds are not those that ask."""
    made = [s.image("simulated 0"), s.image("simulated 1")]
    yield "the index: mean of image and one simulated photo", s.asked(photo, unit(image + made[0]))
    yield "the index: mean of image and two simulated photos", s.asked(photo, unit(image + made[0] + made[1]))
    yield "the index: mean of two simulated photos alone", s.asked(photo, unit(made[0] + made[1]))
    rows = [s.best(photo @ each.T) for each in (image, *made)]
    yield "the index: image and two simulated photos, a row each", s.hits(np.max(rows, axis=0))


def _expanded(photo: Array, image: Array, near: int, power: float = 3.0) -> Array:
    """Moved towards the nearest images, weighed by similarity (alpha-QE, Radenovic et al., TPAMI 2019)."""
    scores = photo @ image.T
    rows = np.argsort(-scores, axis=1)[:, :near]
    weights = np.maximum(np.take_along_axis(scores, rows, axis=1), 0) ** power
    return unit(photo + (weights[..., None] * image[rows]).sum(axis=1))


def table(settings: list[Setting]) -> tuple[str, dict[str, Any]]:
    """R@1 of the first way, and every way's difference to it with its interval."""
    cells: dict[str, list[str]] = {}
    figures: dict[str, Any] = {}
    for setting in settings:
        plain = None
        for name, hits in variants(setting):
            plain = hits if plain is None else plain
            (value, difference), ends = intervals(np.column_stack([hits, hits - plain]), setting.right)
            low, high = ends[:, 1]
            sign = "**" if low > 0 else ""
            cell = f"{value:.3f}" if hits is plain else f"{sign}{difference:+.3f}{sign} [{low:+.3f}, {high:+.3f}]"
            cells.setdefault(name, []).append(cell)
            figures.setdefault(setting.name, {})[name] = [value, difference, low, high]
            print(f"  {setting.name}: {name}: {value:.3f} {cell}", file=sys.stderr, flush=True)
    header = ["", *(setting.name for setting in settings)]
    return harness.table(header, [[name, *row] for name, row in cells.items()]), figures


def main() -> None:
    """Compute, print, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, default=harness.RESULTS / "photos", help="keeps photos and vectors")
    parser.add_argument("--only", default="", help="settings whose name holds this")
    asked = parser.parse_args()
    settings = [
        Setting(catalogue, photos, model, asked.cache)
        for model in sets.MODELS
        for catalogue, kinds in (sets.drawn(asked.cache), sets.luma(asked.cache))
        for photos in kinds
    ]
    text, figures = table([setting for setting in settings if asked.only in setting.name])
    harness.report("quality-photos", {"settings": figures}, [text])


if __name__ == "__main__":
    main()
