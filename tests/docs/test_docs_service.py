"""The page about the service runs as it is written: its commands, its curl and its httpx, against a live service."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.desk import ROOT, blocks, desk, environment, little_shop, run  # noqa: F401 (fixtures)

PAGE = ROOT / "docs" / "service.md"
HERE = re.compile(r"(?:127\.0\.0\.1|localhost):8000")
SERVE = re.compile(r"^image-similarity serve\b(.*)$", re.MULTILINE)


class Live:
    """The service that the page starts, on a port that is free, with the access log it writes."""

    def __init__(self, desk: Path) -> None:  # noqa: F811
        self.desk = desk
        self.log = desk / "access.log"
        self.process: subprocess.Popen[bytes] | None = None
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}"
        self._read = self._asked = 0

    def here(self, text: str) -> str:
        """A block of the page, with this service for the one at port 8000."""
        return HERE.sub(f"127.0.0.1:{self.port}", text)

    def start(self, arguments: str) -> None:
        """Start the service as the page says, in place of the one before."""
        self.stop()
        command = f"exec image-similarity serve{arguments} --port {self.port}"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                ["bash", "-c", command], cwd=self.desk, env=environment(self.desk), stdout=log, stdin=subprocess.DEVNULL
            )
        for _ in range(600):
            assert self.process.poll() is None, f"the service does not start: {command}"
            try:
                if httpx.get(self.address + "/readyz").status_code == 200:
                    break
            except httpx.ConnectError:
                pass
            time.sleep(0.1)
        self.asked()

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            assert self.process.wait(30) in (0, -15)
            self.process = None

    def asked(self) -> list[tuple[str, str]]:
        """The methods and paths of the requests since the last time, as the access log has them."""
        if self.process is None:
            return []
        self._asked += 1
        mark = f"mark-{self._asked}"  # what was asked before it stands before it in the log
        httpx.get(self.address + "/healthz", headers={"X-Request-ID": mark})
        lines: list[dict[str, str]] = []
        for _ in range(1000):
            written = self.log.read_bytes()[self._read :].decode()
            lines = [json.loads(line) for line in written.splitlines() if line.endswith("}")]
            if lines and lines[-1]["request_id"] == mark:
                break
            time.sleep(0.01)
        assert lines.pop()["request_id"] == mark
        self._read += len(written.encode())
        return [(line["method"].lower(), line["path"]) for line in lines if int(line["status"]) < 400]


@pytest.fixture
def live(desk: Path) -> Iterator[Live]:  # noqa: F811
    fitting = "image-similarity fit -d shop --catalogue little-shop --model colour-shape"
    fitted = run(["bash", "-ec", fitting], desk)
    assert fitted.returncode == 0, fitted.stderr
    live = Live(desk)
    yield live
    live.stop()


def operation_of(paths: dict[str, dict[str, object]], method: str, path: str) -> tuple[str, str] | None:
    """The operation of OpenAPI that a request was for: of several the one with the fewest letters in its braces."""
    fitting = [
        (sum(len(group) for group in match.groups()), template)
        for template in paths
        if method in paths[template]
        and (match := re.fullmatch(re.sub(r"\\\{\w+\\\}", "(.+)", re.escape(template)), path))
    ]
    return (method, min(fitting)[1]) if fitting else None


def test_every_block_runs_and_every_call_has_its_two_examples(live: Live) -> None:
    examples: dict[str, set[tuple[str, str]]] = {"sh": set(), "python": set()}
    paths: dict[str, dict[str, object]] = {}
    for kind, text in blocks(PAGE):
        if kind == "sh" and (starting := SERVE.search(text)):
            before = text[: starting.start()]
            assert run(["bash", "-euo", "pipefail", "-c", before], live.desk).returncode == 0
            live.start(starting[1].removesuffix("&"))
            paths = httpx.get(live.address + "/v1/openapi.json").json()["paths"]
            live.asked()
            continue
        block = live.here(text)
        command = ["bash", "-euo", "pipefail", "-c", block] if kind == "sh" else [sys.executable, "-c", block]
        done = run(command, live.desk)
        assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"
        found = {operation_of(paths, method, path) for method, path in live.asked()}
        examples[kind] |= {each for each in found if each is not None}
    every = {(method, path) for path, operations in paths.items() for method in operations}
    assert every
    for kind, program in (("sh", "curl"), ("python", "httpx")):
        missing = sorted(every - examples[kind])
        assert not missing, f"no example with {program} of {missing}"


def test_the_docs_name_every_option_of_the_command() -> None:
    from typer.main import get_command

    from image_similarity.cli.app import app

    page = PAGE.read_text(encoding="utf-8") + (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    command = get_command(app).commands["serve"]  # type: ignore[attr-defined]
    shared = {"--help", "--workspace", "--dataset", "--model", "--precision"}
    options = {option for each in command.params for option in each.opts if option.startswith("--")}
    missing = sorted(option for option in options - shared if f"{option}`" not in page and f"{option} " not in page)
    assert not missing, f"no word about {missing}"
