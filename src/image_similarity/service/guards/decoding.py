"""Images decoded for strangers: one budget of memory for all requests, and a limit of time that holds.

Ordinary photos are decoded in the service's own threads. A large one, or one of a format that takes much memory, is
decoded by another process, which can be ended. Each of the two kinds has room of its own: however many large ones come,
ordinary ones wait for none of them.
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
ORDINARY = 0.2  # of it is for ordinary images alone
LIGHT = 64_000_000  # bytes: what costs no more is decoded in a thread
MOST = 1_320_000_000
"""Bytes. What takes more than large images may have together is decoded while there is no other of them; what takes
more than this is not."""
SECONDS = 20.0  # that one image may take
PATIENCE = 10.0  # seconds that an image waits for room
START = 60.0  # seconds until a process is there
NICE = 5  # what is searched for comes before what is decoded
_all: WeakSet[Decoding] = WeakSet()


class LargeError(ServiceError):
    """An image is not decoded among the ordinary ones."""


@dataclass(slots=True)
class _Room:
    """Bytes for images of one kind, and how many of them are free."""

    size: int
    free: int = field(init=False)

    def __post_init__(self) -> None:
        self.free = self.size


class Decoding:
    """Decodes for all requests of a service. Close it at the end.

    Args:
        budget: bytes that all images together may take.
        seconds: that one image may take, where another process decodes it.
        patience: seconds that an image waits for room.
    """

    def __init__(self, budget: int = BUDGET, seconds: float = SECONDS, patience: float = PATIENCE) -> None:
        self._seconds, self._patience = seconds, patience
        ordinary = int(budget * ORDINARY)
        self._rooms = {False: _Room(ordinary), True: _Room(budget - ordinary)}  # by whether an image is large
        self._changed = Condition()
        self._idle: list[_Worker] = []
        self._busy: set[_Worker] = set()
        self._closed = False
        _all.add(self)

    @contextmanager
    def within(self, *, large: bool = True) -> Iterator[None]:
        """What is decoded in the block, by this thread, is decoded here; its memory is given back at the end.

        Args:
            large: whether large images are; else they raise :class:`LargeError`.
        """
        held = dict.fromkeys(self._rooms, 0)

        def decoder(image: DecodeTask, here: Callable[[], Image.Image]) -> Image.Image:
            is_large = image.cost > LIGHT
            if is_large and not large:
                raise LargeError("the image is large")
            if image.cost > MOST:
                raise ImageError("decode", f"decoding it takes {image.cost >> 20} MB; the limit is {MOST >> 20}")
            room = self._rooms[is_large]
            more = max(0, min(image.cost, room.size) - held[is_large])
            self._take(room, more)
            held[is_large] += more
            return self._elsewhere(image) if is_large else here()

        try:
            with decoding_with(decoder):
                yield
        finally:
            with self._changed:
                for kind, room in self._rooms.items():
                    room.free += held[kind]
                self._changed.notify_all()

    def close(self) -> None:
        """End what is being decoded; whoever waits for it is told to come back. A signal's handler may call this."""
        self._closed = True
        for worker in [*self._idle, *self._busy]:
            worker.end()

    def _take(self, room: _Room, wanted: int) -> None:
        with self._changed:
            if not self._changed.wait_for(lambda: self._closed or room.free >= wanted, self._patience) or self._closed:
                raise BusyError("too many large images are being decoded")
            room.free -= wanted

    def _elsewhere(self, image: DecodeTask) -> Image.Image:
        with self._changed:
            alive = [each for each in self._idle if each.is_alive()]  # anybody may have killed an idle one
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
    """A process that decodes one image after another. Not forked: nothing of this one's threads goes with it."""

    def __init__(self) -> None:
        spawn = get_context("spawn")
        self._ours, theirs = spawn.Pipe()
        self._process = spawn.Process(target=_serve, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()
        self._is_there = False

    def decode(self, image: DecodeTask, seconds: float) -> Image.Image | ImageError | None:
        """The image, or why not; None where the process was ended."""
        try:
            if not self._is_there:
                if not self._ours.poll(START):
                    raise BusyError("a process that decodes images does not start")
                self._ours.recv_bytes()
                self._is_there = True
            self._ours.send(image.options)
            self._ours.send_bytes(image.data)
            if not self._ours.poll(seconds):
                raise ImageError("decode", f"it takes more than {seconds:g} seconds to decode")
            said = self._ours.recv()
            if isinstance(said, str):
                return ImageError("decode", said)
            size, repaired = said
            decoded = Image.frombuffer("RGB", size, self._ours.recv_bytes(), "raw", "RGB", 0, 1)
        except (EOFError, OSError) as error:
            if self._process.exitcode is None or self._process.exitcode >= 0:
                self._process.join(1)
            raise ImageError("decode", "damaged image: its decoder ended") from error
        decoded.info = {REPAIRED: True} if repaired else {}
        return decoded

    def is_alive(self) -> bool:
        """Whether it can be given an image."""
        return self._process.is_alive()

    def end(self) -> None:
        self._process.kill()


def close_all() -> None:
    """End everything that is being decoded, as the service does when it is told to stop."""
    for decoding in list(_all):
        decoding.close()


def _serve(channel: Connection) -> None:
    """What the process does: until the other end is gone."""
    if hasattr(os, "nice"):
        os.nice(NICE)
    trim_at_once()
    with suppress(EOFError, OSError, KeyboardInterrupt):
        channel.send_bytes(b"here")
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
