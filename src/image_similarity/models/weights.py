"""A network's official weights: downloaded once, and verified by size and digest."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from image_similarity.errors import OutputError, UsageError, WeightsError
from image_similarity.util.download import DownloadError, download
from image_similarity.util.files import open_file, replacing

if TYPE_CHECKING:
    from image_similarity.types import Progress

WAYS_OUT = "Give the file with `weights` FILE, or use `model` colour-shape, which needs none"
ALGORITHMS = {32: "md5", 64: "sha256"}


@dataclass(frozen=True, slots=True)
class WeightsFile:
    """One official file. ``digest``: the publisher's MD5 or SHA-256, told apart by length; ``size``: in bytes."""

    file: str
    folder: str
    size: int
    digest: str


def check_digest(digest: str) -> str:
    """Check a digest that the user typed, and return it in lower case.

    Raises:
        UsageError: it is neither an MD5 nor a SHA-256.
    """
    digest = digest.strip().lower()
    if len(digest) not in ALGORITHMS or not set(digest) <= set("0123456789abcdef"):
        raise UsageError("`weights_digest` takes an MD5 (32 hexadecimal digits) or a SHA-256 (64)")
    return digest


def verify(file: Path, expected: str, size: int | None, name: str) -> None:
    """Check a weights file by size and digest.

    Raises:
        WeightsError: it is missing, or its size or digest is wrong; the message has the actual and the expected ones.
    """
    try:
        actual_size = file.stat().st_size
        with open_file(file) as opened:
            actual = hashlib.file_digest(opened, ALGORITHMS[len(expected)]).hexdigest()
    except OSError as error:
        raise WeightsError(f"{file}: {error.strerror or error}. It should hold the weights of {name}") from error
    if actual != expected or (size is not None and actual_size != size):
        described = f"{ALGORITHMS[len(expected)]} {expected}" + (f" and {size} bytes" if size is not None else "")
        raise WeightsError(
            f"{file} does not hold the weights of {name}: {actual} and {actual_size} bytes, expected {described}. "
            "Is the file cut short, or another network's?"
        )


def fetch(record: WeightsFile, name: str, address: str, folder: Path, progress: Progress) -> Path:
    """The official file of a network, from the cache or downloaded.

    Args:
        record: the file.
        name: the model, for messages.
        address: the base address of the publisher's folders.
        folder: the cache.
        progress: receives the bytes downloaded.

    Returns:
        The file's path in the cache, verified.

    Raises:
        WeightsError: it cannot be downloaded, or is not the expected file; then nothing is kept.
    """
    path = folder / record.file
    if path.exists():
        verify(path, record.digest, record.size, name)
        return path
    source = f"{address.rstrip('/')}/{record.folder}/{record.file}"
    try:
        with replacing(path) as temporary:
            _download(source, temporary, record, progress)
            _verify_download(temporary, record, name, source)
    except OutputError as error:
        raise WeightsError(f"the weights of {name} could not be kept: {error}") from error
    return path


def _verify_download(temporary: Path, record: WeightsFile, name: str, source: str) -> None:
    try:
        verify(temporary, record.digest, record.size, name)
    except WeightsError as error:
        message = str(error).replace(str(temporary), source)
        raise WeightsError(f"{message} Nothing was kept. {WAYS_OUT}") from None


def _download(source: str, target: Path, record: WeightsFile, progress: Progress) -> None:
    stage = f"download {record.file}"
    try:
        with target.open("wb") as file:
            download(source, file, record.size, lambda done: progress(stage, done, record.size))
    except DownloadError as error:
        raise WeightsError(
            f"cannot download {record.file} ({record.size / 1e6:.0f} MB) from {source}: {error}. {WAYS_OUT}"
        ) from error
