"""Pillow's warnings about damaged tags, kept quiet while pictures are decoded, in any number of threads."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_lock = threading.Lock()
_inside = 0
_outer: warnings.catch_warnings | None = None


@contextmanager
def quiet() -> Iterator[None]:
    """Ignore warnings inside the block.

    ``warnings.catch_warnings`` alone is for one thread: of two that overlap, the last to leave would put back what the
    first had set. So the first thread in sets the filter and the last one out takes it away.
    """
    global _inside, _outer
    with _lock:
        if not _inside:
            _outer = warnings.catch_warnings()
            _outer.__enter__()
            warnings.simplefilter("ignore")
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if not _inside and _outer is not None:
                _outer.__exit__(None, None, None)
