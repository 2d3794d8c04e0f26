"""What ``search --crops`` gives on simulated photos: R@1 without and with ("What crops give" in docs/quality.md).

python bench/quality/crops.py --cache /tmp/photos
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
from shop import SHARED, at_hand, models_at_hand  # noqa: E402

from image_similarity.util.statistics import intervals  # noqa: E402

Array = np.ndarray[Any, Any]


def hits(catalogue: sets.Catalogue, queries: Array, gallery: Array) -> Array:
    """1 where the right product comes first, by the best pair of images: ``(photos,)``."""
    starts = np.searchsorted(catalogue.product, np.arange(len(queries)))
    products = np.maximum.reduceat(queries @ gallery.T, starts, axis=1)
    return (products.argmax(axis=1) == np.arange(len(queries))).astype(np.float64)


def row(catalogue: sets.Catalogue, vectors: sets.Vectors) -> list[str]:
    """R@1 of the photo alone, and the difference that its crops make, with the paired 95% interval over products."""
    gallery = vectors(catalogue.files, guises.WHOLE)
    parts = [vectors(catalogue.photos, name) for name in guises.GUISES]
    alone, mean = parts[0], np.sum(parts, axis=0)
    mean /= np.maximum(np.linalg.norm(mean, axis=1, keepdims=True), 1e-12)
    before, after = hits(catalogue, alone, gallery), hits(catalogue, mean, gallery)
    (value, difference), ends = intervals(np.column_stack([before, after - before]), np.arange(len(before)))
    low, high = ends[:, 1]
    return [vectors.name, catalogue.name, f"{value:.3f}", f"{difference:+.3f} [{low:+.3f}, {high:+.3f}]"]


def main() -> None:
    """Compute, print, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, default=harness.RESULTS / "photos", help="keeps photos and vectors")
    cache = parser.parse_args().cache
    catalogues = [sets.drawn(cache)] + ([sets.luma(cache)] if at_hand(SHARED / "data" / "luma") else [])
    models = [sets.Vectors(model, cache) for model in models_at_hand(sets.MODELS)]
    rows = [row(catalogue, vectors) for vectors in models for catalogue in catalogues]
    text = harness.table(["model", "catalogue", "R@1", "with crops"], rows)
    harness.report("quality-crops", {"rows": rows}, [text])


if __name__ == "__main__":
    main()
