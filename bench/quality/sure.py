"""Is this it? Ways of turning scores into probabilities, and photos that nothing was learned from.

python bench/quality/sure.py --cache /tmp/photos

Learned from the drawn shop's own pictures (left out one at a time) and simulated photos of them, as ``calibrate`` does;
judged on products that were left out, and then on photos as users take them, which no way has seen.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]
import harness  # noqa: E402
import numpy as np  # noqa: E402
import photo_sets as sets  # noqa: E402

from image_similarity.quality.calibration.learn import LearnOptions, learn  # noqa: E402
from image_similarity.quality.calibration.measures import calibration_error, kept_at  # noqa: E402
from image_similarity.search.calibration.curves import KINDS  # noqa: E402
from image_similarity.search.calibration.questions import DEPTH, Questions  # noqa: E402

Array = np.ndarray[Any, Any]
PLAIN = "as it is"
OWN, PHOTOS, USERS = "leave one image out", "simulated photos", "photos as users take them"
LEARNED = {OWN: (OWN,), PHOTOS: (PHOTOS,), "both (`calibrate`)": (OWN, PHOTOS)}


def questions(catalogue: sets.Catalogue, image: Array, asking: Array, right: Array, plain: bool) -> Questions:
    """Pictures ``(n, d)`` of products ``right`` ask all images; rows of ``image`` itself leave themselves out."""
    scores = asking @ image.T
    if asking is image:
        np.fill_diagonal(scores, -np.inf)
    starts = np.searchsorted(catalogue.product, np.arange(catalogue.product.max() + 1))
    products = np.maximum.reduceat(scores, starts, axis=1).astype(np.float64)
    lines = np.arange(len(asking))
    own = products[lines, right].copy()
    products[lines, right] = -np.inf
    others = -np.sort(-products, axis=1)[:, :DEPTH]
    asked = Questions(right, own.round(6), others.round(6), np.full(len(own), plain), np.ones(len(own)))
    return asked.of(np.isfinite(own))


def rows(model: str, cache: Path) -> list[list[str]]:
    """One row for each thing learned from and each kind of curve."""
    catalogue, (simulated, users) = sets.drawn(cache)
    vectors = sets.Vectors(model, cache)
    image = vectors(catalogue.files, PLAIN)
    parts = {OWN: questions(catalogue, image, image, catalogue.product, plain=True)}
    for name, photos in ((PHOTOS, simulated), (USERS, users)):
        parts[name] = questions(catalogue, image, vectors(photos.files, PLAIN), photos.product, plain=False)
    answers = parts[USERS].answers(0.5)
    found = []
    for what, names in LEARNED.items():
        for kinds in (*((kind,) for kind in KINDS), tuple(KINDS)):
            learned = learn({name: parts[name] for name in names}, LearnOptions(kinds=kinds))
            likely = learned.calibration.probabilities(answers.scores, answers.plain)[:, 0]
            judged = likely, answers.right[:, 0]
            error, kept = calibration_error(*judged), kept_at(*judged, answers.known, answers.weights, 0.05)
            name = kinds[0] if len(kinds) == 1 else f"**chosen** ({learned.calibration.scene.kind})"
            shares = (learned.error, error, by_chance(likely), kept.kept, kept.found)
            found.append([model, what, name, *(f"{share:.3f}" for share in shares)])
            print("  ", *found[-1], file=sys.stderr, flush=True)
    return found


def by_chance(likely: Array, draws: int = 100) -> float:
    """The error that the same probabilities would show on so many answers if they were exactly right."""
    random = np.random.default_rng(0)
    return float(np.mean([calibration_error(likely, random.random(len(likely)) < likely) for _ in range(draws)]))


def main() -> None:
    """Compute, print, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, default=harness.RESULTS / "photos", help="keeps photos and vectors")
    asked = parser.parse_args()
    found = [row for model in sets.MODELS for row in rows(model, asked.cache)]
    header = ["model", "learned from", "curve", "error, products left out", "error, users' photos", "by chance"]
    text = harness.table([*header, "kept at 5%", "R@1"], found)
    harness.report("quality-sure", {"rows": found}, [text])


if __name__ == "__main__":
    main()
