"""A room's face: the names that other rooms import, each from the file that has it, when it is first asked for."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def face(room: str, **names: str) -> Callable[[str], object]:
    """A ``__getattr__`` for a room's ``__init__``: importing the room costs nothing.

    Args:
        room: the package's ``__name__``.
        names: of each of its files the names that it shows, with blanks between; ``__`` stands for a dot.
    """
    homes = {name: file.replace("__", ".") for file, shown in names.items() for name in shown.split()}

    def find(name: str) -> object:
        if name not in homes:
            raise AttributeError(f"module {room!r} has no attribute {name!r}")
        return getattr(import_module(f"{room}.{homes[name]}"), name)

    return find
