"""Escape and shorten text for HTML: whatever a catalogue contains is shown as text."""

from __future__ import annotations

import html
import re

DESCRIPTION_LENGTH = 160  # two lines are shown: more would only make the page heavier

# HTML cannot represent these characters, and UTF-8 no lone surrogates (as in a file name that is not valid text).
_UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
_REPLACEMENT = "\ufffd"


def escape(text: str) -> str:
    """Escape text for use between tags and inside a quoted attribute."""
    return html.escape(_UNWRITABLE.sub(_REPLACEMENT, text), quote=True)


def one_line(text: str) -> str:
    """Replace every run of white space by one space."""
    return " ".join(text.split())


def shorten(text: str, length: int = DESCRIPTION_LENGTH) -> str:
    """One line of at most ``length`` characters; an ellipsis replaces what is cut off."""
    # Slice first: a description may be a megabyte, of which one line is kept.
    line = one_line(text[: length * 8])
    return line if len(line) <= length else line[: length - 1].rstrip() + "…"


def file_name(location: str) -> str:
    """The last part of a path or a URL, shown where an image is missing."""
    return re.split(r"[/\\]", location.rstrip("/\\"))[-1]
