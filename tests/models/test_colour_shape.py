"""``colour-shape``: what it sees, tested by which images are nearer to which."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings as examples, strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from image_similarity.images.views import square
from image_similarity.models.colour_shape import ColourShape
from image_similarity.models.colour_shape_record import SPEC
from image_similarity.options import ModelChoice
from image_similarity.settings import Settings
from image_similarity.types import no_progress
from tests.support.models import load_model, model_spec

MODEL = ColourShape()
COLOURS = {"red": (200, 30, 30), "blue": (30, 60, 190), "green": (30, 140, 60), "black": (25, 25, 25)}
SHAPES = ("disc", "bar", "triangle", "ring")


def drawn(shape: str, colour: str, *, shift: tuple[int, int] = (0, 0), background: str = "white") -> Image.Image:
    """A thing of one colour, 200 x 200."""
    picture = Image.new("RGB", (200, 200), background)
    draw = ImageDraw.Draw(picture)
    across, down = shift
    box = (50 + across, 50 + down, 150 + across, 150 + down)
    left, top, right, bottom = box
    if shape == "disc":
        draw.ellipse(box, COLOURS[colour])
    elif shape == "bar":
        draw.rectangle((left, top + 35, right, bottom - 35), COLOURS[colour])
    elif shape == "triangle":
        draw.polygon([(left, bottom), (right, bottom), ((left + right) // 2, top)], COLOURS[colour])
    else:
        draw.ellipse(box, None, COLOURS[colour], 18)
    return picture


def vector(picture: Image.Image) -> NDArray[np.float32]:
    described: NDArray[np.float32] = MODEL.embed(square(picture, SPEC.input)[None])[0]
    return described


def likeness(one: Image.Image, other: Image.Image) -> float:
    return float(vector(one) @ vector(other))


def test_the_record_says_what_comes_out() -> None:
    vectors = MODEL.embed(np.zeros((2, SPEC.input.size, SPEC.input.size, 3), np.uint8))
    assert vectors.shape == (2, SPEC.dimension)
    assert SPEC.dimension == 784 <= 1000
    assert SPEC.weights == "none"


def test_it_is_there_without_weights_and_without_a_workspace() -> None:
    model = load_model(ModelChoice("colour-shape"), Settings(), no_progress)
    assert model.spec == model_spec(ModelChoice("colour-shape")) == SPEC


def test_the_same_picture_gets_the_same_bytes() -> None:
    picture = drawn("ring", "green")
    assert vector(picture).tobytes() == vector(picture.copy()).tobytes()


@pytest.mark.parametrize("shape", SHAPES)
def test_the_same_shape_in_another_colour_is_nearer_than_another_shape_in_another_colour(shape: str) -> None:
    same = likeness(drawn(shape, "red"), drawn(shape, "blue"))
    assert same < 0.999
    for other in set(SHAPES) - {shape}:
        assert same > likeness(drawn(shape, "red"), drawn(other, "blue")) + 0.05


@pytest.mark.parametrize("colour", COLOURS)
def test_another_shape_in_the_same_colour_is_nearer_than_in_another_colour(colour: str) -> None:
    same = likeness(drawn("disc", colour), drawn("bar", colour))
    for other in set(COLOURS) - {colour}:
        assert same > likeness(drawn("disc", colour), drawn("bar", other)) + 0.005


def test_colour_breaks_the_ties_of_shape() -> None:
    red, blue = drawn("disc", "red"), drawn("disc", "blue")
    assert likeness(red, drawn("disc", "red", shift=(6, -4))) > likeness(red, blue)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_thing_that_lies_elsewhere_in_the_picture_stays_what_it_is(shape: str) -> None:
    moved = likeness(drawn(shape, "red"), drawn(shape, "red", shift=(22, 15)))
    assert all(moved > likeness(drawn(shape, "red"), drawn(other, "red")) + 0.05 for other in set(SHAPES) - {shape})


@pytest.mark.parametrize("shape", SHAPES)
def test_a_wider_frame_does_not_make_another_thing_of_it(shape: str) -> None:
    wide = Image.new("RGB", (300, 200), "white")
    wide.paste(drawn(shape, "green"), (50, 0))
    likenesses = {other: likeness(wide, drawn(other, "green")) for other in SHAPES}
    assert max(likenesses, key=lambda other: likenesses[other]) == shape


def test_lying_is_not_standing() -> None:
    bar = drawn("bar", "black")
    assert likeness(bar, bar.rotate(90)) < 0.8
    assert likeness(bar, bar.rotate(180)) > 0.95


@pytest.mark.parametrize("colour", ["white", "black", "red", (254, 254, 254), (128, 128, 128)])
def test_a_picture_of_one_colour_has_a_vector_like_any_other(colour: str | tuple[int, int, int]) -> None:
    plain = vector(Image.new("RGB", (50, 80), colour))
    assert np.isfinite(plain).all()
    assert np.isclose(np.linalg.norm(plain), 1, atol=1e-6)


def test_plain_colours_are_told_apart() -> None:
    red, dark_red, blue = (Image.new("RGB", (50, 50), colour) for colour in ("#d01010", "#b01010", "#1010d0"))
    assert likeness(red, dark_red) > likeness(red, blue) + 0.02


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (2, 3), (96, 96), (97, 4000)])
def test_a_picture_of_any_size_has_a_vector(size: tuple[int, int]) -> None:
    speckled = Image.effect_noise(size, 90).convert("RGB")
    assert np.isclose(np.linalg.norm(vector(speckled)), 1, atol=1e-6)


@examples(derandomize=True, deadline=None, max_examples=60)
@given(seed=st.integers(0, 2**32), fields=st.sampled_from([1, 2, 3, 8, 96]), shades=st.sampled_from([2, 3, 256]))
def test_any_pixels_have_a_vector_of_unit_length(seed: int, fields: int, shades: int) -> None:
    generator = np.random.default_rng(seed)
    coarse = generator.integers(0, shades, (fields, fields, 3)) * (255 // (shades - 1))
    pixels = np.kron(coarse, np.ones((96 // fields, 96 // fields, 1))).astype(np.uint8)
    vectors = MODEL.embed(pixels[None])
    assert vectors.dtype == np.float32
    assert np.isclose(np.linalg.norm(vectors), 1, atol=1e-5)
