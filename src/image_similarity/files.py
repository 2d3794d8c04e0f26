"""Files that are either whole or not there: written beside their place, then renamed onto it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
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
