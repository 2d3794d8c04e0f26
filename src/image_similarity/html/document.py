"""The HTML of a whole page, or of a fragment for a notebook, streamed: one row at a time is in memory, never a page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from importlib import resources
from pathlib import Path

from image_similarity.html.cards import row
from image_similarity.html.markup import escape, one_line
from image_similarity.html.page import Page, Row, Section
from image_similarity.html.plot import plot
from image_similarity.html.tables import table
from image_similarity.util.files import replacing

# The page loads nothing and runs nothing, whatever a catalogue has in its texts.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def render(page: Page) -> str:
    """The page as one HTML document, all of it in memory; :func:`write` streams it to a file."""
    return "".join(chunks(page))


def fragment(rows: Iterable[Row]) -> str:
    """Rows to embed in another page, as in a notebook's ``_repr_html_``. Its styles affect nothing around it."""
    return f'<style>{_style()}</style>\n<div class="ims ims-fragment">\n{"".join(_rows(rows))}</div>\n'


def write(page: Page, path: Path) -> None:
    """Write the page to a file, row by row; the file is complete or not replaced.

    Raises:
        OutputError: the file cannot be written; the previous file is unchanged.
    """
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(chunks(page))


def chunks(page: Page) -> Iterator[str]:
    """The document in pieces, in order: the header, each section's rows one at a time, the footer."""
    title = escape(one_line(page.title))
    yield (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f'<title>{title}</title>\n<link rel="icon" href="data:,">\n<style>\n{_style()}</style>\n</head>\n'
        f'<body class="ims-page">\n<div class="ims">\n<header class="ims-head">\n<h1 dir="auto">{title}</h1>\n'
        f"{_paragraph(page.subtitle)}{_facts(page)}{_contents(page)}</header>\n<main>\n"
    )
    for number, section in enumerate(page.sections, start=1):
        yield from _section(section, number)
    yield f"</main>\n{_foot(page)}</div>\n</body>\n</html>\n"


def _section(section: Section, number: int) -> Iterator[str]:
    title = f'<h2 dir="auto">{escape(one_line(section.title))}</h2>\n' if section.title.strip() else ""
    yield f'<section class="ims-section" id="section-{number}">\n{title}{_paragraph(section.intro)}'
    yield from map(table, section.tables)
    if section.plots:
        yield f'<div class="ims-plots">\n{"".join(map(plot, section.plots))}</div>\n'
    yield '<div class="ims-compact">\n' if section.compact else ""
    yield from _rows(section.rows, silent=bool(section.tables or section.plots))
    yield "</div>\n" if section.compact else ""
    yield "</section>\n"


def _rows(rows: Iterable[Row], *, silent: bool = False) -> Iterator[str]:
    empty = True
    for shown in rows:
        empty = False
        yield row(shown)
    if empty and not silent:
        yield '<p class="ims-empty">Nothing to show.</p>\n'


def _paragraph(text: str) -> str:
    return f'<p class="ims-intro" dir="auto">{escape(text.strip())}</p>\n' if text.strip() else ""


def _facts(page: Page) -> str:
    pairs = "".join(
        f'<div><dt>{escape(name)}</dt><dd dir="auto">{escape(value)}</dd></div>' for name, value in page.facts
    )
    return f'<dl class="ims-facts">{pairs}</dl>\n' if pairs else ""


def _contents(page: Page) -> str:
    """Links to the sections, if there is more than one with a title."""
    links = [
        f'<li><a href="#section-{number}">{escape(one_line(section.title))}</a></li>'
        for number, section in enumerate(page.sections, start=1)
        if section.title.strip()
    ]
    return f'<nav class="ims-nav" aria-label="Sections"><ul>{"".join(links)}</ul></nav>\n' if len(links) > 1 else ""


def _foot(page: Page) -> str:
    if not page.command.strip():
        return ""
    command = f"<pre><code>{escape(page.command.strip())}</code></pre>"
    return f'<footer class="ims-foot">\n<p>This page was made with</p>\n{command}\n</footer>\n'


@cache
def _style() -> str:
    return resources.files("image_similarity.html").joinpath("style.css").read_text("utf-8")
