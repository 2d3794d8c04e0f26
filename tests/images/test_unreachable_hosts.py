"""UnreachableHosts that nobody reaches: their pictures do not each wait, others' are downloaded, and it is said."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from image_similarity import Workspace
from image_similarity.images.unreachable_hosts import IN_A_ROW, PAUSE, UnreachableHosts
from image_similarity.options import DownloadOptions
from tests.support.servers import Answer, ImageServer, image_server, picture
from tests.support.service import fitted, running, until

QUICK = DownloadOptions(concurrency=2, base_delay=0.001)


@pytest.fixture
def server() -> Iterator[ImageServer]:
    with image_server() as running:
        yield running


@pytest.fixture
def nobody() -> str:
    """An address at which nothing listens."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{closed.getsockname()[1]}"


def table(folder: Path, addresses: list[str]) -> Path:
    path = folder / "shop.csv"
    path.write_text("product_id,image\n" + "".join(f"p{at},{each}\n" for at, each in enumerate(addresses)))
    return path


@pytest.mark.parametrize("host", ["refusing", "no-such-host.invalid"])
def test_a_host_that_nobody_reaches_is_given_up_and_said_once(
    tmp_path: Path, server: ImageServer, nobody: str, host: str
) -> None:
    dead = nobody if host == "refusing" else host
    good = server.give("/a.jpg", Answer(picture()))
    notes: list[str] = []
    workspace = Workspace(tmp_path / "data", notes=notes.append)
    addresses = [*(f"http://{dead}/{number}.jpg" for number in range(40)), good]
    report = workspace.extract(table(tmp_path, addresses), "shop", downloads=QUICK)
    assert (report.counts.done, report.counts.failed) == (1, 40)
    tried = [each for each in report.failures if "tried" in each.reason]
    passed = [each for each in report.failures if "not requested" in each.reason]
    assert IN_A_ROW <= len(tried) <= IN_A_ROW + QUICK.concurrency - 1
    assert len(tried) + len(passed) == 40
    (note,) = notes
    assert note.startswith(f"{dead} could not be reached") and f"{len(passed)} of its images" in note
    assert report.notes == (note,)


def test_a_host_that_takes_connections_and_says_nothing_is_given_up_too(tmp_path: Path, server: ImageServer) -> None:
    silent = [server.give(f"/{number}.jpg", Answer(picture(), hold=True)) for number in range(30)]
    report = Workspace(tmp_path / "data").extract(
        table(tmp_path, silent),
        "shop",
        downloads=DownloadOptions(concurrency=2, base_delay=0.001, tries=2, timeout=0.2),
    )
    assert report.counts.failed == 30
    assert len({path for path, _ in server.requests}) <= IN_A_ROW + 1
    (note,) = report.notes
    assert "could not be reached (timed out)" in note


def test_a_host_that_stops_in_the_middle_is_within_reach(tmp_path: Path, server: ImageServer) -> None:
    slow = [server.give(f"/{number}.jpg", Answer(picture(), half=True)) for number in range(8)]
    report = Workspace(tmp_path / "data").extract(
        table(tmp_path, slow), "shop", downloads=DownloadOptions(concurrency=4, base_delay=0.001, tries=1, timeout=1.0)
    )
    assert report.counts.failed == 8 and report.notes == ()
    assert all(len(server.asked(f"/{number}.jpg")) == 1 for number in range(8))


def test_a_server_that_answers_whatever_it_says_is_within_reach(tmp_path: Path, server: ImageServer) -> None:
    addresses = [server.give(f"/{number}.jpg", Answer(status=503)) for number in range(9)]
    report = Workspace(tmp_path / "data").extract(table(tmp_path, addresses), "shop", downloads=QUICK)
    assert [len(server.asked(f"/{number}.jpg")) for number in range(9)] == [QUICK.tries] * 9
    assert report.notes == ()


def test_after_a_pause_one_asks_and_its_answer_opens_the_host_again() -> None:
    now = [0.0]
    hosts = UnreachableHosts(lambda: now[0])
    for _ in range(IN_A_ROW):
        assert hosts.skip_reason("a") is None
        hosts.record_failure("a", "nobody there")
    assert hosts.skip_reason("a") == "nobody there"
    assert hosts.skip_reason("b") is None
    now[0] = PAUSE
    assert [hosts.skip_reason("a"), hosts.skip_reason("a")] == [None, "nobody there"]  # one only
    hosts.record_response("a")
    assert hosts.skip_reason("a") is None
    assert len(hosts.notes()) == 1


def test_a_service_asks_a_server_in_trouble_again_and_gives_up_a_host_that_nobody_reaches(
    tmp_path: Path, server: ImageServer, nobody: str
) -> None:
    body = picture()
    trouble = server.give("/520.jpg", Answer(status=520), Answer(status=520), Answer(body))
    port = nobody.partition(":")[2]
    with running(fitted(tmp_path), "--fetch-from", "127.0.0.1") as service:
        assert service.post("/v1/search", json={"image": {"address": trouble}}).status_code == 200
        assert len(server.asked("/520.jpg")) == 3
        products = [
            {"product_id": f"n{number}", "images": [{"address": f"http://127.0.0.1:{port}/{number}.jpg"}]}
            for number in range(30)
        ]
        job = service.post("/v1/jobs", json={"products": products}).json()["job_id"]
        until(lambda: service.get(f"/v1/jobs/{job}").json()["state"] == "done")
        ended = service.get(f"/v1/jobs/{job}").json()
    assert ended["failed"] == 30
    assert any("not requested" in each["reason"] for each in ended["failures"])
