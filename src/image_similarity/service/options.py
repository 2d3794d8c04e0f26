"""How the service is run: one frozen record, from the command line to every part that asks."""

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

    ``models``: the first answers where a request names none. ``keys``: API keys are required on this machine too, as
    is needed behind a proxy on it. ``insecure``: none are required although others can reach it. ``allowed_hosts``:
    names that the service goes by, beside ``host``. ``cors_origins``: other sites whose pages may use it.
    ``fetch_from``: hosts and networks of one's own that images may be fetched from.
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
    """Addresses of proxies whose ``X-Forwarded-For`` is believed; from anybody else it means nothing."""
    connections: int = 1000
    """Connections at once; one more is turned away."""
    queue: int = 64
    """Searches that are being answered or wait; one more is told to come back later."""
    batch: int = 16
    """Photos that go through the network together at most; 1: each alone."""
    rate: float = 0.0
    """Requests a second that one key (without keys: one address) may make for long; 0: any number."""
    max_body_bytes: int = 25_000_000
    decoding_bytes: int = 640_000_000
    """Memory of all images that are decoded at once; and the seconds that one waits for some of it:"""
    patience: float = 10.0
    photos: int = 10_000
    """Photos that are kept so that an answer's address can be shared; the oldest go. 0: none are kept."""
    rebuild_after: int = 2000
    """Products that were put or taken away since the index was built, before it is built anew."""

    @property
    def wants_keys(self) -> bool:
        """Whether nobody gets in without a key."""
        return self.keys or not (self.insecure or self.host in LOOPBACK)
