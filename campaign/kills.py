"""SIGKILL and Ctrl-C at random moments: stored data is complete, and the same command resumes to the same result."""

from __future__ import annotations

import json
import shutil
import signal
import threading
from hashlib import sha256
from pathlib import Path
from random import Random

import httpx
from tests.support.servers import Answer, image_server
from tests.support.service import Service, running

from campaign import shop, state
from campaign.commands import duration, fit, run, stopped
from campaign.trial import Trial
from image_similarity.store.features import KEPT_INACTIVE

PRODUCTS = 150
KILLS = 3  # in a row, before a run may finish
WRITERS = 3
NAMES = 20  # products that each writer puts and deletes


def fits(trial: Trial) -> None:
    """A fit of a new catalogue, then of the changed one, each killed a few times, gives the same result as without."""
    _until_the_end(trial, signal.SIGKILL)


def interrupts(trial: Trial) -> None:
    """The same with Ctrl-C and SIGTERM: exit code 130 or 143, and no traceback."""
    _until_the_end(trial, signal.SIGINT, signal.SIGTERM)


def _until_the_end(trial: Trial, *ways: signal.Signals) -> None:
    first = shop.draw(trial.folder / "first", range(PRODUCTS))
    second = shop.draw(trial.folder / "second", range(15, PRODUCTS + 12), changed=range(40, 50))
    unbroken, expected, took = trial.folder / "unbroken", [], []
    for table in (first, second):
        took.append(duration(fit(unbroken, table)))
        expected.append(state.held(unbroken))
    for _ in trial.rounds():
        workspace = trial.folder / "stopped"
        shutil.rmtree(workspace, ignore_errors=True)
        for table, expected_state, whole in zip((first, second), expected, took, strict=True):
            for _ in range(KILLS):
                # After the start of Python, and more often near the end, where files are written.
                share = trial.random.choice([(0.2, 1.0), (0.7, 1.05)])
                how = trial.random.choice(ways)
                in_time, output, code = stopped(fit(workspace, table), whole * trial.random.uniform(*share), how)
                trial.count("stopped", in_time)
                if how is not signal.SIGKILL and in_time:
                    quiet = "Traceback" not in output and "Exception ignored" not in output
                    trial.check(
                        quiet and code in (0, 128 + how, -how), f"{how.name}: exit code {code}: {output[-400:]}"
                    )
                trial.check(state.sound(workspace), "the database is damaged")
            if trial.check_run(run(fit(workspace, table)), 0):
                differing = state.differences(state.held(workspace), expected_state)
                trial.check(not differing, f"differs from an uninterrupted run: {differing}")
        trial.check(not state.leftovers(workspace), f"left over: {state.leftovers(workspace)[:5]}")


def extracts(trial: Trial) -> None:
    """Killed downloads leave complete images only, and the next run has all of them."""
    with image_server() as server:
        rows, images = ["product_id,image_url"], {}
        for number in range(60):
            images[f"{number}.png"] = shop.photo(number, trial.folder)
            rows.append(f"p{number // 2},{server.give(f'/{number}.png', Answer(images[f'{number}.png']))}")
        for number in range(4):
            rows.append(f"bad,{server.give(f'/gone{number}.png', Answer(status=404))}")
            rows.append(f"bad,{server.give(f'/page{number}.png', Answer(b'<html>no picture'))}")
        table = trial.folder / "addresses.csv"
        table.write_text("\n".join(rows) + "\n")
        flags = ["--concurrency", "2", "--per-second", "60", "--tries", "1"]

        def command(workspace: Path) -> list[str]:
            return ["extract", "--dataset", "shop", "--catalogue", str(table), "--workspace", str(workspace), *flags]

        whole, expected = duration(command(trial.folder / "unbroken")), _downloaded(trial.folder / "unbroken")
        contents = set(images.values())
        for _ in trial.rounds():
            workspace = trial.folder / "stopped"
            shutil.rmtree(workspace, ignore_errors=True)
            for _ in range(KILLS):
                in_time = stopped(command(workspace), trial.random.uniform(0.3, 1.0) * whole)[0]
                trial.count("stopped", in_time)
                half = [path.name for path in (workspace / "dataset" / "shop").glob("*.png")]
                half = [name for name in half if (workspace / "dataset/shop" / name).read_bytes() not in contents]
                trial.check(not half, f"incomplete images: {half[:3]}")
            if trial.check_run(run(command(workspace)), 3):
                found = _downloaded(workspace)
                trial.check(found == expected, f"other files: {sorted(found.keys() ^ expected.keys())[:5]}")
            trial.check(not state.leftovers(workspace), f"left over: {state.leftovers(workspace)[:5]}")


def _downloaded(workspace: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (workspace / "dataset" / "shop").glob("[!.]*")}


class Promises:
    """What a service has confirmed: each product's title and images; and the requests not answered yet."""

    def __init__(self) -> None:
        self.promised: dict[str, tuple[str, frozenset[str]] | None] = {}
        self.pending: dict[str, tuple[str, frozenset[str]] | None] = {}

    def compare(self, trial: Trial, service: Service, names: list[str]) -> None:
        """Check that every product is as confirmed; after a request without an answer, either state is allowed."""
        for name in names:
            found = product_of(service, name)
            allowed = [self.promised.get(name)]
            if name in self.pending:
                allowed.append(self.pending.pop(name))
            trial.check(found in allowed, f"{name} is {found}, allowed was {allowed}")
            self.promised[name] = found


def product_of(service: Service, name: str) -> tuple[str, frozenset[str]] | None:
    """A product in the service: its title and the digests of its images; None where there is none."""
    answer = service.get(f"/v1/products/{name}")
    if answer.status_code == 404:
        return None
    product = answer.json()
    return product["title"], frozenset(image["image_id"].rpartition("/")[2][:16] for image in product["images"])


def services(trial: Trial) -> None:
    """A service under writes is killed: every confirmed put and delete must persist, and none is incomplete."""
    workspace = trial.folder / "data"
    trial.check_run(run(fit(workspace, shop.draw(trial.folder / "shop", range(PRODUCTS)))), 0)
    before, promises = state.found(workspace), Promises()
    photos = [shop.photo(number, trial.folder) for number in range(40)]
    for _ in trial.rounds():
        with running(workspace, "--rebuild-after", "15") as service:
            known = sorted(promises.promised.keys() | promises.pending.keys())
            names = sorted(promises.pending) + trial.random.sample(known, min(15, len(known)))
            promises.compare(trial, service, list(dict.fromkeys(names)))
            writers = [
                threading.Thread(target=_write, args=(trial, service.address, number, promises, photos))
                for number in range(WRITERS)
            ]
            for writer in writers:
                writer.start()
            threading.Event().wait(trial.random.uniform(0.3, 2.5))
            service.kill()
            trial.count("stopped")
            for writer in writers:
                writer.join()
    with running(workspace, "--rebuild-after", "15") as service:
        promises.compare(trial, service, sorted(promises.promised.keys() | promises.pending.keys()))
        existing = sorted(name for name, product in promises.promised.items() if product)
        _check_found_by_own_images(trial, service, existing[:15])
        for name in existing:
            service.delete(f"/v1/products/{name}")
    trial.check_log(service.log)
    trial.check_run(run(fit(workspace, trial.folder / "shop" / "images.csv")), 0)
    differing = state.differences(state.found(workspace), before)
    trial.check(
        state.inactive_rows(workspace) <= KEPT_INACTIVE, f"{state.inactive_rows(workspace)} rows of removed images"
    )
    trial.check(not differing, f"with all puts deleted and a fit, differs from before: {differing}")
    uploads = list((workspace / "uploads").rglob("*.*"))
    trial.check(not uploads, f"{len(uploads)} orphaned uploads")
    trial.check(not state.leftovers(workspace), f"left over: {state.leftovers(workspace)[:5]}")


def _check_found_by_own_images(trial: Trial, service: Service, names: list[str]) -> None:
    for name in names:
        image = service.get(service.get(f"/v1/products/{name}").json()["images"][0]["url"])
        if trial.check(image.status_code == 200, f"{name}: its image is {image.status_code}"):
            matches = service.search(image.content, number="100")["matches"]
            trial.check(name in [match["product_id"] for match in matches], f"{name} is not found by its own image")


def _write(trial: Trial, address: str, number: int, promises: Promises, photos: list[bytes]) -> None:
    """Put and delete products until the service is gone."""
    rng = Random(trial.random.getrandbits(32) + number)
    with httpx.Client(base_url=address, timeout=20.0) as client:
        while True:
            name = f"new-{number}-{rng.randrange(NAMES)}"
            key = {"Idempotency-Key": f"{rng.getrandbits(64):x}"}
            product: tuple[str, frozenset[str]] | None = None
            try:
                if promises.promised.get(name) and rng.random() < 0.4:
                    promises.pending[name] = None
                    answer = client.delete(f"/v1/products/{name}", headers=key)
                else:
                    files = rng.sample(photos, rng.choice([1, 1, 2]))
                    product = f"T{rng.getrandbits(40)}", frozenset(sha256(each).hexdigest()[:16] for each in files)
                    promises.pending[name] = product
                    fields = {"product": json.dumps({"title": product[0], "attributes": {"n": str(number)}})}
                    images = [("images", each) for each in files]
                    answer = client.put(f"/v1/products/{name}", data=fields, files=images, headers=key)
            except httpx.HTTPError:
                return  # killed: the request may have been carried out
            if answer.status_code in (200, 201, 204):
                promises.promised[name] = product
                trial.count("writes")
            else:
                trial.check(answer.status_code == 503, f"{name}: {answer.status_code} {answer.text[:200]}")
            promises.pending.pop(name)


EXPERIMENTS = {"fits killed": (fits, 4), "fits and Ctrl-C": (interrupts, 2), "extracts killed": (extracts, 2)} | {
    "services killed": (services, 4)
}
