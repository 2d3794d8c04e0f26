"""Real servers for tests: images over HTTP that misbehave on demand, and S3."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from PIL import Image


@dataclass
class Answer:
    """One answer of the image server."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str | None] = field(default_factory=dict)
    etag: str | None = None  # answered with 304 to those who have it
    modified: str | None = None  # the same for If-Modified-Since
    cut: int | None = None  # close the connection after so many bytes of the body
    hold: bool = False  # do not answer before the server is released
    half: bool = False  # having sent half of the body, do not go on before the server is released


class ImageServer:
    """Serves :class:`Answer` objects by path; several answers of one path come one after the other, the last stays."""

    def __init__(self) -> None:
        self.answers: dict[str, list[Answer]] = {}
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.released = threading.Event()
        self.in_flight = self.most_in_flight = 0
        self.release_at: int | None = None  # release those who wait once so many requests are in flight
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def give(self, path: str, *answers: Answer) -> str:
        """Set the answers of a path; returns its address."""
        self.answers[path] = list(answers)
        return self.address + path

    def asked(self, path: str) -> list[dict[str, str]]:
        """The headers of every request for a path."""
        return [headers for asked, headers in self.requests if asked == path]

    def next_answer(self, path: str, headers: dict[str, str]) -> Answer:
        with self._lock:
            self.requests.append((path, headers))
            left = self.answers.get(path, [Answer(status=404)])
            return left.pop(0) if len(left) > 1 else left[0]

    def enter(self, step: int) -> None:
        with self._lock:
            self.in_flight += step
            self.most_in_flight = max(self.most_in_flight, self.in_flight)
            if self.in_flight == self.release_at:
                self.released.set()

    def close(self) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _handler(server: ImageServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            answer = server.next_answer(self.path, dict(self.headers.items()))
            server.enter(+1)
            if answer.hold:
                server.released.wait(30)
            server.enter(-1)  # before the answer, which may bring the client's next request at once
            try:
                self.answer(answer)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True

        def answer(self, answer: Answer) -> None:
            known = (answer.etag and self.headers.get("If-None-Match") == answer.etag) or (
                answer.modified and self.headers.get("If-Modified-Since") == answer.modified
            )
            body = b"" if known else answer.body
            self.send_response(304 if known else answer.status)
            headers = {"ETag": answer.etag, "Last-Modified": answer.modified, **answer.headers}
            if not known:
                headers.setdefault("Content-Length", str(len(body)))  # None among the answer's: not declared
            for name, value in headers.items():
                if value is not None:
                    self.send_header(name, value)
            self.end_headers()
            if answer.half:
                self.wfile.write(body[: len(body) // 2])
                body = body[len(body) // 2 :]
                server.released.wait(30)
            self.wfile.write(body[: answer.cut])
            if answer.cut is not None:
                self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    return Handler


@contextmanager
def image_server() -> Iterator[ImageServer]:
    """An image server on a free port of this machine."""
    server = ImageServer()
    try:
        yield server
    finally:
        server.close()


@contextmanager
def s3_server() -> Iterator[str]:
    """moto's S3 on a free port of this machine; gives its endpoint."""
    import httpx
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        httpx.post(f"http://{host}:{port}/moto-api/reset")  # all of moto's servers in a process share their objects
        yield f"http://{host}:{port}"
    finally:
        server.stop()


def picture(colour: str = "red", size: int = 32, kind: str = "JPEG") -> bytes:
    """A plain picture's bytes."""
    file = io.BytesIO()
    Image.new("RGB", (size, size), colour).save(file, kind)
    return file.getvalue()
