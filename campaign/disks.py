"""Disks that are full, become full, or are read-only: a plain message, nothing lost, and all works once there is space.

Each experiment mounts small disks in its own mount namespace.
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
from campaign.commands import MODEL, finished, fit, run, started
from campaign.trial import Trial

PRODUCTS = 80
ROOM = "200m"
MOUNTS = ("unshare", "--map-root-user", "--mount")
"""Runs a command in its own mount namespace, so that other processes do not see its disks."""


def may_mount() -> bool:
    """Whether this machine allows to mount disks in a namespace."""
    with suppress(OSError):
        return subprocess.run([*MOUNTS, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True).returncode == 0
    return False


@contextmanager
def disk(trial: Trial, size: str) -> Iterator[Path]:
    """A mounted disk of this size."""
    place = trial.folder / "disk"
    place.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def remount(place: Path, how: str) -> None:
    """Resize a disk, or make it read-only."""
    subprocess.run(["mount", "-o", f"remount,{how}", str(place)], check=True)


def _base(trial: Trial) -> tuple[Path, Path, int]:
    """A table, a workspace fitted with it, and the workspace's size in bytes."""
    table, workspace = shop.draw(trial.folder / "shop", range(PRODUCTS)), trial.folder / "fitted"
    trial.check_run(run(fit(workspace, table)), 0)
    return table, workspace, sum(path.stat().st_size for path in workspace.rglob("*") if path.is_file())


def fits(trial: Trial) -> None:
    """A fit on disks from far too small to nearly large enough; then the disk grows and the fit must succeed."""
    table, workspace, need = _base(trial)
    expected = state.held(workspace)
    for _ in trial.rounds():
        with disk(trial, str(int(need * trial.random.uniform(0.3, 3)))) as place:
            small = run(fit(place / "data", table))
            trial.count("full", small.returncode == 1)
            trial.check_run(small, 0, 1)
            remount(place, f"size={ROOM}")
            if trial.check_run(run(fit(place / "data", table)), 0):
                differing = state.differences(state.held(place / "data"), expected)
                trial.check(not differing, f"differs from a fit with enough space: {differing}")
            trial.check(not state.leftovers(place / "data"), f"left over: {state.leftovers(place / 'data')[:5]}")


def services(trial: Trial) -> None:
    """Puts and imports on a full disk: refused, while other requests are answered; with space, they work again."""
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
                remount(place, f"size={ROOM}")
                lost = [name for name in kept if service.get(f"/v1/products/{name}").status_code != 200]
                trial.check(not lost, f"stored, confirmed and lost: {lost[:5]}")
                _check_writes(trial, service, f"later-{turn}", shop.photo(turn + 50, trial.folder))
                trial.check_log(service.log)
            trial.check(service.process.returncode == 0, f"ended with {service.process.returncode}")


def _fill(trial: Trial, service: Service, place: Path) -> list[str]:
    """Put products while another file fills the disk, until a few are refused; returns the names of those stored."""
    kept, refused = [], 0
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
            refused += 1
            trial.check(
                answer.status_code in (503, 507), f"put on a full disk: {answer.status_code} {answer.text[:150]}"
            )
        if refused > 4:
            break
    trial.count("refused", refused)
    return kept


def _product(name: str, photo: bytes) -> dict[str, object]:
    return {"product_id": name, "images": [{"base64": base64.b64encode(photo).decode()}]}


def _check_writes(trial: Trial, service: Service, name: str, photo: bytes) -> None:
    """Check that a put and an import succeed."""
    put = service.put(f"/v1/products/{name}", files={"images": photo})
    trial.check(put.status_code in (200, 201), f"put with room again: {put.status_code} {put.text[:150]}")
    job = service.post("/v1/jobs", json={"products": [_product(f"{name}-imported", photo)]})
    if trial.check(job.status_code == 202, f"an import with room again: {job.status_code} {job.text[:150]}"):
        with suppress(AssertionError):
            until(lambda: service.get(job.headers["Location"]).json()["state"] not in ("queued", "running"), 20)
        job_state = service.get(job.headers["Location"]).json()
        trial.check((job_state["state"], job_state["done"]) == ("done", 1), f"the import with room again: {job_state}")
    ready = service.get("/readyz").status_code
    trial.check(ready == 200, f"/readyz with room again: {ready}")


def read_only(trial: Trial) -> None:
    """On a read-only disk, commands that read succeed, and commands that write report the error."""
    table, workspace, _ = _base(trial)
    photo = trial.folder / "photo.png"
    photo.write_bytes(shop.photo(1, trial.folder))
    for _ in trial.rounds():
        with disk(trial, ROOM) as place:
            copy = shop.copied(workspace, place / "data")
            where = ["-d", "shop", "--workspace", str(copy)]
            remount(place, "ro")
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
            _check_read_only_service(trial, ["serve", *where, "--model", MODEL], photo)


def _check_read_only_service(trial: Trial, serve: list[str], photo: Path) -> None:
    """A service on a read-only disk answers searches, refuses puts, and stops cleanly."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    service = started([*serve, "--port", str(port)])
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30.0) as client:
            until(lambda: service.poll() is not None or _is_up(client))
            if service.poll() is None:
                found = client.post("/v1/search", files={"file": photo.read_bytes()}).status_code
                trial.check(found == 200, f"a search on a read-only disk: {found}")
                put = client.put("/v1/products/new", files={"images": photo.read_bytes()}).status_code
                trial.check(put == 503, f"a put on a read-only disk: {put}")
    finally:
        service.terminate()
        trial.check_run(finished(service), 0)


def _is_up(client: httpx.Client) -> bool:
    with suppress(httpx.HTTPError):
        return client.get("/healthz").status_code == 200
    return False


def damaged_imports(trial: Trial) -> None:
    """With a damaged import in the store, all others are carried out and listed, after a restart too."""
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
                _check_writes(trial, service, f"later-{restart}", shop.photo(restart, trial.folder))
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
