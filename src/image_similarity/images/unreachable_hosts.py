"""Skip the images of hosts that cannot be reached, instead of waiting for a time-out for each."""

from __future__ import annotations

import time
from dataclasses import dataclass

from image_similarity.types import Clock

IN_A_ROW = 3  # images of a host that failed in all their tries
MAX_HOSTS = 1000  # remembered at a time
PAUSE = 30.0  # seconds until one image is requested again


@dataclass(slots=True)
class _Host:
    failed: int = 0
    reason: str = ""
    retry_at: float = 0.0
    skipped: int = 0


class UnreachableHosts:
    """Hosts whose requests are suspended: no connection or no response, several times in a row.

    A host that responds with any status counts as reachable.
    """

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._hosts: dict[str, _Host] = {}

    def skip_reason(self, host: str) -> str | None:
        """Why a host is skipped at present; None: send the request. After a pause one caller is let through."""
        known = self._hosts.get(host)
        if known is None or known.failed < IN_A_ROW:
            return None
        now = self._clock()
        if now >= known.retry_at:
            known.retry_at = now + PAUSE
            return None
        known.skipped += 1
        return known.reason

    def record_failure(self, host: str, reason: str) -> None:
        """Record that all tries for one image failed to reach the host."""
        if host not in self._hosts and len(self._hosts) >= MAX_HOSTS:
            del self._hosts[next(iter(self._hosts))]
        known = self._hosts.setdefault(host, _Host())
        known.failed += 1
        known.reason, known.retry_at = reason, self._clock() + PAUSE

    def record_response(self, host: str) -> None:
        """Record that a host has responded."""
        known = self._hosts.get(host)
        if known is not None:
            known.failed = 0

    def is_suspended(self, host: str) -> bool:
        """Whether a host is skipped at present."""
        known = self._hosts.get(host)
        return known is not None and known.failed >= IN_A_ROW

    def notes(self) -> list[str]:
        """A sentence on each host whose images were skipped."""
        return [
            f"{host} could not be reached ({known.reason}): {known.skipped} of its images were not requested"
            for host, known in self._hosts.items()
            if known.skipped
        ]
