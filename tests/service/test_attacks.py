"""A service among strangers: whatever one of them sends, the others are answered meanwhile."""

from __future__ import annotations

import base64
import gzip
import json
import socket
import sqlite3
import struct
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from image_similarity import Workspace
from image_similarity.service.storage.query_photos import QueryPhotos
from image_similarity.settings import Settings
from tests.support.servers import Answer, image_server
from tests.support.service import Service, fitted, photo_of, running, until
from tests.support.shop import paint_shop
from tests.support.tiny_networks import describe, mean_network
from tests.support.web import web

RED = (250, 0, 0)
SOON = 5.0  # seconds that a client waits; what is tried here took minutes


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    workspace = fitted(tmp_path_factory.mktemp("shop"))
    with running(workspace, "--connections", "20", "--rate", "1000") as service:
        yield service


def form(field: str, content_type: str = "multipart/form-data; boundary=b") -> dict[str, Any]:
    part = f'--b\r\nContent-Disposition: form-data; name="text"\r\n\r\n{field}\r\n--b--\r\n'
    return {"content": part.encode(), "headers": {"Content-Type": content_type}}


@contextmanager
def connected(service: Service) -> Iterator[socket.socket]:
    url = httpx.URL(service.address)
    with socket.create_connection((url.host, url.port or 80), timeout=30) as connection:
        yield connection


def reply(connection: socket.socket) -> bytes:
    try:
        return connection.recv(1000)
    except ConnectionError:
        return b""


# What stops the event loop ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("charset", ["punycode", "undefined", "utf-7", "idna", "no-such-charset"])
def test_text_of_another_charset_than_utf_8_is_refused_unread(service: Service, charset: str) -> None:
    sent = form("a-" * 200_000, f"multipart/form-data; boundary=b; charset={charset}")
    answer = service.post("/v1/search", timeout=SOON, **sent)
    assert answer.status_code == 415
    assert "UTF-8" in answer.json()["detail"]


@pytest.mark.parametrize("path", ["search", "products/x", "jobs", "feedback"])
def test_a_body_of_a_million_names_is_refused_while_others_are_answered(service: Service, path: str) -> None:
    names = "{" + ",".join(f'"k{number}":1' for number in range(1_200_000)) + "}"
    body = f'{{"products": [{names}]}}' if path == "jobs" else names
    sent = {"content": body.encode(), "headers": {"Content-Type": "application/json"}}
    method = "PUT" if path.startswith("products") else "POST"
    answer = service.request(method, f"/v1/{path}", timeout=3 * SOON, **sent)
    assert answer.status_code in (400, 422)
    assert service.get("/healthz", timeout=SOON).status_code == 200


# Connections --------------------------------------------------------------------------------------------------------


def test_headers_without_end_are_given_up(service: Service) -> None:
    with connected(service) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n")
        with pytest.raises(OSError):
            for _ in range(1000):
                connection.sendall(b"X-Long: " + b"x" * 8000 + b"\r\n")
    assert service.get("/healthz").status_code == 200


def test_an_address_of_megabytes_is_given_up(service: Service) -> None:
    with connected(service) as connection, pytest.raises(OSError):
        connection.sendall(b"GET /" + b"x" * 50_000_000)
    assert service.get("/healthz").status_code == 200


IN_CHUNKS = (
    b"POST /v1/search HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n"
)


@pytest.mark.parametrize(
    ("start", "more"),
    [
        (b"1;", b"a" * 60_000),
        (b"1\r\n{\r\n0\r\n", b"X: " + b"a" * 60_000 + b"\r\n"),
        (b"", b"1\r\n \r\n" * 10_000),
    ],
    ids=["words behind a chunk's size", "headers behind the body", "chunks of a byte"],
)
def test_a_body_that_is_little_but_frame_is_hung_up_on(service: Service, start: bytes, more: bytes) -> None:
    with connected(service) as connection:
        with suppress(OSError):
            connection.sendall(IN_CHUNKS + b"\r\n" + start)
            for _ in range(300):
                connection.sendall(more)
            pytest.fail("18 MB were taken")
        assert reply(connection)[:12] in (b"", b"HTTP/1.1 400", b"HTTP/1.1 431")


def test_a_body_in_small_chunks_is_a_body(service: Service) -> None:
    text = json.dumps({"image": base64.b64encode(photo_of(RED)).decode()}).encode()
    pieces = (text[at : at + 7] for at in range(0, len(text), 7))
    answer = service.post("/v1/search", content=pieces, headers={"Content-Type": "application/json"})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET /v1/products HTTP/1.1\r\nHost:",
        b"POST /v1/search HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\n{",
    ],
    ids=["idle", "half a head", "half a body"],
)
def test_who_says_nothing_gives_place_to_who_does(service: Service, sent: bytes) -> None:
    with ExitStack() as stack:
        url = httpx.URL(service.address)
        for _ in range(60):  # three times what it takes
            held = stack.enter_context(socket.create_connection((url.host, url.port or 80), timeout=30))
            with suppress(OSError):
                held.sendall(sent)
        for _ in range(10):
            assert web.get(f"{service.address}healthz", timeout=SOON).status_code == 200


def test_who_is_being_answered_keeps_its_place_and_one_more_is_turned_away_with_a_word(
    tmp_path: Path,
) -> None:
    with (
        image_server() as pictures,
        running(fitted(tmp_path), "--connections", "1", "--fetch-from", "127.0.0.1") as service,
        ThreadPoolExecutor(1) as client,
    ):
        body = {"images": [{"address": pictures.give("/a.png", Answer(photo_of(RED), hold=True))}]}
        put = client.submit(service.put, "/v1/products/p1", json=body)
        until(lambda: pictures.in_flight == 1)
        with connected(service) as connection:
            assert reply(connection).startswith(b"HTTP/1.1 503 ")
        pictures.released.set()
        assert put.result().status_code == 201
        until(lambda: web.get(f"{service.address}healthz", timeout=SOON).status_code == 200)


def test_a_client_that_waits_for_no_answer_is_hung_up_on(service: Service) -> None:
    host = httpx.URL(service.address).netloc.decode()
    with connected(service) as connection:
        connection.sendall(f"GET /v1/products HTTP/1.1\r\nHost: {host}\r\n\r\n".encode() * 500)
        answers = b""
        while part := reply(connection):
            answers += part
    assert answers.count(b" 200 OK") <= 16
    with connected(service) as connection:  # a few at once are all answered
        connection.sendall(f"GET /healthz HTTP/1.1\r\nHost: {host}\r\n\r\n".encode() * 10)
        answers = b""
        while answers.count(b" 200 OK") < 10:
            answers += connection.recv(10_000)
    assert service.get("/healthz").status_code == 200


def test_a_client_that_goes_before_its_answers_leaves_no_error(tmp_path: Path) -> None:
    workspace = fitted(tmp_path)
    with running(workspace) as service:
        host = httpx.URL(service.address).netloc.decode()
        for _ in range(30):
            with connected(service) as connection:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # gone at once
                connection.sendall(f"GET /v1/products HTTP/1.1\r\nHost: {host}\r\n\r\n".encode() * 10)
                time.sleep(0.002)
        assert service.get("/healthz").status_code == 200
    assert "Traceback" not in service.log.read_text()


def test_bodies_that_do_not_come_take_nobodys_place(tmp_path: Path) -> None:
    workspace = fitted(tmp_path)
    with running(workspace, "--queue", "2") as service:
        slow = []
        url = httpx.URL(service.address)
        for _ in range(6):
            connection = socket.create_connection((url.host, url.port or 80), timeout=30)
            head = f"POST /v1/search HTTP/1.1\r\nHost: {url.host}:{url.port}\r\nContent-Type: image/png\r\n"
            connection.sendall(f"{head}Expect: 100-continue\r\nContent-Length: 100000\r\n\r\n".encode())
            slow.append(connection)
        for connection in slow:  # the service reads all of these bodies now
            assert reply(connection).startswith(b"HTTP/1.1 100 ")
        assert service.search(photo_of(RED))["matches"]
        for connection in slow:
            connection.close()


# Limits that can be walked round ------------------------------------------------------------------------------------


def test_who_a_client_says_it_is_does_not_win_it_more_requests(tmp_path: Path) -> None:
    workspace = fitted(tmp_path)
    with running(workspace, "--rate", "1") as service:
        statuses = [
            service.get("/v1/models", headers={"X-Forwarded-For": f"203.0.113.{number}"}).status_code
            for number in range(30)
        ]
        assert statuses.count(200) <= 8
        assert 429 in statuses
    with running(workspace, "--rate", "1", "--proxy", "127.0.0.1") as service:
        statuses = [
            service.get("/v1/models", headers={"X-Forwarded-For": f"203.0.113.{number}"}).status_code
            for number in range(30)
        ]
        assert set(statuses) == {200}


def test_junk_attributes_of_some_products_leave_the_shops_own(service: Service) -> None:
    picture = base64.b64encode(photo_of((1, 2, 3), RED)).decode()
    for number in range(4):
        junk = {f"{number}-{name:03}": "x" for name in range(97)}
        body = {"attributes": {**junk, "zz-own": "yes"}, "images": [{"base64": picture}]}
        assert service.put(f"/v1/products/junk{number}", json=body).status_code == 201
    until(lambda: len(service.search(photo_of(RED), filter='zz-own = "yes"')["matches"]) == 4)
    service.remove(*(f"junk{number}" for number in range(4)))


def test_who_keeps_very_many_photos_pushes_out_nobody_elses(tmp_path: Path) -> None:
    photos = QueryPhotos(tmp_path, 20, 10**6)
    others = [photos.keep(photo_of((200, shade, 9)), f"client {shade}").name for shade in range(8)]
    for shade in range(200):
        photos.keep(photo_of((shade, 255 - shade, 90)), "flood")
    assert all(photos.find(name) for name in others)


def test_photos_that_are_kept_have_so_many_bytes_together(tmp_path: Path) -> None:
    photos = QueryPhotos(tmp_path, 1000, 10**6, most_bytes=3000)
    for shade in range(130):
        photos.keep(photo_of((shade, 255 - shade, 90)))
    assert sum(path.stat().st_size for path in tmp_path.glob("*.jpg")) < 3000 + 64 * 1500


@pytest.mark.parametrize(
    ("name", "value"), [("x" * 20_000, "1"), ("", "1"), ("a\nb", "1"), ("list", [1]), ("long", "x" * 5000)]
)
def test_an_attribute_that_cannot_be_is_refused(service: Service, name: str, value: object) -> None:
    body = {"attributes": {name: value}, "images": [{"base64": base64.b64encode(photo_of(RED)).decode()}]}
    assert service.put("/v1/products/odd", json=body).status_code == 422


# Good data, as programs write it ------------------------------------------------------------------------------------


def spelled(data: bytes) -> dict[str, str]:
    text = base64.b64encode(data).decode()
    return {
        "a data: address": f"data:image/png;base64,{text}",
        "wrapped": "\r\n".join(text[start : start + 76] for start in range(0, len(text), 76)) + "\n",
        "for URLs": base64.urlsafe_b64encode(data).decode(),
        "without padding": text.rstrip("="),
        "plain": text,
    }


@pytest.mark.parametrize("way", list(spelled(b"")))
def test_base64_is_read_however_it_is_written(service: Service, way: str) -> None:
    photo = photo_of(RED, (0, 90, 250))
    expected = service.search(photo)["matches"]
    answer = service.post("/v1/search", json={"image": {"base64": spelled(photo)[way]}})
    assert answer.status_code == 200, answer.text
    assert answer.json()["matches"] == expected


def test_a_data_address_is_a_picture_wherever_an_address_may_stand(service: Service) -> None:
    photo = photo_of(RED, (0, 90, 250), size=600)
    image = {"address": f" DATA:image/png;base64,{base64.b64encode(photo).decode()}"}
    assert len(image["address"]) > 2000
    answer = service.post("/v1/search", json={"image": image})
    assert answer.status_code == 200, answer.text
    assert answer.json()["matches"] == service.search(photo)["matches"]
    assert service.put("/v1/products/data", json={"images": [image]}).status_code == 201
    bodies: list[dict[str, Any]] = [
        {"json": {"products": [{"product_id": "jdata", "images": [image]}]}},
        {"files": {"file": ("t.csv", f'product_id,image\ntdata,"{image["address"].strip()}"\n')}},
    ]
    for body in bodies:
        job = service.post("/v1/jobs", **body).json()["job_id"]
        until(lambda job=job: service.get(f"/v1/jobs/{job}").json()["state"] == "done")
        assert service.get(f"/v1/jobs/{job}").json()["failures"] == []
    service.remove("data", "jdata", "tdata")
    for wrong in ({"address": "data:image/png,plain"}, {**image, "base64": "AA=="}):
        assert service.post("/v1/search", json={"image": wrong}).status_code == 422


def test_what_is_no_base64_is_said(service: Service) -> None:
    for text in ("data:image/png,plain", "no base64 at all!", "data:;base64,####"):
        answer = service.post("/v1/search", json={"image": {"base64": text}})
        assert answer.status_code == 422
        assert "base64" in answer.json()["detail"]


@pytest.mark.parametrize("kind", ["image/png", "image/jpeg", "application/octet-stream"])
def test_a_photo_may_be_the_whole_body(service: Service, kind: str) -> None:
    photo = photo_of(RED)
    answer = service.post("/v1/search?number=2&crop=0,0,1,1", content=photo, headers={"Content-Type": kind})
    assert answer.status_code == 200, answer.text
    assert len(answer.json()["matches"]) == 2
    assert service.post("/v1/search?no=2", content=photo, headers={"Content-Type": kind}).status_code == 422


@pytest.mark.parametrize("field", ["file", "image", "photo"])
def test_the_photo_of_a_form_may_have_either_name(service: Service, field: str) -> None:
    answer = service.post("/v1/search", files={field: photo_of(RED)}, data={"number": "1"})
    assert answer.status_code == 200, answer.text


def test_several_photos_of_one_thing_are_one_query(service: Service) -> None:
    photos = [photo_of(RED), photo_of((0, 0, 250))]
    alone = [service.search(photo, number="1")["matches"][0] for photo in photos]
    best = max(alone, key=lambda match: match["score"])
    as_form = service.post("/v1/search", files=[("file", photo) for photo in photos], data={"number": "2"}).json()
    as_json = service.post(
        "/v1/search",
        json={"images": [{"base64": base64.b64encode(photo).decode()} for photo in photos], "number": 2},
    ).json()
    assert as_form == as_json
    names = [("image", photos[0]), ("photo", photos[1])]
    assert service.post("/v1/search", files=names, data={"number": "2"}).json() == as_form
    assert {match["product_id"] for match in alone} == {match["product_id"] for match in as_form["matches"]}
    assert as_form["matches"][0]["score"] == best["score"]
    too_many = service.post("/v1/search", files=[("file", photos[0])] * 9)
    assert too_many.status_code == 400
    cropped = service.post("/v1/search", files=[("file", photo) for photo in photos], data={"crop": "0,0,1,1"})
    assert cropped.status_code == 422


def test_attributes_may_be_numbers_truths_and_nulls(service: Service) -> None:
    attributes = {"price": 4.99, "pieces": 3, "new": True, "old": None}
    body = {"attributes": attributes, "images": [{"base64": base64.b64encode(photo_of(RED)).decode()}]}
    answer = service.put("/v1/products/typed", json=body)
    assert answer.json()["attributes"] == {"price": "4.99", "pieces": "3", "new": "true"}
    service.remove("typed")


def test_a_picture_may_be_a_text_and_a_text_a_number(service: Service) -> None:
    photo = photo_of(RED)
    letters = base64.b64encode(photo).decode()
    expected = service.search(photo)["matches"]
    for image in (letters, f"data:image/png;base64,{letters}"):
        answer = service.post("/v1/search", json={"image": image, "number": None})
        assert answer.json()["matches"] == expected
    refused = service.post("/v1/search", json={"images": ["http://127.0.0.1:70000/a.png"]})
    assert refused.status_code == 422 and "ports" in refused.json()["detail"]
    made = service.put("/v1/products/501", json={"title": 501, "description": None, "images": [letters]})
    assert (made.status_code, made.json()["title"], made.json()["description"]) == (201, "501", "")
    job = service.post("/v1/jobs", json={"products": [{"product_id": 502, "images": [letters]}]}).json()["job_id"]
    until(lambda: service.get(f"/v1/jobs/{job}").json()["state"] == "done")
    service.remove("501", "502")


@pytest.mark.parametrize("pack", [gzip.compress, lambda text: text.decode().encode("utf-16")], ids=["gzip", "UTF-16"])
def test_json_of_another_encoding_is_said_to_be(service: Service, pack: Callable[[bytes], bytes]) -> None:
    answer = service.post("/v1/search", content=pack(b'{"text": "x"}'), headers={"Content-Type": "application/json"})
    assert answer.status_code == 400 and "UTF-8" in answer.json()["detail"]


# Done once, and answered from what was done -------------------------------------------------------------------------


def test_a_repeat_is_answered_from_what_was_done_whatever_is_behind_an_address_by_now(tmp_path: Path) -> None:
    workspace = fitted(tmp_path)
    with running(workspace) as service:
        kept = service.post("/v1/photos", files={"file": photo_of(RED)}).json()["photo"]
        body = {"title": "Once", "images": [{"photo": kept}]}
        headers = {"Idempotency-Key": "one"}
        assert service.put("/v1/products/once", json=body, headers=headers).status_code == 201
        for path in (workspace / "photos").rglob("*.jpg"):
            path.unlink()
        again = service.put("/v1/products/once", json=body, headers=headers)
        assert (again.status_code, again.json()["title"]) == (201, "Once")
        assert service.put("/v1/products/once", json={**body, "title": "x"}, headers=headers).status_code == 409
        service.delete("/v1/products/once")
        again = service.put("/v1/products/once", json=body, headers=headers)
        assert (again.status_code, again.json()["title"]) == (201, "Once")
        assert service.get("/v1/products/once").status_code == 404


def test_two_clients_may_choose_the_same_idempotency_key(tmp_path: Path) -> None:
    from image_similarity.service.guards.api_keys import FILE, ApiKeys, KeyScope

    workspace = fitted(tmp_path)
    keys = ApiKeys(workspace / FILE)
    clients = [{"Authorization": f"Bearer {keys.add(name, KeyScope.write)}"} for name in ("a", "b")]
    picture = base64.b64encode(photo_of(RED)).decode()
    with running(workspace, "--keys") as service:
        for number, client in enumerate(clients):
            body = {"title": f"t{number}", "images": [{"base64": picture}]}
            sent = service.put(f"/v1/products/k{number}", json=body, headers={**client, "Idempotency-Key": "1"})
            assert sent.status_code == 201, sent.text


# Imports ------------------------------------------------------------------------------------------------------------


def ended(service: Service, job: dict[str, Any]) -> dict[str, Any]:
    until(lambda: service.get(f"/v1/jobs/{job['job_id']}").json()["finished"])
    found: dict[str, Any] = service.get(f"/v1/jobs/{job['job_id']}").json()
    return found


def test_a_product_that_is_refused_costs_no_other_and_is_counted(service: Service) -> None:
    picture = {"base64": base64.b64encode(photo_of(RED)).decode()}
    products = [
        {"product_id": "fine", "images": [picture], "attributes": {"price": 4.99}},
        {"product_id": "long", "images": [{"address": "https://x.invalid/" + "a" * 3000}]},
        {"product_id": "odd", "colour": "red", "images": [picture]},
        {"title": "nobody"},
    ]
    job = ended(service, service.post("/v1/jobs", json={"products": products}).json())
    assert (job["state"], job["total"], job["done"], job["failed"]) == ("done", 4, 1, 3)
    assert {failure["product_id"] for failure in job["failures"]} == {"long", "odd", ""}
    assert service.post("/v1/jobs", json={"products": products[1:]}).status_code == 422
    service.remove("fine")


def test_a_refused_row_of_a_table_is_counted(service: Service) -> None:
    rows = f"product_id,image_url,note\nlong,https://x.invalid/a.jpg,{'x' * 2000}\nother,https://x.invalid/b.jpg,x\n"
    sent = service.post("/v1/jobs", files={"file": ("t.csv", rows.encode())})
    job = ended(service, sent.json())
    assert (job["total"], job["done"], job["failed"]) == (2, 0, 2)


def test_a_damaged_import_stops_neither_the_list_nor_the_queue(tmp_path: Path) -> None:
    workspace = fitted(tmp_path)
    picture = {"base64": base64.b64encode(photo_of(RED)).decode()}
    with running(workspace) as service:
        job = service.post("/v1/jobs", json={"products": [{"product_id": "a", "images": [picture]}]}).json()
        ended(service, job)
    with closing(sqlite3.connect(workspace / "database" / "features.db")) as database, database:
        database.execute("UPDATE jobs SET state = 'queued', finished = NULL")
        database.execute("INSERT INTO job_products SELECT number, 0, '{' FROM jobs")
    with running(workspace) as service:
        later = service.post("/v1/jobs", json={"products": [{"product_id": "b", "images": [picture]}]}).json()
        assert ended(service, later)["done"] == 1
        until(lambda: service.get(f"/v1/jobs/{job['job_id']}").json()["state"] == "failed")
        assert [each["state"] for each in service.get("/v1/jobs").json()["jobs"]] == ["done", "failed"]
        assert service.get("/readyz").status_code == 200


def test_a_table_that_unpacks_to_gigabytes_is_refused(service: Service) -> None:
    import gzip

    rows = b"product_id,image\n" + b"p,https://example.invalid/a.jpg\n" * 300_000
    answer = service.post("/v1/jobs", files={"file": ("bomb.csv.gz", gzip.compress(rows))}, timeout=30.0)
    assert answer.status_code == 422
    assert "limit" in answer.json()["detail"]


def test_where_a_models_file_lies_is_not_told(tmp_path: Path) -> None:
    workspace = tmp_path / "data"
    described = describe(mean_network(tmp_path / "own.onnx"), output="means")
    Workspace(settings=Settings(root=workspace, precision="fp32")).fit(
        "shop", paint_shop(tmp_path / "pictures"), model=str(described)
    )
    with running(workspace, model=str(described)) as service:
        answers = [
            service.get("/v1/models").text,
            service.get("/v1/catalogue").text,
            service.post("/v1/search", files={"file": photo_of(RED)}).text,
            service.post("/v1/search", files={"file": photo_of(RED)}, data={"model": "none"}).text,
        ]
        assert service.search(photo_of(RED), model=described.name)["model"] == described.name
    assert not [answer for answer in answers if str(tmp_path) in answer]
