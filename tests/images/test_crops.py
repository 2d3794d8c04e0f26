"""A photo that asks with its parts: which they are, and what becomes of their vectors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from image_similarity import Workspace
from image_similarity.images.crops import SHARE, with_crops
from image_similarity.models.unit_vectors import mean_vector
from image_similarity.settings import Settings
from tests.support.shop import MODEL, RED, paint_shop, register


def test_a_photo_asks_with_itself_its_middle_and_its_corners() -> None:
    pixels = np.zeros((100, 200, 3), np.uint8)
    pixels[..., 0], pixels[..., 1] = np.arange(100)[:, None], np.arange(200)
    whole, *parts = with_crops(Image.fromarray(pixels))
    assert whole.size == (200, 100)
    assert {part.size for part in parts} == {(round(200 * SHARE), round(100 * SHARE))}
    starts = [tuple(int(value) for value in np.asarray(part)[0, 0, :2]) for part in parts]  # down, across
    assert starts == [(14, 28), (0, 0), (0, 56), (28, 0), (28, 56)]
    assert len(with_crops(Image.new("RGB", (1, 1)))) == 6


def test_their_mean_has_unit_length_and_one_alone_stays_what_it_is() -> None:
    vectors = np.array([[1, 0], [0, 1]], np.float32)
    np.testing.assert_allclose(mean_vector(vectors), [[0.5**0.5, 0.5**0.5]])
    alone = np.array([[0.6, 0.8]], np.float32)
    assert mean_vector(alone) is alone


def test_a_search_with_crops_asks_with_their_mean(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    model = register(monkeypatch)
    workspace = Workspace(settings=settings)
    workspace.fit("shop", paint_shop(tmp_path / "pictures"), model=MODEL)
    photo = Image.new("RGB", (100, 100), (0, 0, 250))
    photo.paste(RED, (0, 0, 50, 50))
    photo.save(tmp_path / "photo.png")
    whole = workspace.search("shop", tmp_path / "photo.png", model=MODEL)
    before = model.embedded
    cropped = workspace.search("shop", tmp_path / "photo.png", model=MODEL, crops=True)
    assert model.embedded - before == 6
    shares = [0.25, (36 / 72) ** 2, (50 / 72) ** 2, (50 * 22) / 72**2, (50 * 22) / 72**2, (22 / 72) ** 2]  # of red
    parts = np.array([[250 * share, 0, 250 * (1 - share)] for share in shares])
    mean = (parts / np.linalg.norm(parts, axis=1, keepdims=True)).mean(axis=0)
    blue = next(match.score for match in cropped.matches if match.product_id == "blue")
    assert blue == pytest.approx(mean[2] / np.linalg.norm(mean), abs=0.01)
    assert whole.matches[0].product_id == cropped.matches[0].product_id == "blue"
