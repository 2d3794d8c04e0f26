"""Filters: the rows that pass are those that plain Python says, and a search finds among them alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from image_similarity import Workspace
from image_similarity.errors import UsageError
from image_similarity.index.amounts import numbers_of
from image_similarity.index.arrays import map_bytes
from image_similarity.index.columns import MOST_ATTRIBUTES, Column, Columns, ColumnsWriter
from image_similarity.index.filter_language import parse_filter
from image_similarity.index.filters import (
    MOST_DEPTH,
    And,
    Equals,
    Filter,
    In,
    Not,
    Or,
    Range,
    Value,
    mask,
    number_text,
    passing,
)
from image_similarity.neighbours.row_sets import Listed, Masked
from image_similarity.settings import Settings
from tests.conftest import paint
from tests.support.shop import BLUE, GREEN, MODEL, RED, register

Rows = list[dict[str, str]]

NAMES = ["brand", "price", "main colour", "größe"]
VALUES = {
    "brand": ["", "Kipsta", "a", "b", "é", "靴", "10", 'say "hi"'],
    "price": ["", "5", "5.0", "-1", "19.99", "1e3", "10", "007", "n/a", "12.50 EUR"],
    "main colour": ["", "red", "blue"],
    "größe": ["", "2024-01-31", "2024-02-01", "2023-12-01"],
}
ROWS = st.lists(
    st.fixed_dictionaries({}, optional={name: st.sampled_from(VALUES[name]) for name in NAMES}), min_size=1, max_size=30
)
TEXTS = st.sampled_from(sorted({value for values in VALUES.values() for value in values})) | st.text(max_size=3)
NUMBERS = st.sampled_from([-1.0, 0.0, 5.0, 7.0, 10.0, 19.99, 1000.0]) | st.floats(-20, 20)


@st.composite
def conditions(draw: st.DrawFn) -> Filter:
    name = draw(st.sampled_from(NAMES))
    kind = draw(st.integers(0, 3))
    if kind == 0:
        return Equals(name, draw(TEXTS | NUMBERS))
    if kind == 1:
        return In(name, tuple(draw(st.lists(TEXTS | NUMBERS, max_size=12))))
    values: st.SearchStrategy[Value] = NUMBERS if kind == 2 and name == "price" else TEXTS
    low, high = draw(values | st.none()), draw(values | st.none())
    if isinstance(low, float) != isinstance(high, float):
        high = None
    return Range(name, low, high, draw(st.booleans()), draw(st.booleans()))


FILTERS: st.SearchStrategy[Filter] = st.recursive(
    conditions(),
    lambda parts: (
        st.lists(parts, max_size=3).map(lambda some: And(tuple(some)))
        | st.lists(parts, max_size=3).map(lambda some: Or(tuple(some)))
        | parts.map(Not)
    ),
    max_leaves=6,
)


def stored(rows: Rows, folder: Path, block: int = 4) -> Columns:
    writer = ColumnsWriter(folder)
    for start in range(0, len(rows), block):
        writer.write(rows[start : start + block])
    return Columns(
        map_bytes(folder / "columns.bin") if (parts := writer.finish()) else np.empty(0, "u1"), parts, len(rows)
    )


def number_of(text: str, rows: Rows, name: str) -> float | None:
    return numbers_of([text, *sorted({row[name] for row in rows if row.get(name)})])[0]


def passes(condition: Filter, row: Mapping[str, str], rows: Rows) -> bool:
    """By the definition."""
    if isinstance(condition, And):
        return all(passes(part, row, rows) for part in condition.parts)
    if isinstance(condition, Or):
        return any(passes(part, row, rows) for part in condition.parts)
    if isinstance(condition, Not):
        return not passes(condition.part, row, rows)
    text = row.get(condition.attribute, "")
    number_here = number_of(text, rows, condition.attribute)
    column = {row[condition.attribute] for row in rows if row.get(condition.attribute)}
    has_numbers = any(number_of(each, rows, condition.attribute) is not None for each in column)

    def equal(value: Value) -> bool:
        if isinstance(value, str):
            return text == value
        return number_here == value if has_numbers else text == number_text(value)

    if isinstance(condition, Equals):
        return equal(condition.value)
    if isinstance(condition, In):
        return any(map(equal, condition.values))
    if not text:
        return False
    if isinstance(condition.low, float) or isinstance(condition.high, float):
        if number_here is None:
            return False
        seen: Value = number_here
    else:
        seen = text
    bounds = [(condition.low, seen, condition.low_included), (seen, condition.high, condition.high_included)]
    return all(
        low is None or high is None or low < high or (included and low == high)  # type: ignore[operator]
        for low, high, included in bounds
    )


@given(rows=ROWS, condition=FILTERS, block=st.integers(1, 7))
@settings(max_examples=200)
def test_the_rows_that_pass_are_those_of_the_definition(rows: Rows, condition: Filter, block: int) -> None:
    rows = [*rows, *({name: value} for name in NAMES for value in (VALUES[name][-1],))]  # every attribute is there
    with TemporaryDirectory() as folder:
        found = mask(condition, stored(rows, Path(folder), block), len(rows))
        assert found.dtype == bool
        assert found.tolist() == [passes(condition, row, rows) for row in rows]


def listing_from(most: int, column: Column) -> Column:
    return replace(column, by_code=column.by_code and replace(column.by_code, listed_from=most))


@given(rows=ROWS, condition=FILTERS, most=st.integers(1, 5))
@settings(max_examples=200)
def test_listed_rows_are_those_that_comparing_every_code_finds(rows: Rows, condition: Filter, most: int) -> None:
    rows = [*rows, *({name: VALUES[name][-1]} for name in NAMES)]
    with TemporaryDirectory() as folder:
        columns = {name: listing_from(most, column) for name, column in stored(rows, Path(folder)).items()}
        compared = {name: replace(columns[name], by_code=None) for name in columns}
        found, expected = passing(condition, columns, len(rows)), mask(condition, compared, len(rows))
        assert found.mask().tolist() == expected.tolist()
        assert sorted(found.numbers().tolist()) == np.flatnonzero(expected).tolist()
        assert found.count == expected.sum()
        assert found.has(np.arange(len(rows))[::-1]).tolist() == expected[::-1].tolist()


def test_a_rare_value_lists_its_rows_and_a_common_one_compares_all(tmp_path: Path) -> None:
    rows = [{"brand": f"b{row % 50}", "new": str(row % 2), "size": str(row % 7)} for row in range(2000)]
    columns = stored(rows, tmp_path)
    for text in ('brand = "b4"', 'brand in ("b4", "b9")', "new = 0 and (size < 3 and brand = 'b4')"):
        assert isinstance(passing(parse_filter(text), columns, 2000), Listed)
    for text in ("new = 0", "size >= 0", 'not brand = "b4"'):
        assert isinstance(passing(parse_filter(text), columns, 2000), Masked)


def test_a_file_without_sorted_rows_can_still_be_filtered(tmp_path: Path) -> None:
    rows = [{"brand": f"b{row % 50}", "size": str(row % 7)} for row in range(200)]
    writer = ColumnsWriter(tmp_path)
    writer.write(rows)
    parts = {
        name: {kind: part for kind, part in column.items() if kind not in ("order", "starts")}
        for name, column in writer.finish().items()
    }
    columns = Columns(map_bytes(tmp_path / "columns.bin"), parts, 200)
    found = passing(parse_filter('brand = "b4" and size > 2'), columns, 200)
    assert sorted(found.numbers().tolist()) == [row for row in range(200) if row % 50 == 4 and row % 7 > 2]


def test_further_conditions_are_evaluated_for_the_few_rows_left(tmp_path: Path) -> None:
    rows = [{"brand": f"b{row % 50}", "size": str(row % 7), "new": str(row % 2)} for row in range(2000)]
    columns = stored(rows, tmp_path)
    found = mask(parse_filter('brand = "b4" and size < 3 and not new = 1 and (size = 0 or size = 2)'), columns, 2000)
    expected = [row["brand"] == "b4" and row["new"] == "0" and row["size"] in "02" for row in rows]
    assert found.tolist() == expected
    nothing = parse_filter('brand = "b4" and brand = "b5" and size < 3')
    assert not mask(nothing, columns, 2000).any()


def test_both_ends_of_a_range_count_or_do_not_as_it_says(tmp_path: Path) -> None:
    values = ["", "1", "2", "3", "4"]
    columns = stored([{"number": value, "text": value and f"n{value}"} for value in values], tmp_path)

    def found(text: str) -> str:
        return "".join(values[row] for row in np.flatnonzero(mask(parse_filter(text), columns, len(values))))

    for name, low, high in (("number", "2", "3"), ("text", '"n2"', '"n3"'), ("number", '"2"', '"3"')):
        assert found(f"{name} between {low} and {high}") == "23"
        assert found(f"{name} > {low}") == "34"
        assert found(f"{name} >= {low}") == "234"
        assert found(f"{name} < {high}") == "12"
        assert found(f"{name} <= {high}") == "123"
        assert found(f"{name} between {high} and {low}") == ""
        assert found(f"not {name} >= {low}") == "1"  # and the one without a value


@pytest.mark.parametrize(("count", "dtype"), [(255, "u1"), (256, "<u2"), (65_536, "<u4")])
def test_codes_are_as_narrow_as_they_can_be(count: int, dtype: str, tmp_path: Path) -> None:
    rows = [{"number": str(number), "name": f"n{number}"} for number in range(count)]
    columns = stored(rows, tmp_path, 5000)
    assert columns["name"].codes.dtype == columns["number"].codes.dtype == dtype
    for condition in (Equals("name", f"n{count - 1}"), Range("number", count - 1.0), Equals("number", count - 1)):
        assert np.flatnonzero(mask(condition, columns, count)).tolist() == [count - 1]
    most = In("number", tuple(float(number) for number in range(0, count, 2)))
    assert mask(most, columns, count).sum() == (count + 1) // 2


def test_more_attributes_than_columns_are_left_out_and_counted(tmp_path: Path) -> None:
    usual = {f"a{number:03}": "1" for number in range(MOST_ATTRIBUTES - 1)}
    writer = ColumnsWriter(tmp_path)
    writer.write([usual | {"b": "2", "c": "3"}, usual | {"d": "4", "b": "5"}])
    parts = writer.finish()
    assert (list(parts), writer.left_out) == ([*usual, "b"], 2)
    assert Columns(map_bytes(tmp_path / "columns.bin"), parts, 2)["b"].texts[:] == ["2", "5"]


# What cannot be ---------------------------------------------------------------------------------------------------


def test_a_condition_that_the_catalogue_cannot_answer_names_what_there_is(tmp_path: Path) -> None:
    columns = stored([{"brand": "a", "price": "5"}], tmp_path)
    for text, message in (
        ('price = 5 and bran = "a"', r"at character 15: there is no attribute bran: there are brand, price"),
        ("brand < 5", r'at character 1: brand is compared with the number 5, but none of .* "a". Texts .* size >= "M"'),
        ('price between 5 and "b"', r"at character 1: price cannot be between a number and a text"),
    ):
        with pytest.raises(UsageError, match=message):
            mask(parse_filter(text), columns, 1)
    with pytest.raises(UsageError, match="there is no attribute brand: the catalogue has none"):
        mask(Equals("brand", "a"), {}, 1)


def test_a_filter_of_a_programs_own_may_not_be_bottomless(tmp_path: Path) -> None:
    condition: Filter = Equals("brand", "a")
    columns = stored([{"brand": "a"}], tmp_path)
    for _ in range(MOST_DEPTH - 1):
        condition = Not(condition)
    assert mask(condition, columns, 1).tolist() == [False]
    with pytest.raises(UsageError, match="more than 50 conditions inside each other"):
        mask(Not(condition), columns, 1)


def test_the_deepest_filter_that_is_read_can_be_used(tmp_path: Path) -> None:
    columns = stored([{"a": "1"}], tmp_path)
    deepest = next(
        text
        for text, deeper in pairwise("(a=1 and a=1 or " * n + "not a not in (2)" + ")" * n for n in range(60))
        if refused(deeper)
    )
    assert mask(parse_filter(deepest), columns, 1).tolist() == [True]
    assert deepest.count("(a=1") > 20


def refused(text: str) -> bool:
    try:
        parse_filter(text)
    except UsageError:
        return True
    return False


# In a search ------------------------------------------------------------------------------------------------------


@pytest.fixture
def workspace(monkeypatch: pytest.MonkeyPatch, settings: Settings, tmp_path: Path) -> Workspace:
    register(monkeypatch)
    folder = tmp_path / "pictures"
    for name, colour in (("red", RED), ("green", GREEN), ("blue", BLUE)):
        for number in range(30):
            paint(folder / f"{name}{number:02}.png", colour, spot=number + 1)
    lines = [f"{p.name},{p.stem},{p.stem[:-2]},{int(p.stem[-2:])}" for p in sorted(folder.glob("*.png"))]
    (folder / "images.csv").write_text("\n".join(["image,product_id,colour,price", *lines]))
    workspace = Workspace(settings=settings)
    workspace.fit("shop", folder / "images.csv", model=MODEL, learn=False)
    return workspace


@pytest.mark.parametrize("aggregate", ["best", "mean", "votes"])
def test_a_filtered_search_returns_the_requested_number_however_far_away(
    workspace: Workspace, tmp_path: Path, aggregate: str
) -> None:
    photo = paint(tmp_path / "photo.png", RED)
    for text, count in (
        ('colour = "blue"', 10),
        ('colour != "red" and price >= 27', 6),
        ("price = 3 or price = 5", 6),
        ("price > 100", 0),
    ):
        answer = workspace.search("shop", photo, model=MODEL, aggregate=aggregate, filter=text)
        assert len(answer.matches) == count
    blue = workspace.search("shop", photo, model=MODEL, aggregate=aggregate, filter='colour = "blue"', number=30)
    assert {match.product_id[:4] for match in blue.matches} == {"blue"}
    assert len(blue.matches) == 30


def test_a_filter_that_cannot_be_used_is_refused_before_anything_is_loaded(
    workspace: Workspace, tmp_path: Path
) -> None:
    photo = paint(tmp_path / "photo.png", (9, 9, 9))
    with pytest.raises(UsageError, match="at character 7: expected"):
        workspace.search("nowhere", tmp_path / "none.png", model=MODEL, filter="price cheap")
    with pytest.raises(UsageError, match="there is no attribute weight: there are colour, price"):
        workspace.search("shop", photo, model=MODEL, filter="weight < 3")
