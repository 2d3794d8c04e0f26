"""Health of the background work: errors are logged, and the work starts again after a pause."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

LOG = logging.getLogger(__name__)
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0  # seconds


@dataclass(slots=True)
class Health:
    """The state of each kind of background work."""

    failures: dict[str, str] = field(default_factory=dict)
    """The latest error's type by the name of the work; removed when the work succeeds."""
    _pauses: dict[str, float] = field(default_factory=dict)

    def succeeded(self, name: str) -> None:
        self.failures.pop(name, None)
        self._pauses.pop(name, None)

    def failed(self, name: str, error: BaseException) -> float:
        """Record a failure; returns the seconds to wait before the next try, doubled each time."""
        LOG.error("%s failed and will be retried", name, exc_info=error)
        self.failures[name] = type(error).__name__
        pause = self._pauses.get(name, FIRST_PAUSE)
        self._pauses[name] = min(2 * pause, LONGEST_PAUSE)
        return pause
