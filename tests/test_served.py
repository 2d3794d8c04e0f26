"""A model of the service, asked without HTTP: which network sees a photo, alone or among others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from image_similarity import Workspace
from image_similarity.dataset import Dataset
from image_similarity.models.choice import ModelChoice
from image_similarity.service.answering import served_model as served_module
from image_similarity.service.answering.served_model import Asked, Found, ServedModel
from image_similarity.service.app_state import AppState
from image_similarity.service.options import ServiceOptions
from image_similarity.settings import Settings
from tests.networks import put_small_network
from tests.service import DATASET, until
from tests.shop import BLUE, GREEN, RED, paint_shop

NETWORK = "VGG"


@pytest.fixture
def model(settings: Settings, tmp_path: Path) -> Iterator[ServedModel]:
    put_small_network(settings, NETWORK)
    Workspace(settings=settings).fit(DATASET, paint_shop(tmp_path / "pictures"), model=NETWORK)
    state = AppState(ServiceOptions(Dataset.named(DATASET), (ModelChoice(NETWORK),)), settings)
    yield state.lineup.model(NETWORK)
    state.close()


def question(model: ServedModel, colour: tuple[int, int, int]) -> Asked:
    return Asked(1, [model.chosen.squares(Image.new("RGB", (32, 32), colour))])


def first(found: Found | None) -> tuple[str, float]:
    """The product that was found, and its score."""
    assert found is not None
    return found.shown[0].product_id, found.shown[0].score or 0.0


def test_a_photo_that_comes_alone_has_a_network_of_its_own_and_the_same_answer(
    model: ServedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, int]] = []
    for name in ("alone", "embedder"):
        embed = getattr(model, name).each

        def noted(photos: Sequence[Any], name: str = name, embed: Any = embed) -> Any:
            seen.append((name, len(photos)))
            return embed(photos)

        monkeypatch.setattr(getattr(model, name), "each", noted)
    by_itself = first(model.ask(question(model, RED)).result(30))
    with served_module.NETWORKS:  # while the network is busy, more photos come
        futures = [model.ask(question(model, BLUE))]
        until(lambda: model.waiting == 0)
        futures += [model.ask(question(model, colour)) for colour in (GREEN, RED)]
    among_others = [first(future.result(30)) for future in futures]
    assert seen == [("alone", 1), ("alone", 1), ("embedder", 2)]
    assert [product for product, _ in [*among_others, by_itself]] == ["blue", "green", "red", "red"]
    assert among_others[2][1] == pytest.approx(by_itself[1], abs=1e-5)
