"""A shop to fit in tests: pictures of one colour each, and a model that can be computed by hand and counts its work."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from image_similarity.models.definition import Definition
from image_similarity.models.registry import MODELS
from image_similarity.settings import Folders, Settings
from image_similarity.types import EmbeddingModel
from tests.conftest import MeanColour, paint

MODEL = MeanColour.spec.name
RED, ORANGE, GREEN, BLUE, WHITE = (250, 0, 0), (250, 90, 0), (0, 250, 0), (0, 0, 250), (255, 255, 255)


class CountingModel(MeanColour):
    """Knows how many pictures it was given."""

    def __init__(self) -> None:
        self.embedded = 0

    def embed(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        self.embedded += len(pixels)
        return super().embed(pixels)


def known(
    monkeypatch: pytest.MonkeyPatch, model: EmbeddingModel, load: Callable[[], EmbeddingModel] | None = None
) -> None:
    """Make a model known by its name while a test runs; ``load`` is called where it is loaded."""
    monkeypatch.setitem(MODELS, model.spec.name, lambda *_: Definition(model.spec, lambda _: load() if load else model))


def register(monkeypatch: pytest.MonkeyPatch) -> CountingModel:
    """Make the model known as ``mean-colour`` while a test runs."""
    model = CountingModel()
    known(monkeypatch, model)
    return model


def paint_shop(folder: Path) -> Path:
    """Four products in six pictures: red and orange look alike, then green, then blue."""
    paint(folder / "red_1.png", RED)
    paint(folder / "red_2.png", (240, 10, 10))
    paint(folder / "orange_1.png", ORANGE)
    paint(folder / "green_1.png", GREEN)
    paint(folder / "green_2.png", (20, 230, 0))
    paint(folder / "blue_1.png", BLUE)
    return folder


def rows(settings: Settings, query: str) -> list[tuple[object, ...]]:
    """What anyone can read out of the feature store with SQLite alone."""
    with closing(sqlite3.connect(Folders(settings.root).database)) as connection:
        return connection.execute(query).fetchall()
