"""A real service in a process of its own, on a small shop that is fitted with the model that needs no network."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from PIL import Image, ImageDraw

from image_similarity import Workspace
from image_similarity.settings import Settings
from tests.support.shop import paint_shop

MODEL, DATASET = "colour-shape", "shop"
PATIENCE = 60.0  # seconds
READY = re.compile(r"Open (http://\S+/) in a browser")


@dataclass
class Service:
    """A running service and its workspace."""

    process: subprocess.Popen[bytes]
    address: str
    workspace: Path
    log: Path
    client: httpx.Client = field(repr=False)

    def __getattr__(self, name: str) -> Any:
        """``service.get(...)``, as an httpx client has it."""
        return getattr(self.client, name)

    def kill(self) -> None:
        """As a power cut would."""
        self.process.kill()
        self.process.wait()

    def search(self, photo: bytes, **fields: str) -> dict[str, Any]:
        """The answer to a photo."""
        answer = self.client.post("/v1/search", files={"file": photo}, data=fields)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def remove(self, *product_ids: str) -> None:
        """Delete products that were put, and wait until no answer can have them.

        A delete shows within a second, and so does the put before it: each is waited for, as otherwise a product
        could be in an answer after one that did not have it.
        """
        similar = [f"/v1/products/{name}/similar" for name in product_ids]
        until(lambda: all(self.client.get(path).status_code == 200 for path in similar))
        for name in product_ids:
            assert self.client.delete(f"/v1/products/{name}").status_code == 204
        until(lambda: all(self.client.get(path).status_code == 404 for path in similar))


@contextmanager
def running(workspace: Path, *flags: str, model: str = MODEL) -> Iterator[Service]:
    """``image-similarity serve`` on a port of the system's choice, until the end. No model: the one in use."""
    log = workspace / "service.log"
    command = [sys.executable, "-m", "image_similarity", "serve", "--workspace", str(workspace), "--port", "0"]
    command += ["--dataset", DATASET, *(["--model", model] if model else []), *flags]
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    with log.open("ab") as output:
        before = log.stat().st_size
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=environment)
    try:
        address = _address(process, log, before)
        with httpx.Client(verify=False, base_url=address, timeout=30.0) as client:
            yield Service(process, address, workspace, log, client)
    finally:
        process.terminate()
        process.wait(PATIENCE)


@contextmanager
def customers(service: Service) -> Iterator[set[int]]:
    """Somebody who asks all the time, for red; gives the statuses of the answers."""
    statuses, stopped = set[int](), threading.Event()

    def keep_asking() -> None:
        with httpx.Client(verify=False, base_url=service.address, timeout=30.0) as client:
            while not stopped.is_set():
                statuses.add(client.post("/v1/search", files={"file": photo_of((250, 0, 0))}).status_code)

    asking = threading.Thread(target=keep_asking)
    asking.start()
    try:
        yield statuses
    finally:
        stopped.set()
        asking.join()


def fitted(folder: Path, *models: str) -> Path:
    """The workspace of the painted shop, fitted with some models; none are named: with the one."""
    workspace = folder / "data"
    for model in models or (MODEL,):
        Workspace(settings=Settings(root=workspace, precision="fp32")).fit(
            DATASET, paint_shop(folder / "pictures"), model=model
        )
    return workspace


def photo_of(colour: tuple[int, int, int], spot: tuple[int, int, int] | None = None, size: int = 96) -> bytes:
    """A picture of one colour, with a disc of another."""
    picture = Image.new("RGB", (size, size), colour)
    if spot:
        ImageDraw.Draw(picture).ellipse((size // 4, size // 4, size // 2, size // 2), fill=spot)
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def until(true: Any, patience: float = PATIENCE) -> None:
    """Wait for something to become true."""
    end = time.monotonic() + patience
    while not true():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def _address(process: subprocess.Popen[bytes], log: Path, before: int) -> str:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        found = READY.search(log.read_bytes()[before:].decode())
        if found:
            return found[1]
        if process.poll() is not None:
            break
        time.sleep(0.02)
    raise AssertionError(f"the service did not start: {log.read_text()[-2000:]}")
