"""How good the answers are, counted the long way round."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from image_similarity import Workspace
from image_similarity.errors import NotFittedError
from image_similarity.settings import Settings
from tests.conftest import paint
from tests.shop import BLUE, GREEN, MODEL, RED, register


@pytest.fixture
def workspace(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Workspace:
    register(monkeypatch)
    return Workspace(settings=settings)


def shares(colours: dict[str, tuple[int, int, int]]) -> list[float]:
    """R@1, R@5 and R@10 from the colours themselves: sort all others by cosine, equal ones by product and image."""
    names = sorted(colours, key=lambda name: (name.split("_")[0], name))
    owners = [name.split("_")[0] for name in names]
    vectors = np.array([colours[name] for name in names], float) + 1e-3
    stored = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float16).astype(float)
    scores = np.round(np.clip(stored @ stored.T, -1, 1), 6)
    ranks = []
    for asking, owner in enumerate(owners):
        others = sorted((i for i in range(len(names)) if i != asking), key=lambda i: (-scores[asking, i], i))
        right = [rank for rank, i in enumerate(others) if owners[i] == owner]
        if right:
            ranks.append(right[0])
    return [sum(rank < depth for rank in ranks) / len(ranks) for depth in (1, 5, 10)]


def test_an_image_that_finds_its_own_product_counts(workspace: Workspace, tmp_path: Path) -> None:
    colours = {
        "red_1": RED,
        "red_2": (240, 20, 10),
        "green_1": GREEN,
        "green_2": (20, 230, 0),
        "odd_1": (245, 10, 0),
        "odd_2": BLUE,
        "alone_1": (0, 30, 250),
    }
    for name, colour in colours.items():
        paint(tmp_path / "pictures" / f"{name}.png", colour)
    workspace.fit("shop", tmp_path / "pictures", model=MODEL)
    result = workspace.evaluate("shop", model=MODEL)
    assert (result.images, result.questions) == (7, 6)  # the one that stands alone has nobody to find
    assert [result.r_at_1, result.r_at_5, result.r_at_10] == shares(colours)
    assert result.r_at_1 == 2 / 6  # the greens; the odd red stands before the reds, the odd blue has others before it
    assert result.as_dict()["model_key"] == MODEL


def test_an_image_is_left_out_by_name_even_if_others_have_its_pixels(workspace: Workspace, tmp_path: Path) -> None:
    for product_id in ("a", "b", "c"):
        for number in (1, 2):
            paint(tmp_path / "pictures" / f"{product_id}_{number}.png", RED)
    workspace.fit("shop", tmp_path / "pictures", model=MODEL)
    result = workspace.evaluate("shop", model=MODEL)
    # All six are alike: the first by id is the answer, and it is right for the two of `a` only, whoever asks.
    assert result.r_at_1 == pytest.approx(2 / 6)
    assert result.r_at_5 == 1


def test_a_shop_of_many_colours_scores_as_by_hand(workspace: Workspace, tmp_path: Path) -> None:
    random = np.random.default_rng(6)
    colours = {}
    for product in range(40):
        base = random.integers(50, 206, 3)
        for number in range(1 + product % 3):
            red, green, blue = (int(value) for value in base + random.integers(-50, 51, 3))
            colours[f"p{product:02}_{number}"] = (red, green, blue)
    for name, colour in colours.items():
        paint(tmp_path / "pictures" / f"{name}.png", colour)
    # Evaluated without the views: they ask nothing and answer nothing.
    workspace.fit("shop", tmp_path / "pictures", model=MODEL, data_augmentation=1)
    result = workspace.evaluate("shop", model=MODEL)
    by_hand = shares(colours)
    assert [result.r_at_1, result.r_at_5, result.r_at_10] == by_hand
    assert 0 < by_hand[0] < by_hand[1] < by_hand[2] < 1


def test_without_two_images_of_one_product_there_is_nothing_to_ask(workspace: Workspace, tmp_path: Path) -> None:
    paint(tmp_path / "pictures" / "a_1.png", RED)
    paint(tmp_path / "pictures" / "b_1.png", BLUE)
    workspace.fit("shop", tmp_path / "pictures", model=MODEL)
    with pytest.raises(NotFittedError, match="no product of shop has two images: there is nothing to ask"):
        workspace.evaluate("shop", model=MODEL)
