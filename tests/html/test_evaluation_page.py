"""The report of an evaluation: tables and plots as a reader meets them, and nothing that runs or is fetched."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from itertools import pairwise

import pytest
from hypothesis import given, strategies as st

from image_similarity.html import Card, CardImage, Figure, Page, Plot, Point, Row, Section, Table
from image_similarity.html.document import render
from image_similarity.html.plot import HEIGHT, LINE, WIDTH, plot
from image_similarity.html.tables import table

POSITIVE = st.floats(0.01, 1e5)
SHARES = st.lists(st.floats(0, 1), min_size=3, max_size=3).map(sorted)


def svg_of(shown: Plot) -> ET.Element:
    (drawn,) = re.findall(r"<svg.*</svg>", plot(shown), re.DOTALL)
    return ET.fromstring(drawn)


def points(*values: tuple[str, float, float]) -> list[Point]:
    return [Point(name, i, x, Figure(y, max(y - 0.03, 0), min(y + 0.03, 1))) for i, (name, x, y) in enumerate(values)]


def places(svg: ET.Element) -> list[tuple[float, float]]:
    return [(float(circle.attrib["cx"]), float(circle.attrib["cy"])) for circle in svg.iter("circle")]


def test_faster_is_further_right_and_better_is_higher() -> None:
    shown = Plot("Leave one out", "images per second", "R@1", points(("slow", 5, 0.9), ("fast", 500, 0.4)))
    (slow, fast) = places(svg_of(shown))
    assert slow[0] < fast[0]
    assert slow[1] < fast[1]
    label = svg_of(shown).attrib["aria-label"]
    assert (
        label == "R@1 against images per second. slow: 0.900 (0.870 to 0.930) at 5; fast: 0.400 (0.370 to 0.430) at 500"
    )


@given(st.lists(st.tuples(POSITIVE, SHARES), min_size=1, max_size=8))
def test_whatever_is_measured_stays_inside_and_keeps_its_name(measured: list[tuple[float, list[float]]]) -> None:
    shown = [Point(f"model {i}", i, x, Figure(value, low, high)) for i, (x, (low, value, high)) in enumerate(measured)]
    svg = svg_of(Plot("t", "x", "y", shown))
    assert len(places(svg)) == len(measured)
    for x, y in places(svg):
        assert 0 <= x <= WIDTH
        assert 0 <= y <= HEIGHT
    names = [text for text in svg.iter("text") if text.attrib.get("class") == "ims-name"]
    assert sorted(text.text or "" for text in names) == sorted(point.name for point in shown)
    ticks = [text for text in svg.iter("text") if text.attrib.get("text-anchor") == "middle"]
    assert len(ticks) <= 7  # and the axis' own name


def test_names_of_like_models_do_not_lie_on_each_other() -> None:
    svg = svg_of(Plot("t", "x", "y", points(*((f"model {i}", 20 + i / 10, 0.5) for i in range(5)))))
    lines = sorted(float(text.attrib["y"]) for text in svg.iter("text") if text.attrib.get("class") == "ims-name")
    assert all(after - before >= LINE - 0.2 for before, after in pairwise(lines))


def test_a_plot_without_speeds_says_so() -> None:
    assert "Nothing to show" in plot(Plot("t", "x", "y", []))


@pytest.mark.parametrize(
    ("figure", "words"),
    [
        (Figure(0.041, 0.01, 0.07, signed=True), "+0.041 +0.010 to +0.070, better"),
        (Figure(-0.041, -0.07, -0.01, signed=True), "−0.041 −0.070 to −0.010, worse"),
        (Figure(0.01, -0.02, 0.04, signed=True), "+0.010 −0.020 to +0.040, no clear difference"),
        (Figure(0.5, 0.4, 0.6), "0.500 0.400 to 0.600"),
    ],
)
def test_a_figure_says_in_words_what_its_colour_says(figure: Figure, words: str) -> None:
    markup = table(Table("A & B", "", ["Model", "R@1"], [["<m>", figure]]))
    text = " ".join(re.sub(r"<[^>]+>", " ", markup).split())
    assert text == f"A &amp; B Model R@1 &lt;m&gt; {words}"
    assert '<th scope="row" dir="auto">&lt;m&gt;</th>' in markup


def test_a_report_is_one_document_in_which_nothing_runs() -> None:
    card = Card("p1", "Bag", "", None, None, "", CardImage("nowhere.jpg"))
    tables = [Table("Leave one out", "How", ["Model", "R@1"], [["m", Figure(0.5, 0.4, 0.6)]])]
    plots = [Plot("Leave one out", "images per second", "R@1", points(("<script>", 5, 0.9)))]
    sections = [
        Section("Results", "", (), tables, plots),
        Section("Worst", "", [Row(card, [card], "at place 9", "Query")], compact=True),
    ]
    text = render(Page("Report", "", sections))
    assert "Nothing to show" not in text
    assert "<script" not in text
    assert "Query" in text
    assert 'class="ims-compact"' in text
    assert "Similar to" not in text
