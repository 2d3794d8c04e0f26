"""Schemathesis asks a live service whatever its OpenAPI allows, and what it does not; every check holds."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from hypothesis import given, settings, strategies as st

from image_similarity.dataset import Dataset
from image_similarity.options import ModelChoice
from image_similarity.service.app import create_app
from image_similarity.service.app_state import AppState
from image_similarity.service.guards.api_keys import FILE, ApiKeys, KeyScope
from image_similarity.service.options import ServiceOptions
from image_similarity.service.schemas import MOST_NUMBER, Matches
from image_similarity.settings import Settings
from image_similarity.workspace import Workspace
from image_similarity_demo import FAMILIES
from tests.support.drawn import part
from tests.support.servers import picture
from tests.support.serving import serving

CONFIG = Path(__file__).with_name("schemathesis.toml")


LOOKED_UP: list[str] = []


async def no_internet(name: str, port: int) -> Sequence[str]:
    """The addresses that are made up lead nowhere, here as on a machine that could ask for them."""
    LOOKED_UP.append(name)
    raise OSError(f"{name} is not asked for by tests")


@pytest.fixture(scope="module")
def service(drawn_shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The address of a service with a small shop, as others would reach it, and a key that may do everything."""
    folder = tmp_path_factory.mktemp("service")
    place = Settings(root=folder / "data")
    catalogue = part(drawn_shop, folder / "shop", FAMILIES[:2])
    Workspace(settings=place).fit("shop", catalogue, model="colour-shape")
    key = ApiKeys(place.root / FILE).add("schemathesis", KeyScope.admin)
    options = ServiceOptions(Dataset.named("shop"), (ModelChoice("colour-shape"),), host="0.0.0.0", photos=50)
    with (
        closing(AppState(options, place, resolve=no_internet)) as state,
        serving(create_app(options, place, state=state)) as address,
    ):
        yield address, key


def test_an_address_that_is_made_up_is_looked_up_where_the_service_was_told_to(service: tuple[str, str]) -> None:
    address, key = service
    named = {"image": {"address": "http://shop.made-up/a.png"}}
    answer = httpx.post(f"{address}/v1/search", json=named, headers={"Authorization": f"Bearer {key}"})
    assert answer.status_code == 422 and "could not be fetched" in answer.text
    assert "shop.made-up" in LOOKED_UP


def test_schemathesis_finds_nothing(service: tuple[str, str], tmp_path: Path) -> None:
    address, key = service
    program = str(Path(sys.executable).with_name("schemathesis"))
    command = [program, "--config-file", str(CONFIG), "run", "--checks", "all"]
    command += ["--header", f"Authorization: Bearer {key}", "--url", address, f"{address}/v1/openapi.json"]
    environment = os.environ | {"NO_COLOR": "1", "COLUMNS": "120"}
    ended = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=280)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert httpx.get(address + "/readyz").status_code == 200


PHOTO = base64.b64encode(picture("red", 40)).decode()
SHARES = st.floats(0, 1, allow_subnormal=False)
PARTS = st.floats(0, 1, exclude_min=True, allow_subnormal=False)
CROPS = st.fixed_dictionaries({"left": SHARES, "top": SHARES, "width": PARTS, "height": PARTS})
QUERIES = st.fixed_dictionaries(
    {"number": st.integers(1, MOST_NUMBER)},
    optional={
        "crop": CROPS,
        "filter": st.sampled_from(["price < 30", 'shot in ("front", "angle")', 'department = "none"', ""]),
        "match": st.sampled_from(["shape", "colour"]),
        "model": st.just("colour-shape"),
    },
)


@pytest.fixture(scope="module")
def client(service: tuple[str, str]) -> Iterator[httpx.Client]:
    address, key = service
    with httpx.Client(verify=False, base_url=address, headers={"Authorization": f"Bearer {key}"}) as client:
        yield client


@settings(max_examples=50)
@given(QUERIES)
def test_whatever_can_be_asked_with_a_photo_is_answered(client: httpx.Client, query: dict[str, object]) -> None:
    """Of what Schemathesis makes up hardly anything is a picture or a filter: here all is."""
    answer = client.post("/v1/search", json={"image": {"base64": PHOTO}, **query})
    assert answer.status_code == 200, answer.text
    matches = Matches.model_validate(answer.json()).matches
    assert len(matches) <= int(str(query["number"]))
    assert [match.rank for match in matches] == list(range(1, len(matches) + 1))
    assert [match.score for match in matches] == sorted((match.score for match in matches), reverse=True)
