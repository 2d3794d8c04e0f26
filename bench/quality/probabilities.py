"""How far ``calibrate``'s probabilities are off on photos of users, from which it learned nothing.

python bench/quality/probabilities.py --cache /tmp/photos

Learned from the drawn shop's own images (left out one at a time) and simulated photos of them, as ``calibrate`` does;
then measured on photos as users take them.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]
import guises  # noqa: E402
import harness  # noqa: E402
import numpy as np  # noqa: E402
import photo_sets as sets  # noqa: E402

from image_similarity.calibration.learn import learn  # noqa: E402
from image_similarity.calibration.measures import calibration_error, kept_at  # noqa: E402
from image_similarity.calibration.questions import DEPTH, Questions  # noqa: E402
from shop import models_at_hand  # noqa: E402

Array = np.ndarray[Any, Any]


def queries(catalogue: sets.Catalogue, gallery: Array, photos: Array, right: Array) -> Questions:
    """Pictures ``(n, d)`` of products ``right`` against all images; rows of ``gallery`` itself leave themselves out."""
    scores, own_images = photos @ gallery.T, photos is gallery
    if own_images:
        np.fill_diagonal(scores, -np.inf)
    starts = np.searchsorted(catalogue.product, np.arange(catalogue.product.max() + 1))
    products = np.maximum.reduceat(scores, starts, axis=1).astype(np.float64)
    lines = np.arange(len(photos))
    own = products[lines, right].copy()
    products[lines, right] = -np.inf
    others = -np.sort(-products, axis=1)[:, :DEPTH]
    found = Questions(right, own.round(6), others.round(6), np.full(len(own), own_images), np.ones(len(own)))
    return found.of(np.isfinite(own))


def row(model: str, cache: Path) -> list[str]:
    """The error on products left out, on photos of users, and what exactly right probabilities would show on so few."""
    catalogue, (simulated, users) = sets.drawn(cache)
    vectors = sets.Vectors(model, cache)
    gallery = vectors(catalogue.files, guises.WHOLE)
    own = queries(catalogue, gallery, gallery, catalogue.product)
    of_photos, of_users = (
        queries(catalogue, gallery, vectors(photos.files, guises.WHOLE), photos.product)
        for photos in (simulated, users)
    )
    learned, answers = learn({"leave one image out": own, "simulated photos": of_photos}), of_users.answers(0.5)
    likely = learned.calibration.probabilities(answers.scores, answers.plain)[:, 0]
    right = answers.right[:, 0]
    kept = kept_at(likely, right, answers.known, answers.weights, 0.05)
    shares = (learned.error, calibration_error(likely, right), by_chance(likely), kept.found, kept.kept)
    return [model, *(f"{share:.3f}" for share in shares)]


def by_chance(likely: Array, draws: int = 100) -> float:
    """The error that the same probabilities would show on so many photos if they were exactly right."""
    random = np.random.default_rng(0)
    return float(np.mean([calibration_error(likely, random.random(len(likely)) < likely) for _ in range(draws)]))


def main() -> None:
    """Compute, print, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, default=harness.RESULTS / "photos", help="keeps photos and vectors")
    cache = parser.parse_args().cache
    rows = [row(model, cache) for model in models_at_hand(sets.MODELS)]
    header = ["model", "error, products left out", "error, users' photos", "by chance", "R@1", "kept at 5%"]
    harness.report("quality-probabilities", {"rows": rows}, [harness.table(header, rows)])


if __name__ == "__main__":
    main()
