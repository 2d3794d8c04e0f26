"""The service under load: requests a second, how long they take, errors, memory; beside the bare network's own rate.

    python bench/serve.py [--seconds 30] [--clients 1 8 32 128] [--steady 600] [--images 100000]

A made-up catalogue of so many images under MobileNetV2 (vectors like those of photos, 1280 numbers), a service in a
process of its own, and clients that ask again as soon as they are answered: over connections that stay open, each time
with another photo, of 448 pixels a side, and then of the 224 that the network takes. Clients and service share the same
processors. Then the same with one request in ten putting a product, and 32 clients against a service that takes each
photo through the network alone.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parent)]
import harness  # noqa: E402

PARSER = harness.arguments(__doc__ or "")
PARSER.add_argument("--seconds", type=float, default=30.0, help="of each level")
PARSER.add_argument("--clients", type=int, nargs="+", default=[1, 8, 32, 128])
PARSER.add_argument("--images", type=int, default=100_000)
PARSER.add_argument("--sides", type=int, nargs="+", default=[448, 224], help="pixels a side of the photos")
PARSER.add_argument("--steady", type=float, default=0.0, help="seconds of load for the memory; 0: none")
PARSER.add_argument("--model", default="", help="left out: MobileNetV2 where its file is at hand, else colour-shape")
PARSER.add_argument("--prepare", type=Path, help=argparse.SUPPRESS)
ASKED = PARSER.parse_args()
MOBILENET = Path(__file__).parents[2] / "shared" / "weights" / "mobilenetv2.toml"
MODEL: str = ASKED.model or (str(MOBILENET) if MOBILENET.exists() else "colour-shape")
THREADS = harness.pin(ASKED.threads)

PHOTOS, SEED, BATCH = 64, 7, 2000
MANY = 32  # clients, where ways are compared
WRITES = 0.1
SETTLE = 30.0  # seconds of load before memory counts as that of the start


@dataclass
class Level:
    """What some clients met."""

    name: str
    clients: int
    seconds: float
    took: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    refused: list[float] = field(default_factory=list)
    megabytes: float = 0.0

    def row(self, bare: float) -> list[object]:
        """A line of the table."""
        rate = len(self.took) / self.seconds
        at = [1000 * value for value in quantiles(self.took)]
        others = sum(count for status, count in self.statuses.items() if status not in (200, 201, 503))
        return [
            self.name, self.clients, rate, rate / bare, *at, self.statuses[503],
            1000 * quantiles(self.refused)[2], others, round(self.megabytes),
        ]  # fmt: skip

    def figures(self) -> dict[str, Any]:
        """For the file."""
        return {
            "name": self.name,
            "clients": self.clients,
            "rate": len(self.took) / self.seconds,
            "statuses": self.statuses,
            "quantiles": quantiles(self.took),
            "refused": quantiles(self.refused),
            "megabytes": self.megabytes,
        }


def quantiles(values: Sequence[float]) -> tuple[float, float, float]:
    """The median, and what 95 and 99 of a hundred stay below."""
    if not values:
        return (0.0, 0.0, 0.0)
    ordered = sorted(values)
    return tuple(ordered[min(len(ordered) - 1, int(share * len(ordered)))] for share in (0.5, 0.95, 0.99))  # type: ignore[return-value]


def main() -> None:
    """Measure and report."""
    if ASKED.prepare:
        prepare(ASKED.prepare)
        return
    bare = Bare()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        subprocess.run([sys.executable, *sys.argv, "--prepare", folder], check=True)
        of_side = {side: photos_of(root, side) for side in ASKED.sides}
        photos = of_side[ASKED.sides[0]]
        levels, steady = [], {}
        with Server(root, bare) as server:
            for clients in ASKED.clients:
                levels.append(server.load("searches", clients, photos))
            for side, others in list(of_side.items())[1:]:
                levels.append(server.load(f"searches, photos of {side} pixels", MANY, others))
            found = server.until_found(photos)
            for clients in ASKED.clients:
                levels.append(server.load("10 % writes", clients, photos, WRITES))
        with Server(root, bare, "--batch", "1") as server:
            for side, others in of_side.items():
                levels.append(server.load(f"each photo alone, of {side} pixels", MANY, others))
        if ASKED.steady:
            with Server(root, bare) as server:
                steady = server.steady(photos)
    header = [
        "load",
        "clients",
        "requests/s",
        "of the bare network",
        "p50 ms",
        "p95 ms",
        "p99 ms",
        "503",
        "their p99 ms",
        "errors",
        "MB",
    ]
    tables = [
        f"{Path(MODEL).stem}, bare: {bare.rate:.1f} images/s",
        f"a put is found after {1000 * statistics.median(found):.0f} ms, at most {1000 * max(found):.0f} ms",
        harness.table(header, [level.row(bare.rate) for level in levels]),
    ]
    if steady:
        tables.append(f"memory under load: {steady}")
    results = {
        "model": Path(MODEL).stem,
        "bare": bare.rate,
        "until_found": found,
        "steady": steady,
        "levels": [level.figures() for level in levels],
    }
    harness.report("serve", results, tables)


class Bare:
    """The network alone, with all processors: the most that any service could answer. Measured before each level."""

    def __init__(self) -> None:
        import numpy as np

        from image_similarity.options import ModelChoice
        from image_similarity.settings import Settings

        self._model = harness.part_of(ModelChoice(MODEL), Settings()).load(Settings())
        size = self._model.spec.input.size
        self._pixels = np.random.default_rng(SEED).integers(0, 256, (64, size, size, 3), np.uint8)
        self.seconds: list[float] = []
        self._model.embed(self._pixels)

    def measure(self) -> None:
        """Three passes more."""
        for _ in range(3):
            began = time.perf_counter()
            self._model.embed(self._pixels)
            self.seconds.append(time.perf_counter() - began)

    @property
    def rate(self) -> float:
        """Images a second."""
        return len(self._pixels) / statistics.median(self.seconds)


class Server:
    """The service in a process of its own."""

    def __init__(self, root: Path, bare: Bare, *flags: str) -> None:
        self._bare = bare
        command = ["serve", "--workspace", str(root / "data"), "--model", MODEL, "--port", "0", *flags]
        # The processors stay pinned; how many threads each library has is the service's own choice.
        own = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "image_similarity", *command],
            env=own,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        said = []
        for line in self._process.stderr or ():
            said.append(line)
            if line.startswith("Open http://"):
                self._port = int(line.split("/")[2].rpartition(":")[2])
                break
        else:
            raise SystemExit(f"the service did not start: {''.join(said)[-2000:]}")

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()

    def load(self, name: str, clients: int, photos: list[bytes], writes: float = 0.0) -> Level:
        """Let some clients ask for a while."""
        self._bare.measure()
        level = Level(name, clients, ASKED.seconds)
        asyncio.run(self._clients(Level("", clients, 3.0), photos, writes))  # the first are not counted
        asyncio.run(self._clients(level, photos, writes))
        level.megabytes = self._memory("VmHWM")
        print(
            f"  {level.name}, {clients} clients: {len(level.took) / level.seconds:.1f}/s", file=sys.stderr, flush=True
        )
        return level

    def until_found(self, photos: list[bytes]) -> list[float]:
        """Seconds from the answer to a put until a search finds the product, a few times, nobody else asking."""
        import httpx

        seconds = []
        with httpx.Client(base_url=f"http://127.0.0.1:{self._port}", timeout=60.0) as client:
            for number, photo in enumerate(photos[:20]):
                name = f"found-{number}"
                client.put(f"/v1/products/{name}", files={"images": photo}).raise_for_status()
                began = time.perf_counter()
                while True:
                    answer = client.post("/v1/search", files={"file": photo}, data={"number": "1"}).json()
                    if answer["matches"][0]["product_id"] == name:
                        break
                seconds.append(time.perf_counter() - began)
        return seconds

    def steady(self, photos: list[bytes]) -> dict[str, float]:
        """The memory at the start and at the end of a long load, in MB."""
        asyncio.run(self._clients(Level("", MANY, SETTLE), photos, 0.0))
        start = self._memory("VmRSS")
        asyncio.run(self._clients(Level("", MANY, ASKED.steady), photos, 0.0))
        return {"seconds": ASKED.steady, "start": round(start, 1), "end": round(self._memory("VmRSS"), 1)}

    def _memory(self, kind: str) -> float:
        for line in Path(f"/proc/{self._process.pid}/status").read_text().splitlines():
            if line.startswith(kind):
                return int(line.split()[1]) / 1024
        return 0.0

    async def _clients(self, level: Level, photos: list[bytes], writes: float) -> None:
        end = time.perf_counter() + level.seconds
        await asyncio.gather(*(self._client(number, level, photos, writes, end) for number in range(level.clients)))

    async def _client(self, number: int, level: Level, photos: list[bytes], writes: float, end: float) -> None:
        chance = random.Random(number)
        requests = [form("POST", "/v1/search", {"number": "10"}, "file", photo) for photo in photos]
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        while time.perf_counter() < end:
            request = chance.choice(requests)
            if chance.random() < writes:
                path = f"/v1/products/new-{number}-{chance.randrange(100)}"
                request = form("PUT", path, {"product": "{}"}, "images", chance.choice(photos))
            began = time.perf_counter()
            writer.write(request)
            status = await answer(reader)
            took = time.perf_counter() - began
            level.statuses[status] += 1
            if status == 503:
                level.refused.append(took)
                await asyncio.sleep(0.2)  # politer than a loop, less than it was asked for
            else:
                level.took.append(took)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


def form(method: str, path: str, fields: dict[str, str], name: str, photo: bytes) -> bytes:
    """A whole request with a form in it, as bytes."""
    line = b"--frontier"
    parts = [
        line + f'\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'.encode()
        for key, value in fields.items()
    ]
    disposition = f'\r\nContent-Disposition: form-data; name="{name}"; filename="p.jpg"\r\n'
    parts.append(line + disposition.encode() + b"Content-Type: image/jpeg\r\n\r\n" + photo + b"\r\n" + line + b"--\r\n")
    body = b"".join(parts)
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=frontier\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def answer(reader: asyncio.StreamReader) -> int:
    """Read one answer; its status."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    length = int(head.partition("content-length: ")[2].partition("\r\n")[0])
    await reader.readexactly(length)
    return int(head.split(" ", 2)[1])


def photos_of(root: Path, side: int) -> list[bytes]:
    """Photos of so many pixels a side, as JPEGs."""
    from PIL import Image

    photos = []
    for path in sorted((root / "sample" / "images").iterdir())[:PHOTOS]:
        file = io.BytesIO()
        Image.open(path).convert("RGB").resize((side, side)).save(file, "JPEG", quality=85)
        photos.append(file.getvalue())
    return photos


def prepare(root: Path) -> None:
    """The catalogue and the photos."""
    import vectors

    from image_similarity.dataset import Dataset
    from image_similarity.options import ModelChoice
    from image_similarity.settings import Folders, Settings
    from image_similarity.store.codec import encode
    from image_similarity.store.database import Database
    from image_similarity.store.features import FeatureRow, FeatureStore
    from image_similarity.store.records import CatalogueRecords
    from image_similarity.types import CatalogueImage, Product
    from image_similarity_demo import draw_sample

    draw_sample(root / "sample")
    spec = harness.part_of(ModelChoice(MODEL), Settings()).spec
    drawn = vectors.catalogue(root, ASKED.images, spec.dimension, queries=1).vectors
    names = [(f"image-{number:06}", f"product-{number:06}") for number in range(ASKED.images)]
    with Database(Folders(root / "data").database, Dataset.named("shop"), create=True) as database:
        store, records = FeatureStore(database), CatalogueRecords(database)
        store.add_model(spec)
        images = [CatalogueImage(image, product, f"/shop/{image}.jpg") for image, product in names]
        records.claim(images)
        records.delete_unseen(Product(product, f"Product {product[-6:]}", "", {}) for _, product in names)
        for first in range(0, len(images), BATCH):
            rows = (
                FeatureRow(images[place], "000", place.to_bytes(32, "big"), True, encode(drawn[place]))
                for place in range(first, min(first + BATCH, len(images)))
            )
            store.add(rows, spec.key)


if __name__ == "__main__":
    main()
