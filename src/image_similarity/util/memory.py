"""Release memory: pages of mapped files that are read once, and what the C library keeps of freed blocks."""

from __future__ import annotations

import mmap
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

M_MMAP_THRESHOLD, M_TRIM_THRESHOLD = -3, -1  # glibc's
MMAP_THRESHOLD, TRIM_THRESHOLD = 12_000_000, 16_000_000
"""Bytes. Images take blocks of sixteen million, which are released; short-lived arrays take smaller ones, kept."""
# None where the system has no such call (Windows): there the system itself reclaims pages when memory gets short.
DONT_NEED: int | None = getattr(mmap, "MADV_DONTNEED", None)


def release(part: NDArray[Any], advice: int | None = DONT_NEED) -> None:
    """Release the pages of a part of a mapped file; does nothing for an array that is not mapped from a file.

    The array stays usable: reading it again maps its pages again, quickly where the system has the file cached (a
    millisecond or two for 50 MB). What was written to a shared map stays written.

    Args:
        part: adjacent rows of the map, or all of it.
        advice: the ``madvise`` option; None: nothing is released.
    """
    mapping = _mapping_of(part)
    if mapping is None or advice is None or not part.size or not part.flags.c_contiguous:
        return
    first = part.ctypes.data - np.frombuffer(mapping, np.uint8).ctypes.data
    start = first // mmap.PAGESIZE * mmap.PAGESIZE
    mapping.madvise(advice, start, min(first + part.nbytes, len(mapping)) - start)


def trim() -> None:
    """Return freed memory to the system. The C library otherwise keeps it for later allocations, for each thread.

    Worth a few milliseconds after work that used much memory in threads that have ended. Does nothing without glibc.
    """
    malloc_trim = _glibc_function("malloc_trim")
    if malloc_trim is not None:
        malloc_trim(0)


def trim_at_once() -> None:
    """From now on, return blocks of some ten megabytes or more to the system as soon as they are freed.

    For long-lived processes that decode images now and then: else the C library soon keeps blocks of up to 32 MB.
    """
    _set_thresholds(MMAP_THRESHOLD, TRIM_THRESHOLD)


def keep_freed() -> None:
    """From now on, keep freed blocks of up to 32 MB for later allocations, 256 MB in all.

    For a process that computes on one image after another: mapping new pages for each array takes a fifth of the time
    of ``colour-shape``.
    """
    _set_thresholds(1 << 25, 1 << 28)


def _set_thresholds(mapped: int, trimmed: int) -> None:
    mallopt = _glibc_function("mallopt")
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, mapped)
        mallopt(M_TRIM_THRESHOLD, trimmed)


def _glibc_function(name: str) -> Any:
    import ctypes

    try:
        return getattr(ctypes.CDLL(None), name)
    except (AttributeError, OSError, TypeError):
        return None


def _mapping_of(array: Any) -> mmap.mmap | None:
    """The map that an array is a view of; None for a copy-on-write map, whose changes would be lost."""
    while isinstance(array, np.ndarray):
        if isinstance(array, np.memmap) and array.mode == "c":
            return None
        array = array.base
    return array if isinstance(array, mmap.mmap) else None
