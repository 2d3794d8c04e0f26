"""A shop changes its model while the service runs: ``use`` and ``adapt`` beside it, and no request fails."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from image_similarity import Workspace
from image_similarity.dataset import Dataset
from image_similarity.models.projection import Projection, write_projection
from image_similarity.models.resolver import projection_folder
from image_similarity.options import ModelChoice
from image_similarity.service.answering.batching import Batches
from image_similarity.service.app_state import AppState
from image_similarity.service.errors import BusyError
from image_similarity.service.options import ServiceOptions
from image_similarity.service.routes.upsert import UpsertRequest, upsert
from image_similarity.service.schemas import ProductChange
from image_similarity.settings import Settings
from tests.support.models import model_spec
from tests.support.service import DATASET, Service, customers, fitted, photo_of, running, until
from tests.support.shop import RED

IN_USE = ""
AZURE = (0, 40, 250)


def settings_of(workspace: Path) -> Settings:
    return Settings(root=workspace, precision="fp32")


def models_of(service: Service) -> dict[str, int]:
    """The served models' names and dimensions."""
    return {model["name"]: model["dimension"] for model in service.get("/v1/models").json()["models"]}


def first(service: Service, photo: bytes) -> tuple[str, str]:
    """The model that answered, and the product that it found."""
    answer = service.search(photo, number="1")
    return answer["model"], answer["matches"][0]["product_id"]


def adapt(workspace: Path, model: str, dimension: int) -> None:
    """Write what ``adapt`` would learn: here a projection onto the last dimensions."""
    spec = model_spec(ModelChoice(model))
    matrix = np.eye(spec.dimension, dimension, dimension - spec.dimension)
    folder = projection_folder(settings_of(workspace), Dataset.named(DATASET), spec.key)
    write_projection(folder, Projection.of(np.zeros(spec.dimension), matrix), {})


def test_another_model_is_used_without_a_restart_and_knows_what_was_put_under_the_one_before(tmp_path: Path) -> None:
    workspace = fitted(tmp_path, "colour-shape", "colour")
    shop = Workspace(settings=settings_of(workspace))
    shop.use(DATASET, "colour-shape")
    with running(workspace, model=IN_USE) as service, customers(service) as statuses:
        assert list(models_of(service)) == ["colour-shape"]
        assert service.put("/v1/products/azure", files={"images": photo_of(AZURE)}).status_code == 201
        shop.use(DATASET, "colour")
        until(lambda: "colour" in models_of(service))
        assert first(service, photo_of(AZURE)) == ("colour", "azure")
        shop.use(DATASET, "colour-shape")
        until(lambda: "colour-shape" in models_of(service))
        assert first(service, photo_of(AZURE)) == ("colour-shape", "azure")
    assert statuses == {200}


def test_what_was_put_while_another_model_answered_is_found_after_a_restart(tmp_path: Path) -> None:
    workspace = fitted(tmp_path, "colour-shape", "colour")
    with running(workspace, model="colour") as service:
        assert service.put("/v1/products/azure", files={"images": photo_of(AZURE)}).status_code == 201
    with running(workspace, model="colour-shape") as service:
        assert first(service, photo_of(AZURE)) == ("colour-shape", "azure")


def test_what_is_learned_beside_the_service_is_picked_up(tmp_path: Path) -> None:
    workspace = fitted(tmp_path)
    adapt(workspace, "colour-shape", 40)
    with running(workspace, model="colour-shape+adapted") as service, customers(service) as statuses:
        assert models_of(service) == {"colour-shape+adapted": 40}
        adapt(workspace, "colour-shape", 50)
        until(lambda: models_of(service) == {"colour-shape+adapted": 50})
        assert first(service, photo_of(RED)) == ("colour-shape+adapted", "red")
    assert statuses == {200}


def test_a_model_that_cannot_be_loaded_leaves_the_former_one_answering(tmp_path: Path) -> None:
    workspace = fitted(tmp_path)
    shop = Workspace(settings=settings_of(workspace))
    shop.use(DATASET, "colour-shape")
    with running(workspace, model=IN_USE) as service:
        named = workspace / "in_use" / f"{DATASET}.json"
        whole = named.read_text()
        named.write_text(whole.replace("colour-shape", "no-such-model"))
        until(lambda: "cannot switch" in service.log.read_text())
        assert first(service, photo_of(RED)) == ("colour-shape", "red")
        named.write_text(whole)
        assert service.get("/readyz").status_code == 200


def test_a_put_that_was_under_way_while_another_model_took_over_is_found_under_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = fitted(tmp_path, "colour-shape", "colour")
    settings, shop = settings_of(workspace), Workspace(settings=settings_of(workspace))
    shop.use(DATASET, "colour-shape")
    state = AppState(ServiceOptions(Dataset.named(DATASET)), settings)
    write, embedded_for = state.store.write, list[str]()

    async def write_later(work: Any) -> Any:
        """Switch to another model after the images are embedded and before the store is written."""
        embedded_for.append(state.served.model(None).name)
        if len(embedded_for) == 1:
            shop.use(DATASET, "colour")
            while state.served.model(None).name != "colour":
                await asyncio.sleep(0.02)
        return await write(work)

    monkeypatch.setattr(state.store, "write", write_later)
    try:
        assert asyncio.run(upsert(state, UpsertRequest("azure", ProductChange(), [photo_of(AZURE)]))).status == 201
        until(lambda: "azure" in state.served.model("colour").state.delta.products)
        new = state.served.model("colour").state.delta.index
        assert new is not None and list(new.grouping.products) == ["azure"]
        assert embedded_for == ["colour-shape", "colour"]
    finally:
        state.close()


def test_a_query_to_a_model_that_was_replaced_long_ago_is_told_to_come_back() -> None:
    batches: Batches[int, int] = Batches(lambda queries: queries, 4, "doubles")
    assert batches.submit(1).result() == 1
    batches.close()
    with pytest.raises(BusyError, match="send the request again"):
        batches.submit(2).result(timeout=5)
