"""Find the file of a path in a table, however another system would write it."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path, PurePath, PureWindowsPath
from urllib.parse import unquote

from image_similarity.util.files import is_file

MAX_FOLDERS = 256  # whose file names are cached


class AmbiguousPathError(Exception):
    """A path matches more than one file."""


class FileFinder:
    """Finds files below some folders; the folder of the last file is tried first.

    A path may have backslashes, ``%20``, a leading ``./`` or ``/``, a trailing ``?v=2``, letters in another case, and
    accents composed or not, as long as it leads to exactly one file.
    """

    def __init__(self, folders: list[Path]) -> None:
        self.folders = folders
        self.by_end: dict[Path, str] = {}
        """Files found by the end of a path of another machine, and that path."""
        self._names: dict[Path, dict[str, str | None]] = {}

    def find(self, text: str) -> Path | None:
        """The file of a path; None where there is none.

        Raises:
            AmbiguousPathError: no file has exactly this name, but several differ from it in case or accents only.
        """
        spellings = _spellings(text)
        for spelling in spellings:
            for folder in self.folders:
                if is_file(folder / spelling):
                    if folder is not self.folders[0]:
                        self.folders.reverse()  # the next files are most likely there too
                    return folder / spelling
        for spelling in spellings:
            path = PurePath(spelling)
            if not path.is_absolute() and ".." not in path.parts:
                for folder in self.folders:
                    found = self._find_folded(folder, path.parts)
                    if found is not None and is_file(found):
                        return found
        return self._find_by_end(text)

    def _find_by_end(self, text: str) -> Path | None:
        """Match the end of a path of another machine, `C:\\shop\\a.jpg`, unless another path has the same end."""
        if not is_absolute(text):
            return None
        parts = PureWindowsPath(text).parts[1:] if "\\" in text or text[1:2] == ":" else PurePath(text).parts[1:]
        for start in range(len(parts)):
            found = {
                path for folder in self.folders if (path := self._find_folded(folder, parts[start:])) and is_file(path)
            }
            if len(found) > 1:
                raise AmbiguousPathError(
                    f"it is a path of another machine, and several files here end like it: {parts[-1]}"
                )
            for path in found:
                if self.by_end.setdefault(path, text) != text:
                    raise AmbiguousPathError(
                        f"it is a path of another machine, and so is {self.by_end[path]}: both end in {parts[-1]}"
                    )
                return path
        return None

    def _find_folded(self, folder: Path, parts: tuple[str, ...]) -> Path | None:
        for part in parts:
            names = self._folded_names(folder)
            key = _folded(part)
            if key not in names:
                return None
            name = names[key]
            if name is None:
                if not (folder / part).exists():
                    raise AmbiguousPathError(f"several files are called {part} but for the case of their letters")
                name = part
            folder = folder / name
        return folder

    def _folded_names(self, folder: Path) -> dict[str, str | None]:
        if folder not in self._names:
            if len(self._names) >= MAX_FOLDERS:
                self._names.clear()
            names: dict[str, str | None] = {}
            try:
                with os.scandir(folder) as entries:
                    for entry in entries:
                        key = _folded(entry.name)
                        names[key] = None if key in names else entry.name
            except OSError:  # no folder, or no permission
                names = {}
            self._names[folder] = names
        return self._names[folder]


def leads_out(text: str) -> bool:
    """Whether a path leads out of the folder that it is relative to, or is absolute."""
    return is_absolute(text) or ".." in PureWindowsPath(text).parts


def is_absolute(text: str) -> bool:
    """Whether a path is absolute on this machine or another: with a drive, a share or from the root."""
    return PurePath(text).is_absolute() or bool(PureWindowsPath(text).drive)


def _spellings(text: str) -> list[str]:
    """The path as written, then other spellings of it, each once."""
    spellings = [text]
    if "\\" in text:
        spellings.append(text.replace("\\", "/"))
    spellings += [unquote(spelling) for spelling in spellings if "%" in spelling]
    spellings += [
        spelling.partition("?")[0] for spelling in spellings if "?" in spelling
    ]  # a query string, as in web pages
    spellings += [spelling.lstrip("/") for spelling in spellings if spelling.startswith("/")]
    return [spelling for spelling in dict.fromkeys(spellings) if spelling and "\0" not in spelling]


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
