"""Query photos, kept for a while: a search's address can be shared, and a crop needs no second upload.

A photo is stored as upright pixels, without camera metadata such as place and time, and no larger than a network
needs. Its name is the hash of its bytes, which cannot be guessed.
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
        most: photos kept; beyond it, the client with the most photos loses its least recently used ones.
        max_pixels: as in :func:`~image_similarity.images.decoding.decode`.
        most_bytes: limit of their total size.
    """

    def __init__(self, folder: Path, most: int, max_pixels: int, most_bytes: int = MOST_BYTES) -> None:
        self._folder, self._most, self._max_pixels, self._most_bytes = folder, most, max_pixels, most_bytes
        self._new, self._lock = 0, Lock()
        self._clients: dict[str, str] = {}
        """The client that kept each photo; empty for photos from before the service's start."""

    def keep(self, data: bytes, client: str = "") -> KeptPhoto:
        """Store a photo for a client.

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
                self._clients[name] = client
                self._new += 1
                if (self._new - 1) % PRUNED_EVERY == 0:
                    self._prune()
        return KeptPhoto(name, *image.size)

    def find(self, name: str) -> bytes | None:
        """The photo as JPEG bytes, marked as recently used; None where it is not kept."""
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
        kept = sorted((*_used(path), path) for path in self._folder.glob("*.jpg"))  # the least recently used first
        self._clients = {path.stem: self._clients.get(path.stem, "") for _, _, path in kept}
        by_client: dict[str, deque[tuple[int, Path]]] = defaultdict(deque)
        for _, length, path in kept:
            by_client[self._clients[path.stem]].append((length, path))
        number, size = len(kept), sum(length for _, length, _ in kept)
        while number > self._most or size > self._most_bytes:
            length, path = max(by_client.values(), key=len).popleft()
            path.unlink(missing_ok=True)
            number, size = number - 1, size - length


def _used(path: Path) -> tuple[float, int]:
    """When a photo was last used, and its size in bytes."""
    try:
        stat = path.stat()
    except OSError:  # removed by another thread or service
        return 0.0, 0
    return stat.st_mtime, stat.st_size
