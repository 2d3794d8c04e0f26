"""JSON that is nested too deep, or has too many parts, is refused before anything parses it."""

from __future__ import annotations

import json
import re
import sys
from typing import Any

DEEPEST = 20
"""Brackets within brackets."""
FEW_PARTS = 5_000
"""Names and values of a request about one thing: a product with all that it may have has some 1,000."""
# A string, to its end or the body's, or a bracket. It matches wherever a quote is, so the scan is linear in any body.
TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[{]|[\]}]|,', re.DOTALL)


def read_json(body: bytes, parts: int = FEW_PARTS) -> Any:
    """The value of a body of JSON.

    Raises:
        ValueError: it is none, is not in UTF-8, is nested too deeply, or has more than so many ``parts``.
    """
    if b"\0" in body:  # as in UTF-16, and in what is packed; too_deep cannot look into either
        raise ValueError("the body is no JSON in UTF-8: it holds zero bytes")
    if too_deep(body, parts=parts):
        raise ValueError(f"the JSON is nested too deeply, or has more than {parts} names and values")
    try:
        return json.loads(body)
    except ValueError as error:
        raise ValueError(f"the body is no JSON: {error}") from error


def too_deep(body: bytes, most: int = DEEPEST, parts: int = sys.maxsize) -> bool:
    """Whether brackets stand more than ``most`` deep in a body of JSON, or it has more than so many ``parts``.

    A part is a string, a bracket or a comma: a million names take seconds to be refused one by one.

    A body with a zero byte counts as too deep: JSON is UTF-8, which has none there, while Python would also read
    UTF-16, in which strings and brackets cannot be told apart like this.
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
