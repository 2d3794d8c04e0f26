"""Folders of pulled models: the files, and ``models.lock``, which names each by its SHA-256.

A folder stands by itself: carried to a machine without internet it is read there as it is
(``IMAGE_SIMILARITY_MODELS``). The lock is JSON, byte for byte in docs/storage.md.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from image_similarity.errors import WeightsError
from image_similarity.models.network_files import companions
from image_similarity.util.files import open_file, read_file, replacing

LOCK = "models.lock"
FORMAT = 1


@dataclass(frozen=True, slots=True)
class LockedFile:
    """What a file was when it came. ``bytes`` is its size."""

    sha256: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Locked:
    """One model in a lock. ``files`` are by their paths below the repository's folder.

    ``made_from`` holds the files, gone by now, that one of them was made from, by the program ``made_by``.
    """

    repo: str
    revision: str
    licence: str
    files: dict[str, LockedFile]
    made_from: dict[str, LockedFile] = field(default_factory=dict)
    made_by: str = ""


class ModelFolder:
    """One folder of pulled models; it need not exist before something is kept there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lock = folder / LOCK

    def place(self, repo: str, path: str = "") -> Path:
        """Where a file of a repository is, or would be."""
        return self.folder / "hub" / repo.replace("/", "--") / path

    def entries(self) -> dict[str, Locked]:
        """The models that are here.

        Raises:
            WeightsError: the lock cannot be read.
        """
        try:
            return {name: _locked(entry) for name, entry in self._read()["models"].items()}
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise WeightsError(f"{self.lock} is damaged: remove it and pull the models again") from error

    def keep(self, name: str, entry: Locked) -> None:
        """Add or replace a model's entry; the file is replaced in one step.

        Raises:
            OutputError: it cannot be written.
        """
        self.entries()  # a damaged lock is not written over
        content = self._read()
        content["models"] = dict(sorted({**content["models"], name: asdict(entry)}.items()))
        self._write(content)

    def verified(self, name: str, path: str, expected: str = "") -> Path:
        """A file that is the one that was locked and, where one is ``expected``, of that SHA-256.

        Raises:
            WeightsError: it is not there or not that file: what it is, what was expected, and what to do.
        """
        entry = self.entries().get(name)
        again = f"Pull it again: image-similarity models pull {name}"
        if entry is None or path not in entry.files:
            raise WeightsError(f"{self.folder} has no {path} of {name}. {again}")
        locked = entry.files[path].sha256
        place = self.place(entry.repo, path)
        if expected and locked != expected:
            raise WeightsError(f"{self.lock} names {locked} for {path} of {name}, its record {expected}. {again}")
        actual = sha256_of(place, f"It should hold {name}. {again}")
        if actual != locked:
            raise WeightsError(f"{place} is not the file that was pulled: sha256 {actual}, expected {locked}. {again}")
        for other, digest in companions(place).items():
            known = entry.files.get((PurePosixPath(path).parent / other).as_posix())
            if known is None or known.sha256 != digest:
                raise WeightsError(f"{place} takes weights from {other}, which is not a file that was pulled. {again}")
        return place

    def is_whole(self, name: str) -> bool:
        """Whether every file that is locked for a model is here and unaltered."""
        entry = self.entries().get(name)
        try:
            for path in entry.files if entry else ():
                self.verified(name, path)
        except WeightsError:
            return False
        return entry is not None

    def has_told(self, what: str) -> bool:
        """Whether something that is told only once was told."""
        return what in self._read().get("told", [])

    def tell(self, what: str) -> None:
        """Remember that something was told.

        Raises:
            OutputError: it cannot be written.
        """
        content = self._read()
        self._write({**content, "told": sorted({*content.get("told", []), what})})

    def _read(self) -> dict[str, Any]:
        try:
            content = json.loads(read_file(self.lock))
        except FileNotFoundError:
            return {"format": FORMAT, "models": {}}
        except (OSError, ValueError, RecursionError) as error:
            raise WeightsError(f"{self.lock} cannot be read: {error}. Remove it and pull the models again") from error
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise WeightsError(f"{self.lock} is of another version of this program: pull the models with this one")
        told = content.get("told", [])
        if not isinstance(told, list) or not all(isinstance(each, str) for each in told):
            raise WeightsError(f"{self.lock} is damaged: remove it and pull the models again")
        return content

    def _write(self, content: dict[str, Any]) -> None:
        with replacing(self.lock) as temporary:
            temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def find(folders: Iterable[Path], name: str) -> ModelFolder | None:
    """The first of some folders that has a model."""
    return next((shelf for shelf in shelves(folders) if name in shelf.entries()), None)


def shelves(folders: Iterable[Path]) -> Iterator[ModelFolder]:
    """Each folder as a shelf."""
    return (ModelFolder(folder) for folder in folders)


def not_pulled(name: str, why: str = "") -> WeightsError:
    """The error of a model that is nowhere."""
    return WeightsError(
        f"{name} is not here{why}: run `image-similarity models pull {name}`, or point IMAGE_SIMILARITY_MODELS at a "
        "folder that has it"
    )


def sha256_of(path: Path, otherwise: str) -> str:
    """A file's SHA-256.

    Raises:
        WeightsError: it cannot be read; ``otherwise`` says what to do then.
    """
    try:
        with open_file(path) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise WeightsError(f"{path}: {error.strerror or error}. {otherwise}") from error


def _locked(entry: dict[str, Any]) -> Locked:
    files, made_from = (
        {str(path): LockedFile(str(each["sha256"]), int(each["bytes"])) for path, each in entry.get(part, {}).items()}
        for part in ("files", "made_from")
    )
    return Locked(
        repo=str(entry["repo"]),
        revision=str(entry["revision"]),
        licence=str(entry["licence"]),
        files=files,
        made_from=made_from,
        made_by=str(entry.get("made_by", "")),
    )
