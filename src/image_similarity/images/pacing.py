"""How long a download waits: the pace of requests, and the pause after a failed try."""

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
        self._between, self._clock, self._sleep = 1 / per_second, clock, sleep
        self._next = 0.0

    async def turn(self, _request: object = None) -> None:
        """Return when it is this request's turn."""
        now = self._clock()
        mine = max(now, self._next)
        self._next = mine + self._between
        if mine > now:
            await self._sleep(mine - now)


def retry_delay(attempt: int, retry_after: str | None, options: DownloadOptions, now: Clock = time.time) -> float:
    """Seconds to wait after failed try ``attempt`` (from 1): doubling, with jitter, and no less than a server asks.

    ``Retry-After`` is read as RFC 9110 has it, as seconds or as a date; anything else is overlooked.
    """
    longest = options.longest_delay
    # Jitter: those who failed together must not come back together.
    own = min(longest, options.base_delay * 2.0 ** (attempt - 1)) * random.uniform(0.5, 1.0)  # noqa: S311
    return max(own, min(longest, _asked_wait(retry_after or "", now)))


def _asked_wait(retry_after: str, now: Clock) -> float:
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        moment = parsedate_to_datetime(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - now()
    except (ValueError, OverflowError, TypeError, IndexError):  # years and zones that no calendar has
        return 0.0
