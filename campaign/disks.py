"""Disks that are full, become full, or may only be read: a sentence, nothing lost, and all goes on once there is room.

Each experiment mounts small disks in a namespace of its own, which go with it.
"""

from __future__ import annotations

import base64
import shutil
import socket
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import httpx
from tests.support.service import Service, running, until

from campaign import shop, state
from campaign.commands import MODEL, begun, ended, fit, run
from campaign.trial import Trial

PRODUCTS = 80
ROOM = "200m"
MOUNTS = ("unshare", "--map-root-user", "--mount")
"""What lets a process mount disks that nobody else sees."""


def may_mount() -> bool:
    """Whether this machine lets us."""
    with suppress(OSError):
        return subprocess.run([*MOUNTS, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True).returncode == 0
    return False


@contextmanager
def disk(trial: Trial, size: str) -> Iterator[Path]:
    """A disk of so many bytes."""
    place = trial.folder / "disk"
    place.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def changed(place: Path, how: str) -> None:
    """Give a disk another size, or let it only be read."""
    subprocess.run(["mount", "-o", f"remount,{how}", str(place)], check=True)


def _base(trial: Trial) -> tuple[Path, Path, int]:
    """A table, a workspace fitted with it, and that one's bytes."""
    table, workspace = shop.draw(trial.folder / "shop", range(PRODUCTS)), trial.folder / "fitted"
    trial.check_run(run(fit(workspace, table)), 0)
    return table, workspace, sum(path.stat().st_size for path in workspace.rglob("*") if path.is_file())


def fits(trial: Trial) -> None:
    """A fit on disks from far too small to nearly large enough; then room is made and it ends as it should."""
    table, workspace, need = _base(trial)
    expected = state.held(workspace)
    for _ in trial.rounds():
        with disk(trial, str(int(need * trial.random.uniform(0.3, 3)))) as place:
            small = run(fit(place / "data", table))
            trial.count("full", small.returncode == 1)
            trial.check_run(small, 0, 1)
            changed(place, f"size={ROOM}")
            if trial.check_run(run(fit(place / "data", table)), 0):
                differing = state.differences(state.held(place / "data"), expected)
                trial.check(not differing, f"with room again not as elsewhere: {differing}")
            trial.check(not state.leftovers(place / "data"), f"left over: {state.leftovers(place / 'data')[:5]}")


def services(trial: Trial) -> None:
    """Puts and imports meet a full disk: refused, the others keep being answered; with room they go on."""
    _, workspace, need = _base(trial)
    for turn in trial.rounds():
        with disk(trial, str(need + 3_000_000)) as place:
            copy = shop.copied(workspace, place / "data")
            with running(copy, "--rebuild-after", "10") as service:
                kept = _fill(trial, service, place)
                photo = shop.photo(0, trial.folder)
                for path, body in (("/v1/search", {"file": photo}), ("/v1/photos", {"file": photo})):
                    status = service.post(path, files=body).status_code
                    trial.check(status in (200, 201, 503, 507), f"{path} on a full disk: {status}")
                job = service.post("/v1/jobs", json={"products": [_product("while-full", photo)]})
                trial.check(job.status_code in (202, 503, 507), f"an import on a full disk: {job.status_code}")
                (place / "filler").unlink()
                changed(place, f"size={ROOM}")
                lost = [name for name in kept if service.get(f"/v1/products/{name}").status_code != 200]
                trial.check(not lost, f"put, answered and lost: {lost[:5]}")
                _goes_on(trial, service, f"later-{turn}", shop.photo(turn + 50, trial.folder))
                trial.check_log(service.log)
            trial.check(service.process.returncode == 0, f"ended with {service.process.returncode}")


def _fill(trial: Trial, service: Service, place: Path) -> list[str]:
    """Put until something else has filled the disk, and then some; the names of what was taken."""
    kept, turned_away = [], 0
    for number in range(60):
        if number == 10:
            with suppress(OSError), (place / "filler").open("wb", buffering=0) as filler:
                while filler.write(b"x" * 4096):
                    pass
        answer = service.put(f"/v1/products/full-{number}", files={"images": shop.photo(number, trial.folder)})
        if answer.status_code == 201:
            kept.append(f"full-{number}")
            trial.count("puts")
        else:
            turned_away += 1
            trial.check(
                answer.status_code in (503, 507), f"put on a full disk: {answer.status_code} {answer.text[:150]}"
            )
        if turned_away > 4:
            break
    trial.count("refused", turned_away)
    return kept


def _product(name: str, photo: bytes) -> dict[str, object]:
    return {"product_id": name, "images": [{"base64": base64.b64encode(photo).decode()}]}


def _goes_on(trial: Trial, service: Service, name: str, photo: bytes) -> None:
    """A put and an import, as on any day."""
    put = service.put(f"/v1/products/{name}", files={"images": photo})
    trial.check(put.status_code in (200, 201), f"put with room again: {put.status_code} {put.text[:150]}")
    job = service.post("/v1/jobs", json={"products": [_product(f"{name}-imported", photo)]})
    if trial.check(job.status_code == 202, f"an import with room again: {job.status_code} {job.text[:150]}"):
        with suppress(AssertionError):
            until(lambda: service.get(job.headers["Location"]).json()["state"] not in ("queued", "running"), 20)
        told = service.get(job.headers["Location"]).json()
        trial.check((told["state"], told["done"]) == ("done", 1), f"the import with room again: {told}")
    ready = service.get("/readyz").status_code
    trial.check(ready == 200, f"/readyz with room again: {ready}")


def read_only(trial: Trial) -> None:
    """Who only asks finds nothing wrong; who would write, or serve, says so."""
    table, workspace, _ = _base(trial)
    photo = trial.folder / "photo.png"
    photo.write_bytes(shop.photo(1, trial.folder))
    for _ in trial.rounds():
        with disk(trial, ROOM) as place:
            copy = shop.copied(workspace, place / "data")
            where = ["-d", "shop", "--workspace", str(copy)]
            changed(place, "ro")
            for command in (
                ["search", str(photo), *where, "--model", MODEL],
                ["similar", "p1", *where, "--model", MODEL],
                ["failures", *where],
            ):
                trial.check_run(run(command), 0)
            for command in (
                fit(copy, table, "--number", "5"),
                ["use", *where, MODEL],
                ["keys", "add", "x", "--scope", "read", *where[2:]],
            ):
                trial.check_run(run(command), 1)
            _only_answers(trial, ["serve", *where, "--model", MODEL], photo)


def _only_answers(trial: Trial, serve: list[str], photo: Path) -> None:
    """A service of a disk that may only be read answers searches, refuses puts, and ends well."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    service = begun([*serve, "--port", str(port)])
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30.0) as client:
            until(lambda: service.poll() is not None or _is_there(client))
            if service.poll() is None:
                found = client.post("/v1/search", files={"file": photo.read_bytes()}).status_code
                trial.check(found == 200, f"a search on a read-only disk: {found}")
                put = client.put("/v1/products/new", files={"images": photo.read_bytes()}).status_code
                trial.check(put == 503, f"a put on a read-only disk: {put}")
    finally:
        service.terminate()
        trial.check_run(ended(service), 0)


def _is_there(client: httpx.Client) -> bool:
    with suppress(httpx.HTTPError):
        return client.get("/healthz").status_code == 200
    return False


def damaged_imports(trial: Trial) -> None:
    """One import is damaged: all others are carried out and listed, after a restart too."""
    _, workspace, _ = _base(trial)
    for turn in trial.rounds():
        copy = shop.copied(workspace, trial.folder / "data")
        with closing(sqlite3.connect(state.database(copy))) as connection, connection:
            connection.execute(
                "INSERT INTO jobs (number, job_id, dataset, total, failed, notes, created) "
                "VALUES (1, 'damaged', 'shop', 1, 0, '[]', '2026-01-01T00:00:00.000Z')"
            )
            connection.execute("INSERT INTO job_products VALUES (1, 0, ?)", (["", "{", '{"product_id": 5}'][turn % 3],))
        for restart in range(2):
            with running(copy) as service:
                _goes_on(trial, service, f"later-{restart}", shop.photo(restart, trial.folder))
                listed = service.get("/v1/jobs").status_code
                trial.check(listed == 200, f"GET /v1/jobs beside a damaged import: {listed}")
                trial.count("imports")
    shutil.rmtree(workspace)


EXPERIMENTS = {
    "fits on full disks": (fits, 2),
    "services on full disks": (services, 3),
    "read-only disks": (read_only, 2),
    "damaged imports": (damaged_imports, 1),
}
NEED_MOUNTS = frozenset(EXPERIMENTS) - {"damaged imports"}
