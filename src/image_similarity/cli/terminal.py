"""What people see: text of catalogues, files and strangers, without what would steer their terminal."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TextIO

from image_similarity.errors import ImageSimilarityError, OutputError

# C0 but the tab, DEL and C1; line and paragraph separators; what turns the direction of writing round; halves of
# surrogate pairs, as in the name of a file that is no text. Marks of direction that only suggest one are harmless.
_STEERING = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufff9-\ufffb]")
_STEERING_IN_JSON = re.compile("[\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufff9-\ufffb]")
_OPTION = re.compile("`([a-z][a-z0-9_]*)`")
_UNDERSCORED = ("data_augmentation", "dpt_number", "domain_id")  # as the first version had them
_NAMED = {"\n": r"\n", "\r": r"\r", "\x1b": r"\x1b"}


class OutputClosedError(ImageSimilarityError):
    """Who reads has seen enough, as in ``... | head``. Nothing need be said."""

    exit_code = 141  # what a shell gives for a program that the signal for this has ended


def flag(option: str) -> str:
    """An option's name as it is typed."""
    return f"--{option}" if option in _UNDERSCORED else f"--{option.replace('_', '-')}"


def with_flags(text: str, flag: Callable[[str], str] = flag) -> str:
    """A message of the library, its options named as they are typed: ```min_match``` is ``--min-match``."""
    return _OPTION.sub(lambda found: flag(found[1]), text)


def visible(text: str) -> str:
    """The text on one line; each character that would steer a terminal as an escape that can be read."""
    return _STEERING.sub(_escape, text)


def visible_in_json(text: str) -> str:
    """The same JSON document: inside its strings, such characters as JSON's own escapes."""
    return _STEERING_IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def say(text: str) -> None:
    """A line for people, beside the results: standard error."""
    stream = sys.stderr
    try:
        stream.write(visible(text) + "\n")
        stream.flush()
    except OSError:  # nobody listens: what was asked for is done all the same
        _give_up(stream)


def note(text: str) -> None:
    """One thing that is to be known of a catalogue."""
    say(f"Note: {text}")


def write(text: str) -> None:
    """A piece of the results: standard output, in whatever encoding it has.

    Raises:
        OutputClosedError: who reads has seen enough.
        OutputError: it cannot be written, as on a full disk.
    """
    encoding = sys.stdout.encoding or "utf-8"
    try:
        sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))
    except OSError as error:
        raise _not_written(error) from error


def finish() -> None:
    """Have everything written that still waits, while it can be said that it cannot.

    Raises:
        OutputClosedError: who reads has seen enough.
        OutputError: it cannot be written.
    """
    try:
        sys.stdout.flush()
    except OSError as error:
        raise _not_written(error) from error


def in_unicode() -> bool:
    """Whether standard output can show every letter."""
    return (sys.stdout.encoding or "utf-8").lower().replace("-", "").startswith("utf")


def open_streams() -> None:
    """Have all three streams, where whoever started this has closed one."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115 (as long as the process)


def _not_written(error: OSError) -> ImageSimilarityError:
    """What to raise for standard output that cannot be written; Python must not try once more when it ends."""
    _give_up(sys.stdout)
    if isinstance(error, BrokenPipeError):
        return OutputClosedError("who reads has gone")
    return OutputError(f"the results cannot be written to standard output: {error.strerror or error}")


def _give_up(stream: TextIO) -> None:
    """Let what is still to be written go nowhere."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def _escape(found: re.Match[str]) -> str:
    letter = found[0]
    if letter in _NAMED:
        return _NAMED[letter]
    return f"\\x{ord(letter):02x}" if ord(letter) < 0x100 else f"\\u{ord(letter):04x}"
