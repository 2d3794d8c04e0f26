"""The page's files: small, readable, from nowhere else, and sent so that an update is seen at once."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from image_similarity.service.guards.headers import SecurityHeaders
from image_similarity.service.routes import page
from tests.support.serving import serving

MOST_BYTES = 60_000
FOLDER = resources.files("image_similarity.service") / "page"
FILES = {entry.name: entry.read_bytes() for entry in FOLDER.iterdir()}


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    app = SecurityHeaders(Starlette(routes=page.routes))
    with serving(app) as address, httpx.Client(verify=False, base_url=address) as client:
        yield client


def test_the_page_is_under_60_kb() -> None:
    assert 0 < sum(map(len, FILES.values())) < MOST_BYTES


def test_every_file_is_served_with_its_kind(client: httpx.Client) -> None:
    assert {Path(name).suffix for name in FILES} == set(page.KINDS)
    for name, content in FILES.items():
        answer = client.get(f"/page/{name}")
        assert (answer.content, answer.headers["content-type"]) == (content, page.KINDS[Path(name).suffix])


def test_nothing_comes_from_another_address() -> None:
    outside = {
        (name, address)
        for name, content in FILES.items()
        for address in re.findall(r"(?:https?:)?//[\w.-]+\.\w+[^\s\"'`)]*", content.decode())
    }
    assert {address for _, address in outside} == {"http://www.w3.org/2000/svg"}  # a name, which nobody opens


@pytest.mark.parametrize("path", ["/", "/page/app.js", "/page/app.css", "/page/icon.svg"])
def test_a_file_is_kept_by_the_browser_and_asked_for_again(client: httpx.Client, path: str) -> None:
    first = client.get(path)
    assert first.status_code == 200
    assert first.headers["cache-control"] == "no-cache"
    again = client.get(path, headers={"If-None-Match": f'W/{first.headers["etag"]}, "another"'})
    assert (again.status_code, again.content) == (304, b"")
    assert client.get(path, headers={"If-None-Match": '"older"'}).content == first.content


def test_files_have_the_content_type_that_browsers_insist_on(client: httpx.Client) -> None:
    kinds = {path: client.get(path).headers["content-type"] for path in ("/", "/page/app.js", "/page/app.css")}
    assert kinds == {
        "/": "text/html; charset=utf-8",
        "/page/app.js": "text/javascript; charset=utf-8",
        "/page/app.css": "text/css; charset=utf-8",
    }


def test_the_page_may_run_and_load_only_what_is_its_own(client: httpx.Client) -> None:
    policy = dict(each.split(" ", 1) for each in client.get("/").headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert "unsafe" not in " ".join(policy.values())


@pytest.mark.parametrize("name", ["nothing.js", "..%2Fapp.py", "%2e%2e%2fbodies.py", "index.html%00"])
def test_other_names_are_not_there(client: httpx.Client, name: str) -> None:
    assert client.get(f"/page/{name}").status_code == 404


def test_a_machine_that_cannot_install_a_browser_is_told_so_and_goes_on(tmp_path: Path) -> None:
    script = Path(__file__).parents[1] / "support" / "install_chromium.sh"
    done = subprocess.run(["/bin/sh", script], env={"PATH": str(tmp_path)}, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "the tests of the page will be skipped" in done.stdout
