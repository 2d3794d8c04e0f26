"""All files of a network: weights may lie beside its graph, and decide its vectors as much as the graph does.

OpenVINO takes the numbers of ``model.xml`` from ``model.bin``; an ONNX graph names files of its tensors. What a graph
names is believed only where it is a file of the same folder (or below): a graph from elsewhere is not to read this
machine's other files.
"""

from __future__ import annotations

import hashlib
import mmap
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path, PurePosixPath, PureWindowsPath

from image_similarity.errors import ModelError
from image_similarity.util.files import open_file

Span = tuple[int, int]
"""Where a message begins and ends."""
VARINT, EIGHT, LENGTH, FOUR = 0, 1, 2, 5  # protobuf's ways to write a field
DEEPEST = 64  # graphs in graphs
# Of onnx.proto: which fields of a message lead to tensors, by number, and to which message.
WAYS = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {13: "entry"},
}


class NotAGraphError(ModelError):
    """A file that is no network, whatever its name says."""


def companions(network: Path) -> dict[str, str]:
    """The SHA-256 of each further file that a network is made of, by its path beside it; most have none.

    Raises:
        ModelError: one is missing, is a link, or lies elsewhere.
        NotAGraphError: the network's own file is none.
    """
    names = _named(network)
    return {name: _digest(_beside(network, name)) for name in sorted(names)}


def _named(network: Path) -> set[str]:
    kind = network.suffix.lower()
    if kind == ".xml":
        numbers = network.with_suffix(".bin")
        return {numbers.name} if numbers.exists() or numbers.is_symlink() else set()
    if kind != ".onnx":
        return set()
    state = network.stat()
    return set(_of_onnx(network, state.st_ino, state.st_size, state.st_mtime_ns))


@lru_cache(64)
def _of_onnx(network: Path, _inode: int, size: int, _changed: int) -> frozenset[str]:
    """The files that a graph names; the file's state is there so that another one is read anew."""
    if not size:
        return frozenset()
    with network.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        try:
            return frozenset(_locations(mapped, (0, size), "model"))
        except (ValueError, IndexError):  # text that is none is a ValueError too
            raise NotAGraphError(f"{network.name} is no ONNX graph, or is cut short") from None


def _beside(network: Path, name: str) -> Path:
    """A file that a graph names, where it is one that it may."""
    away = ModelError(
        f"{network} takes weights from {name!r}, which is not a file beside it. Put it there, and not as a link"
    )
    windows = PureWindowsPath(name)
    if not name or "\0" in name or windows.drive or windows.root or ".." in windows.parts:
        raise away
    path = network.parent.joinpath(*PurePosixPath(name).parts)
    real = network.parent.resolve()
    try:
        inside = path.is_file() and path.resolve() == real.joinpath(*PurePosixPath(name).parts)
    except OSError:  # a name that is too long
        inside = False
    if not inside:
        raise away
    return path


def digest(file: Path) -> str:
    """The SHA-256 of a file, which is read once as long as it stays as it is: networks are large.

    Raises:
        OSError: it cannot be read.
    """
    state = file.stat()
    return _sha256(file, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns)


@lru_cache(64)
def _sha256(file: Path, *_state: int) -> str:
    with open_file(file) as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _digest(file: Path) -> str:
    try:
        return digest(file)
    except OSError as error:
        raise ModelError(f"{file}: {error.strerror or error}. It holds weights of the network beside it") from error


def _locations(data: mmap.mmap, span: Span, kind: str, depth: int = 0) -> Iterator[str]:
    """Where the tensors of a message have their numbers, if that is elsewhere."""
    if depth > DEEPEST:
        raise ValueError("too deep")
    for number, content in _fields(data, span):
        inner = WAYS[kind].get(number)
        if inner == "entry":
            pair = {field: data[start:end].decode() for field, (start, end) in _fields(data, content)}
            if pair.get(1) == "location":
                yield pair.get(2, "")
        elif inner is not None:
            yield from _locations(data, content, inner, depth + 1)


def _fields(data: mmap.mmap, span: Span) -> Iterator[tuple[int, Span]]:
    """The fields of a message that have a length of their own; the others are passed over."""
    place, end = span
    while place < end:
        key, place = _varint(data, place)
        kind = key & 7
        if kind == LENGTH:
            size, place = _varint(data, place)
            if place + size > end:
                raise ValueError("cut short")
            yield key >> 3, (place, place + size)
            place += size
        elif kind == VARINT:
            _, place = _varint(data, place)
        elif kind in (EIGHT, FOUR):
            place += 8 if kind == EIGHT else 4
        else:
            raise ValueError("no such kind of field")
    if place != end:
        raise ValueError("cut short")


def _varint(data: mmap.mmap, place: int) -> tuple[int, int]:
    value = shift = 0
    while shift <= 63:
        byte = data[place]
        value |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if not byte & 0x80:
            return value, place
    raise ValueError("a number without end")
