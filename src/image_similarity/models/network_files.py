"""All files of a network: weights may be in files beside its graph, and determine its vectors as the graph does.

OpenVINO reads the weights of ``model.xml`` from ``model.bin``; an ONNX graph names external files of its tensors. Only
files in the graph's folder or below are accepted: a downloaded graph must not read other files of this machine.
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
"""The start and the end of a message."""
VARINT, EIGHT, LENGTH, FOUR = 0, 1, 2, 5  # protobuf's wire types
MAX_DEPTH = 64  # of nested graphs
# From onnx.proto: the fields of each message that lead to tensors, by number, and their types.
FIELDS = {
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
    """A file that is no network, despite its name."""


def companions(network: Path) -> dict[str, str]:
    """The SHA-256 of each further file of a network, by its path relative to the network's folder; often empty.

    Raises:
        ModelError: one is missing, is a link, or is outside the folder.
        NotAGraphError: the network's own file is not a graph.
    """
    names = _external_files(network)
    return {name: _digest(_checked_path(network, name)) for name in sorted(names)}


def _external_files(network: Path) -> set[str]:
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
    """The files that an ONNX graph names. The other arguments make the cache notice that the file has changed."""
    if not size:
        return frozenset()
    with network.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        try:
            return frozenset(_locations(mapped, (0, size), "model"))
        except (ValueError, IndexError):  # also invalid UTF-8
            raise NotAGraphError(f"{network.name} is no ONNX graph, or is cut short") from None


def _checked_path(network: Path, name: str) -> Path:
    """The path of a file that a graph names, if it is in the graph's folder or below."""
    outside = ModelError(
        f"{network} takes weights from {name!r}, which is not a file beside it. Put it there, and not as a link"
    )
    windows = PureWindowsPath(name)
    if not name or "\0" in name or windows.drive or windows.root or ".." in windows.parts:
        raise outside
    path = network.parent.joinpath(*PurePosixPath(name).parts)
    real = network.parent.resolve()
    try:
        inside = path.is_file() and path.resolve() == real.joinpath(*PurePosixPath(name).parts)
    except OSError:  # a name that is too long
        inside = False
    if not inside:
        raise outside
    return path


def digest(file: Path) -> str:
    """The SHA-256 of a file, cached until the file changes, because networks are large.

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
    """The external files of a message's tensors."""
    if depth > MAX_DEPTH:
        raise ValueError("too deep")
    for number, content in _fields(data, span):
        inner = FIELDS[kind].get(number)
        if inner == "entry":
            pair = {field: data[start:end].decode() for field, (start, end) in _fields(data, content)}
            if pair.get(1) == "location":
                yield pair.get(2, "")
        elif inner is not None:
            yield from _locations(data, content, inner, depth + 1)


def _fields(data: mmap.mmap, span: Span) -> Iterator[tuple[int, Span]]:
    """The length-delimited fields of a message, with their numbers; all others are skipped."""
    position, end = span
    while position < end:
        key, position = _varint(data, position)
        kind = key & 7
        if kind == LENGTH:
            size, position = _varint(data, position)
            if position + size > end:
                raise ValueError("cut short")
            yield key >> 3, (position, position + size)
            position += size
        elif kind == VARINT:
            _, position = _varint(data, position)
        elif kind in (EIGHT, FOUR):
            position += 8 if kind == EIGHT else 4
        else:
            raise ValueError("no such wire type")
    if position != end:
        raise ValueError("cut short")


def _varint(data: mmap.mmap, position: int) -> tuple[int, int]:
    value = shift = 0
    while shift <= 63:
        byte = data[position]
        value |= (byte & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if not byte & 0x80:
            return value, position
    raise ValueError("a number is too long")
