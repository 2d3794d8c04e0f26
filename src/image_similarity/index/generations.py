"""An index's folder on the disk: one folder per generation, and the file ``current`` with the name of the present one.

A generation is complete and flushed before ``current`` names it, and ``current`` is replaced atomically. So a reader
sees one generation or the next, never half of one, and a build that is killed leaves only a folder that is not named.
"""

from __future__ import annotations

import re
import shutil
import zlib
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from image_similarity.errors import IndexDamagedError, OutputError
from image_similarity.util.files import (
    flush_folder,
    flush_tree,
    locked,
    make_folder,
    open_file,
    remove_leftovers,
    replacing,
)
from image_similarity.util.sealed_json import read_sealed, write_sealed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FORMAT = 2
GENERATION = re.compile(r"g(\d{6,})")
SUMMED = 64 << 20  # bytes: the checksum of a larger file would take too long when the index is opened
BLOCK = 1 << 20
WAIT = 3600.0  # seconds; the lock of a process that dies is released


@dataclass(frozen=True, slots=True)
class Manifest:
    """The contents of a generation, stored as ``manifest.json``."""

    format: int
    generation: int  # the store's
    model: str
    dimension: int
    views: list[str]  # of its rows
    available: list[str]  # in the store, in this index or not
    rows: int
    products: int
    images: int
    large: bool  # whether there is an approximate index too
    columns: dict[str, dict[str, list[Any]]]
    left_out: int  # attributes without a column
    files: dict[str, int]  # size of each file, by its path inside the folder
    change: int = 0  # the number of the store's latest change of a single product
    sums: dict[str, int] = field(default_factory=dict)  # CRC-32 of each file of at most SUMMED bytes

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """Read a generation's manifest, and compare the files' sizes with it.

        Raises:
            IndexDamagedError: it cannot be read, or a file has another size.
            FileNotFoundError: the folder or one of its files is missing.
        """
        path = folder / "manifest.json"
        try:
            manifest = cls(**read_sealed(path))
            sizes = dict(manifest.files)
        except FileNotFoundError:
            raise
        except (OSError, ValueError, TypeError) as error:
            raise IndexDamagedError(f"{path} is damaged: {error}") from error
        if manifest.format != FORMAT:
            raise IndexDamagedError(f"{path} is of format {manifest.format}, not {FORMAT}")
        for name, size in sizes.items():
            found = (folder / name).stat().st_size
            if found != size:
                raise IndexDamagedError(f"{folder / name} has {found} bytes, {size} were expected")
        return manifest

    def check(self, folder: Path) -> None:
        """Verify the checksums of all but the largest files.

        Raises:
            IndexDamagedError: they have changed.
            OSError: a file cannot be read.
        """
        for name, expected in self.sums.items():
            if _sum(folder / name) != expected:
                raise IndexDamagedError(f"{folder / name} has changed since it was written")


@dataclass(frozen=True, slots=True)
class IndexFolder:
    """The folder of one index: of one dataset, one model, and one or six views."""

    folder: Path

    def current(self) -> Path | None:
        """The folder of the present generation; None if there is none yet.

        Raises:
            IndexDamagedError: the file ``current`` does not name a generation.
        """
        path = self.folder / "current"
        try:
            name = path.read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise IndexDamagedError(f"{path} cannot be read: {error}") from error
        if not GENERATION.fullmatch(name):
            raise IndexDamagedError(f"{path} names no generation")
        return self.folder / name

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the build lock; waits for another process that has it.

        Raises:
            OutputError: the folder cannot be written to.
        """
        busy = f"the index in {self.folder} cannot be written: another process has been building it for an hour"
        try:
            make_folder(self.folder)
            with locked(self.folder / "lock", WAIT, busy):
                yield
        except OSError as error:
            raise OutputError(f"the index in {self.folder} cannot be written: {error.strerror or error}") from error

    @contextmanager
    def replacing(self) -> Iterator[Path]:
        """Yield the folder of a new generation, which becomes the present one when the block succeeds.

        Call it under the lock.

        Raises:
            OutputError: it cannot be written; its folder is removed and the present generation stays.
        """
        self._clean()
        numbers = [int(match[1]) for each in self.folder.iterdir() if (match := GENERATION.fullmatch(each.name))]
        folder = self.folder / f"g{max(numbers, default=0) + 1:06}"
        try:
            folder.mkdir()
            yield folder
            flush_tree(folder)
            flush_folder(self.folder)
            with replacing(self.folder / "current") as path:
                path.write_text(f"{folder.name}\n", encoding="utf-8")
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        self._clean()

    def _clean(self) -> None:
        """Remove generations that are not current. A file in use may remain: the next build tries again."""
        try:
            current = self.current()
        except IndexDamagedError:
            current = None
        remove_leftovers(self.folder, older_than=0)  # under the lock: no other process is writing them
        for each in self.folder.iterdir():
            if GENERATION.fullmatch(each.name) and each != current:
                shutil.rmtree(each, ignore_errors=True)


def write_manifest(folder: Path, **fields: Any) -> None:
    """Write a generation's manifest, after all of its other files: it holds their sizes and checksums."""
    files = {
        path.relative_to(folder).as_posix(): path.stat().st_size for path in sorted(folder.rglob("*")) if path.is_file()
    }
    sums = {name: _sum(folder / name) for name, size in files.items() if size <= SUMMED}
    manifest = Manifest(format=FORMAT, files=files, sums=sums, **fields)
    write_sealed(folder / "manifest.json", manifest)


def _sum(path: Path) -> int:
    checksum = 0
    with open_file(path) as file:
        while block := file.read(BLOCK):
            checksum = zlib.crc32(block, checksum)
    return checksum
