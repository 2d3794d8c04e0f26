"""The service's options: one frozen record, built by the command line and read by every part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from image_similarity.options import IN_USE, ModelChoice

if TYPE_CHECKING:
    from image_similarity.dataset import Dataset

LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class ServiceOptions:
    """What is served, where, and within which limits.

    ``models``: the first is the default. ``keys``: require API keys on loopback too, as is needed behind a proxy.
    ``insecure``: require no keys although other machines can connect. ``allowed_hosts``: host names of the service,
    beside ``host``. ``cors_origins``: other sites whose pages may use it. ``fetch_from``: the shop's own hosts and
    networks that images may be fetched from.
    """

    dataset: Dataset
    models: tuple[ModelChoice, ...] = (ModelChoice(IN_USE),)
    host: str = "127.0.0.1"
    port: int = 8000
    keys: bool = False
    insecure: bool = False
    allowed_hosts: tuple[str, ...] = ()
    cors_origins: tuple[str, ...] = ()
    fetch_from: tuple[str, ...] = ()
    proxies: tuple[str, ...] = ()
    """Addresses of proxies whose ``X-Forwarded-For`` is trusted; from others it is ignored."""
    connections: int = 1000
    """Connections at once; more are refused."""
    queue: int = 64
    """Searches running or waiting; more are answered with 503."""
    batch: int = 16
    """Largest batch of photos for the network; 1: each alone."""
    rate: float = 0.0
    """Requests a second that one key (without keys: one address) may sustain; 0: any number."""
    max_body_bytes: int = 25_000_000
    decoding_bytes: int = 640_000_000
    """Bytes of memory for all images decoded at once."""
    patience: float = 10.0
    """Seconds that an image waits for some of this memory."""
    photos: int = 10_000
    """Query photos kept so that the address of a search can be shared; the oldest are removed. 0: none are kept."""
    rebuild_after: int = 2000
    """Products changed since the index was built, before it is rebuilt."""

    @property
    def requires_keys(self) -> bool:
        """Whether every request needs a key."""
        return self.keys or not (self.insecure or self.host in LOOPBACK)
