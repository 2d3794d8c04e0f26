"""Work in the background that never just stops: whatever it trips over is logged, and it begins again after a pause."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

LOG = logging.getLogger(__name__)
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0  # seconds


@dataclass(slots=True)
class Health:
    """How each kind of work in the background fares."""

    troubles: dict[str, str] = field(default_factory=dict)
    """What went wrong last, by the name of the work; gone when it goes well again."""
    _pauses: dict[str, float] = field(default_factory=dict)

    def succeeded(self, name: str) -> None:
        self.troubles.pop(name, None)
        self._pauses.pop(name, None)

    def failed(self, name: str, error: BaseException) -> float:
        """It has failed: the seconds to wait before it begins again, twice as long each time."""
        LOG.error("%s failed, and is tried again", name, exc_info=error)
        self.troubles[name] = type(error).__name__
        pause = self._pauses.get(name, FIRST_PAUSE)
        self._pauses[name] = min(2 * pause, LONGEST_PAUSE)
        return pause
