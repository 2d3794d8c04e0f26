"""Tables of measured shares: each figure with a small image of its interval."""

from __future__ import annotations

from image_similarity.html.markup import escape, one_line
from image_similarity.html.page import Figure, Table

MINUS = "\N{MINUS SIGN}"
LEAST_SPAN = 0.05  # a difference's scale is never finer than this either way


def table(shown: Table) -> str:
    """A title, a note, and the table, which scrolls by itself where the page is too narrow."""
    title = escape(one_line(shown.title))
    note = f'<p class="ims-intro" dir="auto">{escape(shown.note.strip())}</p>\n' if shown.note.strip() else ""
    head = "".join(f'<th scope="col">{escape(one_line(name))}</th>' for name in shown.header)
    span = _span(shown)
    rows = "".join(
        f"<tr>{''.join(_cell(cell, place, span) for place, cell in enumerate(row))}</tr>\n" for row in shown.rows
    )
    return (
        f'<div class="ims-table">\n<h3 dir="auto">{title}</h3>\n{note}'
        f'<div class="ims-scroll" role="group" tabindex="0" aria-label="{title}"><table>\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table></div>\n</div>\n"
    )


def _cell(cell: str | Figure, place: int, span: float) -> str:
    if isinstance(cell, str):
        text = escape(one_line(cell))
        return f'<th scope="row" dir="auto">{text}</th>' if place == 0 else f'<td dir="auto">{text}</td>'
    return _difference(cell, span) if cell.signed else _share(cell)


def _share(figure: Figure) -> str:
    return (
        f'<td><span class="ims-value">{figure.value:.3f}</span>{_range(figure.low, figure.high)}'
        f'<span class="ims-interval">{figure.low:.3f} to {figure.high:.3f}</span></td>'
    )


def _difference(figure: Figure, span: float) -> str:
    """In words and colour too: better, worse, or not to be told apart."""
    kind = "ims-up" if figure.low > 0 else "ims-down" if figure.high < 0 else "ims-unclear"
    words = {"ims-up": "better", "ims-down": "worse", "ims-unclear": "no clear difference"}[kind]
    low, high = (0.5 + end / (2 * span) for end in (figure.low, figure.high))
    value, first, last = (f"{each:+.3f}".replace("-", MINUS) for each in (figure.value, figure.low, figure.high))
    return (
        f'<td class="{kind}"><span class="ims-value">{value}</span>'
        f'{_range(low, high, zero=True)}<span class="ims-interval">{first} to {last}, {words}</span></td>'
    )


def _range(low: float, high: float, *, zero: bool = False) -> str:
    """A run of the way from 0 to 1."""
    first, last = (100 * min(max(end, 0.0), 1.0) for end in (low, high))
    middle = '<span class="ims-zero"></span>' if zero else ""
    style = f"left:{min(first, 98):.1f}%;width:{max(last - first, 2):.1f}%"  # an interval of no width is seen too
    return f'<span class="ims-range" aria-hidden="true"><span style="{style}"></span>{middle}</span>'


def _span(shown: Table) -> float:
    """How far the scale of the differences goes either way."""
    figures = [cell for row in shown.rows for cell in row if isinstance(cell, Figure) and cell.signed]
    return max([LEAST_SPAN, *(abs(end) for figure in figures for end in (figure.low, figure.high))])
