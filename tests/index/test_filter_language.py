"""The filter language: what each expression means, and clear errors for invalid ones."""

from __future__ import annotations

import pytest
from hypothesis import given, settings, strategies as st

from image_similarity.errors import UsageError
from image_similarity.index.filter_language import LONGEST, parse_filter
from image_similarity.index.filters import And, Equals, Filter, In, Not, Or, Range

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
        ("price = 1e999", r"character 9: 1e999 is not a usable number"),
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
