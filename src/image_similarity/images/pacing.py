"""Waiting times of downloads: the request rate, and the pause after a failed try."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from datetime import UTC
from email.utils import parsedate_to_datetime

from image_similarity.options import DownloadOptions
from image_similarity.types import Clock

Sleep = Callable[[float], Awaitable[None]]


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
