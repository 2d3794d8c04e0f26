"""The service as a web team calls it: searches, products, pictures, bulk imports, marks."""

from __future__ import annotations

import base64
import io
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from image_similarity.catalogue.labels import read_labels
from image_similarity.settings import Settings
from tests.support.pictures import encoded, four_corners
from tests.support.service import Service, customers, fitted, photo_of, running, until
from tests.support.shop import BLUE, GREEN, RED

AZURE = (0, 40, 250)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running(fitted(tmp_path_factory.mktemp("service"))) as started:
        yield started


def ids(answer: dict[str, Any]) -> list[str]:
    return [match["product_id"] for match in answer["matches"]]


def put(
    service: Service, product_id: str, *pictures: bytes, headers: dict[str, str] | None = None, **change: Any
) -> Any:
    files = [("product", (None, json.dumps(change)))] + [("images", picture) for picture in pictures]
    return service.put(f"/v1/products/{product_id}", files=files, headers=headers)


def refused(answer: httpx.Response, status: int, words: str) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status and words in problem["detail"]
    assert problem["request_id"] == answer.headers["x-request-id"]


# Searching ----------------------------------------------------------------------------------------------------------


def test_a_photo_finds_products_with_texts_and_pictures(service: Service) -> None:
    answer = service.search(photo_of(RED), number="2")
    assert len(answer["matches"]) == 2 and answer["model"] == "colour-shape"
    first = answer["matches"][0]
    assert (first["rank"], first["product_id"]) == (1, "red")
    assert first["closeness"] in ("very close", "close", "look-alike") and first["probability"] is None
    picture = service.get(first["image"]["thumbnail"])
    assert picture.headers["content-type"] == "image/jpeg"


@pytest.mark.parametrize("way", ["base64", "photo"])
def test_a_photo_may_come_in_several_ways_and_the_answer_is_the_same(service: Service, way: str) -> None:
    photo = photo_of(GREEN, BLUE)
    image = {"base64": base64.b64encode(photo).decode()}
    if way == "photo":
        kept = service.post("/v1/photos", files={"file": photo})
        assert kept.status_code == 201
        image = {"photo": kept.json()["photo"]}
    answer = service.post("/v1/search", json={"image": image})
    assert ids(answer.json()) == ids(service.search(photo))


def test_a_crop_asks_with_a_part_of_the_photo(service: Service) -> None:
    picture = Image.new("RGB", (100, 100), RED)
    picture.paste(BLUE, (60, 60, 100, 100))
    file = io.BytesIO()
    picture.save(file, "PNG")
    assert ids(service.search(file.getvalue(), number="1")) != ["blue"]
    assert ids(service.search(file.getvalue(), number="1", crop="0.6,0.6,0.4,0.4")) == ["blue"]
    image = {"base64": base64.b64encode(file.getvalue()).decode()}
    crop = {"left": 0.6, "top": 0.6, "width": 0.4, "height": 0.4}
    assert ids(service.post("/v1/search", json={"image": image, "crop": crop, "number": 1}).json()) == ["blue"]


def test_queries_that_come_together_get_their_own_answers(service: Service) -> None:
    colours = {"red": RED, "green": GREEN, "blue": BLUE}
    answers: list[tuple[str, list[str]]] = []

    def ask(name: str) -> None:
        for _ in range(5):
            answers.append((name, ids(service.search(photo_of(colours[name]), number="1"))))

    threads = [threading.Thread(target=ask, args=(name,)) for name in list(colours) * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 60 and all(found == [name] for name, found in answers)


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({}, 422, "nothing to search for"),
        ({"image": {}}, 422, "one of address, base64 and photo"),
        ({"image": {"base64": "aaaa"}}, 422, "not an image"),
        ({"image": {"base64": "%"}}, 422, "not base64"),
        ({"image": {"photo": "0" * 64}}, 422, "send it again"),
        ({"image": {"address": "http://169.254.169.254/latest"}}, 422, "could not be fetched"),
        ({"image": {"address": "file:///etc/passwd"}}, 422, "address"),
        ({"text": "a red ball"}, 422, "does not support text queries"),
        ({"number": 0}, 422, "greater than or equal to 1"),
        ({"number": 201}, 422, "less than or equal to 200"),
        ({"unknown": 1}, 422, "Extra inputs"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_the_reason(
    service: Service, body: dict[str, Any], status: int, words: str
) -> None:
    refused(service.post("/v1/search", json=body), status, words)


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({"filter": "price <"}, 422, "filter"),
        ({"filter": "nothing = 1"}, 422, "no attribute nothing"),
        ({"crop": "1,2"}, 422, "left,top,width,height"),
        ({"match": "taste"}, 422, "match"),
        ({"model": "VGG"}, 422, "no model 'VGG'"),
        ({"min_match": "0.5"}, 409, "calibrate"),
    ],
)
def test_options_that_do_not_fit_are_refused_with_the_reason(
    service: Service, fields: dict[str, str], status: int, words: str
) -> None:
    refused(service.post("/v1/search", files={"file": photo_of(RED)}, data=fields), status, words)


def test_a_body_of_another_kind_is_refused(service: Service) -> None:
    refused(service.post("/v1/search", content=b"<x/>", headers={"content-type": "text/xml"}), 415, "text/xml")
    refused(service.post("/v1/search", content=b"{", headers={"content-type": "application/json"}), 400, "not JSON")
    deep = b"[" * 1000 + b"]" * 1000
    refused(service.post("/v1/search", content=deep, headers={"content-type": "application/json"}), 400, "deep")


# Products -----------------------------------------------------------------------------------------------------------


def test_products_are_listed_some_at_a_time_and_by_a_prefix(service: Service) -> None:
    first = service.get("/v1/products", params={"number": 2}).json()
    assert [each["product_id"] for each in first["products"]] == ["blue", "green"]
    rest = service.get("/v1/products", params={"number": 50, "after": first["next"]}).json()
    assert {"orange", "red"} <= {each["product_id"] for each in rest["products"]} and rest["next"] is None
    by_prefix = service.get("/v1/products", params={"prefix": "GR"}).json()
    assert [each["product_id"] for each in by_prefix["products"]] == ["green"]
    assert service.get("/v1/products", params={"prefix": "%"}).json()["products"] == []


def test_similar_products_name_the_pair_of_pictures_that_matched(service: Service) -> None:
    answer = service.get("/v1/products/red/similar", params={"number": 1}).json()
    assert ids(answer) == ["orange"]
    pair = answer["matches"][0]
    assert pair["image"]["image_id"] == "orange_1.png" and pair["query_image"]["image_id"].startswith("red_")
    refused(service.get("/v1/products/nobody/similar"), 404, "nobody")
    refused(service.get("/v1/products/nobody"), 404, "nobody")


def test_a_product_that_is_put_is_found_changed_and_taken_away(service: Service) -> None:
    picture = photo_of(AZURE, RED)
    answer = put(service, "toy/azure 1", picture, title="Azure", attributes={"brand": "Kip", "price": "3", "size": ""})
    assert answer.status_code == 201
    assert answer.json()["attributes"] == {"brand": "Kip", "price": "3"}
    until(lambda: ids(service.search(picture, number="1")) == ["toy/azure 1"])
    assert service.get(answer.json()["images"][0]["url"]).content == picture
    until(lambda: ids(service.search(picture, filter='brand = "Kip"')) == ["toy/azure 1"])
    again = put(service, "toy%2Fazure%201", title="Azure ball")
    assert again.status_code == 200 and again.json()["images"] == answer.json()["images"]
    assert ids(service.get("/v1/products/toy%2Fazure%201/similar", params={"number": 1}).json()) != []
    assert (
        service.get("/v1/products", params={"prefix": "azure b"}).json()["products"][0]["product_id"] == "toy/azure 1"
    )
    assert service.delete("/v1/products/toy/azure 1").status_code == 204
    until(lambda: "toy/azure 1" not in ids(service.search(picture)))
    refused(service.delete("/v1/products/toy/azure 1"), 404, "toy/azure 1")


def test_a_put_that_cannot_be_is_refused_and_changes_nothing(service: Service) -> None:
    refused(put(service, "ghost"), 422, "at least one image")
    refused(put(service, "ghost", b"no picture"), 422, "not an image")
    refused(service.put("/v1/products/ghost", json={"images": []}), 422, "images")
    refused(put(service, "ghost", photo_of(RED), price=1), 422, "price")
    refused(service.get("/v1/products/ghost"), 404, "ghost")


def test_the_same_key_carries_a_request_out_once(service: Service) -> None:
    key = {"Idempotency-Key": "put-1"}
    assert put(service, "once", photo_of(AZURE), headers=key, title="First").status_code == 201
    assert put(service, "once", title="Second").status_code == 200
    again = put(service, "once", photo_of(AZURE), headers=key, title="First")
    assert again.status_code == 201 and again.json()["title"] == "Second"  # it changed nothing any more
    refused(put(service, "once", headers=key, title="Third"), 409, "Idempotency-Key")
    key = {"Idempotency-Key": "delete-1"}
    assert [service.delete("/v1/products/once", headers=key).status_code for _ in range(2)] == [204, 204]


def test_the_same_request_sent_many_times_at_once_is_carried_out_once(service: Service) -> None:
    answers: list[int] = []

    def send() -> None:
        answers.append(put(service, "twice", photo_of(AZURE), headers={"Idempotency-Key": "at-once"}).status_code)

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [201] * 8
    service.remove("twice")


def test_what_was_answered_is_there_after_a_kill(tmp_path: Path) -> None:
    workspace, picture = fitted(tmp_path), photo_of(AZURE, GREEN)
    with running(workspace) as service:
        assert put(service, "azure", picture, title="Azure").status_code == 201
        assert service.delete("/v1/products/red").status_code == 204
        service.kill()
    with running(workspace) as service:
        assert ids(service.search(picture, number="1")) == ["azure"]
        assert "red" not in ids(service.search(photo_of(RED)))
        assert service.get("/v1/products/azure").json()["title"] == "Azure"


def test_a_fit_beside_the_service_is_taken_up_and_no_request_fails(tmp_path: Path) -> None:
    from image_similarity import Workspace
    from tests.conftest import paint

    workspace = fitted(tmp_path)
    with running(workspace) as service, customers(service) as statuses:
        paint(tmp_path / "pictures" / "azure_1.png", AZURE)
        (tmp_path / "pictures" / "blue_1.png").unlink()
        Workspace(settings=Settings(root=workspace, precision="fp32")).fit(
            "shop", tmp_path / "pictures", model="colour-shape"
        )
        until(lambda: ids(service.search(photo_of(AZURE), number="1")) == ["azure"])
        assert "blue" not in ids(service.search(photo_of(BLUE)))
    assert statuses == {200}


def test_an_index_with_many_changes_beside_it_is_rebuilt_meanwhile(tmp_path: Path) -> None:
    workspace = fitted(tmp_path)
    with running(workspace, "--rebuild-after", "2") as service:
        for number in range(4):
            assert put(service, f"p{number}", photo_of((0, 30 * number, 200))).status_code == 201
        index = workspace / "index" / "shop" / "colour-shape-1"
        until(lambda: (index / "current").read_text() != "g000001\n")
        assert ids(service.search(photo_of((0, 90, 200)), number="1")) == ["p3"]


# Pictures -----------------------------------------------------------------------------------------------------------


def test_pictures_are_small_on_request_and_not_sent_twice(service: Service) -> None:
    whole = service.get("/v1/images/red_1.png")
    assert whole.headers["content-type"] == "image/png"
    small = service.get("/v1/images/red_1.png", params={"w": 16})
    assert small.headers["content-type"] == "image/jpeg"
    assert "max-age" in small.headers["cache-control"]
    known = {"If-None-Match": small.headers["etag"]}
    unchanged = service.get("/v1/images/red_1.png", params={"w": 16}, headers=known)
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    refused(service.get("/v1/images/none.png"), 404, "none.png")
    refused(service.get("/v1/images/red_1.png", params={"w": 0}), 422, "w")


def test_a_kept_photo_is_upright_and_without_what_the_camera_wrote(service: Service) -> None:
    picture = Image.new("RGB", (60, 40), RED)
    exif = picture.getexif()
    exif[0x0112], exif[0x010E] = 6, "where I live"  # turned; a description
    file = io.BytesIO()
    picture.save(file, "JPEG", exif=exif)
    kept = service.post("/v1/photos", files={"file": file.getvalue()}).json()
    assert (kept["width"], kept["height"]) == (40, 60)
    sent = service.get(kept["url"])
    assert b"where I live" not in sent.content and "immutable" in sent.headers["cache-control"]
    refused(service.post("/v1/photos", files={"file": b"no picture"}), 422, "not an image")
    refused(service.post("/v1/photos", files={"other": b"x"}), 422, "file: Field required")


# Bulk imports -------------------------------------------------------------------------------------------------------


def test_a_bulk_import_puts_what_it_can_and_says_what_it_cannot(service: Service) -> None:
    good = base64.b64encode(photo_of((250, 0, 250))).decode()
    products = [
        {"product_id": "j1", "title": "One", "images": [{"base64": good}, {"base64": "aaaa"}]},
        {"product_id": "j2", "images": [{"base64": "aaaa"}]},
        {"product_id": "j3", "images": [{"address": "http://127.0.0.1:9/x.jpg"}]},
        {"product_id": "j4/similar", "images": [{"base64": good}]},
    ]
    answer = service.post("/v1/jobs", json={"products": products})
    assert answer.status_code == 202
    where = answer.headers["location"]
    until(lambda: service.get(where).json()["state"] == "done")
    job = service.get(where).json()
    assert (job["total"], job["done"], job["failed"]) == (4, 1, 3)
    assert {(each["product_id"], each["stage"]) for each in job["failures"]} == {
        ("j1", "decode"), ("j2", "decode"), ("j3", "download"), ("j4/similar", "list")
    }  # fmt: skip
    assert len(service.get("/v1/products/j1").json()["images"]) == 1
    assert job in service.get("/v1/jobs").json()["jobs"]
    refused(service.get("/v1/jobs/none"), 404, "none")


def test_a_table_is_imported_from_its_addresses_and_never_from_this_machine(service: Service, tmp_path: Path) -> None:
    secret = tmp_path / "secret.png"
    secret.write_bytes(photo_of(RED))
    table = f"product_id,image,title\na,http://127.0.0.1:9/a.jpg,A\nb,{secret},B\nc,/nowhere.png,C\n"
    answer = service.post("/v1/jobs", files={"file": ("shop.csv", table)})
    assert answer.status_code == 202
    until(lambda: service.get(answer.headers["location"]).json()["state"] == "done")
    failures = service.get(answer.headers["location"]).json()["failures"]
    reasons = {each["product_id"]: each["reason"] for each in failures}
    assert reasons["b"] == reasons["c"] and "http" in reasons["b"]  # whether a file is there is not told
    refused(service.post("/v1/jobs", files={"file": ("shop.csv", "a,b\n1,2\n")}), 422, "the table")
    refused(service.post("/v1/jobs", files={"file": ("shop.zip", b"PK\x03\x04")}), 422, "the table is damaged")


@pytest.mark.parametrize(
    ("name", "table"),
    [
        ("export", "product_id;image\nodd;https://example.invalid/a.jpg\n"),
        ("export.json", '{"products": [{"id": "odd", "images": [{"src": "https://example.invalid/a.jpg"}]}]}'),
    ],
)
def test_what_an_imported_table_is_says_its_content_and_not_its_name(service: Service, name: str, table: str) -> None:
    answer = service.post("/v1/jobs", files={"file": (name, table)})
    assert (answer.status_code, answer.json()["total"]) == (202, 1), answer.text


def test_pictures_that_were_cut_short_are_counted_in_whatever_is_answered(service: Service) -> None:
    whole, cut = encoded(four_corners(), "JPEG"), encoded(four_corners().rotate(180), "JPEG")[:-2]
    files = [("images", whole), ("images", cut), ("images", cut)]
    key = {"Idempotency-Key": "cut-1"}
    for _ in range(2):  # a repeat is answered from what was done
        answer = service.put("/v1/products/cut", data={"product": "{}"}, files=files, headers=key)
        assert answer.status_code == 201 and answer.json()["repaired"] == 1
    assert service.put("/v1/products/cut", json={"title": "Cut"}).json()["repaired"] == 0  # it came without pictures
    pictures = [{"base64": base64.b64encode(each).decode()} for each in (whole, cut)]
    products = [{"product_id": name, "images": pictures} for name in ("cut", "cut-too", "cut-three")]
    job = finished(service, service.post("/v1/jobs", json={"products": products}))
    assert (job["done"], job["repaired"], job["notes"]) == (3, 3, [])
    service.remove("cut", "cut-too", "cut-three")


def test_what_is_to_be_known_of_a_table_is_in_the_answer(service: Service) -> None:
    table = (
        "Exported today\nsku;image;image2;photo_back\n1;data:,;http://127.0.0.1:9/café.jpg;http://127.0.0.1:9/c.jpg\n"
    ).encode("cp1252")
    answer = service.post("/v1/jobs", files={"file": ("shop.csv", table)})
    job = finished(service, answer)
    assert answer.json()["notes"] == job["notes"] and job["repaired"] == 0
    notes = " / ".join(job["notes"])
    for word in ("cp1252", "1 line before the header", "image, image2", "photo_back also have images and are not read"):
        assert word in notes
    assert "/tmp" not in notes
    described = service.get("/v1/openapi.json").json()["components"]["schemas"]
    assert {"repaired", "notes"} <= set(described["Job"]["required"])
    assert "repaired" in described["PutProduct"]["required"]


def finished(service: Service, answer: httpx.Response) -> dict[str, Any]:
    """An import once it has been carried out."""
    assert answer.status_code == 202
    until(lambda: service.get(answer.headers["location"]).json()["finished"])
    job: dict[str, Any] = service.get(answer.headers["location"]).json()
    return job


def test_an_import_goes_on_after_a_kill(tmp_path: Path) -> None:
    workspace = fitted(tmp_path)
    products = [
        {"product_id": f"j{n:02}", "images": [{"base64": base64.b64encode(photo_of((n, 250, n))).decode()}]}
        for n in range(40)
    ]
    with running(workspace) as service:
        where = service.post("/v1/jobs", json={"products": products}).headers["location"]
        service.kill()
    with running(workspace) as service:
        until(lambda: service.get(where).json()["state"] == "done")
        assert service.get(where).json()["done"] == 40
        assert (
            service.get("/v1/products", params={"prefix": "j", "number": 100}).json()["products"][-1]["product_id"]
            == "j39"
        )


# Marks --------------------------------------------------------------------------------------------------------------


def test_marks_are_kept_as_labels_that_evaluate_reads(service: Service) -> None:
    kept = service.post("/v1/photos", files={"file": photo_of(GREEN, RED)}).json()["photo"]
    crop = {"left": 0, "top": 0, "width": 0.5, "height": 0.5}
    for verdict in ("bad", "good"):  # the later word stands
        body = {"photo": kept, "crop": crop, "product_id": "green", "verdict": verdict}
        assert service.post("/v1/feedback", json=body).status_code == 201
    bad = {"photo": kept, "crop": crop, "product_id": "blue", "verdict": "bad"}
    assert service.post("/v1/feedback", json=bad).json()["bad"] == 1
    pick = {"query_product_id": "red", "product_id": "orange", "verdict": "good"}
    counts = service.post("/v1/feedback", json=pick).json()
    assert counts == service.get("/v1/feedback").json() == {"good": 2, "bad": 1, "photos": 1, "products": 1}
    folder = service.workspace / "labels" / "shop"
    photos = read_labels(str(folder / "photos.csv"), Settings())
    assert [each.product_ids for each in photos.photos] == [("green",)]
    with Image.open(photos.photos[0].path) as picture:
        assert picture.size == (48, 48)
    assert list(read_labels(str(folder / "picks.csv"), Settings()).picks) == [("red", "orange")]
    refused(service.post("/v1/feedback", json=pick | {"product_id": "nobody"}), 404, "nobody")
    refused(service.post("/v1/feedback", json={"product_id": "red", "verdict": "good"}), 422, "give the query")


# About --------------------------------------------------------------------------------------------------------------


def test_the_service_says_what_it_is_and_how_it_fares(service: Service) -> None:
    assert service.get("/healthz").json() == {"status": "ok"}
    assert service.get("/readyz").json() == {"status": "ready"}
    models = service.get("/v1/models").json()
    assert models["dataset"] == "shop" and [each["name"] for each in models["models"]] == ["colour-shape"]
    assert models["models"][0]["match"] == ["shape", "colour"] and models["models"][0]["default"]
    metrics = service.get("/metrics").text
    assert 'image_similarity_requests_total{method="GET",route="/v1/models",status="200"}' in metrics
    search = service.get("/v1/openapi.json").json()["paths"]["/v1/search"]["post"]
    bodies = {kind: body["schema"].get("title") for kind, body in search["requestBody"]["content"].items()}
    assert bodies == {"application/json": "SearchRequest", "multipart/form-data": "SearchForm", "image/jpeg": None}
    assert {"number", "crop"} <= {each["name"] for each in search["parameters"]}


def test_the_catalogue_says_what_it_holds(tmp_path: Path) -> None:
    workspace = fitted(tmp_path)
    (tmp_path / "pictures" / "bad_1.png").write_bytes(b"no picture")
    from image_similarity import Workspace

    Workspace(settings=Settings(root=workspace, precision="fp32")).fit(
        "shop", tmp_path / "pictures", model="colour-shape"
    )
    with running(workspace) as service:
        put(service, "azure", photo_of(AZURE), attributes={"brand": "Kip", "price": "3.5"})
        until(lambda: service.get("/v1/catalogue").json()["products"] == 5)
        state = service.get("/v1/catalogue").json()
        assert state["images"] == 7 and state["models"][0]["images"] == 7
        assert state["failures"] == [{"job": "fit", "stage": "decode", "images": 1}]
        assert state["store_bytes"] > 0 and state["images_bytes"] > 0 and state["last_fit"].endswith("Z")
        assert service.get("/v1/products/bad").json()["images"] == []  # a picture that nobody could look at
        failure = service.get("/v1/failures").json()["failures"][0]
        assert failure["image_id"] == "bad_1.png" and str(tmp_path) not in json.dumps(failure)


def test_no_answer_has_a_path_of_the_machine(service: Service) -> None:
    for address in ("/v1/catalogue", "/v1/models", "/v1/products/red", "/v1/images/none", "/v1/jobs", "/v1/failures"):
        assert str(service.workspace) not in service.get(address).text
