"""The pace of downloads: the request rate, and retries with their pauses."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TypeVar

from image_similarity.options import DownloadOptions
from image_similarity.types import Clock

Sleep = Callable[[float], Awaitable[None]]
T = TypeVar("T")


class Pace:
    """Spreads requests evenly over time."""

    def __init__(self, per_second: float, clock: Clock = time.monotonic, sleep: Sleep = asyncio.sleep) -> None:
        self._interval, self._clock, self._sleep = 1 / per_second, clock, sleep
        self._next = 0.0

    async def wait(self, _request: object = None) -> None:
        """Wait until this request may be sent."""
        now = self._clock()
        slot = max(now, self._next)
        self._next = slot + self._interval
        if slot > now:
            await self._sleep(slot - now)


class RetryableError(Exception):
    """A request failed in a way that may succeed the next time; ``retry_after`` is the response's header."""

    def __init__(self, reason: str, retry_after: str | None = None) -> None:
        super().__init__(reason)
        self.reason, self.retry_after, self.tries = reason, retry_after, 1

    def __str__(self) -> str:
        return f"{self.reason} (tried {self.tries} times)" if self.tries > 1 else self.reason


async def with_retries(
    request: Callable[[], Awaitable[T]],
    options: DownloadOptions,
    sleep: Sleep = asyncio.sleep,
    gives_up: Callable[[RetryableError], bool] = lambda _: False,
) -> T:
    """Await ``request`` until it succeeds, ``options.tries`` times at most or until ``gives_up``, with pauses between.

    Raises:
        RetryableError: the last try failed; it says how many there were.
    """
    for attempt in range(1, options.tries + 1):
        try:
            return await request()
        except RetryableError as error:
            error.tries = attempt
            if attempt == options.tries or gives_up(error):
                raise
            await sleep(retry_delay(attempt, error.retry_after, options))
    raise AssertionError("unreachable: the last try returns or raises")


def retry_delay(attempt: int, retry_after: str | None, options: DownloadOptions, now: Clock = time.time) -> float:
    """Seconds to wait after failed try ``attempt`` (from 1): exponential backoff with jitter, at least ``Retry-After``.

    ``Retry-After`` is seconds or a date, as in RFC 9110; anything else is ignored.
    """
    longest = options.longest_delay
    # Jitter: requests that failed together must not be retried together.
    backoff = min(longest, options.base_delay * 2.0 ** (attempt - 1)) * random.uniform(0.5, 1.0)  # noqa: S311
    return max(backoff, min(longest, _server_delay(retry_after or "", now)))


def _server_delay(retry_after: str, now: Clock) -> float:
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        moment = parsedate_to_datetime(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - now()
    except (ValueError, OverflowError, TypeError, IndexError):  # impossible dates and time zones
        return 0.0
