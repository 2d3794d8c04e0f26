"""Downloads: what is asked, how often, and what is left on the disk."""

from __future__ import annotations

import asyncio
import gzip
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from image_similarity.errors import OutputError
from image_similarity.images.download import (
    Download,
    Outcome,
    download_all,
)
from image_similarity.images.fetch_log import FILE_NAME, FetchLog, Validators
from image_similarity.options import DownloadOptions
from image_similarity.settings import Settings
from image_similarity.types import CatalogueImage, Failure
from tests.support.servers import Answer, ImageServer, image_server, picture

QUICK = DownloadOptions(base_delay=0.001, timeout=5.0)
RED, BLUE = picture("red"), picture("blue")


@pytest.fixture
def server() -> Iterator[ImageServer]:
    with image_server() as running:
        yield running


def a_download(folder: Path, address: str, name: str = "a.jpg", position: int = 0) -> Download:
    return Download(position, CatalogueImage(name, "7", address), folder / name)


def download(
    folder: Path, *downloads: Download, options: DownloadOptions = QUICK, settings: Settings | None = None
) -> list[Outcome]:
    outcomes: dict[int, Outcome] = {}
    with FetchLog(folder) as fetched:
        download_all(
            iter(downloads),
            lambda each, out: outcomes.update({each.position: out}),
            settings or Settings(),
            options,
            fetched,
        )
    assert not list(folder.rglob("*.part"))
    return [outcomes[each.position] for each in downloads]


def fetch(folder: Path, address: str, options: DownloadOptions = QUICK, settings: Settings | None = None) -> Outcome:
    return download(folder, a_download(folder, address), options=options, settings=settings)[0]


def failed(outcome: Outcome, stage: str, reason: str) -> bool:
    return isinstance(outcome, Failure) and outcome.stage == stage and reason in outcome.reason


@pytest.mark.parametrize("data", [RED, picture("red", kind="PNG"), picture("red", kind="WEBP")])
def test_an_image_is_stored_as_it_came(tmp_path: Path, server: ImageServer, data: bytes) -> None:
    assert fetch(tmp_path, server.give("/a", Answer(data))) == "done"
    assert (tmp_path / "a.jpg").read_bytes() == data


def test_an_image_that_is_there_is_not_asked_for_again(tmp_path: Path, server: ImageServer) -> None:
    (tmp_path / "a.jpg").write_bytes(b"anything")
    assert fetch(tmp_path, server.give("/a", Answer(RED))) == "known"
    assert server.requests == []


def test_an_empty_file_is_not_there(tmp_path: Path, server: ImageServer) -> None:
    (tmp_path / "a.jpg").touch()
    assert fetch(tmp_path, server.give("/a", Answer(RED))) == "done"


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_server_in_trouble_is_asked_again(tmp_path: Path, server: ImageServer, status: int) -> None:
    assert fetch(tmp_path, server.give("/a", Answer(status=status), Answer(status=status), Answer(RED))) == "done"
    assert len(server.requests) == 3


@pytest.mark.parametrize("status", [204, 304, 400, 401, 403, 404, 410])
def test_an_answer_that_will_not_change_is_taken_at_once(tmp_path: Path, server: ImageServer, status: int) -> None:
    assert failed(fetch(tmp_path, server.give("/a", Answer(status=status))), "download", str(status))
    assert len(server.requests) == 1
    assert not (tmp_path / "a.jpg").exists()


def test_tries_come_to_an_end(tmp_path: Path, server: ImageServer) -> None:
    outcome = fetch(tmp_path, server.give("/a", Answer(status=500)), replace(QUICK, tries=3))
    assert failed(outcome, "download", "500 Internal Server Error (tried 3 times)")
    assert len(server.requests) == 3


def test_a_body_cut_short_is_asked_for_again_and_never_stored(tmp_path: Path, server: ImageServer) -> None:
    address = server.give("/a", Answer(RED, cut=100), Answer(RED))
    assert fetch(tmp_path, address) == "done"
    assert (tmp_path / "a.jpg").read_bytes() == RED
    assert failed(fetch(tmp_path / "b", server.give("/b", Answer(RED, cut=9))), "download", "connection failed")
    assert not (tmp_path / "b" / "a.jpg").exists()


def test_a_server_that_does_not_answer_in_time_is_asked_again(tmp_path: Path, server: ImageServer) -> None:
    address = server.give("/a", Answer(RED, hold=True), Answer(RED))
    assert fetch(tmp_path, address, replace(QUICK, timeout=0.3)) == "done"
    outcome = fetch(tmp_path / "b", server.give("/b", Answer(hold=True)), replace(QUICK, timeout=0.1, tries=2))
    assert failed(outcome, "download", "timed out (tried 2 times)")


def test_nobody_there_is_a_failure_with_its_address(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{taken.getsockname()[1]}/a"
        outcome = fetch(tmp_path, address, replace(QUICK, tries=2))
    assert isinstance(outcome, Failure)
    assert (outcome.stage, outcome.product_id, outcome.image_id, outcome.location) == (
        "download",
        "7",
        "a.jpg",
        address,
    )


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"<!DOCTYPE html><html>not found</html>", ""),
        (RED[:-100], ""),
        (b"\xff\xd8\xff", ""),
        (picture("red", 64), "limit"),
    ],
    ids=["html", "truncated", "three bytes", "too many pixels"],
)
def test_what_does_not_decode_is_not_stored(tmp_path: Path, server: ImageServer, body: bytes, says: str) -> None:
    outcome = fetch(tmp_path, server.give("/a", Answer(body)), settings=Settings(max_pixels=63 * 63))
    assert failed(outcome, "decode", says)
    assert len(server.requests) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == [FILE_NAME]


def test_an_empty_answer_and_a_damaged_compression_are_failures(tmp_path: Path, server: ImageServer) -> None:
    assert failed(fetch(tmp_path, server.give("/a", Answer(b""))), "download", "empty")
    odd = Answer(b"not gzip", headers={"Content-Encoding": "gzip"})
    assert failed(fetch(tmp_path, server.give("/b", odd)), "download", "compression")


def test_a_compressed_answer_is_stored_plain(tmp_path: Path, server: ImageServer) -> None:
    answer = Answer(gzip.compress(RED), headers={"Content-Encoding": "gzip"})
    assert fetch(tmp_path, server.give("/a", answer)) == "done"
    assert (tmp_path / "a.jpg").read_bytes() == RED


def test_a_download_that_grows_too_large_is_given_up(tmp_path: Path, server: ImageServer) -> None:
    address = server.give("/a", Answer(RED))
    assert failed(fetch(tmp_path, address, settings=Settings(max_download_bytes=len(RED) - 1)), "download", "bytes")
    assert fetch(tmp_path, address, settings=Settings(max_download_bytes=len(RED))) == "done"
    assert len(server.requests) == 2


def test_redirects_are_followed_but_not_for_ever_nor_to_files(tmp_path: Path, server: ImageServer) -> None:
    server.give("/a", Answer(RED))
    address = server.give("/moved", Answer(status=301, headers={"Location": "/a"}))
    assert fetch(tmp_path, address) == "done"
    circle = server.give("/circle", Answer(status=302, headers={"Location": "/circle"}))
    assert failed(fetch(tmp_path / "b", circle), "download", "redirected")
    away = server.give("/away", Answer(status=302, headers={"Location": "file:///etc/passwd"}))
    assert failed(fetch(tmp_path / "b", away), "download", "redirected to an address that cannot be fetched")


@pytest.mark.parametrize("address", ["http://", "http://[::1", "https://exa mple.org:x/", "http://" + "a" * 70 + "/"])
def test_an_address_that_is_none_is_a_failure(tmp_path: Path, address: str) -> None:
    assert failed(fetch(tmp_path, address, replace(QUICK, tries=1)), "download", "")


def test_a_refresh_asks_with_what_the_server_said(tmp_path: Path, server: ImageServer) -> None:
    again = replace(QUICK, refresh=True)
    old = Answer(RED, etag='"1"', modified="Wed, 01 May 2024 10:00:00 GMT")
    address = server.give("/a", old)
    assert fetch(tmp_path, address) == "done"
    assert fetch(tmp_path, address, again) == "known"
    assert server.requests[-1][1]["If-None-Match"] == '"1"'
    assert server.requests[-1][1]["If-Modified-Since"] == old.modified
    server.give("/a", Answer(BLUE, etag='"2"'))
    assert fetch(tmp_path, address, again) == "done"
    assert (tmp_path / "a.jpg").read_bytes() == BLUE
    assert fetch(tmp_path, address, again) == "known"
    assert server.requests[-1][1]["If-None-Match"] == '"2"'
    assert "If-Modified-Since" not in server.requests[-1][1]


def test_a_refresh_takes_nothing_for_granted(tmp_path: Path, server: ImageServer) -> None:
    again = replace(QUICK, refresh=True)
    address = server.give("/a", Answer(RED, etag='"1"'))
    other = server.give("/other", Answer(BLUE, etag='"1"'))
    fetch(tmp_path, address)
    assert fetch(tmp_path, other, again) == "done"  # another address: the same tag means another thing
    assert (tmp_path / "a.jpg").read_bytes() == BLUE
    (tmp_path / "a.jpg").write_bytes(b"edited by hand")
    assert fetch(tmp_path, other, again) == "done"
    assert (tmp_path / "a.jpg").read_bytes() == BLUE
    (tmp_path / "a.jpg").unlink()
    assert fetch(tmp_path, other, again) == "done"
    assert not any("If-None-Match" in headers for _, headers in server.requests)


def test_a_refresh_without_tags_compares_the_bytes(tmp_path: Path, server: ImageServer) -> None:
    address = server.give("/a", Answer(RED))
    fetch(tmp_path, address)
    before = (tmp_path / "a.jpg").stat()
    assert fetch(tmp_path, address, replace(QUICK, refresh=True)) == "known"
    after = (tmp_path / "a.jpg").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_a_refresh_that_fails_leaves_the_older_file(tmp_path: Path, server: ImageServer) -> None:
    address = server.give("/a", Answer(RED))
    fetch(tmp_path, address)
    for answer in (Answer(status=404), Answer(b"<html>"), Answer(BLUE, cut=50)):
        server.give("/a", answer)
        assert isinstance(fetch(tmp_path, address, replace(QUICK, refresh=True)), Failure)
        assert (tmp_path / "a.jpg").read_bytes() == RED


def test_a_memory_that_is_damaged_is_forgotten(tmp_path: Path, server: ImageServer) -> None:
    address = server.give("/a", Answer(RED, etag='"1"'))
    fetch(tmp_path, address)
    (tmp_path / FILE_NAME).write_bytes(b"no database at all" * 100)
    assert fetch(tmp_path, address, replace(QUICK, refresh=True)) == "known"
    assert "If-None-Match" not in server.requests[-1][1]
    assert fetch(tmp_path, address, replace(QUICK, refresh=True)) == "known"
    assert "If-None-Match" in server.requests[-1][1]


def test_a_folder_is_written_by_one_run_at_a_time(tmp_path: Path) -> None:
    with FetchLog(tmp_path), pytest.raises(OutputError, match="another extract"), FetchLog(tmp_path):
        pass
    with FetchLog(tmp_path) as free:
        assert free.validators("a", "b", tmp_path) == Validators()


def test_a_folder_that_cannot_be_made_is_an_error_for_people(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot write"), FetchLog(tmp_path / "file" / "below"):
        pass


def test_so_many_at_a_time_and_no_more_and_none_ahead(tmp_path: Path, server: ImageServer) -> None:
    taken: list[Download] = []
    server.release_at = 4

    def endless() -> Iterator[Download]:
        for number in range(40):
            each = a_download(
                tmp_path, server.give(f"/{number}", Answer(RED, hold=number < 4)), f"{number}.jpg", number
            )
            taken.append(each)
            yield each

    ended = 0

    def on_done(each: Download, outcome: Outcome) -> None:
        nonlocal ended
        assert outcome == "done"
        ended += 1
        assert len(taken) - ended < 4  # this one has ended: at most three others are on their way

    with FetchLog(tmp_path) as fetched:
        download_all(endless(), on_done, Settings(), replace(QUICK, concurrency=4), fetched)
    assert ended == 40
    assert server.most_in_flight == 4


def test_an_error_of_the_disk_or_of_the_listener_ends_the_run_as_itself(tmp_path: Path, server: ImageServer) -> None:
    address = server.give("/a", Answer(RED))
    (tmp_path / "sub").touch()
    with pytest.raises(OutputError, match="sub"):
        download(tmp_path, a_download(tmp_path, address, "sub/a.jpg"))

    def on_done(each: Download, outcome: Outcome) -> None:
        raise KeyError("mine")

    with FetchLog(tmp_path) as fetched, pytest.raises(KeyError, match="mine"):
        download_all([a_download(tmp_path, address)], on_done, Settings(), QUICK, fetched)


def test_downloads_work_inside_a_running_event_loop(tmp_path: Path, server: ImageServer) -> None:
    address = server.give("/a", Answer(RED))

    async def cell() -> Outcome:
        return fetch(tmp_path, address)

    assert asyncio.run(cell()) == "done"
