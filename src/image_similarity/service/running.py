"""Runs the service until it is told to stop."""

from __future__ import annotations

import gc
import signal
import socket
import sys
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import uvicorn

from image_similarity.errors import UsageError
from image_similarity.service.app import create_app
from image_similarity.service.app_state import AppState
from image_similarity.service.guards.api_keys import FILE, ApiKeys
from image_similarity.service.guards.connections import guarded
from image_similarity.service.guards.decoding import close_all
from image_similarity.types import Progress, no_progress
from image_similarity.util.memory import trim_at_once

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from image_similarity.service.options import ServiceOptions
    from image_similarity.settings import Settings

EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 (recognised, not chosen)
SWITCH = 0.001  # seconds that a thread may keep others waiting; Python's own is five times that
COLLECTED = (20_000, 20, 20)  # objects until a look at the youngest, and looks until one at the older ones
KEEP_ALIVE = 30  # seconds
DECODING_ENDS = 4.0  # seconds that images have to be decoded when the service stops
REQUESTS_END = 20  # seconds that requests have to end when the service stops
MOST_CONNECTIONS = 4096
OWN_FILES = 256  # files and sockets that the service itself has open
WAITING = 2048  # connections that the system holds before they are taken


class Server(uvicorn.Server):
    """uvicorn's, which says when it answers, and ends well when it is told to stop."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            _tune()
            self._ready()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        late = threading.Timer(DECODING_ENDS, close_all)  # who decodes for so long yet is not waited for
        late.daemon = True
        late.start()
        if sig == signal.SIGTERM:  # to be told to end is no failure; uvicorn would die of the signal afterwards
            self.should_exit = True
        else:
            super().handle_exit(sig, frame)


def run(
    options: ServiceOptions,
    settings: Settings,
    ready: Callable[[str], None],
    progress: Progress = no_progress,
) -> None:
    """Serve until a signal comes; ``ready`` is told the address once it answers.

    Raises:
        UsageError: nobody could get in, or the address is taken.
        ImageSimilarityError: what :class:`~image_similarity.service.app_state.AppState` raises.
    """
    check_keys(options, settings)
    listening = _listening(options)
    # Opened before uvicorn starts, which would print where in our code something was found wrong, and end with 3.
    with listening, closing(AppState(options, settings, progress)) as state:
        config = uvicorn.Config(
            create_app(options, settings, progress, state),
            http=guarded(min(options.connections, _room_for_connections())),
            proxy_headers=bool(options.proxies),  # else any client could say that it is another
            forwarded_allow_ips=list(options.proxies),
            access_log=False,  # ours says more, and less
            log_level="warning",
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE,
            timeout_graceful_shutdown=REQUESTS_END,
            backlog=WAITING,
        )
        port = listening.getsockname()[1]
        server = Server(config, lambda: ready(_address(options.host, port)))
        signal.signal(signal.SIGTERM, server.handle_exit)  # who is told just now, before its loop runs, ends well too
        server.run(sockets=[listening])


def _room_for_connections() -> int:
    """How many connections the system lets the process hold, beside its files. Raises its limit as far as it may."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return MOST_CONNECTIONS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_CONNECTIONS + OWN_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return MOST_CONNECTIONS if soft == resource.RLIM_INFINITY else max(1, min(MOST_CONNECTIONS, soft - OWN_FILES))


def _tune() -> None:
    """Tune Python to serving.

    What is there by now stays: it need not be looked through for garbage with every few requests. And the event loop
    gets its turn soon, however busy the threads are that decode and answer.
    """
    trim_at_once()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECTED)
    sys.setswitchinterval(SWITCH)


def _address(host: str, port: int) -> str:
    """Where a browser on this machine finds the page."""
    if host in EVERYWHERE:
        host = "127.0.0.1"
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def check_keys(options: ServiceOptions, settings: Settings) -> None:
    """Refuse to listen to everybody without keys.

    Raises:
        UsageError: there are none.
    """
    if options.wants_keys and not ApiKeys(settings.root / FILE).all():
        raise UsageError(
            f"the service at {options.host} asks for API keys and there are none: make one with "
            "`image-similarity keys add NAME`, or let everybody in with `insecure`"
        )


def _listening(options: ServiceOptions) -> socket.socket:
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    try:
        return socket.create_server((options.host, options.port), family=family, backlog=WAITING, reuse_port=False)
    except OSError as error:
        raise UsageError(
            f"cannot listen at {options.host}:{options.port}: {error.strerror or error}. Choose another `port`"
        ) from error
