"""Tables of measured shares: each figure with its interval as a small bar."""

from __future__ import annotations

from image_similarity.html.markup import escape, one_line
from image_similarity.html.page import Figure, Table

MINUS = "\N{MINUS SIGN}"
LEAST_SPAN = 0.05  # the scale of differences reaches at least this far to either side of zero


def table(shown: Table) -> str:
    """A title, a note, and the table, which scrolls sideways where the page is too narrow."""
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
    """A difference with its meaning in words and colour: better, worse or no clear difference."""
    kind = "ims-up" if figure.low > 0 else "ims-down" if figure.high < 0 else "ims-unclear"
    words = {"ims-up": "better", "ims-down": "worse", "ims-unclear": "no clear difference"}[kind]
    low, high = (0.5 + end / (2 * span) for end in (figure.low, figure.high))
    value, first, last = (f"{each:+.3f}".replace("-", MINUS) for each in (figure.value, figure.low, figure.high))
    return (
        f'<td class="{kind}"><span class="ims-value">{value}</span>'
        f'{_range(low, high, zero=True)}<span class="ims-interval">{first} to {last}, {words}</span></td>'
    )


def _range(low: float, high: float, *, zero: bool = False) -> str:
    """A bar from ``low`` to ``high`` on a scale from 0 to 1; ``zero`` marks the middle."""
    first, last = (100 * min(max(end, 0.0), 1.0) for end in (low, high))
    middle = '<span class="ims-zero"></span>' if zero else ""
    style = f"left:{min(first, 98):.1f}%;width:{max(last - first, 2):.1f}%"  # an interval without width stays visible
    return f'<span class="ims-range" aria-hidden="true"><span style="{style}"></span>{middle}</span>'


def _span(shown: Table) -> float:
    """How far the scale of the differences reaches to either side of zero."""
    figures = [cell for row in shown.rows for cell in row if isinstance(cell, Figure) and cell.signed]
    return max([LEAST_SPAN, *(abs(end) for figure in figures for end in (figure.low, figure.high))])
