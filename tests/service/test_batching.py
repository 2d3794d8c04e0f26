"""Requests that come while others are answered are the next batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from threading import Event

import pytest

from image_similarity.service.answering.batching import Batches


class Slow:
    """Answers when ``go`` is set, and records its batches."""

    def __init__(self) -> None:
        self.begun, self.go = Event(), Event()
        self.together: list[list[int]] = []

    def __call__(self, requests: Sequence[int]) -> list[int | Exception]:
        self.together.append(list(requests))
        self.begun.set()
        self.go.wait(30)
        return [ValueError("seven") if request == 7 else 10 * request for request in requests]


@pytest.fixture
def slow() -> Slow:
    return Slow()


@pytest.fixture
def batches(slow: Slow) -> Iterator[Batches[int, int]]:
    made = Batches(slow, 4, "answers")
    yield made
    slow.go.set()
    made.close()


def test_the_first_is_begun_at_once_and_the_rest_come_together(slow: Slow, batches: Batches[int, int]) -> None:
    futures = [batches.submit(1)]
    assert slow.begun.wait(30)
    futures += [batches.submit(number) for number in range(2, 8)]
    slow.go.set()
    assert [future.result(30) for future in futures[:6]] == [10, 20, 30, 40, 50, 60]
    assert slow.together == [[1], [2, 3, 4, 5], [6, 7]]  # four at most


def test_one_that_fails_does_not_spoil_the_others(slow: Slow, batches: Batches[int, int]) -> None:
    slow.go.set()
    futures = [batches.submit(number) for number in (7, 8)]
    with pytest.raises(ValueError, match="seven"):
        futures[0].result(30)
    assert futures[1].result(30) == 80


def test_whoever_has_gone_is_not_answered(slow: Slow, batches: Batches[int, int]) -> None:
    batches.submit(1)
    assert slow.begun.wait(30)
    gone, stays = batches.submit(2), batches.submit(3)
    assert gone.cancel()
    slow.go.set()
    assert stays.result(30) == 30
    assert slow.together == [[1], [3]]


def test_what_breaks_breaks_for_all_who_asked_and_the_next_are_answered() -> None:
    broken = [True]

    def answer(requests: Sequence[int]) -> list[int | Exception]:
        if broken.pop() if broken else False:
            raise RuntimeError("the network is gone")
        return list(requests)

    batches = Batches(answer, 4, "answers")
    with pytest.raises(RuntimeError, match="gone"):
        batches.submit(1).result(30)
    assert batches.submit(2).result(30) == 2
    batches.close()


def test_closing_answers_what_waits(slow: Slow) -> None:
    batches = Batches(slow, 2, "answers")
    futures = [batches.submit(number) for number in range(5)]
    slow.go.set()
    batches.close()
    assert [future.result(0) for future in futures] == [0, 10, 20, 30, 40]
