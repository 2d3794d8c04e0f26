"""An open dataset: searched many times and from any thread, while products are put and removed."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from image_similarity import Answer, Box, Collection, Product, Query, SearchOptions, Workspace
from image_similarity.cli.app import app
from image_similarity.errors import NotFittedError, UsageError
from image_similarity.settings import Settings
from tests.conftest import paint
from tests.support.service import running
from tests.support.shop import BLUE, GREEN, ORANGE, RED, paint_shop

MODEL = "colour-shape"
AZURE = (0, 90, 250)


@pytest.fixture
def workspace(settings: Settings, tmp_path: Path) -> Workspace:
    workspace = Workspace(settings=settings)
    workspace.fit("shop", paint_shop(tmp_path / "pictures"), model=MODEL)
    workspace.use("shop", MODEL)
    return workspace


@pytest.fixture
def shop(workspace: Workspace) -> Iterator[Collection]:
    with workspace.open("shop") as shop:
        yield shop


def photo(colour: tuple[int, int, int], size: tuple[int, int] = (40, 40)) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, "PNG")
    return file.getvalue()


def found(answer: Answer) -> list[str]:
    return [match.product_id for match in answer.matches]


# Queries ----------------------------------------------------------------------------------------------------------


def test_an_open_collection_answers_as_one_that_is_opened_for_each_query(
    workspace: Workspace, shop: Collection, tmp_path: Path
) -> None:
    for colour in (RED, GREEN, BLUE):
        path = paint(tmp_path / "photo.png", colour)
        for how in ({}, {"aggregate": "mean"}, {"aggregate": "votes"}, {"crops": True}, {"match": "colour"}):
            held, opened = shop.search(path, **how), workspace.search("shop", path, **how)
            assert held.as_dict() == opened.as_dict()


def test_it_is_thread_safe(shop: Collection) -> None:
    colours = {"red": RED, "green": GREEN, "blue": BLUE, "orange": ORANGE}
    with ThreadPoolExecutor(8) as pool:
        names = [name for name in colours for _ in range(8)]
        answers = pool.map(lambda name: found(shop.search(photo(colours[name]), number=1)), names)
        assert list(answers) == [[name] for name in names]


def test_many_photos_are_answered_in_their_order(shop: Collection) -> None:
    answers = shop.search_many([photo(colour) for colour in (RED, BLUE, GREEN)] * 7, number=2)
    assert [found(answer)[0] for answer in answers] == ["red", "blue", "green"] * 7
    assert {len(answer.matches) for answer in answers} == {2}


def test_a_crop_is_searched_with(shop: Collection) -> None:
    image = Image.new("RGB", (200, 100), RED)
    image.paste(BLUE, (100, 0, 200, 100))
    file = io.BytesIO()
    image.save(file, "PNG")
    for crop, name in (
        (Box(0, 0, 100, 100), "red"),
        (Box(100, 0, 200, 100), "blue"),
        (Box(0.5, 0, 1, 1, "shares"), "blue"),
    ):
        assert found(shop.search(Query(photo=file.getvalue(), crop=crop), SearchOptions(number=1))) == [name]
    with pytest.raises(UsageError, match="`crop` is left, top, right and bottom"):
        Box(10, 0, 5, 100)
    with pytest.raises(UsageError, match="`crop` needs exactly one photo"):
        Query(photo=[photo(RED), photo(BLUE)], crop=Box(0, 0, 1, 1))


def test_the_vectors_can_be_read(shop: Collection) -> None:
    features = shop.vectors()
    assert list(features.product_ids) == ["blue", "green", "green", "orange", "red", "red"]
    query = shop.embed(photo(BLUE))
    assert query.shape == (1, features.vectors.shape[1]) and query.dtype == np.float32
    scores = features.vectors.astype(np.float32) @ query[0]
    assert features.product_ids[int(scores.argmax())] == "blue"


def test_a_product_finds_those_like_it_and_one_that_is_not_there_finds_nothing(shop: Collection) -> None:
    answer = shop.similar("red", number=2)
    assert answer is not None and found(answer)[0] == "orange" and len(answer.matches) == 2
    assert shop.similar("none") is None
    by_chance = shop.similar()
    assert by_chance is not None and by_chance.query.product.product_id not in found(by_chance)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"numbr": 3}, "there is no option 'numbr': use number, "),
        ({"number": 0}, "`number` must be 1 or more, not 0"),
        ({"filter": "price <"}, "the filter at character"),
        ({"aggregate": "median"}, "there is no `aggregate` 'median'"),
        ({"min_match": 2.0}, "`min_match` is a probability from 0 to 1"),
        ({"text": "red"}, "colour-shape has no text encoder"),
    ],
)
def test_an_invalid_query_is_a_usage_error(shop: Collection, changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        shop.search(photo(RED), **changes)


def test_what_has_no_features_of_the_model_is_not_opened(workspace: Workspace) -> None:
    with pytest.raises(NotFittedError, match="colour"):
        workspace.open("shop", "colour")
    with pytest.raises(UsageError, match="no features of the six views"):
        workspace.open("shop", data_augmentation=1)


# Changes ---------------------------------------------------------------------------------------------------------


def test_a_put_and_a_removal_are_effective_at_once(shop: Collection) -> None:
    assert shop.put(Product("azure", "Azure ball", attributes={"price": "9"}), [photo(AZURE)])
    answer = shop.search(photo(AZURE), number=2, explain=True)
    assert found(answer) == ["azure", "blue"] and answer.shown[0].product.title == "Azure ball"
    assert answer.explained is not None and len(answer.explained.whys) == 2
    assert found(shop.search(photo(AZURE), filter="price < 10")) == ["azure"]
    features = shop.vectors()
    assert list(features.product_ids).count("azure") == 1 and len(features.vectors) == 7
    assert not shop.put(Product("azure", "Azure"))  # it keeps its image
    assert shop.remove("azure") and not shop.remove("azure")
    assert "azure" not in found(shop.search(photo(AZURE)))


@pytest.mark.parametrize("aggregate", ["best", "mean", "votes"])
def test_after_a_put_every_aggregate_answers_as_an_index_of_everything_would(
    workspace: Workspace, shop: Collection, aggregate: str
) -> None:
    shop.put("azure", [photo(AZURE), photo(BLUE)])
    answer = shop.search(photo((0, 40, 250)), aggregate=aggregate)
    with workspace.open("shop") as again:
        assert again.search(photo((0, 40, 250)), aggregate=aggregate).as_dict() == answer.as_dict()
    assert found(answer)[0] in ("azure", "blue") and len(answer.matches) == 5


def test_what_others_write_is_found_after_a_refresh(workspace: Workspace, shop: Collection) -> None:
    with workspace.open("shop") as other:
        other.put("azure", [photo(AZURE)])
        assert found(shop.search(photo(AZURE), number=1)) == ["blue"]
        assert shop.refresh() and not shop.refresh()
        assert found(shop.search(photo(AZURE), number=1)) == ["azure"]


def test_an_image_that_cannot_be_used_changes_nothing(shop: Collection) -> None:
    with pytest.raises(UsageError, match=r"the image .* cannot be used"):
        shop.put("azure", [b"no picture"])
    with pytest.raises(UsageError, match="azure is new: give at least one image"):
        shop.put("azure")
    assert shop.similar("azure") is None


# The same through every API ------------------------------------------------------------------------------------------


def test_command_python_and_service_give_the_same_answer(workspace: Workspace, tmp_path: Path) -> None:
    path = paint(tmp_path / "photo.png", (240, 60, 0), (64, 48))
    ways: list[dict[str, str]] = [
        {},
        {"number": "2"},
        {"aggregate": "mean"},
        {"aggregate": "votes"},
        {"match": "colour"},
        {"crops": "true"},
        {"explain": "true"},
        {"crop": "0,0,0.5,0.5"},
    ]
    root = str(workspace.settings.root)
    with running(workspace.settings.root, model="") as service:
        for way in ways:
            options: dict[str, Any] = {
                name: int(value) if name == "number" else value == "true" if value == "true" else value
                for name, value in way.items()
                if name != "crop"
            }
            crop = Box(0, 0, 0.5, 0.5, "shares") if "crop" in way else None
            by_python = workspace.search("shop", Query(photo=path, crop=crop), **options)
            flags = [
                part
                for name, value in way.items()
                for part in ((f"--{name}",) if value == "true" else (f"--{name}", value))
            ]
            if "crop" in way:
                flags = ["--crop", "0%,0%,50%,50%"]
            command = ["search", str(path), "-d", "shop", "-w", root, "--format", "json", *flags]
            by_command = json.loads(CliRunner().invoke(app, command).stdout)
            reply = service.client.post("/v1/search", data=way, files={"file": path.read_bytes()})
            assert reply.status_code == 200, reply.text
            by_service = reply.json()["matches"]
            expected = [(match.product_id, match.score) for match in by_python.matches]
            assert [(each["product_id"], each["score"]) for each in by_command["matches"]] == expected, way
            assert [(each["product_id"], each["score"]) for each in by_service] == expected, way
            if "explain" in way:
                assert by_service[0]["why"]["parts"] == by_command["matches"][0]["why"]["parts"]
