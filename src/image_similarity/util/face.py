"""A room's face: the names that other rooms import, each imported from its file when it is first used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def face(room: str, **names: str) -> Callable[[str], object]:
    """A ``__getattr__`` for a room's ``__init__``: importing the room imports none of its files.

    Args:
        room: the package's ``__name__``.
        names: for each file, the names to export from it, separated by blanks; ``__`` in a file's name is a dot.
    """
    files = {name: file.replace("__", ".") for file, exported in names.items() for name in exported.split()}

    def load(name: str) -> object:
        if name not in files:
            raise AttributeError(f"module {room!r} has no attribute {name!r}")
        return getattr(import_module(f"{room}.{files[name]}"), name)

    return load
