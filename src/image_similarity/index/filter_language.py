"""Parse filter expressions: ``department = "shoes" and price < 50 and not brand in ("a", "b")``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from image_similarity.errors import UsageError
from image_similarity.index.amounts import is_number
from image_similarity.index.filters import MOST_DEPTH, And, Equals, Filter, In, Not, Or, Range, Value

if TYPE_CHECKING:
    from collections.abc import Callable

LONGEST = 10_000
WORDS = {"and", "or", "not", "in", "between"}
TOKEN = re.compile(
    r"""\s*(?:
        (?P<text>"(?:[^"]|"")*"(?!")|'(?:[^']|'')*'(?!'))  # a quote inside is doubled
      | (?P<name>\[(?:[^\]]|\]\])*\])                # any name, in brackets
      | (?P<number>[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?(?![\w.]))
      | (?P<word>[^\W\d][\w.-]*)
      | (?P<sign><=|>=|!=|<>|==|[=<>(),])
    )""",
    re.VERBOSE,
)
EXAMPLE = 'such as price < 50 or brand in ("a", "b")'


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    at: int


def parse_filter(text: str) -> Filter:
    """Parse a filter expression.

    Raises:
        UsageError: it is invalid; the message says where and what was expected.
    """
    if len(text) > LONGEST:
        raise UsageError(f"the filter is longer than {LONGEST} characters")
    parser = _Parser(_tokens(text))
    condition = parser.any_of(MOST_DEPTH)
    parser.end()
    return condition


def _tokens(text: str) -> list[_Token]:
    tokens, at, end = [], 0, len(text.rstrip())
    while at < end:
        match = TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            at += len(text[at:]) - len(text[at:].lstrip())
            what = f"{text[at]} that does not end" if text[at] in "\"'[" else text[at : at + 20].split()[0]
            raise UsageError(f"the filter at character {at + 1}: cannot read {what}")
        kind, word, start = match.lastgroup, match[match.lastgroup], match.start(match.lastgroup)
        if kind == "word" and word.lower() in WORDS:
            kind, word = "sign", word.lower()
        tokens.append(_Token(kind, word, start))
        at = match.end()
    return [*tokens, _Token("end", "its end", end)]


class _Parser:
    """A recursive-descent parser: ``not`` binds tighter than ``and``, and ``and`` tighter than ``or``."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens, self._place = tokens, 0

    def any_of(self, depth: int) -> Filter:
        """Parse conditions joined by ``or``; ``depth`` levels of nesting are left."""
        return self._joined("or", self._all_of, Or, depth)

    def end(self) -> None:
        if self._next.kind != "end":
            self._fail('"and", "or" or the end')

    @property
    def _next(self) -> _Token:
        return self._tokens[self._place]

    def _all_of(self, depth: int) -> Filter:
        return self._joined("and", self._one, And, depth)

    def _joined(self, word: str, part: Callable[[int], Filter], join: type[And] | type[Or], depth: int) -> Filter:
        parts = [part(depth)]
        while self._took(word):
            parts.append(part(depth))
        return parts[0] if len(parts) == 1 else join(tuple(parts))

    def _one(self, depth: int) -> Filter:
        if depth <= 2:  # a condition inside `and` inside `or` is two deeper
            raise UsageError(f"the filter at character {self._next.at + 1}: more than {MOST_DEPTH} levels")
        if self._took("not"):
            return Not(self._one(depth - 1))
        if self._took("("):
            inside = self.any_of(depth - 2)
            self._take(")")
            return inside
        return self._condition()

    def _condition(self) -> Filter:
        token = self._next
        if token.kind not in ("word", "name"):
            self._fail(f"a condition, {EXAMPLE}")
        self._place += 1
        name = token.text if token.kind == "word" else token.text[1:-1].replace("]]", "]")
        if self._took("not"):
            if self._next.text not in ("in", "between"):
                self._fail('"in" or "between"')
            return Not(self._comparison(name, token.at))
        return self._comparison(name, token.at)

    def _comparison(self, name: str, at: int) -> Filter:
        if self._took("in"):
            self._take("(")
            values = [self._value()]
            while self._took(","):
                values.append(self._value())
            self._take(")")
            return In(name, tuple(values), at)
        if self._took("between"):
            low = self._value()
            self._take("and")
            return Range(name, low, self._value(), at=at)
        sign = self._next.text if self._next.kind == "sign" else ""
        if sign not in ("=", "==", "!=", "<>", "<", "<=", ">", ">="):
            self._fail('=, !=, <, <=, >, >=, "in" or "between"')
        self._place += 1
        value = self._value()
        if sign in ("=", "=="):
            return Equals(name, value, at)
        if sign in ("!=", "<>"):
            return Not(Equals(name, value, at))
        if sign[0] == "<":
            return Range(name, high=value, high_included=sign == "<=", at=at)
        return Range(name, low=value, low_included=sign == ">=", at=at)

    def _value(self) -> Value:
        token = self._next
        if token.kind == "text":
            self._place += 1
            quote = token.text[0]
            return token.text[1:-1].replace(quote * 2, quote)
        if token.kind != "number":
            self._fail("a number, or a text in quotes")
        self._place += 1
        if not is_number(token.text):
            raise UsageError(f"the filter at character {token.at + 1}: {token.text[:20]} is not a usable number")
        return float(token.text)

    def _took(self, sign: str) -> bool:
        if self._next.kind != "sign" or self._next.text != sign:
            return False
        self._place += 1
        return True

    def _take(self, sign: str) -> None:
        if not self._took(sign):
            self._fail(f'"{sign}"')

    def _fail(self, expected: str) -> NoReturn:
        found = self._next
        raise UsageError(
            f"the filter at character {found.at + 1}: expected {expected}, not {' '.join(found.text[:40].split())}"
        )
