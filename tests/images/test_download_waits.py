"""How long downloads wait: the pace of requests, and the pause after a failed try."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from image_similarity.errors import UsageError
from image_similarity.images.download import Download, Downloader, Outcome
from image_similarity.images.fetch import client_of
from image_similarity.images.fetch_log import FetchLog
from image_similarity.images.pacing import Pace, Sleep, retry_delay
from image_similarity.options import DownloadOptions
from image_similarity.settings import Settings
from image_similarity.types import CatalogueImage
from tests.support.servers import Answer, image_server, picture


def fetch(folder: Path, address: str, options: DownloadOptions, sleep: Sleep, turn: Sleep = asyncio.sleep) -> Outcome:
    image = Download(0, CatalogueImage("a.jpg", "7", address), folder / "a.jpg")

    async def run() -> Outcome:
        with FetchLog(folder) as fetched, ThreadPoolExecutor(1) as disk:
            async with client_of(options, turn) as client:
                return await Downloader(client, Settings(), options, fetched, disk, sleep).outcome(image)

    return asyncio.run(run())


def test_the_pace_spreads_requests_evenly() -> None:
    now, slept = 100.0, []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    async def run() -> None:
        nonlocal now
        pace = Pace(4.0, clock=lambda: now, sleep=sleep)
        for _ in range(3):
            await pace.wait()
        now = 200.0  # a long silence gives no right to a burst
        for _ in range(2):
            await pace.wait()

    asyncio.run(run())
    assert slept == [0.25, 0.5, 0.25]


def test_every_request_waits_for_its_turn(tmp_path: Path) -> None:
    turns = []

    async def turn(seconds: float) -> None:
        turns.append(round(seconds, -3))

    with image_server() as server:
        server.give("/a", Answer(status=500), Answer(picture()))
        address = server.give("/moved", Answer(status=301, headers={"Location": "/a"}))
        options = DownloadOptions(per_second=0.0001, base_delay=0.001)
        assert fetch(tmp_path, address, options, asyncio.sleep, turn) == "done"
        assert len(server.requests) == 4  # the redirect and the second try too
        assert turns == [10_000, 20_000, 30_000]  # the first need not wait


def test_a_server_says_how_long_to_wait(tmp_path: Path) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    with image_server() as server:
        busy = [Answer(status=429, headers={"Retry-After": value}) for value in ("7", "3600", "soon")]
        address = server.give("/a", *busy, Answer(picture()))
        options = DownloadOptions(base_delay=0.5, longest_delay=30.0)
        assert fetch(tmp_path, address, options, sleep) == "done"
    assert slept[:2] == [7.0, 30.0]
    assert slept[2] <= 4 * options.base_delay


@given(st.integers(1, 60), st.text(max_size=12) | st.integers(-5, 10**12).map(str))
def test_no_wait_is_negative_or_too_long(attempt: int, retry_after: str) -> None:
    options = DownloadOptions(base_delay=0.5, longest_delay=60.0)
    assert 0.25 <= retry_delay(attempt, retry_after, options) <= 60.0


def test_waits_double_and_dates_are_understood() -> None:
    options = DownloadOptions(base_delay=1.0, longest_delay=100.0)
    for attempt, own in ((1, 1.0), (2, 2.0), (5, 16.0), (50, 100.0)):
        waits = [retry_delay(attempt, None, options) for _ in range(50)]
        assert own / 2 <= min(waits) < max(waits) <= own
    moment = 1_700_000_000.0
    for date in (formatdate(moment + 50, usegmt=True), formatdate(moment + 50)):
        assert retry_delay(1, date, options, now=lambda: moment) == 50.0
    assert retry_delay(1, formatdate(moment - 50), options, now=lambda: moment) <= 1.0


@pytest.mark.parametrize("change", [{"concurrency": 0}, {"tries": 0}, {"per_second": 0.0}, {"per_second": -1.0}])
def test_options_that_cannot_be_are_wrong_requests(change: dict[str, float]) -> None:
    with pytest.raises(UsageError, match=next(iter(change))):
        DownloadOptions(**change)  # type: ignore[arg-type]
