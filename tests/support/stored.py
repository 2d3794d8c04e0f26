"""The active features of a store, as whoever builds an index reads them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from image_similarity.store.database import Database
from image_similarity.store.snapshot import take_snapshot
from image_similarity.types import Features


def matrix(database: Database, model_key: str, views: Sequence[str]) -> Features:
    """Those of one model, sorted by product, image and view."""
    with take_snapshot(database, [model_key], views) as state:
        blocks = list(state.blocks())
        vectors = [state.vectors(block.rowids)[0] for block in blocks]
    return Features(
        [each for block in blocks for each in block.image_ids],
        [each for block in blocks for each in block.product_ids],
        [each for block in blocks for each in block.views],
        np.concatenate(vectors),
    )
