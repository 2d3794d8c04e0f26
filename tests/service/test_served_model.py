"""A model of the service, asked without HTTP: photos that come while it is busy are answered together."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from image_similarity import Workspace
from image_similarity.collection import NETWORK_LOCK
from image_similarity.dataset import Dataset
from image_similarity.options import ModelChoice
from image_similarity.search.prepared_query import PreparedQuery
from image_similarity.service import schemas
from image_similarity.service.answering.served_model import ServedModel
from image_similarity.service.app_state import AppState
from image_similarity.service.options import ServiceOptions
from image_similarity.settings import Settings
from tests.support.networks import put_small_network
from tests.support.service import DATASET, until
from tests.support.shop import BLUE, GREEN, RED, paint_shop

NETWORK = "VGG"


@pytest.fixture
def model(settings: Settings, tmp_path: Path) -> Iterator[ServedModel]:
    put_small_network(settings, NETWORK)
    Workspace(settings=settings).fit(DATASET, paint_shop(tmp_path / "pictures"), model=NETWORK)
    state = AppState(ServiceOptions(Dataset.named(DATASET), (ModelChoice(NETWORK),)), settings)
    yield state.served.model(NETWORK)
    state.close()


def query(model: ServedModel, colour: tuple[int, int, int]) -> PreparedQuery:
    file = io.BytesIO()
    Image.new("RGB", (32, 32), colour).save(file, "PNG")
    return model.collection.prepared(file.getvalue(), number=1)


def first(found: schemas.Matches | None) -> tuple[str, float]:
    """The product that was found, and its score."""
    assert found is not None
    return found.matches[0].product_id, found.matches[0].score or 0.0


def test_photos_that_come_while_the_network_is_busy_are_answered_as_each_is_alone(model: ServedModel) -> None:
    by_itself = first(model.search(query(model, RED)).result(30))
    with NETWORK_LOCK:  # while the network is busy, more photos come
        futures = [model.search(query(model, BLUE))]
        until(lambda: model.waiting == 0)
        futures += [model.search(query(model, colour)) for colour in (GREEN, RED)]
        assert model.waiting == 2
    among_others = [first(future.result(30)) for future in futures]
    assert [product for product, _ in [*among_others, by_itself]] == ["blue", "green", "red", "red"]
    assert among_others[2][1] == pytest.approx(by_itself[1], abs=1e-5)
