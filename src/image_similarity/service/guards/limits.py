"""Limits for clients: the rate of requests, and the size and speed of their bodies."""

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

TOO_MUCH = "Too much data is being uploaded at present."
SLOWEST = 60.0
"""Seconds that a body may take."""
AT_FIRST, LEAST_RATE = 10.0, 20_000
"""Seconds that any body has, and bytes received for one second more: a slow mobile phone is faster."""
OVERFLOW = ""
"""The bucket that new clients share when the table is full of busy ones."""
ONE_CLIENT = 64
"""Bits of an IPv6 address that identify a client: a network of this prefix usually belongs to one."""


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


class RateLimiter:
    """A token bucket for each client: ``burst`` at first, ``per_second`` more each second; a request takes one.

    At most ``most`` buckets are kept. A full bucket can be dropped, for a new client gets the same; where all are in
    use, new clients share one, so that many addresses neither fill the memory nor get more tokens.
    """

    def __init__(
        self, per_second: float, burst: int, most: int = 10_000, clock: Callable[[], float] = monotonic
    ) -> None:
        self.per_second = per_second
        self.burst = burst
        self.most = most
        self._clock = clock
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()  # the least recently used first

    def wait(self, client: str) -> float:
        """Take one of a client's tokens: 0 where there was one, else the seconds until there is."""
        now = self._clock()
        bucket = self._bucket(client, now)
        bucket.tokens, bucket.at = self._filled(bucket, now), now
        if bucket.tokens >= 1:
            bucket.tokens -= 1
            return 0.0
        return (1 - bucket.tokens) / self.per_second

    def __len__(self) -> int:
        return len(self._buckets)

    def _bucket(self, client: str, now: float) -> _Bucket:
        bucket = self._buckets.get(client)
        if bucket is None and len(self._buckets) >= self.most:
            oldest = next(iter(self._buckets))
            if self._filled(self._buckets[oldest], now) < self.burst:
                client = OVERFLOW
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
    """The client of a request by its address, for requests without a key."""
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
    """A body is too large or too slow. An HTTPException, because FastAPI answers 400 to other errors of a body."""


class BodyLimit:
    """Limits the bodies of requests.

    Answers 413 to a body of more than ``most`` bytes, at once where its length is declared; 408 to one that is too
    slow or takes more than ``seconds``; 503 to one with which the bodies of all open requests exceed ``together``
    bytes. The application's response to the incomplete body is dropped.
    """

    def __init__(self, app: ASGIApp, most: int, together: int = sys.maxsize, seconds: float = SLOWEST) -> None:
        self.app = app
        self.most = most
        self.seconds = seconds
        self.together = together
        self.held = 0
        """Bytes of the bodies of all open requests."""

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
            self.held -= body.received
        if body.refused is not None and not started:
            await _refusal(scope, body.refused)(scope, receive, send)


class _Body:
    """The body of one request, counted while it is received. ``refused``: the error that ended it."""

    def __init__(self, receive: Receive, limits: BodyLimit) -> None:
        self.refused: BodyRefusedError | None = None
        self.received = 0
        self._receive, self._limits = receive, limits
        self._ended = False
        self._began: float | None = None

    async def receive(self) -> Message:
        if self._ended:  # the next message is the client's disconnect
            return await self._receive()
        if self._began is None:
            self._began = asyncio.get_running_loop().time()
        allowed = min(self._limits.seconds, AT_FIRST + self.received / LEAST_RATE)
        try:
            async with asyncio.timeout_at(self._began + allowed):
                message = await self._receive()
        except TimeoutError:
            self.refused = BodyRefusedError(
                408, f"The body was too slow: {self.received} bytes in {allowed:.0f} seconds."
            )
            raise self.refused from None
        part = len(message.get("body", b""))
        self.received += part
        self._limits.held += part
        self._ended = not message.get("more_body", False)
        if self.received > self._limits.most:
            self.refused = _too_large(self._limits.most)
        elif part and self._limits.held > self._limits.together:
            self.refused = BodyRefusedError(503, TOO_MUCH, headers=BusyError.headers)
        if self.refused is not None:
            raise self.refused
        return message


def _too_large(most: int) -> BodyRefusedError:
    return BodyRefusedError(413, f"The limit of a body is {most} bytes.")


def _refusal(scope: Scope, refused: BodyRefusedError) -> Response:
    return problem_response(scope, refused.status_code, refused.detail, refused.headers)
