"""Decodes clients' images within one memory budget for all requests, and a time limit that can be enforced.

Ordinary photos are decoded in the service's own threads. A large one, or one of a format that takes much memory, is
decoded by another process, which can be killed. Each of the two kinds has its own part of the budget, so ordinary
images never wait for large ones.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing import get_context
from threading import Condition
from typing import TYPE_CHECKING
from weakref import WeakSet

from PIL import Image

from image_similarity.errors import ImageError
from image_similarity.images import REPAIRED, DecodeTask, decode, decoding_with
from image_similarity.service.errors import BusyError, ServiceError
from image_similarity.util.memory import trim_at_once

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

BUDGET = 640_000_000  # bytes
ORDINARY = 0.2  # share of it that is reserved for ordinary images
LIGHT = 64_000_000  # bytes: an image that takes no more is ordinary, and decoded in a thread
MOST = 1_320_000_000
"""Bytes. An image that takes more than the budget of large images is decoded while no other large one is; one that
takes more than this is refused."""
SECONDS = 20.0  # time limit of one image
PATIENCE = 10.0  # seconds that an image waits for memory
START = 60.0  # seconds for a worker process to start
NICE = 5  # searches have priority over decoding
_all: WeakSet[Decoding] = WeakSet()


class LargeImageError(ServiceError):
    """A large image was met where only ordinary ones are decoded."""


@dataclass(slots=True)
class _Budget:
    """Bytes for images of one kind, and how many of them are free."""

    size: int
    free: int = field(init=False)

    def __post_init__(self) -> None:
        self.free = self.size


class Decoding:
    """The decoder of all requests of a service. Close it at the end.

    Args:
        budget: bytes for all images together.
        seconds: time limit of an image that another process decodes.
        patience: seconds that an image waits for memory.
    """

    def __init__(self, budget: int = BUDGET, seconds: float = SECONDS, patience: float = PATIENCE) -> None:
        self._seconds, self._patience = seconds, patience
        ordinary = int(budget * ORDINARY)
        self._budgets = {False: _Budget(ordinary), True: _Budget(budget - ordinary)}  # by whether an image is large
        self._changed = Condition()
        self._idle: list[_Worker] = []
        self._busy: set[_Worker] = set()
        self._closed = False
        _all.add(self)

    @contextmanager
    def within(self, *, large: bool = True) -> Iterator[None]:
        """Decode this thread's images in the block within the limits; their memory counts until its end.

        Args:
            large: decode large images too; else they raise :class:`LargeImageError`.
        """
        held = dict.fromkeys(self._budgets, 0)

        def decoder(image: DecodeTask, here: Callable[[], Image.Image]) -> Image.Image:
            is_large = image.cost > LIGHT
            if is_large and not large:
                raise LargeImageError("the image is large")
            if image.cost > MOST:
                raise ImageError("decode", f"decoding it takes {image.cost >> 20} MB; the limit is {MOST >> 20}")
            budget = self._budgets[is_large]
            more = max(0, min(image.cost, budget.size) - held[is_large])
            self._take(budget, more)
            held[is_large] += more
            return self._in_worker(image) if is_large else here()

        try:
            with decoding_with(decoder):
                yield
        finally:
            with self._changed:
                for kind, budget in self._budgets.items():
                    budget.free += held[kind]
                self._changed.notify_all()

    def close(self) -> None:
        """Cancel all decoding; waiting calls raise BusyError. A signal handler may call this."""
        self._closed = True
        for worker in [*self._idle, *self._busy]:
            worker.end()

    def _take(self, budget: _Budget, cost: int) -> None:
        with self._changed:
            if not self._changed.wait_for(lambda: self._closed or budget.free >= cost, self._patience) or self._closed:
                raise BusyError("too many large images are being decoded")
            budget.free -= cost

    def _in_worker(self, image: DecodeTask) -> Image.Image:
        with self._changed:
            alive = [each for each in self._idle if each.is_alive()]  # the system may have killed an idle one
            worker, self._idle = (alive.pop() if alive else None), alive
        worker = worker or _Worker()
        self._busy.add(worker)
        try:
            decoded = None if self._closed else worker.decode(image, self._seconds)
        except BaseException as error:
            worker.end()
            if self._closed:
                raise BusyError("the service is about to end") from error
            raise
        finally:
            self._busy.discard(worker)
        if self._closed or decoded is None:
            worker.end()
            raise BusyError("the service is about to end")
        with self._changed:
            self._idle.append(worker)
        if isinstance(decoded, ImageError):
            raise decoded
        return decoded


class _Worker:
    """A process that decodes one image after another. Spawned, not forked: threads must not be copied."""

    def __init__(self) -> None:
        spawn = get_context("spawn")
        self._ours, theirs = spawn.Pipe()
        self._process = spawn.Process(target=_serve, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()
        self._is_ready = False

    def decode(self, image: DecodeTask, seconds: float) -> Image.Image | ImageError | None:
        """Decode an image; an ImageError that is returned leaves the process usable, one that is raised does not."""
        try:
            if not self._is_ready:
                if not self._ours.poll(START):
                    raise BusyError("a process that decodes images does not start")
                self._ours.recv_bytes()
                self._is_ready = True
            self._ours.send(image.options)
            self._ours.send_bytes(image.data)
            if not self._ours.poll(seconds):
                raise ImageError("decode", f"it takes more than {seconds:g} seconds to decode")
            reply = self._ours.recv()
            if isinstance(reply, str):
                return ImageError("decode", reply)
            size, repaired = reply
            decoded = Image.frombuffer("RGB", size, self._ours.recv_bytes(), "raw", "RGB", 0, 1)
        except (EOFError, OSError) as error:
            if self._process.exitcode is None or self._process.exitcode >= 0:
                self._process.join(1)
            raise ImageError("decode", "damaged image: its decoder crashed") from error
        decoded.info = {REPAIRED: True} if repaired else {}
        return decoded

    def is_alive(self) -> bool:
        return self._process.is_alive()

    def end(self) -> None:
        self._process.kill()


def close_all() -> None:
    """Cancel all decoding in this process, as the service does when it stops."""
    for decoding in list(_all):
        decoding.close()


def _serve(channel: Connection) -> None:
    """Decode in the worker process until the channel closes."""
    if hasattr(os, "nice"):
        os.nice(NICE)
    trim_at_once()
    with suppress(EOFError, OSError, KeyboardInterrupt):
        channel.send_bytes(b"ready")
        while True:
            options = channel.recv()
            data = channel.recv_bytes()
            try:
                image = decode(
                    data,
                    max_pixels=options.max_pixels,
                    min_side=options.min_side,
                    target_pixels=options.target_pixels,
                    strict=options.strict,
                )
            except ImageError as error:
                channel.send(error.reason)
                continue
            channel.send((image.size, REPAIRED in image.info))
            channel.send_bytes(image.tobytes())
            del image, data
