"""Where there is no room for a picture: who sends it is told to come back, imports wait, the shop's own are shown."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from image_similarity import Workspace
from image_similarity.dataset import Dataset
from image_similarity.images.decoding import decode
from image_similarity.options import ModelChoice
from image_similarity.service.app import create_app
from image_similarity.service.app_state import AppState
from image_similarity.service.options import ServiceOptions
from image_similarity.settings import Settings
from tests.support.pictures import CORNERS, alike, corners_of, encoded, four_corners
from tests.support.servers import Answer, image_server
from tests.support.service import until
from tests.support.serving import serving

LIMIT = 4_000_000  # pixels of a client's image
LARGE = encoded(four_corners(2000, 2000), "WEBP", lossless=True)
OWN = encoded(four_corners(2500, 2500), "WEBP", lossless=True)  # larger than a client's may be
SMALL = encoded(four_corners(), "PNG")


@dataclass(frozen=True)
class Here:
    """A service in this process, whose state can be looked at."""

    client: httpx.Client
    state: AppState


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Here]:
    folder = tmp_path_factory.mktemp("room")
    (folder / "pictures").mkdir()
    for name, data in (("own_1.webp", OWN), ("small_1.png", SMALL)):
        (folder / "pictures" / name).write_bytes(data)
    settings = Settings(root=folder / "data", service_max_pixels=LIMIT)
    Workspace(settings=settings).fit("shop", folder / "pictures", model="colour-shape")
    options = ServiceOptions(
        Dataset("shop"),
        (ModelChoice("colour-shape"),),
        fetch_from=("127.0.0.1",),
        decoding_bytes=10_000_000,  # one large picture has the place to itself
        patience=0.05,
    )
    app = create_app(options, settings)
    with serving(app) as address, httpx.Client(verify=False, base_url=address, timeout=60) as client:
        yield Here(client, app.state.service)


def job_of(here: Here, address: str, name: str) -> str:
    body = {"products": [{"product_id": name, "images": [{"address": address}]}]}
    answer = here.client.post("/v1/jobs", json=body)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["job_id"])


def test_the_shops_own_pictures_are_shown_however_large_a_strangers_may_be(here: Here) -> None:
    assert here.client.post("/v1/search", files={"file": OWN}).status_code == 422
    for width in (64, 320, 1280):
        answer = here.client.get(f"/v1/images/own_1.webp?w={width}")
        assert answer.status_code == 200, answer.text
        shown = Image.open(BytesIO(answer.content))
        assert shown.size == (width, width)
        assert alike(corners_of(shown), CORNERS, 12)


@pytest.mark.parametrize("action", ["search", "put", "thumbnail", "photo"])
def test_whoever_finds_no_room_is_told_when_to_come_back(here: Here, action: str) -> None:
    def answer() -> httpx.Response:
        match action:
            case "search":
                return here.client.post("/v1/search", files={"file": LARGE})
            case "put":
                data: dict[str, Any] = {"product": json.dumps({"title": "Large"})}
                return here.client.put("/v1/products/large", data=data, files={"images": LARGE})
            case "photo":
                return here.client.post("/v1/photos", files={"file": LARGE})
        return here.client.get("/v1/images/own_1.webp?w=480")

    with here.state.decoding.within():
        decode(LARGE, max_pixels=LIMIT)
        full = answer()
        assert full.status_code == 503, full.text
        assert int(full.headers["Retry-After"]) >= 1
        assert "large images" in full.json()["detail"]
        assert here.client.post("/v1/search", files={"file": SMALL}).status_code == 200  # the others are answered
    assert answer().status_code in (200, 201)


def test_an_import_waits_for_room_and_fails_no_product_for_it(here: Here) -> None:
    with image_server() as server:
        address = server.give("/large.webp", Answer(LARGE))
        with here.state.decoding.within():
            decode(LARGE, max_pixels=LIMIT)
            job = job_of(here, address, "waits")
            until(lambda: len(server.asked("/large.webp")) > 1)  # requested, no memory to decode it, requested again
            job_state = here.client.get(f"/v1/jobs/{job}").json()
            assert (job_state["state"], job_state["done"], job_state["failed"]) == ("running", 0, 0)
        until(lambda: here.client.get(f"/v1/jobs/{job}").json()["state"] == "done")
    job_state = here.client.get(f"/v1/jobs/{job}").json()
    assert (job_state["done"], job_state["failed"], job_state["failures"]) == (1, 0, [])


def test_what_is_only_shown_looks_the_same_however_little_of_it_is_decoded_as_a_whole(tmp_path: Path) -> None:
    picture = four_corners(900, 600)
    clear = picture.copy()
    clear.putalpha(Image.new("L", picture.size, 128))
    for image, kind in (
        (picture, "PNG"),
        (clear, "PNG"),
        (picture.quantize(4), "GIF"),
        (picture.convert("CMYK"), "TIFF"),
    ):
        data = encoded(image, kind)
        whole, shown = decode(data, max_pixels=10**6), decode(data, max_pixels=10**6, target_pixels=20_000)
        assert shown.size == (180, 120)
        assert alike(corners_of(shown), corners_of(whole), 1)
    assert decode(encoded(picture, "PNG"), max_pixels=10**6, target_pixels=200_000).size == picture.size
