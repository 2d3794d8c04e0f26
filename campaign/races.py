"""Concurrent use of one workspace: fits, services, puts and deletes, changes of model, and SIGTERM in between."""

from __future__ import annotations

import shutil
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from random import Random

import httpx
from tests.support.service import Service, running

from campaign import shop, state
from campaign.commands import MODEL, finished, fit, run, started
from campaign.trial import Trial

PRODUCTS = 120
STOPS_WITHIN = 30.0  # seconds from SIGTERM to the end
CLOSING = 0.5  # seconds around SIGTERM in which a new connection may be cut off
ALLOWED = (200, 201, 202, 204, 404, 422, 503)


def one_catalogue(trial: Trial) -> None:
    """Two or three fits of the same catalogue at once give the same result as one."""
    table, workspace = shop.draw(trial.folder / "shop", range(PRODUCTS)), trial.folder / "data"
    trial.check_run(run(fit(trial.folder / "alone", table)), 0)
    expected = state.held(trial.folder / "alone")
    for turn in trial.rounds():
        if turn % 2 == 0:
            shutil.rmtree(workspace, ignore_errors=True)
        together = [started(fit(workspace, table)) for _ in range(2 + (turn % 3 == 0))]
        for process in together:
            trial.check_run(finished(process), 0)
            trial.count("fits")
        differing = state.differences(state.held(workspace), expected)
        trial.check(not differing, f"differs from one fit: {differing}")


def two_catalogues(trial: Trial) -> None:
    """Two fits of two catalogues into one dataset: the result is one of the two, or an error; never a mixture."""
    tables = [
        shop.draw(trial.folder / "a", range(80)),
        shop.draw(trial.folder / "b", range(40, PRODUCTS), content=10_000),
    ]
    allowed = [{f"p{number}" for number in numbers} for numbers in (range(80), range(40, PRODUCTS))]
    workspace = trial.folder / "data"
    for _ in trial.rounds():
        shutil.rmtree(workspace, ignore_errors=True)
        together = []
        for table in tables:
            together.append(started(fit(workspace, table)))
            time.sleep(trial.random.uniform(0, 0.15))
        results = [finished(process) for process in together]
        for done in results:
            trial.check_run(done, 0, 1)
            trial.count("fits")
        trial.check(any(done.returncode == 0 for done in results), "neither fit succeeded")
        trial.check(not (wrong := state.contradictions(workspace)), f"{len(wrong)} contradictions: {wrong[:2]}")
        products = {name.partition("_")[0].removeprefix("images/") for name in _image_names(workspace)}
        trial.check(products in allowed, f"a mixture of two catalogues: {len(products)} products")


def _image_names(workspace: Path) -> list[str]:
    images = state.held(workspace)["images"]
    assert isinstance(images, list)
    return [row[0] for row in images]


def beside_a_fit(trial: Trial) -> None:
    """Products are put and deleted while a fit runs: every match has its product and image."""
    table, workspace = shop.draw(trial.folder / "shop", range(PRODUCTS)), trial.folder / "data"
    other = shop.draw(trial.folder / "shop-later", range(PRODUCTS), content=50_000)
    trial.check_run(run(fit(workspace, table)), 0)
    for turn in trial.rounds():
        name = f"new-{turn}"
        with running(workspace) as service:
            fitting = started(fit(workspace, other if turn % 2 == 0 else table))
            time.sleep(trial.random.uniform(0.2, 1.5))
            photo = shop.photo(turn, trial.folder)
            put = service.put(f"/v1/products/{name}", files={"images": photo}).status_code
            trial.check(put in (200, 201, 503), f"put beside a fit: {put}")
            deleted = service.delete(f"/v1/products/p{trial.random.randrange(PRODUCTS)}").status_code
            trial.check(deleted in (204, 404, 409, 503), f"delete beside a fit: {deleted}")
            trial.check_run(finished(fitting), 0)
            trial.count("fits")
            _wait_for_refresh(service)
            _check_found(trial, service, [photo, (trial.folder / "shop/images/p3_0.png").read_bytes()])
            if put in (200, 201):
                found = service.get(f"/v1/products/{name}").status_code
                trial.check(found == 200, f"{name} was put and is {found} after a fit")
        trial.check(not (wrong := state.contradictions(workspace)), f"{len(wrong)} contradictions: {wrong[:2]}")


def _wait_for_refresh(service: Service) -> None:
    """Give the service time to refresh from the store."""
    time.sleep(3)
    service.get("/readyz")


def _check_found(trial: Trial, service: Service, photos: Sequence[bytes]) -> None:
    """Check that every match of a search has its product and image."""
    for photo in photos:
        for match in service.search(photo, number="10")["matches"]:
            product = service.get(f"/v1/products/{match['product_id']}").status_code
            image = service.get(match["image"]["url"]).status_code
            trial.check((product, image) == (200, 200), f"found {match['product_id']}: {product}, image {image}")


class Clients:
    """Clients that search, list, put and delete until ``stopping`` is set."""

    def __init__(self, trial: Trial, address: str, folder: Path, writers: int = 2, readers: int = 3) -> None:
        self._trial, self._address = trial, address
        self.stopping = threading.Event()
        self._photos = [shop.photo(number, folder) for number in range(20)]
        roles = [self._read] * readers + [self._write] * writers
        self._threads = [threading.Thread(target=role, args=(place,)) for place, role in enumerate(roles)]

    def __enter__(self) -> Clients:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        for thread in self._threads:
            thread.join()

    def _request(self, client: httpx.Client, method: str, path: str, **body: object) -> None:
        began = time.monotonic()
        try:
            status = client.request(method, path, **body).status_code  # type: ignore[arg-type]
        except httpx.ConnectError:  # the service is stopping or has stopped
            self._trial.check(self.stopping.is_set(), f"{method} {path}: connection refused")
            self.stopping.set()
            return
        except httpx.HTTPError as error:
            # A request sent at the moment of SIGTERM may be cut off; earlier ones must be answered.
            late = self.stopping.is_set() and time.monotonic() - began < CLOSING
            self._trial.check(late, f"{method} {path}: cut off, {type(error).__name__} {error}")
            return
        self._trial.count("requests")
        self._trial.check(status in ALLOWED, f"{method} {path}: {status}")

    def _read(self, place: int) -> None:
        rng = Random(place)
        paths = ("/v1/products/p1/similar", "/v1/products?number=50", "/v1/catalogue", "/v1/failures")
        while not self.stopping.is_set():
            with httpx.Client(base_url=self._address, timeout=60.0) as client:
                if rng.random() < 0.4:
                    self._request(client, "POST", "/v1/search", files={"file": rng.choice(self._photos)})
                else:
                    self._request(client, "GET", rng.choice(paths))

    def _write(self, place: int) -> None:
        rng = Random(place)
        while not self.stopping.is_set():
            with httpx.Client(base_url=self._address, timeout=60.0) as client:
                path = f"/v1/products/w{place}-{rng.randrange(20)}"
                if rng.random() < 0.6:
                    self._request(client, "PUT", path, files={"images": rng.choice(self._photos)})
                else:
                    self._request(client, "DELETE", path)


def everything(trial: Trial) -> None:
    """Two services on one workspace under load, and beside them fits, changes of model, calibration and keys."""
    tables = [shop.draw(trial.folder / "a", range(PRODUCTS)), shop.draw(trial.folder / "b", range(12, PRODUCTS + 10))]
    workspace, place = trial.folder / "data", ["-d", "shop", "--workspace", str(trial.folder / "data")]
    trial.check_run(run(fit(workspace, tables[0])), 0)
    steps = [
        fit(workspace, tables[1]),
        ["use", *place, MODEL],
        ["calibrate", *place, "--model", MODEL, "--images", "30"],
        ["adapt", *place, "--model", MODEL],
        fit(workspace, tables[0]),
        ["failures", *place],
        ["evaluate", *place, "--model", MODEL, "--stored-only"],
    ]
    with running(workspace, "--rebuild-after", "20") as one, running(workspace, "--rebuild-after", "20") as two:
        with Clients(trial, one.address, trial.folder), Clients(trial, two.address, trial.folder, 1, 1):
            for turn in trial.rounds():
                step = steps[turn % len(steps)]
                trial.check_run(run(step), *((0, 1) if step[0] in ("adapt", "calibrate") else (0,)))
                trial.count("commands")
        _wait_for_refresh(one)
        for service in (one, two):
            _check_found(trial, service, [shop.photo(1, trial.folder)])
        trial.check_log(one.log)
    trial.check(not (wrong := state.contradictions(workspace)), f"{len(wrong)} contradictions: {wrong[:2]}")


def sigterm(trial: Trial) -> None:
    """SIGTERM under load: open requests are answered, the exit code is 0, and it does not take long."""
    workspace = trial.folder / "data"
    trial.check_run(run(fit(workspace, shop.draw(trial.folder / "shop", range(PRODUCTS)))), 0)
    for turn in trial.rounds():
        kind = ("load", "an index being built", "a slow body", "an idle connection")[turn % 4]
        flags = ("--rebuild-after", "3" if kind == "an index being built" else "2000")
        with running(workspace, *flags) as service, _held(service, kind), ExitStack() as stack:
            clients = stack.enter_context(Clients(trial, service.address, trial.folder, 2, 2))
            time.sleep(trial.random.uniform(0.5, 1.5))
            began = time.monotonic()
            clients.stopping.set()
            service.process.terminate()
            code = service.process.wait(60)
            took = time.monotonic() - began
            trial.count("stopped")
            trial.check(code == 0, f"SIGTERM under {kind}: exit code {code}")
            trial.check(took < STOPS_WITHIN, f"SIGTERM under {kind}: {took:.0f} s")
            trial.check_log(service.log)


@contextmanager
def _held(service: Service, kind: str) -> Iterator[None]:
    """An open connection: idle, or with a body that does not end."""
    host, port = service.address.split("/")[2].split(":")
    with socket.create_connection((host, int(port))) as held:
        if kind == "a slow body":
            head = f"POST /v1/search HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Type: application/json\r\n"
            held.sendall(f"{head}Content-Length: 100\r\n\r\n{{".encode())
        yield


EXPERIMENTS = {
    "two fits, one catalogue": (one_catalogue, 2),
    "two fits, two catalogues": (two_catalogues, 2),
    "puts and deletes beside a fit": (beside_a_fit, 3),
    "two services under everything": (everything, 4),
    "SIGTERM under load": (sigterm, 3),
}
