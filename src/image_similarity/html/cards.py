"""HTML of cards and rows: a product with its image, rank, score and texts; a query beside its answers."""

from __future__ import annotations

import math
from collections.abc import Iterable

from image_similarity.html.markup import escape, file_name, one_line, shorten
from image_similarity.html.page import Card, CardImage, Row
from image_similarity.html.thumbnails import data_address
from image_similarity.images import data_uri

_MOUNTAINS = (  # an image placeholder, drawn: a font may not have such a character
    '<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M4 4h16v16H4zM4 17l5-5 4 4 2-2 5 5M15 8.5h.01"/></svg>'
)


def row(shown: Row) -> str:
    """HTML of one row: the query on the left, its answers on the right in the given order."""
    name = escape(_name(shown.query))
    note = f'<p class="ims-note" dir="auto">{escape(one_line(shown.note))}</p>\n' if shown.note.strip() else ""
    if shown.answers:
        full = _full_bar(shown.answers)
        items = "".join(f"<li{_value(answer)}>{_figure(answer, full)}</li>\n" for answer in shown.answers)
        # Focusable, because on a narrow screen it scrolls sideways and arrow keys must reach it.
        # The role is explicit because Safari does not announce a list without markers as a list.
        answers = (
            f'<div class="ims-scroll" role="group" tabindex="0" aria-label="Answers for {name}">'
            f'<ol class="ims-answers" role="list">\n{items}</ol></div>'
        )
    else:
        answers = '<p class="ims-empty">No answers.</p>'
    return (
        f'<article class="ims-row" aria-label="{name}">\n{note}'
        f'<div class="ims-query"><p class="ims-label">{escape(shown.label)}</p>{_figure(shown.query, 1.0)}</div>\n'
        f'<div class="ims-found">{answers}</div>\n</article>\n'
    )


def _figure(card: Card, full: float) -> str:
    title = f'<p class="ims-title" dir="auto">{escape(one_line(card.title))}</p>' if card.title.strip() else ""
    # Without a title the id takes its place, in the same size.
    untitled = "" if title else " ims-untitled"
    description = shorten(card.description)
    return (
        f'<figure class="ims-card"><div class="ims-tile">{_image(card)}{_rank(card)}{_right(card)}</div>{_why(card)}'
        f"<figcaption>{_score(card, full)}{_probability(card)}{title}"
        f'<p class="ims-id{untitled}">{escape(one_line(card.product_id))}</p>'
        + (f'<p class="ims-text" dir="auto">{escape(description)}</p>' if description else "")
        + "</figcaption></figure>"
    )


def _image(card: Card) -> str:
    words = escape(one_line(card.image.caption) or f"Image of {_name(card)}")
    address = data_address(card.image.path)
    if address is None:
        return (
            f'<div class="ims-missing" role="img" aria-label="No image: {words}">{_MOUNTAINS}'
            f"<span>{escape(_missing_name(card.image))}</span></div>"
        )
    return f'<img src="{address}" alt="{words}" decoding="async">'


def _rank(card: Card) -> str:
    return (
        ""
        if card.rank is None
        else f'<span class="ims-rank"><span class="ims-visually-hidden">Rank </span>{card.rank}</span>'
    )


def _right(card: Card) -> str:
    return '<span class="ims-right"><span aria-hidden="true">✓ </span>Right answer</span>' if card.marked_right else ""


def _score(card: Card, full: float) -> str:
    if card.score is None and not card.score_text:
        return ""
    bar = ""
    if card.score is not None and math.isfinite(card.score):
        width = 100 * min(max(card.score / full, 0.0), 1.0)
        bar = f'<span class="ims-bar" aria-hidden="true"><span style="width:{width:.1f}%"></span></span>'
    words = card.score_text or f"{card.score:.3f}"
    return f'<p class="ims-score">{bar}<span class="ims-visually-hidden">Score </span><span>{escape(words)}</span></p>'


def _probability(card: Card) -> str:
    return (
        f'<p class="ims-probability">{escape(one_line(card.probability_text))}</p>'
        if card.probability_text.strip()
        else ""
    )


def _why(card: Card) -> str:
    if card.why is None:
        return ""
    words = escape(one_line(card.why.words))
    caption = f'<p class="ims-why-words">{words}</p>' if words else ""
    name = escape(_name(card))
    return (
        f'<div class="ims-why"><img src="{data_uri(card.why.jpeg)}" alt="Where the photo is like {name}" '
        f'decoding="async">{caption}</div>'
    )


def _full_bar(answers: Iterable[Card]) -> float:
    """The score of a full bar: 1 for cosines, the row's best where scores are points above 1."""
    scores = [answer.score for answer in answers if answer.score is not None and math.isfinite(answer.score)]
    return max([1.0, *scores])


def _value(card: Card) -> str:
    return "" if card.rank is None else f' value="{card.rank}"'


def _name(card: Card) -> str:
    return one_line(card.title) or one_line(card.product_id) or "an image"


def _missing_name(image: CardImage) -> str:
    """The file's name rather than the caption: that is the file to look for."""
    return one_line(file_name(image.path)) or one_line(image.caption) or "no image"
