"""Files and folders that are replaced atomically: written beside their place, then renamed. Reading; locks."""

from __future__ import annotations

import errno
import glob
import os
import shutil
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from io import BufferedReader
from pathlib import Path
from time import time
from uuid import uuid4

from image_similarity.errors import OutputError

TEMPORARY_SUFFIX = ".part"
UNCHANGED = "The previous content is unchanged"
ABANDONED_AFTER = 24 * 3600.0  # seconds after which no process still writes to a temporary file


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path in the same folder; rename it to ``path`` when the block succeeds, else remove it.

    The bytes are flushed before the rename, and the rename before this returns: after a kill or a power cut, ``path``
    is the old file or the whole new one.

    Raises:
        OutputError: the folder cannot be made or written to, or the disk is full.
    """
    if not path.name or path.name == "..":
        raise OutputError(f"cannot write {path}: it is a folder. Name a file")
    temporary = _beside(path)
    try:
        make_folder(path.parent)
        yield temporary
        with temporary.open("rb+") as written:
            os.fsync(written.fileno())
        temporary.replace(path)
        flush_folder(path.parent)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}. {UNCHANGED}") from error
    finally:
        with suppress(OSError):  # its folder may be no folder: the error above says so
            temporary.unlink()


@contextmanager
def replacing_folder(folder: Path) -> Iterator[Path]:
    """Yield an empty temporary folder; put it in the place of ``folder``, if there is one, when the block succeeds.

    Replacing takes two renames. A kill between them leaves neither folder: only for what can be made again.

    Raises:
        OutputError: it cannot be made, written to or renamed; the previous folder is unchanged.
    """
    folder = folder.resolve()
    temporary, retired = _beside(folder), _beside(folder)
    try:
        make_folder(temporary)
        yield temporary
        flush_tree(temporary)
        if folder.exists():
            folder.rename(retired)
        temporary.rename(folder)
        flush_folder(folder.parent)
    except OSError as error:
        if retired.exists() and not folder.exists():
            retired.rename(folder)
        raise OutputError(f"cannot write {folder}: {error.strerror or error}. {UNCHANGED}") from error
    finally:
        for each in (temporary, retired):
            shutil.rmtree(each, ignore_errors=True)


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name[:100]}.{uuid4().hex[:8]}{TEMPORARY_SUFFIX}")


def make_folder(folder: Path) -> None:
    """Make a folder and its missing parents, flushed to the disk before this returns."""
    missing = []
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
    for each in reversed(missing):
        each.mkdir(exist_ok=True)
        flush_folder(each.parent)


def remove_leftovers(folder: Path, older_than: float = ABANDONED_AFTER) -> None:
    """Remove the temporary files and folders that killed processes left in a folder and below it.

    Args:
        folder: need not exist.
        older_than: seconds; 0 where no other process can be writing.
    """
    for path in folder.rglob(f".*{TEMPORARY_SUFFIX}"):
        with suppress(OSError):
            if time() - path.stat().st_mtime >= older_than:
                _remove(path)


def remove_leftovers_of(path: Path) -> None:
    """Remove one file's temporary files, of any age. Only for the one process that may write the file."""
    for each in path.parent.glob(f".{glob.escape(path.name[:100])}.????????{TEMPORARY_SUFFIX}"):
        with suppress(OSError):
            _remove(each)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def flush_tree(folder: Path) -> None:
    """Flush all files in a folder and below it to the disk, and their names."""
    for each in folder.rglob("*"):
        if each.is_file():
            with each.open("rb+") as file:
                os.fsync(file.fileno())
        else:
            flush_folder(each)
    flush_folder(folder)


def flush_folder(folder: Path) -> None:
    """Flush a folder's list of names to the disk, where the system can do that."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(descriptor)
    except OSError:
        pass
    finally:
        os.close(descriptor)


@contextmanager
def locked(path: Path, wait: float, busy: str) -> Iterator[None]:
    """Hold a lock file, one process at a time.

    SQLite does the locking: it works on every system, and releases the lock when the process dies.

    Args:
        path: the lock file, used for nothing else.
        wait: seconds to wait for another process to release it.
        busy: the error message where that does not happen.

    Raises:
        OutputError: another process holds it for longer, or the file cannot be written.
    """
    with ExitStack() as stack:
        try:
            make_folder(path.parent)
            lock = stack.enter_context(closing(sqlite3.connect(path, timeout=wait, isolation_level=None)))
            lock.execute("BEGIN EXCLUSIVE")
        except (OSError, sqlite3.Error) as error:
            if isinstance(error, sqlite3.Error) and error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
                raise OutputError(busy) from error
            reason = (isinstance(error, OSError) and error.strerror) or str(error)
            raise OutputError(f"cannot write {path}: {reason}") from error
        yield


def read_file(path: Path) -> bytes:
    """All bytes of a file, opened as :func:`open_file` does and with the same errors."""
    with open_file(path) as file:
        return file.read()


def is_file(path: str | Path) -> bool:
    """Whether the file exists; False for any text that cannot be a file's name, or is too long for one."""
    return os.path.isfile(path)  # noqa: PTH113 (which pathlib raises for)


def is_folder(path: str | Path) -> bool:
    """Whether the folder exists; False for any text that cannot be a folder's name, or is too long for one."""
    return os.path.isdir(path)  # noqa: PTH112 (which pathlib raises for)


def open_file(path: Path) -> BufferedReader:
    """Open a regular file for reading. Never waits, as opening a pipe without a writer would.

    Raises:
        OSError: it cannot be opened, is a folder, a pipe, a socket or a device, or no file can have its name.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except ValueError as error:  # a zero byte, or half of a surrogate pair
        raise OSError(errno.EINVAL, "no file can have such a name", str(path)) from error
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
