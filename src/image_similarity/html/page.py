"""The content of a page as plain records; :mod:`~image_similarity.html.document` lays them out.

Rows may be any iterable: a generator is read once, one row at a time. Everything else is a sequence.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class CardImage:
    """One image: a local path and its alternative text (may be empty)."""

    path: str
    caption: str = ""


@dataclass(frozen=True, slots=True)
class Why:
    """Why an answer was found: the query's image with its heat map, as JPEG, and the same in words."""

    jpeg: bytes
    words: str = ""


@dataclass(frozen=True, slots=True)
class Card:
    """One product on a page: the query, or one of its answers.

    ``rank`` counts from 1 and is None for a query. ``score`` sets the length of the bar, ``score_text`` is the text
    beside it; the bar is full at 1 or, where scores are points above 1, at the row's best. ``marked_right`` is for
    queries with known answers: True shows a check mark; False and None (not known) show nothing.
    ``probability_text`` is the match probability in words (may be empty), ``why`` the explanation.
    """

    product_id: str
    title: str
    description: str
    rank: int | None
    score: float | None
    score_text: str
    image: CardImage
    marked_right: bool | None = None
    probability_text: str = ""
    why: Why | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One query and its answers, best first. ``note`` may be empty; ``label`` is the badge on the query."""

    query: Card
    answers: Sequence[Card]
    note: str = ""
    label: str = "Similar to"

    def noted(self, note: str) -> Row:
        """The same row with another note."""
        return replace(self, note=note)


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured share with its interval. ``signed``: a difference, clear where its interval does not contain zero."""

    value: float
    low: float
    high: float
    signed: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of texts and figures under a header; the first cell of a row is the row's header. ``note`` may be empty."""

    title: str
    note: str
    header: Sequence[str]
    rows: Sequence[Sequence[str | Figure]]


@dataclass(frozen=True, slots=True)
class Point:
    """One point of a plot: ``x`` above 0, and a share with its interval. A ``series`` has one colour in all plots."""

    name: str
    series: int
    x: float
    y: Figure


@dataclass(frozen=True, slots=True)
class Plot:
    """Points with their names and intervals; the ``x`` axis is logarithmic."""

    title: str
    x_title: str
    y_title: str
    points: Sequence[Point]


@dataclass(frozen=True, slots=True)
class Section:
    """Tables, plots and rows under one heading; ``title`` and ``intro`` may be empty.

    ``compact``: rows have one or two answers each, and several fit beside each other.
    """

    title: str
    intro: str
    rows: Iterable[Row]
    tables: Sequence[Table] = ()
    plots: Sequence[Plot] = ()
    compact: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """A whole page. ``facts`` are name-value pairs for its header; ``command`` is how it was made (may be empty)."""

    title: str
    subtitle: str
    sections: Sequence[Section]
    facts: Sequence[tuple[str, str]] = ()
    command: str = ""
