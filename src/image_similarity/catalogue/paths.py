"""The file that a path in a table means: as it is written, or as another system writes it."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path, PurePath, PureWindowsPath
from urllib.parse import unquote

from image_similarity.util.files import is_file

MOST_FOLDERS = 256  # whose names are held


class SeveralError(Exception):
    """More than one file is meant."""


class Files:
    """The files below some folders, tried in turn; the one that had the last is tried first.

    A path may have backslashes, ``%20``, a leading ``./`` or ``/``, a ``?v=2`` behind it, letters in another case, and
    accents composed or not: whatever leads to exactly one file.
    """

    def __init__(self, folders: list[Path]) -> None:
        self.folders = folders
        self.by_end: dict[Path, str] = {}
        """Files that were found by the end of a path of another machine, and that path."""
        self._names: dict[Path, dict[str, str | None]] = {}

    def find(self, text: str) -> Path | None:
        """The file of a path, None where there is none.

        Raises:
            SeveralError: there is none of this name, and several that differ in case or accents alone.
        """
        forms = _forms(text)
        for form in forms:
            for folder in self.folders:
                if is_file(folder / form):
                    if folder is not self.folders[0]:
                        self.folders.reverse()  # its neighbours are most likely there too
                    return folder / form
        for form in forms:
            path = PurePath(form)
            if not path.is_absolute() and ".." not in path.parts:
                for folder in self.folders:
                    found = self._alike(folder, path.parts)
                    if found is not None and is_file(found):
                        return found
        return self._by_its_end(text)

    def _by_its_end(self, text: str) -> Path | None:
        """The file that a path of another machine ends as, `C:\\shop\\a.jpg` unless another path ends so too."""
        if not is_elsewhere(text):
            return None
        parts = PureWindowsPath(text).parts[1:] if "\\" in text or text[1:2] == ":" else PurePath(text).parts[1:]
        for start in range(len(parts)):
            found = {path for folder in self.folders if (path := self._alike(folder, parts[start:])) and is_file(path)}
            if len(found) > 1:
                raise SeveralError(f"it is a path of another machine, and several files here end like it: {parts[-1]}")
            for path in found:
                if self.by_end.setdefault(path, text) != text:
                    raise SeveralError(
                        f"it is a path of another machine, and so is {self.by_end[path]}: both end in {parts[-1]}"
                    )
                return path
        return None

    def _alike(self, folder: Path, parts: tuple[str, ...]) -> Path | None:
        for part in parts:
            names = self._names_in(folder)
            key = _folded(part)
            if key not in names:
                return None
            name = names[key]
            if name is None:
                if not (folder / part).exists():
                    raise SeveralError(f"several files are called {part} but for the case of their letters")
                name = part
            folder = folder / name
        return folder

    def _names_in(self, folder: Path) -> dict[str, str | None]:
        if folder not in self._names:
            if len(self._names) >= MOST_FOLDERS:
                self._names.clear()
            names: dict[str, str | None] = {}
            try:
                with os.scandir(folder) as entries:
                    for entry in entries:
                        key = _folded(entry.name)
                        names[key] = None if key in names else entry.name
            except OSError:  # no folder, or none that may be looked into
                names = {}
            self._names[folder] = names
        return self._names[folder]


def leads_out(text: str) -> bool:
    """Whether a path leads out of the folder that it is relative to."""
    return is_elsewhere(text) or ".." in PureWindowsPath(text).parts


def is_elsewhere(text: str) -> bool:
    """Whether a path is a whole one, of this machine or another: with a drive, a share or from the root."""
    return PurePath(text).is_absolute() or bool(PureWindowsPath(text).drive)


def _forms(text: str) -> list[str]:
    """The path as it is written, then as others write it, each once."""
    forms = [text]
    if "\\" in text:
        forms.append(text.replace("\\", "/"))
    forms += [unquote(form) for form in forms if "%" in form]
    forms += [form.partition("?")[0] for form in forms if "?" in form]  # of a page: the version of a file
    forms += [form.lstrip("/") for form in forms if form.startswith("/")]
    return [form for form in dict.fromkeys(forms) if form and "\0" not in form]


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
