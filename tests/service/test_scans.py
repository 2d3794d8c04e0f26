"""JPEGs of many passes through a running service: who sends them keeps nobody waiting, and not its end either."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from tests.support.pictures import encoded, four_corners
from tests.support.service import PATIENCE, Service, customers, fitted, running, until
from tests.support.web import web

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SIDE = 3600  # pixels: as a JPEG in passes more than is decoded in a thread
AT_ONCE = 4


def of_scans(number: int) -> bytes:
    """A JPEG that shows four corners in so many passes; the last one comes again and again."""
    whole = encoded(four_corners(SIDE, SIDE), "JPEG", progressive=True)
    scans, last = whole.count(b"\xff\xda"), whole.rfind(b"\xff\xda")
    return whole[:-2] + whole[last:-2] * (number - scans) + whole[-2:]


@contextmanager
def sent_at_once(*requests: Callable[[], httpx.Response]) -> Iterator[list[int]]:
    """The statuses of their answers, all there when the block is left; 0 where there was none."""
    statuses = list[int]()

    def send(request: Callable[[], httpx.Response]) -> None:
        try:
            statuses.append(request().status_code)
        except httpx.HTTPError:
            statuses.append(0)

    threads = [threading.Thread(target=send, args=(each,)) for each in requests]
    for thread in threads:
        thread.start()
    yield statuses
    for thread in threads:
        thread.join()


def test_two_thousand_scans_are_refused_at_every_door_while_others_are_answered(tmp_path: Path) -> None:
    photo = of_scans(2000)
    with running(fitted(tmp_path)) as service:
        doors: dict[str, Callable[[], httpx.Response]] = {
            "search": lambda: web.post(f"{service.address}v1/search", files={"file": photo}, timeout=PATIENCE),
            "photos": lambda: web.post(f"{service.address}v1/photos", files={"file": photo}, timeout=PATIENCE),
            "put": lambda: web.put(f"{service.address}v1/products/x", files={"images": photo}, timeout=PATIENCE),
        }
        for door in doors.values():
            assert "2000 scans are more than the limit of 100" in door().json()["detail"]
            with customers(service) as statuses:
                with sent_at_once(*[door] * AT_ONCE) as answered:
                    assert service.get("/healthz").status_code == 200
                until(lambda: statuses)
            assert answered == [422] * AT_ONCE and statuses == {200}
        _ends_while_it_decodes(service)


def _ends_while_it_decodes(service: Service) -> None:
    """Told to stop while pictures of as many scans as it takes are decoded: who waits is answered, and it ends well."""
    photo, at = of_scans(100), f"{service.address}v1/search"
    with sent_at_once(*[lambda: web.post(at, files={"file": photo}, timeout=PATIENCE)] * AT_ONCE) as answered:
        until(lambda: f"image_similarity_searching {AT_ONCE}.0" in service.get("/metrics").text)
        assert service.get("/healthz").status_code == 200
        service.process.terminate()
        assert service.process.wait(PATIENCE) == 0
    assert len(answered) == AT_ONCE and set(answered) <= {200, 503}
