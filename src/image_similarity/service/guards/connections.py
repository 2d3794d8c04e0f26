"""Connections as strangers may hold them: so many, so long without a request, and heads no larger than this.

uvicorn answers as soon as a request's head is whole, and waits for one that never is for ever.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from image_similarity.service.guards.limits import client_of

LARGEST_HEAD = 64_000
"""Bytes of a request's first line and headers."""
FRAMING = 10
"""Of a body in chunks, one byte of so many may be what divides it, beside as many as a head may have: sizes, what is
said behind them, and headers that follow."""
CHUNK = 8
"""Bytes that a chunk takes beside its own, and more."""
HEAD_SECONDS = 15.0
"""Until a request's head is there, from the connection's beginning or from the head's first byte."""
STALLED_SECONDS = 20.0
"""That a client may read nothing of an answer that waits for it."""
MOST_AT_ONCE = 16
"""Requests that a client may send without waiting for an answer; browsers wait for each."""
FULL, TOO_LARGE, TOO_SLOW = "503 Service Unavailable", "431 Request Header Fields Too Large", "408 Request Timeout"


class GuardedProtocol(HttpToolsProtocol):
    """One connection of uvicorn's, with limits. ``most``: connections that there may be at once."""

    most = 1000
    whose = ""
    """The client, as the limits of requests tell clients apart."""
    heard = 0.0
    """When the client last sent something, on the loop's clock."""
    _in_head, _head = True, 0
    _came = _body = _chunks = 0  # bytes of the body and of all that came with it, and its pieces
    _late: asyncio.TimerHandle | None = None
    _stalled: asyncio.TimerHandle | None = None
    _answering: tuple[RequestResponseCycle, ...] = ()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection, in another's place where there are too many, or turn it away."""
        super().connection_made(transport)
        self.whose, self.heard = client_of({"client": self.client}), self.loop.time()
        if len(self.connections) > self.most and not self._makes_room():
            self._give_up(FULL)
        else:
            self._late = self.loop.call_later(HEAD_SECONDS, self._give_up, TOO_SLOW)

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in (self._late, self._stalled):
            if timer is not None:
                timer.cancel()
        self._nobody_listens()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on, as long as the head is small enough."""
        self.heard = self.loop.time()
        if self._in_head:
            self._head += len(data)
            if self._late is None:
                self._late = self.loop.call_later(HEAD_SECONDS, self._give_up, TOO_SLOW)
        else:
            self._came += len(data)
        super().data_received(data)
        if self._head > LARGEST_HEAD if self._in_head else self._is_framed_too_much(self._came - self._body):
            self._give_up(TOO_LARGE)

    def on_headers_complete(self) -> None:
        """The head is whole: from here on the application's own limits hold."""
        self._in_head = False
        self._came = self._body = self._chunks = 0
        if self._late is not None:
            self._late.cancel()
            self._late = None
        super().on_headers_complete()
        self._answering = (*(each for each in self._answering if not each.response_complete), self.cycle)
        if len(self._answering) > MOST_AT_ONCE:
            raise ValueError("too many requests at once")  # the parser stops, and uvicorn hangs up

    def on_body(self, body: bytes) -> None:
        """More of it. Chunks of a byte each would hold the loop for as long as they come."""
        self._body += len(body)
        self._chunks += 1
        if self._is_framed_too_much(CHUNK * self._chunks):
            raise ValueError("too many chunks")
        super().on_body(body)

    def _is_framed_too_much(self, beside: int) -> bool:
        return beside > LARGEST_HEAD + self._body // FRAMING

    def on_message_complete(self) -> None:
        """What comes now is the next request's head."""
        self._in_head, self._head = True, 0
        super().on_message_complete()

    @property
    def waits(self) -> bool:
        """Whether the client has the next word: for a request, the rest of one, or to read what it asked for."""
        answered = all(each.response_complete for each in self._answering)
        return not self._in_head or answered or self._stalled is not None

    def _makes_room(self) -> bool:
        """Close the connection that is waited for longest, of the client that holds most of these."""
        others = [each for each in self.connections if isinstance(each, GuardedProtocol) and each is not self]
        held = [each for each in others if not each.transport.is_closing()]
        if len(held) < self.most:
            return True
        waiting = [each for each in held if each.waits]
        crowd = Counter(each.whose for each in waiting)
        if waiting:
            min(waiting, key=lambda each: (-crowd[each.whose], each.heard))._give_place()
        return bool(waiting)

    def _give_place(self) -> None:
        answering = self._stalled is not None or (not self._in_head and self.cycle.response_started)
        if self._head and not answering:
            self._give_up(FULL)
        else:  # nothing was asked, or nobody reads
            self.transport.abort()

    def pause_writing(self) -> None:
        """The client does not read as fast as it is answered."""
        super().pause_writing()
        self._watch(self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        """It has caught up."""
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None
        super().resume_writing()

    def _watch(self, waiting: int) -> None:
        self._stalled = self.loop.call_later(STALLED_SECONDS, self._look, waiting)

    def _look(self, before: int) -> None:
        """Whether anything of an answer was read since the last look."""
        waiting = self.transport.get_write_buffer_size()
        if waiting >= before:
            self._nobody_listens()
            self.transport.abort()
        else:
            self._watch(waiting)

    def _nobody_listens(self) -> None:
        """Answers that are being made are dropped; uvicorn tells only the latest request of a connection."""
        for cycle in self._answering:
            cycle.disconnected = True
            cycle.message_event.set()
        self._answering = ()
        self.pipeline.clear()

    def _give_up(self, status: str) -> None:
        """Say why, to who has not sent a whole head, and close."""
        if self.transport.is_closing():
            return
        with suppress(OSError):
            self.transport.write(f"HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".encode())
        self.transport.close()


def guarded(most: int) -> type[Any]:
    """The protocol of a server that takes so many connections."""
    return type("Guarded", (GuardedProtocol,), {"most": most})
