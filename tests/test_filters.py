"""Filters: the rows that pass are those that plain Python says, and what cannot be read is met with a clear line."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from image_similarity import Workspace
from image_similarity.errors import UsageError
from image_similarity.index import columns as columns_module
from image_similarity.index.arrays import map_bytes
from image_similarity.index.columns import Columns, ColumnsWriter, is_number
from image_similarity.index.filters import MOST_DEPTH, And, Equals, Filter, In, Not, Or, Range, Value, mask, plain
from image_similarity.index.language import LONGEST, parse_filter
from image_similarity.settings import Settings
from tests.conftest import paint
from tests.shop import BLUE, GREEN, MODEL, RED, register

Rows = list[dict[str, str]]

NAMES = ["brand", "price", "main colour", "größe"]
VALUES = {
    "brand": ["", "Kipsta", "a", "b", "é", "靴", "10", 'say "hi"'],
    "price": ["", "5", "5.0", "-1", "19.99", "1e3", "10", "007"],
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


def numeric(rows: Rows, name: str) -> bool:
    return all(is_number(row[name]) for row in rows if row.get(name))


def passes(condition: Filter, row: Mapping[str, str], rows: Rows) -> bool:
    """By the definition."""
    if isinstance(condition, And):
        return all(passes(part, row, rows) for part in condition.parts)
    if isinstance(condition, Or):
        return any(passes(part, row, rows) for part in condition.parts)
    if isinstance(condition, Not):
        return not passes(condition.part, row, rows)
    text = row.get(condition.attribute, "")
    as_numbers = numeric(rows, condition.attribute)

    def equal(value: Value) -> bool:
        if isinstance(value, str):
            return text == value
        return bool(text) and float(text) == value if as_numbers else text == plain(value)

    if isinstance(condition, Equals):
        return equal(condition.value)
    if isinstance(condition, In):
        return any(map(equal, condition.values))
    if not text:
        return False
    number = isinstance(condition.low, float) or isinstance(condition.high, float)
    seen: Value = float(text) if number else text
    bounds = [(condition.low, seen, condition.low_included), (seen, condition.high, condition.high_included)]
    return all(
        low is None or high is None or low < high or (included and low == high)  # type: ignore[operator]
        for low, high, included in bounds
    )


@given(rows=ROWS, condition=FILTERS, block=st.integers(1, 7))
@settings(max_examples=200)
def test_the_rows_that_pass_are_those_that_python_says(rows: Rows, condition: Filter, block: int) -> None:
    rows = [*rows, *({name: value} for name in NAMES for value in (VALUES[name][-1],))]  # every attribute is there
    with TemporaryDirectory() as folder:
        found = mask(condition, stored(rows, Path(folder), block), len(rows))
        assert found.dtype == bool
        assert found.tolist() == [passes(condition, row, rows) for row in rows]


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


def test_more_attributes_than_columns_are_left_out_and_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns_module, "MOST_ATTRIBUTES", 2)
    writer = ColumnsWriter(tmp_path)
    writer.write([{"a": "1", "b": "2", "c": "3"}, {"d": "4", "b": "5"}])
    parts = writer.finish()
    assert (list(parts), writer.left_out) == (["a", "b"], 2)
    assert Columns(map_bytes(tmp_path / "columns.bin"), parts, 2)["b"].texts[:] == ["2", "5"]


# The language -----------------------------------------------------------------------------------------------------

READ: list[tuple[str, Filter]] = [
    ('brand = "a"', Equals("brand", "a")),
    ("brand='it''s'", Equals("brand", "it's")),
    ('brand == "say ""hi"""', Equals("brand", 'say "hi"')),
    ("price < 50", Range("price", None, 50.0, True, False)),
    ("price<=-1.5e1", Range("price", None, -15.0, True, True)),
    ("price > .5", Range("price", 0.5, None, False, True)),
    ("price >= 5", Range("price", 5.0, None)),
    ("price between 5 and 10", Range("price", 5.0, 10.0)),
    ('day not between "2024-01-01" and "2024-06-30"', Not(Range("day", "2024-01-01", "2024-06-30"))),
    ('brand != "a"', Not(Equals("brand", "a"))),
    ('brand <> "a"', Not(Equals("brand", "a"))),
    ('brand in ("a", 5)', In("brand", ("a", 5.0))),
    ('brand NOT IN ("a")', Not(In("brand", ("a",)))),
    ('[main colour] = "red"', Equals("main colour", "red")),
    ("[odd ]] name]=1", Equals("odd ] name", 1.0)),
    ("größe_2.b-c = 1", Equals("größe_2.b-c", 1.0)),
    ("[in] = 1", Equals("in", 1.0)),
    (
        'department = "shoes" and price < 50 and not brand in ("a", "b")',
        And(
            (
                Equals("department", "shoes"),
                Range("price", None, 50.0, True, False),
                Not(In("brand", ("a", "b"))),
            )
        ),
    ),
    ("a=1 or b=2 and c=3", Or((Equals("a", 1.0), And((Equals("b", 2.0), Equals("c", 3.0)))))),
    ("(a=1 or b=2) and not (c=3)", And((Or((Equals("a", 1.0), Equals("b", 2.0))), Not(Equals("c", 3.0))))),
    (" \n a \t = 1 \n", Equals("a", 1.0)),
]


@pytest.mark.parametrize(("text", "condition"), READ, ids=[text for text, _ in READ])
def test_the_language_says_what_it_looks_like(text: str, condition: Filter) -> None:
    assert parse_filter(text) == condition


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"character 1: expected a condition, such as .*, not its end"),
        ("brand", r'character 6: expected =, !=, .* "in" or "between", not its end'),
        ("brand = ", r"character 8: expected a number, or a text in quotes, not its end"),
        ("brand = shoes", r"character 9: expected a number, or a text in quotes, not shoes"),
        ('brand = "shoes', r'character 9: cannot read " that does not end'),
        ("[main colour = 1", r"character 1: cannot read \[ that does not end"),
        ("price < 50euro", r"character 9: cannot read 50euro"),
        ("price = 1e999", r"character 9: 1e999 is no number"),
        ("price < 50 brand = 1", r'character 12: expected "and", "or" or the end, not brand'),
        ("price < 50 and", r"character 15: expected a condition"),
        ("(price < 50", r'character 12: expected "\)", not its end'),
        ("price in 5", r'character 10: expected "\(", not 5'),
        ("price in ()", r"character 11: expected a number"),
        ("price between 5 or 6", r'character 17: expected "and", not or'),
        ("price not 5", r'character 11: expected "in" or "between", not 5'),
        ("not", r"character 4: expected a condition"),
        ("in = 1", r"character 1: expected a condition, .*, not in"),
        ("price ~ 5", r"character 7: cannot read ~"),
        ("(" * 9000, r"character \d+: more than 50 levels"),
        ("not " * 2000 + "a = 1", r"character \d+: more than 50 levels"),
        ("a = 1 or " * 2000, f"longer than {LONGEST} characters"),
        ('a = """""""""""""""' + '""' * 4000, r"character 5: cannot read"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_place(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_filter(text)


PIECES = ["a", "=", "1", "and", "or", "not", "in", "(", ")", ",", '"x"', "[y]", "<", "between"]


@given(st.text(max_size=40) | st.lists(st.sampled_from(PIECES)).map(" ".join))
@settings(max_examples=300)
def test_whatever_is_written_is_read_or_refused(text: str) -> None:
    try:
        condition = parse_filter(text)
    except UsageError as error:
        assert "the filter" in str(error)
    else:
        assert isinstance(condition, Equals | In | Range | And | Or | Not)


def test_a_condition_that_the_catalogue_cannot_answer_names_what_there_is(tmp_path: Path) -> None:
    columns = stored([{"brand": "a", "price": "5"}], tmp_path)
    for text, message in (
        ('price = 5 and bran = "a"', r"at character 15: there is no attribute bran: there are brand, price"),
        ("brand < 5", r'at character 1: brand is compared with the number 5, but not .* as in size >= "M"'),
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
    workspace.fit("shop", folder / "images.csv", model=MODEL)
    return workspace


@pytest.mark.parametrize("aggregate", ["best", "mean", "votes"])
def test_a_filtered_search_gives_as_many_as_asked_for_however_far_away(
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
    blue = workspace.search("shop", photo, model=MODEL, aggregate=aggregate, filter=Equals("colour", "blue"), number=30)
    assert {match.product_id[:4] for match in blue.matches} == {"blue"}
    assert len(blue.matches) == 30


def test_a_filter_that_cannot_be_used_is_refused_before_anything_is_loaded(
    workspace: Workspace, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="at character 7: expected"):
        workspace.search("nowhere", tmp_path / "none.png", model=MODEL, filter="price cheap")
    with pytest.raises(UsageError, match="there is no attribute weight: there are colour, price"):
        workspace.search("shop", tmp_path / "none.png", model=MODEL, filter="weight < 3")
