"""Small stand-ins for big networks: the same inputs and outputs, ready in a workspace's cache."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from image_similarity.models.keras_networks import LAYOUT, NETWORKS
from image_similarity.settings import Folders, Settings


def put_official_weights(monkeypatch: pytest.MonkeyPatch, name: str, weights: Path, digest: str) -> str:
    """Take a file for a network's official weights while a test runs; gives the name that it is downloaded by."""
    network = NETWORKS[name]
    record = replace(network.weights, size=weights.stat().st_size, digest=digest)
    monkeypatch.setitem(NETWORKS, name, replace(network, weights=record))
    return record.file


def put_small_network(settings: Settings, name: str) -> Path:
    """Put a graph where the real one would be after its first use: random projections of 8 x 8 mean colours.

    The first version's commands then run as they are written, without the official weights.
    """
    import openvino
    from openvino import opset13 as ops

    network = NETWORKS[name]
    fields = 8
    pool = network.size // fields
    generator = np.random.default_rng(7)
    image = ops.parameter([1, 3, network.size, network.size], np.float32, "image")
    pooled = ops.avg_pool(image, [pool, pool], [0, 0], [0, 0], [pool, pool], True)
    flat = ops.reshape(pooled, ops.constant(np.array([1, 3 * fields * fields])), False)
    matrix = generator.normal(size=(3 * fields * fields, network.dimension)).astype(np.float32)
    folder = Folders(settings.root).models / f"{name}-{network.weights.digest[:8]}-{LAYOUT.lower()}"
    folder.mkdir(parents=True)
    model = openvino.Model([ops.matmul(flat, ops.constant(matrix), False, False)], [image], name)
    openvino.save_model(model, folder / "model.xml", compress_to_fp16=False)
    return folder
