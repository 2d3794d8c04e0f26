"""Text from a catalogue to text in HTML. Whatever a shop calls its products, it stays text."""

from __future__ import annotations

import html
import re

DESCRIPTION_LENGTH = 160  # two lines are shown: more would only make the page heavier

# HTML has no way to write these, and UTF-8 none to write half a surrogate pair (as in a file name that is no text).
_UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
_REPLACEMENT = "\ufffd"


def escape(text: str) -> str:
    """Make text safe between tags and inside a quoted attribute."""
    return html.escape(_UNWRITABLE.sub(_REPLACEMENT, text), quote=True)


def one_line(text: str) -> str:
    """Fold every run of white space into one space."""
    return " ".join(text.split())


def shorten(text: str, length: int = DESCRIPTION_LENGTH) -> str:
    """One line of at most ``length`` characters; what was cut off leaves an ellipsis."""
    # The slice first: a description may be a megabyte, and folding it all to keep a line would be a waste.
    line = one_line(text[: length * 8])
    return line if len(line) <= length else line[: length - 1].rstrip() + "…"


def file_name(location: str) -> str:
    """The last part of a path or an address, for an image that has nothing else to show."""
    return re.split(r"[/\\]", location.rstrip("/\\"))[-1]
