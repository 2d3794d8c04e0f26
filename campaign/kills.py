"""SIGKILL and Ctrl-C at moments of chance: what was kept is whole, and the same command goes on to the same end."""

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
from campaign.commands import fit, run, seconds, stopped
from campaign.trial import Trial
from image_similarity.store.features import KEPT_INACTIVE

PRODUCTS = 150
KILLS = 3  # in a row, before a run is let through
WRITERS = 3
NAMES = 20  # products that each writer puts and takes away


def fits(trial: Trial) -> None:
    """A fit of a new catalogue, then of the changed one, each killed a few times, ends as if nothing had been."""
    _until_the_end(trial, signal.SIGKILL)


def interrupts(trial: Trial) -> None:
    """The same with Ctrl-C and SIGTERM, which are answered with 130 or 143 and a word."""
    _until_the_end(trial, signal.SIGINT, signal.SIGTERM)


def _until_the_end(trial: Trial, *ways: signal.Signals) -> None:
    first = shop.draw(trial.folder / "first", range(PRODUCTS))
    second = shop.draw(trial.folder / "second", range(15, PRODUCTS + 12), changed=range(40, 50))
    unbroken, expected, took = trial.folder / "unbroken", [], []
    for table in (first, second):
        took.append(seconds(fit(unbroken, table)))
        expected.append(state.held(unbroken))
    for _ in trial.rounds():
        workspace = trial.folder / "stopped"
        shutil.rmtree(workspace, ignore_errors=True)
        for table, wanted, whole in zip((first, second), expected, took, strict=True):
            for _ in range(KILLS):
                # The start of Python is of no interest; the end is where files are written.
                share = trial.random.choice([(0.2, 1.0), (0.7, 1.05)])
                how = trial.random.choice(ways)
                in_time, said, code = stopped(fit(workspace, table), whole * trial.random.uniform(*share), how)
                trial.count("stopped", in_time)
                if how is not signal.SIGKILL and in_time:
                    quiet = "Traceback" not in said and "Exception ignored" not in said
                    trial.check(quiet and code in (0, 128 + how, -how), f"{how.name}: exit code {code}: {said[-400:]}")
                trial.check(state.sound(workspace), "the database is damaged")
            if trial.check_run(run(fit(workspace, table)), 0):
                differing = state.differences(state.held(workspace), wanted)
                trial.check(not differing, f"not as after an unbroken run: {differing}")
        trial.check(not state.leftovers(workspace), f"left over: {state.leftovers(workspace)[:5]}")


def extracts(trial: Trial) -> None:
    """Downloads that are killed leave whole pictures, and the next run has all of them."""
    with image_server() as server:
        rows, pictures = ["product_id,image_url"], {}
        for number in range(60):
            pictures[f"{number}.png"] = shop.photo(number, trial.folder)
            rows.append(f"p{number // 2},{server.give(f'/{number}.png', Answer(pictures[f'{number}.png']))}")
        for number in range(4):
            rows.append(f"bad,{server.give(f'/gone{number}.png', Answer(status=404))}")
            rows.append(f"bad,{server.give(f'/page{number}.png', Answer(b'<html>no picture'))}")
        table = trial.folder / "addresses.csv"
        table.write_text("\n".join(rows) + "\n")
        flags = ["--concurrency", "2", "--per-second", "60", "--tries", "1"]

        def command(workspace: Path) -> list[str]:
            return ["extract", "--dataset", "shop", "--catalogue", str(table), "--workspace", str(workspace), *flags]

        whole, expected = seconds(command(trial.folder / "unbroken")), _downloaded(trial.folder / "unbroken")
        contents = set(pictures.values())
        for _ in trial.rounds():
            workspace = trial.folder / "stopped"
            shutil.rmtree(workspace, ignore_errors=True)
            for _ in range(KILLS):
                in_time = stopped(command(workspace), trial.random.uniform(0.3, 1.0) * whole)[0]
                trial.count("stopped", in_time)
                half = [path.name for path in (workspace / "dataset" / "shop").glob("*.png")]
                half = [name for name in half if (workspace / "dataset/shop" / name).read_bytes() not in contents]
                trial.check(not half, f"half a picture: {half[:3]}")
            if trial.check_run(run(command(workspace)), 3):
                found = _downloaded(workspace)
                trial.check(found == expected, f"other files: {sorted(found.keys() ^ expected.keys())[:5]}")
            trial.check(not state.leftovers(workspace), f"left over: {state.leftovers(workspace)[:5]}")


def _downloaded(workspace: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (workspace / "dataset" / "shop").glob("[!.]*")}


class Truth:
    """What a service has promised: each product's title and pictures, and what was asked and not answered yet."""

    def __init__(self) -> None:
        self.promised: dict[str, tuple[str, frozenset[str]] | None] = {}
        self.asked: dict[str, tuple[str, frozenset[str]] | None] = {}

    def compare(self, trial: Trial, service: Service, names: list[str]) -> None:
        """Every product is as promised; one whose answer never came is as it was or as it was asked for."""
        for name in names:
            found = seen(service, name)
            allowed = [self.promised.get(name)]
            if name in self.asked:
                allowed.append(self.asked.pop(name))
            trial.check(found in allowed, f"{name} is {found}, promised was {allowed}")
            self.promised[name] = found


def seen(service: Service, name: str) -> tuple[str, frozenset[str]] | None:
    """A product as the service shows it: its title and its pictures' digests."""
    answer = service.get(f"/v1/products/{name}")
    if answer.status_code == 404:
        return None
    product = answer.json()
    return product["title"], frozenset(image["image_id"].rpartition("/")[2][:16] for image in product["images"])


def services(trial: Trial) -> None:
    """A service under writes is killed: every put and delete that was answered holds, none is half there."""
    workspace = trial.folder / "data"
    trial.check_run(run(fit(workspace, shop.draw(trial.folder / "shop", range(PRODUCTS)))), 0)
    before, truth = state.found(workspace), Truth()
    photos = [shop.photo(number, trial.folder) for number in range(40)]
    for _ in trial.rounds():
        with running(workspace, "--rebuild-after", "15") as service:
            known = sorted(truth.promised.keys() | truth.asked.keys())
            names = sorted(truth.asked) + trial.random.sample(known, min(15, len(known)))
            truth.compare(trial, service, list(dict.fromkeys(names)))
            writers = [
                threading.Thread(target=_write, args=(trial, service.address, number, truth, photos))
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
        truth.compare(trial, service, sorted(truth.promised.keys() | truth.asked.keys()))
        living = sorted(name for name, product in truth.promised.items() if product)
        _found_by_their_pictures(trial, service, living[:15])
        for name in living:
            service.delete(f"/v1/products/{name}")
    trial.check_log(service.log)
    trial.check_run(run(fit(workspace, trial.folder / "shop" / "images.csv")), 0)
    differing = state.differences(state.found(workspace), before)
    trial.check(
        state.kept_for_later(workspace) <= KEPT_INACTIVE, f"{state.kept_for_later(workspace)} rows of what has gone"
    )
    trial.check(not differing, f"with all puts deleted and a fit, not as before: {differing}")
    uploads = list((workspace / "uploads").rglob("*.*"))
    trial.check(not uploads, f"{len(uploads)} uploads that nothing names")
    trial.check(not state.leftovers(workspace), f"left over: {state.leftovers(workspace)[:5]}")


def _found_by_their_pictures(trial: Trial, service: Service, names: list[str]) -> None:
    for name in names:
        picture = service.get(service.get(f"/v1/products/{name}").json()["images"][0]["url"])
        if trial.check(picture.status_code == 200, f"{name}: its picture is {picture.status_code}"):
            matches = service.search(picture.content, number="100")["matches"]
            trial.check(name in [match["product_id"] for match in matches], f"{name} is not found by its own picture")


def _write(trial: Trial, address: str, number: int, truth: Truth, photos: list[bytes]) -> None:
    """Put and take away until nobody answers."""
    chance = Random(trial.random.getrandbits(32) + number)
    with httpx.Client(base_url=address, timeout=20.0) as client:
        while True:
            name = f"new-{number}-{chance.randrange(NAMES)}"
            key = {"Idempotency-Key": f"{chance.getrandbits(64):x}"}
            wanted: tuple[str, frozenset[str]] | None = None
            try:
                if truth.promised.get(name) and chance.random() < 0.4:
                    truth.asked[name] = None
                    answer = client.delete(f"/v1/products/{name}", headers=key)
                else:
                    files = chance.sample(photos, chance.choice([1, 1, 2]))
                    wanted = f"T{chance.getrandbits(40)}", frozenset(sha256(each).hexdigest()[:16] for each in files)
                    truth.asked[name] = wanted
                    fields = {"product": json.dumps({"title": wanted[0], "attributes": {"n": str(number)}})}
                    images = [("images", each) for each in files]
                    answer = client.put(f"/v1/products/{name}", data=fields, files=images, headers=key)
            except httpx.HTTPError:
                return  # killed: what was asked for may have been done
            if answer.status_code in (200, 201, 204):
                truth.promised[name] = wanted
                trial.count("writes")
            else:
                trial.check(answer.status_code == 503, f"{name}: {answer.status_code} {answer.text[:200]}")
            truth.asked.pop(name)


EXPERIMENTS = {"fits killed": (fits, 4), "fits and Ctrl-C": (interrupts, 2), "extracts killed": (extracts, 2)} | {
    "services killed": (services, 4)
}
