"""How many processors this process may use."""

from __future__ import annotations

import os


def processors() -> int:
    """The processors in this process's affinity where the system reports it, else all of the machine's."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
