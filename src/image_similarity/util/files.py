"""Files and folders that are whole or not there: written beside their place, then renamed onto it; reading; locks."""

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
LEFT_OVER = 24 * 3600.0  # seconds after which nobody still writes to a temporary file


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path in the same folder; move it onto ``path`` when the block ends well, remove it otherwise.

    The bytes reach the disk before the name does, and the name before this returns, so neither a kill nor a power cut
    leaves half a file, or none where one was promised.

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
        raise OutputError(f"cannot write {path}: {error.strerror or error}. What stood there is unchanged") from error
    finally:
        with suppress(OSError):  # its folder may be no folder: the error above says so
            temporary.unlink()


@contextmanager
def replacing_folder(folder: Path) -> Iterator[Path]:
    """The same for a folder: give an empty one beside it, and put that in its place when the block ends well.

    What stood there goes. A kill between the two steps of this leaves neither: it is for what can be made again.

    Raises:
        OutputError: it cannot be made, written to or put there; what stood there is unchanged.
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
        raise OutputError(f"cannot write {folder}: {error.strerror or error}. What stood there is unchanged") from error
    finally:
        for each in (temporary, retired):
            shutil.rmtree(each, ignore_errors=True)


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name[:100]}.{uuid4().hex[:8]}{TEMPORARY_SUFFIX}")


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, their names on the disk before this returns."""
    missing = []
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
    for each in reversed(missing):
        each.mkdir(exist_ok=True)
        flush_folder(each.parent)


def remove_leftovers(folder: Path, older_than: float = LEFT_OVER) -> None:
    """Remove what is temporary in a folder and below it, and whoever wrote it, killed meanwhile, cannot move.

    Args:
        folder: that may not be there.
        older_than: seconds; 0 where nobody else can be writing.
    """
    for path in folder.rglob(f".*{TEMPORARY_SUFFIX}"):
        with suppress(OSError):
            if time() - path.stat().st_mtime >= older_than:
                _remove(path)


def remove_leftovers_of(path: Path) -> None:
    """The same for one file, at any age; only for who is the one that may write it."""
    for each in path.parent.glob(f".{glob.escape(path.name[:100])}.????????{TEMPORARY_SUFFIX}"):
        with suppress(OSError):
            _remove(each)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def flush_tree(folder: Path) -> None:
    """Everything in a folder and below it to the disk, and its names."""
    for each in folder.rglob("*"):
        if each.is_file():
            with each.open("rb+") as file:
                os.fsync(file.fileno())
        else:
            flush_folder(each)
    flush_folder(folder)


def flush_folder(folder: Path) -> None:
    """A folder's names to the disk, where the system has that."""
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
    """The right to do something, for one process at a time: whoever holds the file.

    SQLite keeps the lock because it does so on every system, and lets go of it when the process dies.

    Args:
        path: a file of its own.
        wait: seconds until another that has it has ended.
        busy: what to say where it has not.

    Raises:
        OutputError: another has it for longer, or the file cannot be written.
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
    """The bytes of a file that :func:`open_file` opens."""
    with open_file(path) as file:
        return file.read()


def is_file(path: str | Path) -> bool:
    """Whether there is such a file; False for any text that is no file's name, or too long for one."""
    return os.path.isfile(path)  # noqa: PTH113 (which pathlib raises for)


def is_folder(path: str | Path) -> bool:
    """Whether there is such a folder; False for any text that is no folder's name, or too long for one."""
    return os.path.isdir(path)  # noqa: PTH112 (which pathlib raises for)


def open_file(path: Path) -> BufferedReader:
    """Open a file to be read: one with an end. A pipe that nobody writes to is not waited for.

    Raises:
        OSError: it cannot be opened, is a folder, a pipe, a socket or a device, or no file can have its name.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except ValueError as error:  # a zero byte, half a character
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
