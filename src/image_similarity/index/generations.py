"""An index's place on the disk: generations in folders of their own, and one line that says which is meant.

A generation is whole, and on the disk, before ``current`` names it; ``current`` is replaced in one step. So a reader
sees one generation or the next, never half of one, and a build that is killed leaves a folder that nothing names.
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
SUMMED = 64 << 20  # bytes: a larger file would keep whoever opens the index waiting
BLOCK = 1 << 20
WAIT = 3600.0  # seconds at a time; a process that dies lets go of the lock


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a generation holds, in ``manifest.json``."""

    format: int
    generation: int  # the store's
    model: str
    dimension: int
    views: list[str]  # that it holds rows of
    available: list[str]  # that the store has, asked for or not
    rows: int
    products: int
    images: int
    large: bool  # whether there is an approximate index too
    columns: dict[str, dict[str, list[Any]]]
    left_out: int  # attributes without a column
    files: dict[str, int]  # size of each file, by its path inside the folder
    change: int = 0  # the number of the store's latest change of a single product
    sums: dict[str, int] = field(default_factory=dict)  # CRC-32 of each file that is not too large for it

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """Read a generation's manifest, and compare the files' sizes with it.

        Raises:
            IndexDamagedError: it is not to be read, or a file has not the size that it should have.
            FileNotFoundError: the folder or one of its files is not there.
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
        """Compare the bytes of all but the largest files with what was written.

        Raises:
            IndexDamagedError: they have changed.
            OSError: a file cannot be read.
        """
        for name, wanted in self.sums.items():
            if _sum(folder / name) != wanted:
                raise IndexDamagedError(f"{folder / name} has changed since it was written")


@dataclass(frozen=True, slots=True)
class IndexFolder:
    """The folder of one index: a dataset's, under one model, of one or six views."""

    folder: Path

    def current(self) -> Path | None:
        """The folder of the generation that is meant; None where there is none yet.

        Raises:
            IndexDamagedError: the line names no generation.
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
        """The right to build, for one process at a time; waits for another that has it.

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
        """Give a new generation's folder; it is the one that is meant once the block ends well. Under the lock only.

        Raises:
            OutputError: it cannot be written; the present generation stays.
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
        """Remove what `current` does not name. Where that fails, a file is in use: the next build tries again."""
        try:
            current = self.current()
        except IndexDamagedError:
            current = None
        remove_leftovers(self.folder, older_than=0)  # under the lock, so nobody is writing them
        for each in self.folder.iterdir():
            if GENERATION.fullmatch(each.name) and each != current:
                shutil.rmtree(each, ignore_errors=True)


def write_manifest(folder: Path, **known: Any) -> None:
    """Write a generation's manifest, last of its files."""
    files = {
        path.relative_to(folder).as_posix(): path.stat().st_size for path in sorted(folder.rglob("*")) if path.is_file()
    }
    sums = {name: _sum(folder / name) for name, size in files.items() if size <= SUMMED}
    manifest = Manifest(format=FORMAT, files=files, sums=sums, **known)
    write_sealed(folder / "manifest.json", manifest)


def _sum(path: Path) -> int:
    found = 0
    with open_file(path) as file:
        while block := file.read(BLOCK):
            found = zlib.crc32(block, found)
    return found
