"""How much one client may ask: requests, bytes, and depth."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from typing import Annotated, Any

import httpx
import pytest
from fastapi import Body, FastAPI, Request, UploadFile
from fastapi.responses import StreamingResponse
from hypothesis import given, strategies as st

from image_similarity.service.guards.access import AccessLog
from image_similarity.service.guards.json_limits import too_deep
from image_similarity.service.guards.limits import BodyLimit, RateLimiter, client_of
from tests.support.service import until
from tests.support.serving import serving
from tests.support.web import web

LIMIT = 2000


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_client_has_a_burst_and_then_its_rate() -> None:
    clock = Clock()
    limiter = RateLimiter(per_second=2, burst=3, clock=clock)
    assert [limiter.wait("web") for _ in range(4)] == [0, 0, 0, 0.5]
    assert limiter.wait("till") == 0  # another client has its own
    clock.now = 0.5
    assert [limiter.wait("web") for _ in range(2)] == [0, 0.5]
    clock.now = 1000
    assert [limiter.wait("web") for _ in range(4)] == [0, 0, 0, 0.5]


def test_who_is_refused_and_asks_on_does_not_wait_longer_for_it() -> None:
    clock = Clock()
    limiter = RateLimiter(per_second=1, burst=1, clock=clock)
    limiter.wait("web")
    assert {limiter.wait("web") for _ in range(100)} == {1.0}
    clock.now = 1
    assert limiter.wait("web") == 0


def test_many_clients_neither_fill_the_memory_nor_win_more() -> None:
    limiter = RateLimiter(per_second=1, burst=2, most=100, clock=Clock())
    let_in = sum(limiter.wait(f"client{n}") == 0 for n in range(10_000))
    assert let_in == 102  # one for each of a hundred, and the burst that all the others share
    assert len(limiter) == 101
    assert limiter.wait("client0") == 0  # those who were first keep what is theirs
    assert limiter.wait("client0") == 1


def test_a_client_who_has_rested_makes_room_for_another() -> None:
    clock = Clock()
    limiter = RateLimiter(per_second=1, burst=1, most=2, clock=clock)
    limiter.wait("a")
    clock.now = 0.5
    limiter.wait("b")
    clock.now = 1
    assert limiter.wait("c") == 0
    assert len(limiter) == 2
    assert limiter.wait("b") == 0.5


def test_who_asks_all_the_time_keeps_nobody_else_out() -> None:
    clock = Clock()
    limiter = RateLimiter(per_second=1, burst=1, most=2, clock=clock)
    limiter.wait("busy")
    limiter.wait("gone")
    clock.now = 5
    limiter.wait("busy")
    assert limiter.wait("new") == 0
    assert len(limiter) == 2  # in the place of who has gone, not among the strangers


@pytest.mark.parametrize(
    ("client", "expected"),
    [
        (("10.0.0.1", 5), "10.0.0.1"),
        (("::ffff:10.0.0.1", 5), "10.0.0.1"),
        (("2001:db8:1:2:3:4:5:6", 5), "2001:db8:1:2::/64"),
        (("2001:db8:1:2:ffff::", 9), "2001:db8:1:2::/64"),
        (("a-socket", 0), "a-socket"),
        (None, "unknown"),
    ],
)
def test_a_client_is_its_address_or_its_network(client: tuple[str, int] | None, expected: str) -> None:
    assert client_of({"type": "http", "client": client}) == expected


def application() -> FastAPI:
    """It takes bodies in every way that FastAPI knows."""
    app = FastAPI()

    @app.post("/json")
    def take_json(body: Annotated[Any, Body()]) -> int:
        return len(json.dumps(body))

    @app.post("/file")
    async def take_file(file: UploadFile) -> int:
        return len(await file.read())

    @app.post("/stream")
    async def take_stream(request: Request) -> int:
        return sum([len(part) async for part in request.stream()])

    @app.post("/careless")
    async def take_carelessly(request: Request) -> str:
        try:
            await request.body()
        except Exception:
            return "whatever"
        return "all of it"

    @app.get("/none")
    def take_nothing() -> str:
        return "nothing"

    @app.api_route("/slow", methods=["GET", "POST"])
    async def answer_slowly(request: Request) -> StreamingResponse:
        await request.body()

        async def digits() -> AsyncIterator[str]:
            for digit in range(10):
                await asyncio.sleep(0.02)
                yield str(digit)

        return StreamingResponse(digits())

    return app


@pytest.fixture(scope="module")
def service() -> Iterator[str]:
    """The application behind the limits."""
    limited = BodyLimit(application(), LIMIT)
    with serving(AccessLog(limited, lambda line: None)) as address:
        yield address


def parts(body: bytes) -> Iterator[bytes]:
    """The same bytes without a declared length."""
    for start in range(0, len(body), 300):
        yield body[start : start + 300]


FORM = {"Content-Type": "multipart/form-data; boundary=x"}
START = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
END = b"\r\n--x--\r\n"
BODIES = {
    "/json": lambda size: (b'"' + b"a" * (size - 2) + b'"', {"Content-Type": "application/json"}),
    "/file": lambda size: (START + b"a" * (size - len(START) - len(END)) + END, FORM),
    "/stream": lambda size: (b"a" * size, {"Content-Type": "image/jpeg"}),
    "/careless": lambda size: (b"a" * size, {"Content-Type": "image/jpeg"}),
}


@pytest.mark.parametrize("declared", [True, False])
@pytest.mark.parametrize("path", BODIES)
def test_a_body_may_be_as_large_as_the_limit_and_no_larger(service: str, path: str, declared: bool) -> None:
    body, headers = BODIES[path](LIMIT)
    answer = web.post(service + path, content=body if declared else parts(body), headers=headers)
    assert answer.status_code == 200, answer.text
    body, headers = BODIES[path](LIMIT + 1)
    answer = web.post(service + path, content=body if declared else parts(body), headers=headers)
    assert answer.status_code == 413
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["title"] == "Too large"
    problem = answer.json()
    assert problem["detail"] == "The limit of a body is 2000 bytes."
    assert problem["request_id"] == answer.headers["X-Request-ID"]


def test_a_body_that_declares_too_much_is_not_waited_for(service: str) -> None:
    host, port = service.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(b"POST /stream HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2001\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize("path", ["/json", "/stream", "/careless"])
def test_a_body_that_does_not_come_is_not_waited_for(path: str) -> None:
    with serving(BodyLimit(application(), LIMIT, seconds=0.1)) as address:
        host, port = address.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=30) as connection:
            head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            connection.sendall(f"{head}Content-Length: 100\r\n\r\n[".encode())
            assert connection.recv(100).startswith(b"HTTP/1.1 408 ")


def test_an_answer_may_take_longer_than_a_body() -> None:
    with serving(BodyLimit(application(), LIMIT, seconds=0.05)) as address:
        assert web.get(address + "/slow").text == "0123456789"
        assert web.post(address + "/slow", content=b"a" * 100).text == "0123456789"


def test_what_all_send_together_has_a_limit_too() -> None:
    limited = BodyLimit(application(), LIMIT, together=2 * LIMIT)
    with serving(AccessLog(limited, lambda line: None)) as address:
        host, port = address.removeprefix("http://").split(":")
        head = f"POST /stream HTTP/1.1\r\nHost: localhost\r\nContent-Length: {LIMIT}\r\n\r\n".encode()
        with ExitStack() as stack:
            slow = [stack.enter_context(socket.create_connection((host, int(port)), timeout=30)) for _ in range(2)]
            for connection in slow:
                connection.sendall(head + b"a" * (LIMIT - 1))
            until(lambda: limited.held == 2 * LIMIT - 2)
            answer = web.post(address + "/stream", content=b"a" * 100)
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
            assert "uploaded" in answer.json()["detail"]
            for connection in slow:
                connection.sendall(b"a")
                assert connection.recv(100).startswith(b"HTTP/1.1 200 ")
        until(lambda: limited.held == 0)
        assert web.post(address + "/stream", content=b"a" * 100).json() == 100


def test_the_connection_goes_on_after_a_refusal(service: str) -> None:
    with httpx.Client(verify=False, base_url=service) as client:
        for _ in range(3):
            assert client.post("/stream", content=parts(b"a" * 100_000)).status_code == 413
            assert client.get("/none").json() == "nothing"


def test_json_may_be_nested_twenty_deep_and_no_deeper() -> None:
    assert not too_deep(b"[" * 20 + b"]" * 20)
    assert too_deep(b"[" * 21 + b"]" * 21)
    assert too_deep(b'{"a":' * 21)  # before anybody has asked whether it is JSON
    assert not too_deep(b'["' + b"[" * 1000 + b'\\"' + b"{" * 1000 + b'"]')
    assert not too_deep(b"[[],[],{}]" * 1000)


def depth(value: object) -> int:
    """How deep a value is nested, the slow way."""
    if isinstance(value, dict):
        return 1 + max(map(depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(depth, value), default=0)
    return 0


VALUES = st.recursive(
    st.none() | st.integers() | st.text('"\\[]{}a,:\n', max_size=8) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('"\\[{a', max_size=4), inner, max_size=3),
    max_leaves=20,
)


@given(VALUES, st.booleans())
def test_the_depth_is_that_of_the_parsed_value(value: object, plain: bool) -> None:
    body = json.dumps(value, ensure_ascii=plain).encode("utf-8", "surrogatepass")
    deep = depth(value)
    assert not too_deep(body, deep)
    assert deep == 0 or too_deep(body, deep - 1)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-32"])
def test_another_encoding_hides_nothing(encoding: str) -> None:
    deep = ('["∀",' + "[" * 30 + "]" * 30 + "]").encode(encoding)  # one of the bytes of ∀ is a quote's
    assert json.loads(deep)  # Python reads it
    assert too_deep(deep)


@pytest.mark.parametrize("body", [b'"' * 2_000_001, b'"\\' * 1_000_000, b'\\"' * 1_000_000, b'"' + b"a" * 2_000_000])
def test_no_body_makes_the_scan_slow(body: bytes) -> None:
    assert not too_deep(body)
