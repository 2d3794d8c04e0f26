"""How long a download waits: options, the pace of requests, and the pause after a failed try."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime

from image_similarity.errors import UsageError
from image_similarity.images.own_headers import Headers, OwnHeaders
from image_similarity.types import Clock

Sleep = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class DownloadOptions:
    """How to ask, and how often. Times are seconds.

    Raises:
        UsageError: a number that is no number of tries, of connections or of requests.
    """

    concurrency: int = 16
    per_second: float | None = None
    """At most so many requests a second, redirects and tries included; None: as fast as it goes."""
    refresh: bool = False
    """Ask again for the files that are there, and take them if they have changed."""
    tries: int = 5
    base_delay: float = 0.5
    """The first wait after a failed try, on average three quarters of it; each further one is twice as long."""
    longest_delay: float = 60.0
    """No wait is longer, whatever a server asks for."""
    timeout: float = 30.0
    """To connect, and between two pieces of an answer."""
    headers: Headers = field(default_factory=dict, repr=False)
    """Headers of one's own, by the host that they are for: see :data:`~image_similarity.images.own_headers.Headers`."""

    def __post_init__(self) -> None:
        OwnHeaders(self.headers)
        for name in ("concurrency", "tries"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} must be 1 or more, not {getattr(self, name)}")
        if self.per_second is not None and not self.per_second > 0:
            raise UsageError(f"per_second must be more than 0, not {self.per_second}")


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


def wait_after(attempt: int, retry_after: str | None, options: DownloadOptions, now: Clock = time.time) -> float:
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
