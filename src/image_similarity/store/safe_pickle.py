"""The first version's dictionary, a pickle: read safely, as a dict of text to lists of text and nothing else."""

from __future__ import annotations

import io
import pickle
from typing import TYPE_CHECKING, Any, NoReturn

from image_similarity.errors import StoreError

if TYPE_CHECKING:
    from pathlib import Path

PROTOCOL = 4  # that the first version's readers understand


class _DataUnpickler(pickle.Unpickler):
    """An unpickler that builds dicts, lists and text, and can call nothing."""

    def find_class(self, module: str, name: str) -> NoReturn:
        raise pickle.UnpicklingError(f"it tries to run {module}.{name}")

    def persistent_load(self, pid: Any) -> NoReturn:
        raise pickle.UnpicklingError(f"it refers to something outside itself: {pid!r}")


def dumps(similar: dict[str, list[str]]) -> bytes:
    """Pickle a dictionary; equal dictionaries give equal bytes."""
    buffer = io.BytesIO()
    pickler = pickle.Pickler(buffer, PROTOCOL)
    pickler.fast = True  # no memo: the bytes must not depend on whether two equal ids are one object
    pickler.dump(similar)
    return buffer.getvalue()


def load(path: Path) -> dict[str, list[str]]:
    """Read a dictionary without running anything that is in the file.

    Raises:
        StoreError: it cannot be read, holds anything but a dict of text to lists of text, or is damaged.
    """
    try:
        loaded = _DataUnpickler(io.BytesIO(path.read_bytes())).load()
    except Exception as error:  # damaged bytes make an unpickler raise nearly anything
        raise StoreError(f"{path} is no dictionary of similar products: {error}. Run fit again") from error
    if not (
        type(loaded) is dict
        and all(type(key) is str and type(value) is list for key, value in loaded.items())
        and all(type(item) is str for value in loaded.values() for item in value)
    ):
        raise StoreError(f"{path} is no dictionary of similar products: it is not text to lists of text. Run fit again")
    return loaded
