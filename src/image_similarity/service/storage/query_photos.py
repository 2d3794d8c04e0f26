"""Photos that were asked with, kept for a while: an answer's address can be shared, and a crop needs no second upload.

A photo is kept as upright pixels, without the place and the time that a camera writes into a file, and no larger than
a network needs. Its name is the hash of its bytes; whoever does not know it cannot ask for it.
"""

from __future__ import annotations

import re
from collections import defaultdict, deque
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from threading import Lock

from image_similarity.images import as_jpeg, thumbnail
from image_similarity.util.files import replacing

LARGEST = 1280  # pixels of the longer side
QUALITY = 90
NAME = re.compile(r"[0-9a-f]{64}", re.ASCII)
PRUNED_EVERY = 64  # photos
MOST_BYTES = 2_000_000_000


@dataclass(frozen=True, slots=True)
class KeptPhoto:
    """A photo's name and size in pixels."""

    name: str
    width: int
    height: int


class QueryPhotos:
    """The photos of one dataset.

    Args:
        folder: where they are.
        most: so many are kept; of more, those of the client go who keeps most of them, and of these the ones that were
            not asked with for longest.
        max_pixels: as :func:`~image_similarity.images.decoding.decode` has it.
        most_bytes: all of them have together.
    """

    def __init__(self, folder: Path, most: int, max_pixels: int, most_bytes: int = MOST_BYTES) -> None:
        self._folder, self._most, self._max_pixels, self._most_bytes = folder, most, max_pixels, most_bytes
        self._new, self._lock = 0, Lock()
        self._whose: dict[str, str] = {}
        """Who has kept each photo; of those before the service's start nobody knows."""

    def keep(self, data: bytes, client: str = "") -> KeptPhoto:
        """Keep a photo for a client.

        Raises:
            ImageError: it cannot be used.
            OutputError: it cannot be written.
        """
        image = thumbnail(data, LARGEST, self._max_pixels)
        kept = as_jpeg(image, QUALITY)
        name = sha256(kept).hexdigest()
        path = self._path(name)
        if not path.exists():
            with replacing(path) as temporary:
                temporary.write_bytes(kept)
            with self._lock:
                self._whose[name] = client
                self._new += 1
                if (self._new - 1) % PRUNED_EVERY == 0:
                    self._prune()
        return KeptPhoto(name, *image.size)

    def find(self, name: str) -> bytes | None:
        """The bytes of a JPEG; None where there is no such photo any longer."""
        if not NAME.fullmatch(name):
            return None
        path = self._path(name)
        try:
            data = path.read_bytes()
            path.touch()
        except OSError:
            return None
        return data

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.jpg"

    def _prune(self) -> None:
        kept = sorted((*_state(path), path) for path in self._folder.glob("*.jpg"))  # the longest unasked first
        self._whose = {path.stem: self._whose.get(path.stem, "") for _, _, path in kept}
        theirs: dict[str, deque[tuple[int, Path]]] = defaultdict(deque)
        for _, length, path in kept:
            theirs[self._whose[path.stem]].append((length, path))
        left, size = len(kept), sum(length for _, length, _ in kept)
        while left > self._most or size > self._most_bytes:
            length, path = max(theirs.values(), key=len).popleft()
            path.unlink(missing_ok=True)
            left, size = left - 1, size - length


def _state(path: Path) -> tuple[float, int]:
    """When a photo was asked with last, and its bytes."""
    try:
        stat = path.stat()
    except OSError:  # another thread was quicker
        return 0.0, 0
    return stat.st_mtime, stat.st_size
