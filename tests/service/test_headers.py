"""What every answer carries, what is written of it, and which browsers' requests are refused."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import PlainTextResponse, Response, StreamingResponse

from image_similarity.errors import UsageError
from image_similarity.service.guards.access import AccessLog, set_key_name
from image_similarity.service.guards.headers import SecurityHeaders
from image_similarity.service.guards.hosts import HostGuard
from tests.support.serving import serving
from tests.support.web import web

LINES: list[dict[str, Any]] = []


def application() -> FastAPI:
    app = FastAPI()

    @app.get("/")
    @app.get("/page/page.js")
    @app.get("/healthz")
    @app.get("/v1/products/{name:path}")
    def show(request: Request) -> str:
        set_key_name(request.scope, "web")
        return "shown"

    @app.post("/v1/feedback")
    def change() -> str:
        return "changed"

    @app.get("/v1/images/1")
    def picture() -> Response:
        return Response(b"12345", media_type="image/png", headers={"Cache-Control": "max-age=60"})

    @app.get("/long")
    def stream() -> StreamingResponse:
        return StreamingResponse(iter([b"abc", b"de"]))

    @app.get("/broken")
    def broken() -> None:
        raise RuntimeError("a secret")

    @app.get("/refused")
    def refused() -> None:
        raise HTTPException(401)

    @app.get("/own", response_class=PlainTextResponse)
    def own() -> PlainTextResponse:
        return PlainTextResponse("", headers={"Content-Security-Policy": "default-src 'self'"})

    return app


def write(line: str) -> None:
    LINES.append(json.loads(line))


def line_of(answer: httpx.Response) -> dict[str, Any]:
    """The line of the log about an answer. It is written once all has been sent, so the client may be here before."""
    found: list[dict[str, Any]] = []
    for _ in range(10_000):
        found = [line for line in list(LINES) if line["request_id"] == answer.headers["X-Request-ID"]]
        if found:
            break
        time.sleep(0.001)
    (line,) = found
    return line.copy()


@pytest.fixture(scope="module")
def service() -> Iterator[str]:
    guarded = HostGuard(application(), hosts=["shop.example"], origins=["https://www.shop.example", "http://dev:3000"])
    with serving(AccessLog(SecurityHeaders(guarded), write)) as address:
        yield address


# Headers ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/page/page.js"])
def test_the_page_may_load_its_own_files_and_show_chosen_pictures(service: str, path: str) -> None:
    policy = web.get(service + path).headers["Content-Security-Policy"].split("; ")
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "img-src 'self' blob:" in policy
    assert "frame-ancestors 'none'" in policy
    assert not any("unsafe" in part for part in policy)


@pytest.mark.parametrize("path", ["/v1/products/a", "/v1/images/1", "/v1/nothing", "/healthz", "/pages", "/long"])
def test_any_other_answer_may_do_nothing(service: str, path: str) -> None:
    headers = web.get(service + path).headers
    assert headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'; sandbox"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Permissions-Policy"].startswith("camera=(self), microphone=()")


def test_what_an_answer_says_itself_stands(service: str) -> None:
    assert web.get(service + "/v1/images/1").headers.get_list("Cache-Control") == ["max-age=60"]
    assert web.get(service + "/v1/products/a").headers["Cache-Control"] == "no-store"
    assert web.get(service + "/own").headers.get_list("Content-Security-Policy") == ["default-src 'self'"]


def test_listed_sites_may_show_the_pictures() -> None:
    with serving(SecurityHeaders(application(), cross_origin=True)) as address:
        assert web.get(address + "/v1/images/1").headers["Cross-Origin-Resource-Policy"] == "cross-origin"
        assert web.get(address + "/").headers["Cross-Origin-Resource-Policy"] == "same-origin"


# The access log -----------------------------------------------------------------------------------------------------


def test_a_request_is_one_line_without_its_query_and_headers(service: str) -> None:
    secret = {"Authorization": "Bearer is_secret", "Cookie": "a=is_secret"}
    answer = web.get(service + "/v1/products/a%2Fb%22?filter=is_secret", headers=secret)
    line = line_of(answer)
    assert "is_secret" not in json.dumps(line)
    del line["request_id"]
    assert line.pop("ms") >= 0
    assert line.pop("time").endswith("+00:00")
    assert line == {
        "method": "GET",
        "path": '/v1/products/a/b"',
        "status": 200,
        "bytes": 7,
        "key": "web",
        "client": "127.0.0.1",
    }


def test_bytes_of_a_stream_add_up_and_nobody_is_named_who_showed_no_key(service: str) -> None:
    line = line_of(web.get(service + "/long"))
    assert (line["bytes"], line["key"]) == (5, None)


@pytest.mark.parametrize(("path", "status"), [("/broken", 500), ("/refused", 401), ("/nothing", 404)])
def test_errors_have_their_line_too(service: str, path: str, status: int) -> None:
    answer = web.get(service + path)
    assert (answer.status_code, line_of(answer)["status"]) == (status, status)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_a_long_path_does_not_fill_the_log(service: str) -> None:
    assert len(line_of(web.get(service + "/v1/products/" + "a" * 5000))["path"]) == 600


def test_a_sane_request_id_is_kept(service: str) -> None:
    assert web.get(service, headers={"X-Request-ID": "cart-7.b_2"}).headers["X-Request-ID"] == "cart-7.b_2"


@pytest.mark.parametrize("given", ["", "a b", "a" * 65, "x;y", "{}", "ä"])
def test_any_other_request_id_is_replaced(service: str, given: str) -> None:
    made = web.get(service, headers=[(b"X-Request-ID", given.encode())]).headers["X-Request-ID"]
    assert len(made) == 32
    assert web.get(service).headers["X-Request-ID"] != made


# The guard ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host", ["localhost:8000", "LOCALHOST", "127.0.0.1", "[::1]:80", "shop.example:443", "shop.example."]
)
def test_the_services_own_names_are_answered(service: str, host: str) -> None:
    assert web.get(service + "/v1/products/a", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example", "localhost@evil.example", "evil@localhost", "localhost/a", "", "a:b"],
)
def test_a_name_that_is_not_the_services_is_not(service: str, host: str) -> None:
    answer = web.get(service + "/", headers={"Host": host})
    assert answer.status_code == 403
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert "`allowed_host`" in answer.json()["detail"]
    assert answer.json()["request_id"] == answer.headers["X-Request-ID"]
    assert "shown" not in answer.text


def test_two_hosts_are_none(service: str) -> None:
    host, port = service.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 403 ")


def test_a_probe_may_ask_by_any_address(service: str) -> None:
    assert web.get(service + "/healthz", headers={"Host": "10.1.2.3:8000"}).status_code == 200


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("localhost:8000", "http://localhost:8000"),
        ("localhost:8000", None),
        ("shop.example", "https://shop.example"),  # a proxy speaks https for the service
        ("shop.example", "http://shop.example:80"),
        ("localhost:8000", "https://www.shop.example"),
        ("localhost:8000", "HTTPS://WWW.shop.example:443"),
        ("localhost:8000", "http://dev:3000"),
    ],
)
def test_the_services_page_listed_sites_and_programs_may_change(service: str, host: str, origin: str | None) -> None:
    headers = {"Host": host} | ({"Origin": origin} if origin else {})
    assert web.post(service + "/v1/feedback", headers=headers).text == '"changed"'


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "",
        "http://localhost:8001",
        "https://localhost",
        "http://evil.example",
        "https://shop.example.evil",
        "http://www.shop.example",
        "file://",
        "x",
        "http://localhost:8000/a",
        "http://localhost:8000@evil.example",
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_another_sites_page_may_not(service: str, method: str, origin: str) -> None:
    headers = {"Host": "localhost:8000", "Origin": origin}
    answer = web.request(method, service + "/v1/feedback", headers=headers)
    assert answer.status_code == 403
    assert answer.json()["title"] == "Forbidden"


def test_another_sites_page_may_look_at_nothing_but_is_not_refused(service: str) -> None:
    answer = web.get(service + "/v1/products/a", headers={"Origin": "http://evil.example"})
    assert answer.status_code == 200  # its browser keeps the answer from it: no header allows the site
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_any_name_can_be_allowed() -> None:
    with serving(HostGuard(application(), hosts=["*"])) as address:
        assert web.get(address + "/", headers={"Host": "whatever.example"}).status_code == 200
        assert web.get(address + "/", headers={"Host": "a b"}).status_code == 403
        headers = {"Host": "whatever.example", "Origin": "http://evil.example"}
        assert web.post(address + "/v1/feedback", headers=headers).status_code == 403


@pytest.mark.parametrize(
    "host", ["Look.example", "look.example:8000", "look.example.", "2001:db8::1", "[2001:db8::1]:80"]
)
def test_a_listed_name_counts_however_it_is_written(host: str) -> None:
    name = "[2001:db8::1]:8000" if "2001" in host else "look.example:8000"
    with serving(HostGuard(application(), hosts=[host])) as address:
        assert web.get(address + "/", headers={"Host": name}).status_code == 200
        assert web.get(address + "/", headers={"Host": "other.example"}).status_code == 403


@pytest.mark.parametrize("host", ["", "http://look.example", "a b", "look.example/x"])
def test_a_listed_name_that_is_none_is_said(host: str) -> None:
    with pytest.raises(UsageError, match="not a host name"):
        HostGuard(application(), hosts=[host])


@pytest.mark.parametrize("origin", ["*", "shop.example", "https://shop.example/", "null", "ftp://shop.example", ""])
def test_a_listed_origin_that_is_none_is_said(origin: str) -> None:
    with pytest.raises(UsageError, match="not the origin of a site"):
        HostGuard(application(), origins=[origin])
