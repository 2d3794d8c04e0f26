"""Who gets in, how much they may ask, and what happens when too many do."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from image_similarity.cli.app import app
from image_similarity.service.guards.api_keys import FILE, ApiKeys, KeyScope
from tests.support.service import Service, fitted, photo_of, running, until
from tests.support.shop import BLUE, RED
from tests.support.web import web


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fitted(tmp_path_factory.mktemp("doors"))


@pytest.fixture(scope="module")
def keyed(workspace: Path) -> Iterator[tuple[Service, dict[str, str]]]:
    """A service that listens everywhere, and a key of each scope."""
    keys = ApiKeys(workspace / FILE)
    made = {scope: keys.add(scope, KeyScope(scope)) for scope in ("read", "write", "admin")}
    with running(workspace, "--host", "0.0.0.0", "--allowed-host", "*") as service:
        yield service, made


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def test_without_a_key_nobody_gets_in_but_the_probes_and_the_page(keyed: tuple[Service, dict[str, str]]) -> None:
    service, _ = keyed
    for address in ("/v1/models", "/v1/products", "/v1/images/red_1.png", "/metrics", "/v1/jobs"):
        answer = service.get(address)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
        assert answer.headers["content-type"] == "application/problem+json"
    assert service.get("/v1/models", headers=bearer("is_wrong")).status_code == 401
    assert service.post("/v1/search", files={"file": photo_of(RED)}).status_code == 401
    for address in ("/healthz", "/readyz", "/"):
        assert service.get(address).status_code == 200


@pytest.mark.parametrize(
    "request_line", ["POST /v1/search", "POST /v1/jobs", "POST /v1/feedback", "PUT /v1/products/x"]
)
def test_a_stranger_is_refused_before_the_body_is_there(
    keyed: tuple[Service, dict[str, str]], request_line: str
) -> None:
    url = httpx.URL(keyed[0].address)
    with socket.create_connection((url.host, url.port or 80), timeout=30) as connection:
        head = f"{request_line} HTTP/1.1\r\nHost: {url.host}\r\nContent-Type: application/json\r\n"
        connection.sendall(f"{head}Content-Length: 100000\r\n\r\n".encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 401 ")


def test_a_key_opens_what_its_scope_says(keyed: tuple[Service, dict[str, str]]) -> None:
    service, keys = keyed
    mark = {"query_product_id": "red", "product_id": "orange", "verdict": "good"}
    opened = {
        scope: (
            service.post("/v1/search", files={"file": photo_of(RED)}, headers=bearer(keys[scope])).status_code,
            service.post("/v1/feedback", json=mark, headers=bearer(keys[scope])).status_code,
            service.get("/metrics", headers=bearer(keys[scope])).status_code,
        )
        for scope in keys
    }
    assert opened == {"read": (200, 403, 403), "write": (200, 201, 403), "admin": (200, 201, 200)}


def test_a_removed_key_is_refused_at_once(keyed: tuple[Service, dict[str, str]], workspace: Path) -> None:
    service, _ = keyed
    key = ApiKeys(workspace / FILE).add("passing", KeyScope.read)
    assert service.get("/v1/models", headers=bearer(key)).status_code == 200
    ApiKeys(workspace / FILE).remove("passing")
    assert service.get("/v1/models", headers=bearer(key)).status_code == 401


def test_the_access_log_names_the_key_and_never_shows_it(keyed: tuple[Service, dict[str, str]]) -> None:
    service, keys = keyed
    service.get(
        "/v1/products", params={"prefix": "secret-words"}, headers=bearer(keys["read"]) | {"X-Request-ID": "me-1"}
    )
    until(lambda: '"me-1"' in service.log.read_text())  # written once the answer is out
    lines = [json.loads(line) for line in service.log.read_text().splitlines() if line.startswith("{")]
    (line,) = [line for line in lines if line["request_id"] == "me-1"]
    assert (line["method"], line["path"], line["status"], line["key"]) == ("GET", "/v1/products", 200, "read")
    assert not any(key in service.log.read_text() for key in (*keys.values(), "secret-words"))


def test_listening_to_others_takes_keys(workspace: Path, tmp_path: Path) -> None:
    (tmp_path / "data").symlink_to(workspace)
    empty = tmp_path / "empty"
    empty.mkdir()
    command = ["serve", "--workspace", str(workspace), "--dataset", "shop", "--model", "colour-shape"]
    held = (workspace / FILE).rename(tmp_path / "held.json") if (workspace / FILE).exists() else None
    try:
        result = CliRunner().invoke(app, [*command, "--host", "0.0.0.0"])
    finally:
        if held:
            held.rename(workspace / FILE)
    assert result.exit_code != 0 and "keys add" in str(result.exception)


def test_a_port_that_is_taken_is_named(workspace: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = ["serve", "--workspace", str(workspace), "--model", "colour-shape", "--port", str(port)]
        result = CliRunner().invoke(app, command)
    assert f"127.0.0.1:{port}" in str(result.exception) and "`port`" in str(result.exception)


def test_other_sites_pages_and_names_are_kept_out(workspace: Path) -> None:
    with running(workspace, "--cors-origin", "https://shop.example") as service:
        assert service.get("/v1/models", headers={"Host": "evil.example"}).status_code == 403
        evil, friend = {"Origin": "https://evil.example"}, {"Origin": "https://shop.example"}
        assert service.delete("/v1/products/none", headers=evil).status_code == 403
        answer = service.post("/v1/search", files={"file": photo_of(RED)}, headers=friend)
        assert answer.status_code == 200
        assert answer.headers["access-control-allow-origin"] == "https://shop.example"


def test_one_client_may_ask_so_much_a_second(workspace: Path) -> None:
    with running(workspace, "--rate", "2") as service:
        answers = [service.get("/v1/models") for _ in range(20)]
        assert {answer.status_code for answer in answers} == {200, 429}
        refused = next(answer for answer in answers if answer.status_code == 429)
        assert int(refused.headers["retry-after"]) >= 1


def test_a_body_is_bounded(workspace: Path) -> None:
    with running(workspace) as service:
        answer = service.post("/v1/search", files={"file": b"x" * 26_000_000})
        assert answer.status_code == 413
        assert service.get("/v1/models").status_code == 200


def test_more_than_can_be_answered_are_told_to_come_back_and_the_others_are_answered(workspace: Path) -> None:
    with running(workspace, "--queue", "2") as service:
        photo = photo_of(BLUE, RED, size=700)
        statuses: list[int] = []
        waits: list[str] = []

        def ask() -> None:
            with httpx.Client(verify=False, base_url=service.address, timeout=60.0) as client:
                for _ in range(4):
                    answer = client.post("/v1/search", files={"file": photo})
                    statuses.append(answer.status_code)
                    if answer.status_code == 503:
                        waits.append(answer.headers["retry-after"])

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(statuses) == 32 and set(statuses) == {200, 503}
        assert set(waits) == {"1"}
        assert service.search(photo_of(RED), number="1")["matches"][0]["product_id"] == "red"


def test_a_stop_lets_requests_end(workspace: Path) -> None:
    with running(workspace) as service:
        answers: list[int] = []
        photo = photo_of(BLUE, RED, size=2500)
        thread = threading.Thread(
            target=lambda: answers.append(
                web.post(f"{service.address}v1/search", files={"file": photo}, timeout=60.0).status_code
            )
        )
        thread.start()
        until(lambda: answers or "image_similarity_searching 1.0" in service.get("/metrics").text)
        service.process.terminate()
        thread.join()
        assert answers == [200]
        assert service.process.wait(30) == 0
