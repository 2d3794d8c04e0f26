"""Requests of many clients, answered together by one thread: whatever came while it was busy is its next batch.

Nobody waits for a batch to fill: the first request is begun at once, and the busier the service is, the more come
together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import Generic, TypeVar

from image_similarity.service.errors import BusyError

Q = TypeVar("Q")
A = TypeVar("A")


class Batches(Generic[Q, A]):
    """A thread that answers.

    Args:
        answer: for some requests as many answers; an exception in place of one is that request's alone.
        most: requests answered together.
        name: of the thread.
    """

    def __init__(self, answer: Callable[[Sequence[Q]], Sequence[A | Exception]], most: int, name: str) -> None:
        self._answer, self._most = answer, most
        self._waiting: SimpleQueue[tuple[Q, Future[A]] | None] = SimpleQueue()
        self._door, self._closed = Lock(), False
        self._thread = Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(self, request: Q) -> Future[A]:
        """The answer, when it is there."""
        future: Future[A] = Future()
        with self._door:
            if self._closed:
                future.set_exception(BusyError("what answered this has just been replaced: ask again"))
            else:
                self._waiting.put((request, future))
        return future

    @property
    def waiting(self) -> int:
        """Requests that nobody has begun to answer."""
        return self._waiting.qsize()

    def close(self) -> None:
        """Answer what is waiting, then end; later requests are told to come back."""
        with self._door:
            self._closed = True
            self._waiting.put(None)
        self._thread.join()

    def _run(self) -> None:
        open_ = True
        while open_:
            batch = [self._waiting.get()]
            while len(batch) < self._most and batch[-1] is not None:
                try:
                    batch.append(self._waiting.get_nowait())
                except Empty:
                    break
            open_ = batch[-1] is not None
            # Whoever has gone meanwhile is not answered: cancelled futures refuse to run.
            asked = [each for each in batch if each is not None and each[1].set_running_or_notify_cancel()]
            if asked:
                self._answer_all(asked)

    def _answer_all(self, asked: list[tuple[Q, Future[A]]]) -> None:
        try:
            answers = self._answer([request for request, _ in asked])
        except Exception as error:
            for _, future in asked:
                future.set_exception(error)
            return
        for (_, future), answer in zip(asked, answers, strict=True):
            if isinstance(answer, Exception):
                future.set_exception(answer)
            else:
                future.set_result(answer)
