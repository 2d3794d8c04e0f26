"""Numbers as shops write them, and what filters and facets make of them."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from image_similarity import Workspace
from image_similarity.errors import UsageError
from image_similarity.index.amounts import numbers_of
from image_similarity.settings import Settings
from tests.conftest import paint
from tests.support.shop import BLUE, GREEN, RED

MODEL = "colour-shape"

CURRENCY = st.sampled_from(["", "EUR", "€", "$", "US$", "kr", "CHF", "zł", "eur"])


@pytest.mark.parametrize(
    ("texts", "numbers"),
    [
        (["12.50 EUR", "EUR 9", "€7.5", "-€5", "n/a", ""], [12.5, 9, 7.5, -5, None, None]),
        (["1.299,00", "1.299", "49"], [1299, 1299, 49]),
        (["1,299.00 USD", "1,299", "1.299"], [1299, 1299, 1.299]),
        (["1.299", "2"], [1.299, 2]),
        (["1.299 €", "49 €"], [1299, 49]),
        (["£1,299", "24,90 €", "1.299,00 EUR"], [1299, 24.9, 1299]),
        (["$1.299", "24.90", "12.50 USD"], [1299, 24.9, 12.5]),
        (["1.299 KWD", "24.900 KWD", "3.5 KWD"], [1.299, 24.9, 3.5]),
        (["1'299.50 CHF", "1\u202f299,00\xa0€", "12,-", "1.299.000"], [1299.5, 1299, 12, 1299000]),
        (["Rs. 500", "Rs.500", "500 kr.", "1e3", ".5"], [500, 500, 500, 1000, 0.5]),
        (["2024-01-31", "5 %", "0171 234 567", "1.2.3", "10-12", "M", "inf", "9" * 400], [None] * 8),
        (["12 pieces", "5 kg", "EUR 5 EUR", "٣", "-", "EUR", "€"], [None] * 7),
    ],
)
def test_a_column_is_read_as_its_shop_means_it(texts: list[str], numbers: list[float | None]) -> None:
    assert numbers_of(texts) == numbers


@given(
    cents=st.lists(st.integers(-(10**9), 10**9), min_size=1, max_size=20),
    marks=st.sampled_from([(",", "."), (".", ","), ("", "."), ("", ","), (" ", ","), ("'", ".")]),
    currency=CURRENCY,
    before=st.booleans(),
)
def test_whatever_a_shop_writes_is_read_back(
    cents: list[int], marks: tuple[str, str], currency: str, before: bool
) -> None:
    def written(amount: int) -> str:
        text = f"{abs(amount) / 100:,.2f}".replace(",", "#").replace(".", marks[1]).replace("#", marks[0])
        text = ("-" if amount < 0 else "") + text
        return f"{currency} {text}" if before else f"{text} {currency}"

    assert numbers_of([written(amount) for amount in cents]) == pytest.approx([amount / 100 for amount in cents])


@given(st.lists(st.text(alphabet="0123456789.,'-+eE €$kr\xa0n/a", max_size=12) | st.text(max_size=8), max_size=6))
def test_nothing_stops_the_reader_and_the_order_of_texts_does_not_matter(texts: list[str]) -> None:
    numbers = numbers_of(texts)
    assert numbers_of(texts[::-1]) == numbers[::-1]
    for text, number in zip(texts, numbers, strict=True):
        assert number is None or any(character.isdigit() for character in text)


@pytest.fixture(scope="module")
def priced(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Five products with prices as they come, and a column of pieces."""
    folder = tmp_path_factory.mktemp("priced")
    prices = ["12.50 EUR", "€9.00", "1.299,00", "n/a", "100"]
    rows = ["product_id;image;price;pack;size"]
    for number, price in enumerate(prices):
        paint(folder / f"{number}.png", (RED, BLUE, GREEN)[number % 3])
        rows.append(f"p{number};{number}.png;{price};{number + 8} pieces;{'SML'[number % 3]}")
    (folder / "shop.csv").write_text("\n".join(rows))
    workspace = Workspace(settings=Settings(root=folder / "data"))
    workspace.fit("shop", folder / "shop.csv", model=MODEL)
    return workspace


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ("price < 50", {"p0", "p1"}),
        ("price >= 100", {"p2", "p4"}),
        ("not price < 50", {"p2", "p3", "p4"}),
        ("price = 9", {"p1"}),
        ("price in (12.5, 1299)", {"p0", "p2"}),
        ('price = "n/a"', {"p3"}),
        ('price = "€9.00"', {"p1"}),
        ('price in ("n/a", 100)', {"p3", "p4"}),
    ],
)
def test_filters_compare_what_prices_are(priced: Workspace, condition: str, found: set[str]) -> None:
    photo = priced.settings.root.parent / "0.png"
    answer = priced.search("shop", photo, model=MODEL, filter=condition)
    assert {match.product_id for match in answer.matches} == found


def test_no_message_advises_a_comparison_that_gives_other_rows(priced: Workspace) -> None:
    photo = priced.settings.root.parent / "0.png"
    with pytest.raises(UsageError, match='none of its values is one: there are "10 pieces", "11 pieces"') as error:
        priced.search("shop", photo, model=MODEL, filter="pack < 12")
    assert "quotes" not in str(error.value)
    with pytest.raises(UsageError, match="Texts are compared in quotes"):
        priced.search("shop", photo, model=MODEL, filter="size < 12")
