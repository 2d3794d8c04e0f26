"""Terminal output: text from catalogues and files, with characters that control a terminal escaped."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TextIO

from image_similarity.errors import ImageSimilarityError, OutputError

# C0 except the tab, DEL and C1; line and paragraph separators; overrides of the writing direction; lone surrogates, as
# in a file name that is not valid text. Direction marks without an override are harmless.
_CONTROLS = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufff9-\ufffb]")
_CONTROLS_IN_JSON = re.compile("[\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufff9-\ufffb]")
_OPTION = re.compile("`([a-z][a-z0-9_]*)`")
_UNDERSCORED = ("data_augmentation", "dpt_number", "domain_id")  # as the first version had them
_ESCAPES = {"\n": r"\n", "\r": r"\r", "\x1b": r"\x1b"}


class OutputClosedError(ImageSimilarityError):
    """The reader of standard output has closed it, as in ``... | head``. Ends without a message."""

    exit_code = 141  # what a shell reports for a program ended by SIGPIPE


def flag(option: str) -> str:
    """An option's name as a flag."""
    return f"--{option}" if option in _UNDERSCORED else f"--{option.replace('_', '-')}"


def with_flags(text: str, flag: Callable[[str], str] = flag) -> str:
    """A message of the library with option names as flags: ```min_match``` becomes ``--min-match``."""
    return _OPTION.sub(lambda found: flag(found[1]), text)


def visible(text: str) -> str:
    """The text on one line, with each character that controls a terminal as a readable escape."""
    return _CONTROLS.sub(_escape, text)


def visible_in_json(text: str) -> str:
    """The same JSON document, with such characters as JSON escapes."""
    return _CONTROLS_IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def log(text: str) -> None:
    """Write a line for people to standard error, beside the results."""
    stream = sys.stderr
    try:
        stream.write(visible(text) + "\n")
        stream.flush()
    except OSError:  # standard error is closed: the command itself goes on
        _discard(stream)


def show_note(text: str) -> None:
    """Print a note about a catalogue."""
    log(f"Note: {text}")


def write(text: str) -> None:
    """Write a part of the results to standard output, in its encoding.

    Raises:
        OutputClosedError: the reader has closed it.
        OutputError: it cannot be written, as on a full disk.
    """
    encoding = sys.stdout.encoding or "utf-8"
    try:
        sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))
    except OSError as error:
        raise _not_written(error) from error


def finish() -> None:
    """Flush standard output, while an error can still be reported.

    Raises:
        OutputClosedError: the reader has closed it.
        OutputError: it cannot be written.
    """
    try:
        sys.stdout.flush()
    except OSError as error:
        raise _not_written(error) from error


def in_unicode() -> bool:
    """Whether standard output is in a Unicode encoding."""
    return (sys.stdout.encoding or "utf-8").lower().replace("-", "").startswith("utf")


def open_streams() -> None:
    """Open the null device for each standard stream that the caller has closed."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115 (as long as the process)


def _not_written(error: OSError) -> ImageSimilarityError:
    """The error to raise if standard output cannot be written. Discards the rest: Python would retry at exit."""
    _discard(sys.stdout)
    if isinstance(error, BrokenPipeError):
        return OutputClosedError("standard output is closed")
    return OutputError(f"the results cannot be written to standard output: {error.strerror or error}")


def _discard(stream: TextIO) -> None:
    """Redirect a stream to the null device."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def _escape(found: re.Match[str]) -> str:
    character = found[0]
    if character in _ESCAPES:
        return _ESCAPES[character]
    return f"\\x{ord(character):02x}" if ord(character) < 0x100 else f"\\u{ord(character):04x}"
