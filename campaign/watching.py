"""Monitors a service from outside during an attack: its memory, and the response time of ``/healthz``."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from pathlib import Path

import httpx

OWN = ("RssAnon:", "RssShmem:")  # without pages mapped from files, which are shared
EVERY = 0.05  # seconds
DEAD = 30.0  # seconds after which a request is given up, and recorded for one that fails


def memory(pid: int) -> float:
    """The memory of a process and its descendants in megabytes."""
    total, waiting = 0.0, [pid]
    children = _children()
    while waiting:
        each = waiting.pop()
        waiting += children.get(each, [])
        with suppress(OSError):
            for line in Path(f"/proc/{each}/status").read_text().splitlines():
                if line.startswith(OWN):
                    total += int(line.split()[1]) / 1024
    return total


def _children() -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, IndexError, ValueError):
            parent = int((path / "stat").read_text().rpartition(")")[2].split()[1])
            found.setdefault(parent, []).append(int(path.name))
    return found


class Watch:
    """``grew``: by how many megabytes the service grew. ``waited``: the longest that ``/healthz`` took, in seconds."""

    def __init__(self, pid: int, address: str) -> None:
        self._pid, self._address = pid, address
        self._before = memory(pid)
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._measure), threading.Thread(target=self._poll)]
        self.grew = self.waited = 0.0

    def __enter__(self) -> Watch:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _measure(self) -> None:
        while not self._over.wait(EVERY):
            self.grew = max(self.grew, memory(self._pid) - self._before)

    def _poll(self) -> None:
        with httpx.Client(base_url=self._address, timeout=DEAD) as client:
            while not self._over.wait(EVERY):
                began = time.monotonic()
                try:
                    fine = client.get("/healthz").status_code == 200
                except httpx.RemoteProtocolError:  # a kept connection that had just been closed
                    continue
                except httpx.HTTPError:
                    fine = False
                self.waited = max(self.waited, time.monotonic() - began if fine else DEAD)
