"""Runs the service until a signal stops it."""

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
SWITCH_INTERVAL = 0.001  # seconds before Python switches threads; its default is five times that
GC_THRESHOLDS = (20_000, 20, 20)  # allocations before a collection, and collections before one of an older generation
KEEP_ALIVE = 30  # seconds
DECODING_ENDS = 4.0  # seconds after a signal until decoding is cancelled
REQUESTS_END = 20  # seconds after a signal until open requests are cancelled
MOST_CONNECTIONS = 4096
OWN_FILES = 256  # files and sockets that the service itself has open
WAITING = 2048  # connections that wait to be accepted


class Server(uvicorn.Server):
    """uvicorn's server with a callback when it is ready, and exit code 0 after SIGTERM."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            _tune()
            self._ready()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        timer = threading.Timer(DECODING_ENDS, close_all)
        timer.daemon = True
        timer.start()
        if sig == signal.SIGTERM:  # uvicorn would raise the signal again at its end, and so exit with an error
            self.should_exit = True
        else:
            super().handle_exit(sig, frame)


def run(
    options: ServiceOptions,
    settings: Settings,
    ready: Callable[[str], None],
    progress: Progress = no_progress,
) -> None:
    """Serve until a signal comes; ``ready`` receives the address once the service answers.

    Raises:
        UsageError: API keys are required and there are none, or the port is taken.
        ImageSimilarityError: what :class:`~image_similarity.service.app_state.AppState` raises.
    """
    check_keys(options, settings)
    listening = _listening(options)
    # Opened before uvicorn starts: uvicorn would print a traceback for an error, and exit with 3.
    with listening, closing(AppState(options, settings, progress)) as state:
        config = uvicorn.Config(
            create_app(options, settings, progress, state),
            http=guarded(min(options.connections, _room_for_connections())),
            proxy_headers=bool(options.proxies),  # else any client could pretend to be another
            forwarded_allow_ips=list(options.proxies),
            access_log=False,  # AccessLog writes ours, without the query
            log_level="warning",
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE,
            timeout_graceful_shutdown=REQUESTS_END,
            backlog=WAITING,
        )
        port = listening.getsockname()[1]
        server = Server(config, lambda: ready(_address(options.host, port)))
        signal.signal(signal.SIGTERM, server.handle_exit)  # for a signal that comes before uvicorn's own handler is set
        server.run(sockets=[listening])


def _room_for_connections() -> int:
    """How many connections the process may hold beside its files. Raises the soft limit of open files where needed."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return MOST_CONNECTIONS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = MOST_CONNECTIONS + OWN_FILES
    if soft != resource.RLIM_INFINITY and soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return MOST_CONNECTIONS if soft == resource.RLIM_INFINITY else max(1, min(MOST_CONNECTIONS, soft - OWN_FILES))


def _tune() -> None:
    """Tune Python for serving.

    Objects that exist now stay, so garbage collection skips them. A short switch interval keeps the event loop
    responsive while threads decode and search.
    """
    trim_at_once()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    sys.setswitchinterval(SWITCH_INTERVAL)


def _address(host: str, port: int) -> str:
    """The page's address for a browser on this machine."""
    if host in EVERYWHERE:
        host = "127.0.0.1"
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def check_keys(options: ServiceOptions, settings: Settings) -> None:
    """Check that there are API keys where the service requires them.

    Raises:
        UsageError: there are none.
    """
    if options.requires_keys and not ApiKeys(settings.root / FILE).all():
        raise UsageError(
            f"the service at {options.host} requires API keys and there are none: create one with "
            "`image-similarity keys add NAME`, or serve without keys with `insecure`"
        )


def _listening(options: ServiceOptions) -> socket.socket:
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    try:
        return socket.create_server((options.host, options.port), family=family, backlog=WAITING, reuse_port=False)
    except OSError as error:
        raise UsageError(
            f"cannot listen at {options.host}:{options.port}: {error.strerror or error}. Choose another `port`"
        ) from error
