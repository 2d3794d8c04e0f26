"""Giving memory back: of maps that are read once, so that it does not grow with the file, and what was freed."""

from __future__ import annotations

import mmap
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEAST_MAPPED = -3  # glibc's M_MMAP_THRESHOLD
MOST_KEPT = -1  # its M_TRIM_THRESHOLD
LARGE, KEPT = 12_000_000, 16_000_000
"""Bytes. Images lie in blocks of sixteen million, what is computed for a moment in smaller ones; those are kept."""
# Absent where the system has no such call (Windows): there the system itself takes pages back when memory gets short.
GIVE_BACK: int | None = getattr(mmap, "MADV_DONTNEED", None)


def release(part: NDArray[Any], advice: int | None = GIVE_BACK) -> None:
    """Give the memory of a part of a mapped file back; nothing for an array that is not mapped from a file.

    The array stays as it is: whoever reads it again has its pages mapped again, which the system's own copy of the file
    makes quick (a millisecond or two for 50 MB). What was written to a shared map stays written.

    Args:
        part: adjacent rows of the map, or all of it.
        advice: what the system calls it; None: nothing is given back.
    """
    mapping = _mapping_of(part)
    if mapping is None or advice is None or not part.size or not part.flags.c_contiguous:
        return
    first = part.ctypes.data - np.frombuffer(mapping, np.uint8).ctypes.data
    start = first // mmap.PAGESIZE * mmap.PAGESIZE
    mapping.madvise(advice, start, min(first + part.nbytes, len(mapping)) - start)


def trim() -> None:
    """Give freed memory back to the system: the C library keeps it for the next that wants some, each thread its own.

    Worth it after work that took much, by threads that are gone: it takes a millisecond or a few. Where the C library
    has no such call (it is glibc's), nothing.
    """
    give = _of_glibc("malloc_trim")
    if give is not None:
        give(0)


def give_back_at_once() -> None:
    """From now on, what takes some ten megabytes or more goes back to the system as soon as it is freed.

    For what lives long and decodes images now and then: else the C library soon keeps blocks of up to 32 MB.
    """
    limit = _of_glibc("mallopt")
    if limit is not None:
        limit(LEAST_MAPPED, LARGE)
        limit(MOST_KEPT, KEPT)


def _of_glibc(name: str) -> Any:
    import ctypes

    try:
        return getattr(ctypes.CDLL(None), name)
    except (AttributeError, OSError, TypeError):
        return None


def _mapping_of(array: Any) -> mmap.mmap | None:
    """The map that an array is a view of; none where its changes are private, since they would be lost."""
    while isinstance(array, np.ndarray):
        if isinstance(array, np.memmap) and array.mode == "c":
            return None
        array = array.base
    return array if isinstance(array, mmap.mmap) else None
