"""Dynamic batching: a thread answers requests together; those that arrive while it is busy are its next batch.

No request waits for a batch to fill: the first starts at once, and batches grow with the load.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import Generic, TypeVar

from image_similarity.service.errors import BusyError

Request = TypeVar("Request")
Answer = TypeVar("Answer")


class Batches(Generic[Request, Answer]):
    """A queue of requests and the thread that answers them in batches.

    Args:
        answer: n requests to n answers; an exception in place of an answer fails that request alone.
        most: requests in a batch.
        name: of the thread.
    """

    def __init__(
        self, answer: Callable[[Sequence[Request]], Sequence[Answer | Exception]], most: int, name: str
    ) -> None:
        self._answer, self._most = answer, most
        self._waiting: SimpleQueue[tuple[Request, Future[Answer]] | None] = SimpleQueue()
        self._lock, self._closed = Lock(), False
        self._thread = Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(self, request: Request) -> Future[Answer]:
        """Queue a request; the future holds its answer, or BusyError after :meth:`close`."""
        future: Future[Answer] = Future()
        with self._lock:
            if self._closed:
                future.set_exception(BusyError("the model has just been replaced: send the request again"))
            else:
                self._waiting.put((request, future))
        return future

    @property
    def waiting(self) -> int:
        """The number of queued requests."""
        return self._waiting.qsize()

    def close(self) -> None:
        """Answer the queued requests, then end the thread; later requests fail with BusyError."""
        with self._lock:
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
            # Requests whose client has left meanwhile are dropped: cancelled futures refuse to run.
            live = [each for each in batch if each is not None and each[1].set_running_or_notify_cancel()]
            if live:
                self._answer_all(live)

    def _answer_all(self, batch: list[tuple[Request, Future[Answer]]]) -> None:
        try:
            answers = self._answer([request for request, _ in batch])
        except Exception as error:
            for _, future in batch:
                future.set_exception(error)
            return
        for (_, future), answer in zip(batch, answers, strict=True):
            if isinstance(answer, Exception):
                future.set_exception(answer)
            else:
                future.set_result(answer)
