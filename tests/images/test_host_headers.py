"""Headers of one's own for downloads: who gets them, and who never does."""

from __future__ import annotations

import csv
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from image_similarity import Workspace
from image_similarity.cli.app import app
from image_similarity.errors import UsageError
from image_similarity.images.host_headers import parse_headers
from image_similarity.options import DownloadOptions, Headers
from tests.support.servers import Answer, ImageServer, image_server, picture

SECRET = "Bearer s3cr3t"


@pytest.fixture
def server() -> Iterator[ImageServer]:
    with image_server() as running:
        yield running


@pytest.fixture
def other() -> Iterator[ImageServer]:
    with image_server() as running:
        yield running


def table(folder: Path, *addresses: str) -> Path:
    path = folder / "shop.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["product_id", "image_url"])
        rows.writerows([f"p{number}", address] for number, address in enumerate(addresses))
    return path


def sent(server: ImageServer, path: str, name: str = "Authorization") -> list[str | None]:
    return [headers.get(name) for headers in server.asked(path)]


def host(server: ImageServer) -> str:
    return server.address.removeprefix("http://")


def test_a_header_of_the_command_reaches_the_host_and_nothing_that_is_kept_or_said(
    tmp_path: Path, server: ImageServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    good, bad = server.give("/a.jpg", Answer(picture())), server.give("/b.jpg", Answer(status=403))
    arguments = ["extract", "-w", str(tmp_path / "data"), "-d", "shop", "--catalogue", str(table(tmp_path, good, bad))]
    result = CliRunner().invoke(app, [*arguments, "--header", f"Authorization: {SECRET}", "--header", "User-Agent: me"])
    assert result.exit_code == 3
    assert sent(server, "/a.jpg") == sent(server, "/b.jpg") == [SECRET]
    assert sent(server, "/a.jpg", "User-Agent") == ["me"]
    assert "s3cr3t" not in result.output + caplog.text
    for path in (tmp_path / "data").rglob("*"):
        assert not path.is_file() or b"s3cr3t" not in path.read_bytes()


def test_a_redirect_to_another_host_or_port_gets_nothing(
    tmp_path: Path, server: ImageServer, other: ImageServer
) -> None:
    away = other.give("/away.jpg", Answer(picture()))
    near = server.give("/near.jpg", Answer(picture("blue")))
    first = server.give("/1.jpg", Answer(status=302, headers={"Location": away}))
    second = server.give("/2.jpg", Answer(status=302, headers={"Location": near}))
    third = server.give("/3.jpg", Answer(status=302, headers={"Location": away.replace("127.0.0.1", "localhost")}))
    options = DownloadOptions(headers={"Authorization": SECRET, "X-Key": "1"})
    report = Workspace(tmp_path / "data").extract(table(tmp_path, first, second, third), "shop", downloads=options)
    assert report.counts.done == 3
    assert sent(server, "/1.jpg") == sent(server, "/2.jpg") == sent(server, "/near.jpg") == [SECRET]
    assert sent(other, "/away.jpg") == sent(other, "/away.jpg", "X-Key") == [None, None]


def test_each_host_gets_its_own(tmp_path: Path, server: ImageServer, other: ImageServer) -> None:
    addresses = [server.give("/a.jpg", Answer(picture())), other.give("/b.jpg", Answer(picture("blue")))]
    moved = other.give("/c.jpg", Answer(status=302, headers={"Location": addresses[0]}))
    headers: Headers = {host(server): {"Authorization": SECRET}, "*": {"Referer": "https://shop.example/"}}
    options = DownloadOptions(headers=headers)
    report = Workspace(tmp_path / "data").extract(table(tmp_path, *addresses, moved), "shop", downloads=options)
    assert report.counts.failed == 0
    assert sent(server, "/a.jpg") == [SECRET, SECRET]  # the redirect leads to the host that it is for
    assert sent(other, "/b.jpg") == sent(other, "/c.jpg") == [None]
    assert sent(other, "/b.jpg", "Referer") == ["https://shop.example/"]


def test_a_header_for_nobody_in_particular_does_not_go_to_two_hosts(
    tmp_path: Path, server: ImageServer, other: ImageServer
) -> None:
    addresses = [server.give("/a.jpg", Answer(picture())), other.give("/b.jpg", Answer(picture()))]
    with pytest.raises(UsageError, match="which host a header is for") as caught:
        Workspace(tmp_path / "data").extract(
            table(tmp_path, *addresses), "shop", downloads=DownloadOptions(headers={"Authorization": SECRET})
        )
    assert "s3cr3t" not in str(caught.value)
    assert server.requests == other.requests == []


@pytest.mark.parametrize(
    ("text", "host", "name", "value"),
    [
        ("Authorization: Bearer x", "", "Authorization", "Bearer x"),
        ("X-Odd:a:b: c", "", "X-Odd", "a:b: c"),
        ("Referer: https://shop.example/: x", "", "Referer", "https://shop.example/: x"),
        ("images.example: Authorization: Bearer x", "images.example", "Authorization", "Bearer x"),
        ("images.example:8080: X-Key: 1: 2", "images.example:8080", "X-Key", "1: 2"),
        ("intern:80: X-Key: 1", "intern:80", "X-Key", "1"),
        ("[::1]:8080: X-Key: 1", "[::1]:8080", "X-Key", "1"),
        ("*: User-Agent: Mozilla/5.0 (x: y)", "*", "User-Agent", "Mozilla/5.0 (x: y)"),
    ],
)
def test_the_ways_to_write_a_header(text: str, host: str, name: str, value: str) -> None:
    assert parse_headers([text]) == {host: {name: value}}


@pytest.mark.parametrize(
    "text",
    ["s3cr3t", ": s3cr3t", "Bad Name: s3cr3t", "X-Key: s3cr3t\r\nX: y", "Host: s3cr3t", "X-Key:", "X: \u20acs3cr3t"],
)
def test_what_is_no_header_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        DownloadOptions(headers=parse_headers([text]))
    assert "s3cr3t" not in str(caught.value)


def test_options_are_shown_without_the_headers() -> None:
    assert "s3cr3t" not in repr(DownloadOptions(headers={"Authorization": SECRET}))
