"""Files that are either whole or not there: written beside their place, then renamed onto it; and files that are."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from image_similarity.errors import OutputError

TEMPORARY_SUFFIX = ".part"


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path in the same folder; move it onto ``path`` when the block ends well, remove it otherwise.

    The bytes reach the disk before the name does, so neither a kill nor a power cut leaves half a file.

    Raises:
        OutputError: the folder cannot be made or written to, or the disk is full.
    """
    if not path.name or path.name == "..":
        raise OutputError(f"cannot write {path}: it is a folder. Name a file")
    temporary = path.with_name(f".{path.name[:100]}.{uuid4().hex[:8]}{TEMPORARY_SUFFIX}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with temporary.open("rb+") as written:
            os.fsync(written.fileno())
        temporary.replace(path)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}. What stood there is unchanged") from error
    finally:
        with suppress(OSError):  # its folder may be no folder: the error above says so
            temporary.unlink()


def open_file(path: Path) -> BinaryIO:
    """Open a file to be read: one with an end. A pipe that nobody writes to is not waited for.

    Raises:
        OSError: it cannot be opened, or is a folder, a pipe, a socket or a device.
    """
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "it is a pipe or a device, not a file", str(path))
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise
