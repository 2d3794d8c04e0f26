"""Folders of pulled models: the files, and ``models.lock``, which names each by its SHA-256.

A folder is self-contained: it can be copied to a machine without internet (``IMAGE_SIMILARITY_MODELS``). The lock is
JSON, described in docs/storage.md.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
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
    """A file's SHA-256 and size in bytes when it was pulled."""

    sha256: str
    bytes: int


@dataclass(frozen=True, slots=True)
class LockEntry:
    """One model in a lock. ``files`` are by their paths below the repository's folder.

    ``made_from``: files that were removed after one of ``files`` was made from them, by the program ``made_by``.
    """

    repo: str
    revision: str
    licence: str
    files: dict[str, LockedFile]
    made_from: dict[str, LockedFile] = field(default_factory=dict)
    made_by: str = ""


class ModelFolder:
    """One folder of pulled models; it need not exist before something is written to it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lock = path / LOCK

    def path_of(self, repo: str, path: str = "") -> Path:
        """The path of a repository's folder, or of a file in it, whether it exists or not."""
        return self.path / "hub" / repo.replace("/", "--") / path

    def entries(self) -> dict[str, LockEntry]:
        """The pulled models, by name.

        Raises:
            WeightsError: the lock cannot be read.
        """
        try:
            return {name: _locked(entry) for name, entry in self._read()["models"].items()}
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise WeightsError(f"{self.lock} is damaged: remove it and pull the models again") from error

    def add(self, name: str, entry: LockEntry) -> None:
        """Add or replace a model's entry; the file is replaced atomically.

        Raises:
            WeightsError: the lock is damaged.
            OutputError: it cannot be written.
        """
        self.entries()  # raises rather than overwrite a damaged lock
        content = self._read()
        content["models"] = dict(sorted({**content["models"], name: asdict(entry)}.items()))
        self._write(content)

    def verified(self, name: str, path: str, expected: str = "") -> Path:
        """The path of a pulled file, after checking its SHA-256 against the lock and, if given, against ``expected``.

        Raises:
            WeightsError: it is missing or another file; the message says what was expected and what to do.
        """
        entry = self.entries().get(name)
        again = f"Pull it again: image-similarity models pull {name}"
        if entry is None or path not in entry.files:
            raise WeightsError(f"{self.path} has no {path} of {name}. {again}")
        locked = entry.files[path].sha256
        file = self.path_of(entry.repo, path)
        if expected and locked != expected:
            raise WeightsError(f"{self.lock} names {locked} for {path} of {name}, its record {expected}. {again}")
        actual = sha256_of(file, f"It should hold {name}. {again}")
        if actual != locked:
            raise WeightsError(f"{file} is not the file that was pulled: sha256 {actual}, expected {locked}. {again}")
        for other, digest in companions(file).items():
            known = entry.files.get((PurePosixPath(path).parent / other).as_posix())
            if known is None or known.sha256 != digest:
                raise WeightsError(f"{file} takes weights from {other}, which is not a file that was pulled. {again}")
        return file

    def is_complete(self, name: str) -> bool:
        """Whether all locked files of a model exist and are unaltered."""
        entry = self.entries().get(name)
        try:
            for path in entry.files if entry else ():
                self.verified(name, path)
        except WeightsError:
            return False
        return entry is not None

    def was_warned(self, name: str) -> bool:
        """Whether the warning about a model's licence was given."""
        return name in self._read().get("warned", [])

    def add_warned(self, name: str) -> None:
        """Record that the warning about a model's licence was given.

        Raises:
            OutputError: it cannot be written.
        """
        content = self._read()
        self._write({**content, "warned": sorted({*content.get("warned", []), name})})

    def _read(self) -> dict[str, Any]:
        try:
            content = json.loads(read_file(self.lock))
        except FileNotFoundError:
            return {"format": FORMAT, "models": {}}
        except (OSError, ValueError, RecursionError) as error:
            raise WeightsError(f"{self.lock} cannot be read: {error}. Remove it and pull the models again") from error
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise WeightsError(f"{self.lock} is of another version of this program: pull the models with this one")
        warned = content.get("warned", [])
        if not isinstance(warned, list) or not all(isinstance(each, str) for each in warned):
            raise WeightsError(f"{self.lock} is damaged: remove it and pull the models again")
        return content

    def _write(self, content: dict[str, Any]) -> None:
        with replacing(self.lock) as temporary:
            temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def find(folders: Iterable[Path], name: str) -> ModelFolder | None:
    """The first of some folders that has a model."""
    return next((folder for folder in map(ModelFolder, folders) if name in folder.entries()), None)


def not_pulled(name: str, why: str = "") -> WeightsError:
    """The error for a model that is in no folder."""
    return WeightsError(
        f"{name} is not here{why}: run `image-similarity models pull {name}`, or point IMAGE_SIMILARITY_MODELS at a "
        "folder that has it"
    )


def sha256_of(path: Path, otherwise: str) -> str:
    """A file's SHA-256.

    Raises:
        WeightsError: it cannot be read; ``otherwise`` is added to the message.
    """
    try:
        with open_file(path) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise WeightsError(f"{path}: {error.strerror or error}. {otherwise}") from error


def _locked(entry: dict[str, Any]) -> LockEntry:
    files, made_from = (
        {str(path): LockedFile(str(each["sha256"]), int(each["bytes"])) for path, each in entry.get(part, {}).items()}
        for part in ("files", "made_from")
    )
    return LockEntry(
        repo=str(entry["repo"]),
        revision=str(entry["revision"]),
        licence=str(entry["licence"]),
        files=files,
        made_from=made_from,
        made_by=str(entry.get("made_by", "")),
    )
