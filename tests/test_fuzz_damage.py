"""Any damage to any file of a workspace: a right answer, one that says what it lacks, or the sentence of an error."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from image_similarity import Workspace
from image_similarity.errors import ImageSimilarityError
from image_similarity.jobs.answers import Answer
from image_similarity.service.guards.keys import Allowed, Keys
from tests.fuzzing import examples, offline
from tests.test_calibrate import paint_products

MODEL = "colour-shape"
WITHOUT_DIGEST = ("features.db", ".pickle", "keys.json")
"""A number in these that became another is not noticed: SQLite has no sums, the pickle is the first version's."""
SKIPPED = ("lock", ".part", ".log")
ODD_JSON = ("[]", "{}", "null", "1", "NaN", "1e999", '"x"', "[" * 100_000, '{"format":1}', "\ud800", "{" * 9)
ODD_VALUES: tuple[Any, ...] = (None, [], {}, "x", -1, 0, 10**30, 1.5, math.nan, True, [1, 2], "\x00")


class Shop:
    """A workspace with everything in it, and what it answers while nothing is damaged."""

    def __init__(self, folder: Path) -> None:
        self.whole, self.hurt = folder / "whole", folder / "hurt"
        self.pictures = paint_products(folder / "pictures", 30)
        (folder / "products.csv").write_text(
            "product_id,title,price\n" + "".join(f"p{each:02},Thing {each},{each * 3}\n" for each in range(30))
        )
        shop = Workspace(self.whole)
        shop.fit("shop", self.pictures, products=folder / "products.csv", model=MODEL)
        shop.calibrate("shop", model=MODEL, pictures=30)
        shop.use("shop", MODEL)
        Keys(self.whole / "keys.json").add("web", Allowed.read)
        self.right = {name: ask() for name, ask in self.questions(shop).items()}
        kept = (path for path in self.whole.rglob("*") if path.is_file() and not path.name.endswith(SKIPPED))
        self.files = sorted(path.relative_to(self.whole).as_posix() for path in kept)

    def questions(self, shop: Workspace) -> dict[str, Callable[[], Any]]:
        photo = self.pictures / "p01_1.png"
        return {
            "search": lambda: plain(shop.search("shop", photo, filter="price < 40")),
            "sure": lambda: plain(shop.search("shop", photo, min_match=0.2)),
            "similar": lambda: plain(shop.similar("shop", "p01")),
            "shape": lambda: plain(shop.similar("shop", "p01", like="shape")),
            "use": lambda: shop.use("shop"),
            "failures": lambda: list(shop.failures("shop")),
            "keys": lambda: Keys(shop.settings.root / "keys.json").all(),
            "use again": lambda: shop.use("shop", MODEL).model,
            "after": lambda: plain(shop.search("shop", photo, filter="price < 40")),
        }


def plain(answer: Answer) -> tuple[str, list[tuple[Any, ...]]]:
    """What an answer says of its matches, and the note that says what it could not tell."""
    matches: list[tuple[Any, ...]] = [
        (each.product_id, each.rank, each.score, each.image_id, each.probability) for each in answer.matches
    ]
    assert all(each.score is None or math.isfinite(each.score) for each in answer.matches)
    return answer.note, matches


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with offline():
        yield Shop(tmp_path_factory.mktemp("damage"))


@st.composite
def damages(draw: st.DrawFn) -> Callable[[bytes], bytes | None]:
    """What happens to a file's bytes; None: a folder takes its place."""
    place = draw(st.floats(0, 1, exclude_max=True))
    value = draw(st.integers(0, 255))
    odd_text, odd_value = draw(st.sampled_from(ODD_JSON)), draw(st.sampled_from(ODD_VALUES))
    junk = draw(st.binary(max_size=40))

    def written_over(data: bytes) -> bytes:
        start = int(place * len(data))
        return (data[:start] + junk + data[start + len(junk) :])[: len(data)]

    def one_value(data: bytes) -> bytes:
        try:
            record = json.loads(data)
        except ValueError:
            return one_byte(data)
        places = list(_places(record))
        holder, key = places[int(place * len(places))]
        holder[key] = odd_value
        return json.dumps(record).encode()

    def one_byte(data: bytes) -> bytes:
        start = int(place * len(data))
        return data[:start] + bytes([value]) + data[start + 1 :]

    ways: list[Callable[[bytes], bytes | None]] = [
        *(one_byte, written_over, one_value, lambda data: data[: int(place * len(data))]),
        *(lambda data: data + junk, lambda data: bytes(len(data)), lambda data: b"\xff" * len(data)),
        *(lambda data: odd_text.encode(errors="surrogatepass"), lambda data: None),
    ]
    return draw(st.sampled_from(ways))


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place in a record where a value stands."""
    for key in list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield value, key
        yield from _places(value[key])


@examples(60)
@given(st.floats(0, 1, exclude_max=True), damages())
def test_any_damage_to_any_file(shop: Shop, which: float, damage: Callable[[bytes], bytes | None]) -> None:
    name = shop.files[int(which * len(shop.files))]
    shutil.rmtree(shop.hurt, ignore_errors=True)
    shutil.copytree(shop.whole, shop.hurt)
    path = shop.hurt / name
    before, after = path.read_bytes(), damage(path.read_bytes())
    path.unlink()
    if after is None:
        path.mkdir()
    else:
        path.write_bytes(after)
    for question, ask in shop.questions(Workspace(shop.hurt)).items():
        try:
            told = ask()
        except ImageSimilarityError as error:
            assert str(error).strip()
            assert "\n" not in str(error)
            continue
        if not name.endswith(WITHOUT_DIGEST) and after != before:
            assert _agrees(told, shop.right[question]), (name, question, told)


def _agrees(told: Any, right: Any) -> bool:
    """Whether an answer is the right one, or says that it has no probabilities and is right otherwise."""
    if not isinstance(told, tuple) or not isinstance(told[0], str) or told[0] == right[0]:
        return bool(told == right)
    return [each[:4] for each in told[1]] == [each[:4] for each in right[1]] and not any(each[4] for each in told[1])
