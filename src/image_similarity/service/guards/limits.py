"""How much one client may ask: requests a second, bytes of a body and seconds until it is there."""

from __future__ import annotations

import asyncio
import sys
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network
from time import monotonic

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from image_similarity.service.errors import BusyError
from image_similarity.service.problems import problem_response

TOO_MUCH = "There is more being sent than there is room for just now."
SLOWEST = 60.0
"""Seconds that a body may take."""
AT_FIRST, LEAST_RATE = 10.0, 20_000
"""Seconds that any body has, and one more for each so many bytes that have come: a slow telephone is quicker."""
STRANGERS = ""
"""Whoever comes when the table is full of others who are busy shares this bucket."""
ONE_CLIENT = 64
"""Bits of an IPv6 address that tell clients apart: whoever has one address has all that begin so."""


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


class RateLimiter:
    """A bucket of tokens for each client: ``burst`` at first, ``per_second`` more each second; a request takes one.

    At most ``most`` buckets are kept. A full bucket is forgotten without loss, for it is what a new client gets; where
    all are in use, newcomers share one, so that many addresses neither fill the memory nor win themselves more.
    """

    def __init__(
        self, per_second: float, burst: int, most: int = 10_000, clock: Callable[[], float] = monotonic
    ) -> None:
        self.per_second = per_second
        self.burst = burst
        self.most = most
        self._clock = clock
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()  # the longest unused first

    def wait(self, client: str) -> float:
        """Take a token of a client's. 0 where there was one, else the seconds until there is."""
        now = self._clock()
        bucket = self._bucket(client, now)
        bucket.tokens, bucket.at = self._filled(bucket, now), now
        if bucket.tokens >= 1:
            bucket.tokens -= 1
            return 0.0
        return (1 - bucket.tokens) / self.per_second

    def __len__(self) -> int:
        """How many buckets are kept."""
        return len(self._buckets)

    def _bucket(self, client: str, now: float) -> _Bucket:
        bucket = self._buckets.get(client)
        if bucket is None and len(self._buckets) >= self.most:
            oldest = next(iter(self._buckets))
            if self._filled(self._buckets[oldest], now) < self.burst:
                client = STRANGERS
                bucket = self._buckets.get(client)
            else:
                del self._buckets[oldest]
        if bucket is None:
            bucket = self._buckets[client] = _Bucket(float(self.burst), now)
        self._buckets.move_to_end(client)
        return bucket

    def _filled(self, bucket: _Bucket, now: float) -> float:
        return min(self.burst, bucket.tokens + (now - bucket.at) * self.per_second)


def client_of(scope: Scope) -> str:
    """Whom an address of a request counts for; where there is no key to tell clients apart."""
    client = scope.get("client")
    if not client:
        return "unknown"
    try:
        address = ip_address(client[0])
    except ValueError:
        return str(client[0])
    if not isinstance(address, IPv6Address):
        return str(address)
    return str(address.ipv4_mapped or ip_network((int(address) >> ONE_CLIENT << ONE_CLIENT, ONE_CLIENT)))


class BodyRefusedError(HTTPException):
    """A body is too large, or too slow. FastAPI lets it through, where it would answer 400 to any other error."""


class BodyLimit:
    """Answers 413 to a body of more than ``most`` bytes: at once where it declares them, else as soon as they have
    come; 408 to one that comes too slowly, or not within ``seconds``; and 503 to one that would make the bodies of all
    requests that are being answered more than ``together``. What the application makes of the broken body is not sent.
    """

    def __init__(self, app: ASGIApp, most: int, together: int = sys.maxsize, seconds: float = SLOWEST) -> None:
        self.app = app
        self.most = most
        self.seconds = seconds
        self.together = together
        self.held = 0
        """Bytes of the bodies of all requests that are being answered."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        declared = Headers(scope=scope).get("content-length", "")
        if declared.isdecimal() and int(declared) > self.most:
            await _refusal(scope, _too_large(self.most))(scope, receive, send)
            return
        body = _Body(receive, self)
        started = False

        async def unless_refused(message: Message) -> None:
            nonlocal started
            if started or body.refused is None:
                started = True
                await send(message)

        try:
            await self.app(scope, body.receive, unless_refused)
        except Exception:
            if body.refused is None or started:
                raise
        finally:
            self.held -= body.came
        if body.refused is not None and not started:
            await _refusal(scope, body.refused)(scope, receive, send)


class _Body:
    """The body of one request, counted while it comes. ``refused`` says why it was given up."""

    def __init__(self, receive: Receive, limits: BodyLimit) -> None:
        self.refused: BodyRefusedError | None = None
        self.came = 0
        self._receive, self._limits = receive, limits
        self._ended = False
        self._began: float | None = None

    async def receive(self) -> Message:
        if self._ended:  # who waits now waits for the client to leave
            return await self._receive()
        if self._began is None:
            self._began = asyncio.get_running_loop().time()
        allowed = min(self._limits.seconds, AT_FIRST + self.came / LEAST_RATE)
        try:
            async with asyncio.timeout_at(self._began + allowed):
                message = await self._receive()
        except TimeoutError:
            self.refused = BodyRefusedError(
                408, f"The body came too slowly: {self.came} bytes in {allowed:.0f} seconds."
            )
            raise self.refused from None
        part = len(message.get("body", b""))
        self.came += part
        self._limits.held += part
        self._ended = not message.get("more_body", False)
        if self.came > self._limits.most:
            self.refused = _too_large(self._limits.most)
        elif part and self._limits.held > self._limits.together:
            self.refused = BodyRefusedError(503, TOO_MUCH, headers=BusyError.headers)
        if self.refused is not None:
            raise self.refused
        return message


def _too_large(most: int) -> BodyRefusedError:
    return BodyRefusedError(413, f"The body may have {most} bytes at most.")


def _refusal(scope: Scope, refused: BodyRefusedError) -> Response:
    return problem_response(scope, refused.status_code, refused.detail, refused.headers)
