"""Decode lines of text with an unknown encoding: UTF-8, UTF-16, or else Windows' cp1252."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from image_similarity.errors import CatalogueError
from image_similarity.settings import TableLimits

BOMS = {b"\xef\xbb\xbf": "utf-8", b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}
PIECE = 1 << 16  # bytes of UTF-16 read at a time
LONE_RETURN = re.compile("(?<=\r)(?!\n)")  # the line end of old Macs
END_OF_FILE = "\x1a"  # Ctrl-Z, as in DOS


@dataclass(frozen=True, slots=True)
class Line:
    """One line including its line end; ``problem`` says why it cannot be read."""

    number: int
    text: str
    problem: str = ""


class TextLines:
    """The lines of a stream; can be iterated once.

    UTF-16 is recognised by its byte order mark or its zeros. Anything else is read as UTF-8. At the first line that is
    not valid UTF-8, the line is damaged if an earlier one had UTF-8 letters; otherwise it and all following lines are
    read as cp1252, with a note in ``notes``.
    """

    def __init__(self, stream: BinaryIO, start: bytes, where: str, limits: TableLimits, notes: list[str]) -> None:
        mark = _byte_order_mark(start)
        self._stream, self._where, self._limits, self._notes = stream, where, limits, notes
        self._encoding = encoding_of(start)
        self._is_confirmed = bool(mark)
        self._bytes = len(stream.read(len(mark)))
        if self._encoding != "utf-8":
            notes.append(f"read as {self._encoding[:6].upper()}")

    def __iter__(self) -> Iterator[Line]:
        number = 0
        raw_lines = self._byte_lines() if self._encoding == "utf-8" else self._utf16_lines()
        for whole, problem in raw_lines:
            for text in LONE_RETURN.split(whole) if "\r" in whole[:-2] else (whole,):
                number += 1
                if problem or (text and not _is_end(text)):
                    yield Line(number, text, problem)

    def pieces(self) -> Iterator[str]:
        """The text in pieces of any length, for formats without lines.

        Raises:
            CatalogueError: the text is not valid in its encoding, or longer than allowed.
        """
        decoder = codecs.getincrementaldecoder(self._encoding)()
        while True:
            piece = self._stream.read(PIECE)
            self._count(len(piece))
            try:
                text = decoder.decode(piece, not piece)
            except UnicodeDecodeError as error:
                raise CatalogueError(
                    f"{self._where} is not {self._encoding[:6].upper()}: {error.reason}. Save it as UTF-8"
                ) from error
            if text:
                yield text
            if not piece:
                return

    def _byte_lines(self) -> Iterator[tuple[str, str]]:
        """Lines of an encoding with a line end of one byte."""
        most = self._limits.cell_bytes
        while raw := self._stream.readline(most):
            self._count(len(raw))
            if len(raw) == most and not raw.endswith(b"\n"):
                while (rest := self._stream.readline(most)) and not rest.endswith(b"\n"):
                    self._count(len(rest))
                yield "", f"the line is longer than the limit of {most} bytes"
                continue
            yield self._decoded(raw)

    def _decoded(self, raw: bytes) -> tuple[str, str]:
        if raw.isascii():
            return raw.decode("ascii"), ""
        if self._encoding == "utf-8":
            try:
                text = raw.decode("utf-8")
            except UnicodeDecodeError as error:
                if self._is_confirmed:
                    return "", f"the line is not UTF-8, as the others are: byte 0x{raw[error.start]:02x}"
                self._encoding = "cp1252"
                self._notes.append("not UTF-8: read as cp1252 (Western Windows)")
            else:
                self._is_confirmed = True
                return text, ""
        try:
            return raw.decode("cp1252"), ""
        except UnicodeDecodeError as error:
            return "", f"the line is neither UTF-8 nor cp1252: byte 0x{raw[error.start]:02x}"

    def _utf16_lines(self) -> Iterator[tuple[str, str]]:
        """Lines of UTF-16."""
        decoder = codecs.getincrementaldecoder(self._encoding)("replace")
        held = ""
        while True:
            piece = self._stream.read(PIECE)
            self._count(len(piece))
            held += decoder.decode(piece, not piece)
            *lines, held = held.split("\n") if piece else [held]
            yield from ((f"{line}\n", _decoding_problem(line)) for line in lines)
            if len(held) > self._limits.cell_bytes:
                raise CatalogueError(f"{self._where} has a line of more than {self._limits.cell_bytes} letters")
            if not piece:
                if held:
                    yield held, _decoding_problem(held)
                return

    def _count(self, read: int) -> None:
        self._bytes += read
        if self._bytes > self._limits.unpacked_bytes:
            raise CatalogueError(
                f"{self._where} is larger than the limit of {self._limits.unpacked_bytes} bytes, unpacked. Split it"
            )


def encoding_of(start: bytes) -> str:
    """Detect the encoding from a text's first bytes: ``utf-8``, ``utf-16-le`` or ``utf-16-be``."""
    return BOMS.get(_byte_order_mark(start)) or _utf16_by_zeros(start) or "utf-8"


def _byte_order_mark(start: bytes) -> bytes:
    return next((mark for mark in BOMS if start.startswith(mark)), b"")


def _is_end(text: str) -> bool:
    """Whether a line is only DOS's end-of-file mark."""
    return text[0] == END_OF_FILE and not text.strip(END_OF_FILE + "\0\r\n")


def _decoding_problem(text: str) -> str:
    return "the line holds what is no letter of its encoding" if "\ufffd" in text else ""


def _utf16_by_zeros(start: bytes) -> str | None:
    """Detect UTF-16 without a byte order mark: every other byte of Western text is zero."""
    even, odd = start[::2], start[1::2]
    if len(odd) < 4 or not start.count(0):
        return None
    if odd.count(0) > 0.7 * len(odd) and not even.count(0):
        return "utf-16-le"
    return "utf-16-be" if even.count(0) > 0.7 * len(even) and not odd.count(0) else None
