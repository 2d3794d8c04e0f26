"""Limits on connections: their number, the time without a request, the size of a request's head and framing.

uvicorn itself waits for ever for a head that never ends.
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
"""A chunked body may have one byte of framing (chunk sizes, extensions, trailers) for so many bytes of content, beside
as many as a head may have."""
CHUNK = 8
"""Bytes of framing counted for each chunk; it has at least these."""
HEAD_SECONDS = 15.0
"""Until a request's head is complete, from the connection's start or from the head's first byte."""
STALLED_SECONDS = 20.0
"""That a client may go without reading from its response."""
MOST_PIPELINED = 16
"""Requests that a client may send without waiting for a response; browsers wait for each."""
FULL, TOO_LARGE, TOO_SLOW = "503 Service Unavailable", "431 Request Header Fields Too Large", "408 Request Timeout"


class GuardedProtocol(HttpToolsProtocol):
    """uvicorn's protocol of one connection, with limits. ``most``: connections at once."""

    most = 1000
    client_id = ""
    """The client, as in the limit of requests."""
    last_data = 0.0
    """When the client last sent something, on the loop's clock."""
    _in_head, _head = True, 0
    _received = _body = _chunks = 0  # bytes with and without framing, and number of chunks
    _head_timer: asyncio.TimerHandle | None = None
    _stall_timer: asyncio.TimerHandle | None = None
    _open_cycles: tuple[RequestResponseCycle, ...] = ()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Accept a connection, refuse it, or evict another one where there are too many."""
        super().connection_made(transport)
        self.client_id, self.last_data = client_of({"client": self.client}), self.loop.time()
        if len(self.connections) > self.most and not self._make_room():
            self._refuse(FULL)
        else:
            self._head_timer = self.loop.call_later(HEAD_SECONDS, self._refuse, TOO_SLOW)

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in (self._head_timer, self._stall_timer):
            if timer is not None:
                timer.cancel()
        self._cancel_responses()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse more data; refuse a head or framing that is too large."""
        self.last_data = self.loop.time()
        if self._in_head:
            self._head += len(data)
            if self._head_timer is None:
                self._head_timer = self.loop.call_later(HEAD_SECONDS, self._refuse, TOO_SLOW)
        else:
            self._received += len(data)
        super().data_received(data)
        if self._head > LARGEST_HEAD if self._in_head else self._is_framed_too_much(self._received - self._body):
            self._refuse(TOO_LARGE)

    def on_headers_complete(self) -> None:
        """End the limits of the head; from here on those of the application apply."""
        self._in_head = False
        self._received = self._body = self._chunks = 0
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
        super().on_headers_complete()
        self._open_cycles = (*(each for each in self._open_cycles if not each.response_complete), self.cycle)
        if len(self._open_cycles) > MOST_PIPELINED:
            raise ValueError("too many requests at once")  # the parser stops, and uvicorn closes the connection

    def on_body(self, body: bytes) -> None:
        """Count a chunk. Many chunks of a byte each would block the event loop."""
        self._body += len(body)
        self._chunks += 1
        if self._is_framed_too_much(CHUNK * self._chunks):
            raise ValueError("too many chunks")
        super().on_body(body)

    def _is_framed_too_much(self, framing: int) -> bool:
        return framing > LARGEST_HEAD + self._body // FRAMING

    def on_message_complete(self) -> None:
        """Begin to count the next request's head."""
        self._in_head, self._head = True, 0
        super().on_message_complete()

    @property
    def waits(self) -> bool:
        """Whether the service waits for the client: for a request, the rest of one, or to read its response."""
        answered = all(each.response_complete for each in self._open_cycles)
        return not self._in_head or answered or self._stall_timer is not None

    def _make_room(self) -> bool:
        """Of the client with the most waiting connections, evict the one that has been silent for longest."""
        others = [each for each in self.connections if isinstance(each, GuardedProtocol) and each is not self]
        held = [each for each in others if not each.transport.is_closing()]
        if len(held) < self.most:
            return True
        waiting = [each for each in held if each.waits]
        by_client = Counter(each.client_id for each in waiting)
        if waiting:
            min(waiting, key=lambda each: (-by_client[each.client_id], each.last_data))._evict()
        return bool(waiting)

    def _evict(self) -> None:
        responding = self._stall_timer is not None or (not self._in_head and self.cycle.response_started)
        if self._head and not responding:
            self._refuse(FULL)
        else:  # there is no request, or the client does not read the response
            self.transport.abort()

    def pause_writing(self) -> None:
        """Start to watch a client that reads more slowly than the service writes."""
        super().pause_writing()
        self._watch(self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        """End the watch: the client has caught up."""
        if self._stall_timer is not None:
            self._stall_timer.cancel()
            self._stall_timer = None
        super().resume_writing()

    def _watch(self, unread: int) -> None:
        self._stall_timer = self.loop.call_later(STALLED_SECONDS, self._check_progress, unread)

    def _check_progress(self, before: int) -> None:
        """Close the connection where nothing was read since the last check."""
        unread = self.transport.get_write_buffer_size()
        if unread >= before:
            self._cancel_responses()
            self.transport.abort()
        else:
            self._watch(unread)

    def _cancel_responses(self) -> None:
        """Mark all open requests as disconnected; uvicorn does so only for the connection's latest request."""
        for cycle in self._open_cycles:
            cycle.disconnected = True
            cycle.message_event.set()
        self._open_cycles = ()
        self.pipeline.clear()

    def _refuse(self, status: str) -> None:
        """Send a response without a body, and close."""
        if self.transport.is_closing():
            return
        with suppress(OSError):
            self.transport.write(f"HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".encode())
        self.transport.close()


def guarded(most: int) -> type[Any]:
    """The protocol class for a server of at most ``most`` connections."""
    return type("Guarded", (GuardedProtocol,), {"most": most})
