"""What a page shows. The job fills these in; the page only lays them out.

The few things of a page are sequences, the many (rows) any iterable: a generator is taken once and never held.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class CardImage:
    """One image: a path of this machine, and the words for people who do not see it (may be empty)."""

    path: str
    caption: str = ""


@dataclass(frozen=True, slots=True)
class Why:
    """Why an answer was found: the query's image, as JPEG, with what carried it marked, and words."""

    jpeg: bytes
    words: str = ""


@dataclass(frozen=True, slots=True)
class Card:
    """One product on a page: what was asked with, or one of the answers.

    ``rank`` counts from 1 and is None for a query. ``score`` draws the bar, ``score_text`` stands beside it; the bar
    is full at 1 or, where a row's scores are points above 1, at the row's best. ``marked_right`` is for searches
    whose answers are known: True shows a check mark; False and None (not known) show nothing. ``surety`` are the words
    for how sure the answer is (may be empty), ``why`` what it was found by.
    """

    product_id: str
    title: str
    description: str
    rank: int | None
    score: float | None
    score_text: str
    image: CardImage
    marked_right: bool | None = None
    surety: str = ""
    why: Why | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One query and its answers, best first, with a remark that may be empty. ``sign`` stands on the query."""

    query: Card
    answers: Sequence[Card]
    note: str = ""
    sign: str = "Similar to"

    def noted(self, note: str) -> Row:
        """The same row with a remark."""
        return replace(self, note=note)


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured share with its interval. ``signed``: a difference, which is clear where its interval leaves zero."""

    value: float
    low: float
    high: float
    signed: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of texts and figures under a header; the first cell of a row is its name. ``note`` may be empty."""

    title: str
    note: str
    header: Sequence[str]
    rows: Sequence[Sequence[str | Figure]]


@dataclass(frozen=True, slots=True)
class Point:
    """One point of a plot: ``x`` above 0, and a share with its interval. ``series`` keeps its colour in all plots."""

    name: str
    series: int
    x: float
    y: Figure


@dataclass(frozen=True, slots=True)
class Plot:
    """Points with their names and intervals; ``x`` grows by factors, not by steps."""

    title: str
    x_title: str
    y_title: str
    points: Sequence[Point]


@dataclass(frozen=True, slots=True)
class Section:
    """Tables, plots and rows under one heading; ``title`` and ``intro`` may be empty.

    ``compact``: rows of one or two answers, several beside each other.
    """

    title: str
    intro: str
    rows: Iterable[Row]
    tables: Sequence[Table] = ()
    plots: Sequence[Plot] = ()
    compact: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """A whole page. ``facts`` are name and value pairs for its head, ``command`` is what made it (may be empty)."""

    title: str
    subtitle: str
    sections: Sequence[Section]
    facts: Sequence[tuple[str, str]] = ()
    command: str = ""
