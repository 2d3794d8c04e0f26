"""Limits on JSON, checked before it is parsed: its depth, and its number of parts."""

from __future__ import annotations

import json
import re
import sys
from typing import Any

DEEPEST = 20
"""Levels of brackets."""
FEW_PARTS = 5_000
"""Names and values of a request about one product: the largest valid one has some 1,000."""
# A string, to its end or the body's, a bracket or a comma. Each quote starts a match, so the scan is always linear.
TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[{]|[\]}]|,', re.DOTALL)


def read_json(body: bytes, parts: int = FEW_PARTS) -> Any:
    """Parse a body of JSON.

    Raises:
        ValueError: it is invalid, not in UTF-8, nested too deeply, or has more than ``parts`` names and values.
    """
    if b"\0" in body:  # UTF-16 or compressed data, which too_deep cannot scan
        raise ValueError("the body is not JSON in UTF-8: it has zero bytes")
    if too_deep(body, parts=parts):
        raise ValueError(f"the JSON is nested too deeply, or has more than {parts} names and values")
    try:
        return json.loads(body)
    except ValueError as error:
        raise ValueError(f"the body is not JSON: {error}") from error


def too_deep(body: bytes, most: int = DEEPEST, parts: int = sys.maxsize) -> bool:
    """Whether a body of JSON is nested more than ``most`` levels deep, or has more than ``parts`` parts.

    A part is a string, a bracket or a comma: to refuse a million names one by one would take seconds.

    A body with a zero byte counts as too deep: JSON in UTF-8 has none, while Python would also read UTF-16, in which
    this scan cannot tell strings from brackets.
    """
    if b"\0" in body:
        return True
    depth = 0
    for number, token in enumerate(TOKEN.finditer(body)):
        if number >= parts:
            return True
        first = body[token.start()]
        if first in b"[{":
            depth += 1
            if depth > most:
                return True
        elif first in b"]}":
            depth -= 1
    return False
