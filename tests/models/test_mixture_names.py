"""Models side by side, as they are typed: what the text means, and the name that follows from it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from image_similarity.errors import UsageError
from image_similarity.models.mixture import (
    LONGEST_KEY,
    Expression,
    Part,
    key_of,
    parse_expression,
    shares_of,
)
from image_similarity.models.resolver import expression_of
from image_similarity.options import ModelChoice
from tests.support.models import model_named

KNOWN = {"VGG", "colour-shape", "colour", "mine.toml", "my+net.toml", "2*b.toml"}


def parse(text: str) -> Expression:
    return parse_expression(text, KNOWN.__contains__)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("VGG", [("VGG", 1)]),
        ("VGG+0.1*colour-shape", [("VGG", 1), ("colour-shape", 0.1)]),
        (" VGG + .5 * colour ", [("VGG", 1), ("colour", 0.5)]),
        ("2*VGG+1e-2*colour", [("VGG", 2), ("colour", 0.01)]),
        ("my+net.toml+0.2*mine.toml", [("my+net.toml", 1), ("mine.toml", 0.2)]),
        ("0.3*my+net.toml+VGG", [("my+net.toml", 0.3), ("VGG", 1)]),
        ("2*b.toml+2*VGG", [("2*b.toml", 1), ("VGG", 2)]),
    ],
)
def test_parts_stand_between_plus_signs_and_may_have_a_weight(text: str, parts: list[tuple[str, float]]) -> None:
    assert parse(text) == Expression(tuple(Part(*part) for part in parts))
    assert parse(f"{text}+adapted") == Expression(tuple(Part(*part) for part in parts), adapted=True)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("VGG+VGG", "a model is in it twice"),
        ("VGG+0*colour", "the weight of colour must be above 0, not 0"),
        ("+".join(f"m{number}" for number in range(9)), "at most 8 models in a mixture"),
    ],
)
def test_what_cannot_be_meant_is_refused(text: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        parse_expression(text, lambda name: name in KNOWN or (len(name) == 2 and name[0] == "m"))


@pytest.mark.parametrize("text", ["VGG+nothing", "nothing", "VGG+", "+VGG", "adapted", "1.5*nothing+VGG"])
def test_a_name_that_no_model_has_is_told_with_those_that_there_are(text: str) -> None:
    with pytest.raises(UsageError, match=r"there is no model .*: use standard, EfficientNet-Lite2"):
        model_named(ModelChoice(text))


@given(st.lists(st.sampled_from(sorted(KNOWN)), min_size=1, max_size=6, unique=True), st.data())
def test_whatever_is_put_together_is_taken_apart_again(names: list[str], data: st.DataObject) -> None:
    weights = [data.draw(st.floats(0.01, 100).map(lambda each: float(f"{each:g}"))) for _ in names]
    text = "+".join(f"{weight:g}*{name}" for name, weight in zip(names, weights, strict=True))
    assert parse(text).parts == tuple(Part(*part) for part in zip(names, weights, strict=True))


def test_one_model_keeps_its_key_and_several_are_named_with_their_weights() -> None:
    assert key_of(["VGG"], [1]) == "VGG"
    assert key_of(["VGG"], [0.5]) == "VGG", "alone, a weight is nothing"
    assert key_of(["VGG", "colour"], [1, 0.1]) == "VGG+0.1xcolour"
    assert key_of(["VGG", "colour"], [1, 0.1], "0a1b2c3d") == "VGG+0.1xcolour+adapted@0a1b2c3d"


def test_a_key_too_long_for_a_file_becomes_a_digest_that_tells_weights_apart() -> None:
    keys = [f"network-with-a-long-name-{number}@01234567" for number in range(4)]
    one, other = key_of(keys, [1, 1, 1, 1]), key_of(keys, [1, 1, 1, 2])
    assert one.startswith("mixture@") and len(one) <= LONGEST_KEY and one != other


@given(st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=8))
def test_shares_add_up_to_one_and_keep_their_proportions(weights: list[float]) -> None:
    shares = shares_of(weights)
    assert sum(shares) == pytest.approx(1)
    assert [share / shares[0] for share in shares] == pytest.approx([weight / weights[0] for weight in weights])


def test_weights_files_go_with_one_model_alone() -> None:
    with pytest.raises(UsageError, match="go with a single model"):
        expression_of(ModelChoice("VGG+colour", Path("weights.h5")))


def test_a_precision_goes_to_the_networks_of_a_mixture() -> None:
    network, colour = model_named(ModelChoice("VGG+0.1*colour", precision="bf16")).specs
    assert (network.name, network.precision, network.key) == ("VGG", "bf16", "VGG@bf16")
    assert (colour.name, colour.precision, colour.key) == ("colour", "", "colour")
