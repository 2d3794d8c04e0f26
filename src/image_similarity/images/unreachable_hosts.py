"""UnreachableHosts that nobody can reach, or that say nothing: their images are not waited for one by one."""

from __future__ import annotations

import time
from dataclasses import dataclass

from image_similarity.types import Clock

IN_A_ROW = 3  # images of a host that could not be reached in all their tries
MOST_HOSTS = 1000  # remembered at a time
PAUSE = 30.0  # seconds until one image asks again


@dataclass(slots=True)
class _Host:
    failed: int = 0
    reason: str = ""
    again: float = 0.0
    passed_over: int = 0


class UnreachableHosts:
    """Which hosts are given up for a while, and why: nobody was reached, or nothing came, several times in a row.

    A host that answers, whatever it says, is within reach.
    """

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._hosts: dict[str, _Host] = {}

    def why_not(self, host: str) -> str | None:
        """Why a host is not asked at present; None: ask. After a pause one caller is let through."""
        known = self._hosts.get(host)
        if known is None or known.failed < IN_A_ROW:
            return None
        now = self._clock()
        if now >= known.again:
            known.again = now + PAUSE
            return None
        known.passed_over += 1
        return known.reason

    def unreached(self, host: str, reason: str) -> None:
        """Note that all tries for one image reached nobody."""
        if host not in self._hosts and len(self._hosts) >= MOST_HOSTS:
            del self._hosts[next(iter(self._hosts))]
        known = self._hosts.setdefault(host, _Host())
        known.failed += 1
        known.reason, known.again = reason, self._clock() + PAUSE

    def answered(self, host: str) -> None:
        """Note that a host has answered."""
        known = self._hosts.get(host)
        if known is not None:
            known.failed = 0

    def given_up(self, host: str) -> bool:
        """Whether a host is given up at present."""
        known = self._hosts.get(host)
        return known is not None and known.failed >= IN_A_ROW

    def notes(self) -> list[str]:
        """A sentence on each host whose images were passed over."""
        return [
            f"{host} could not be reached ({known.reason}): {known.passed_over} of its images were not requested"
            for host, known in self._hosts.items()
            if known.passed_over
        ]
