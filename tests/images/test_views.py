"""Squares and their six views: each by hand, and against other people's arithmetic."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings as examples, strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from PIL import Image

from image_similarity.errors import UsageError
from image_similarity.images.resampling import FILTERS
from image_similarity.images.views import (
    ONE_VIEW,
    SIX_VIEWS,
    TRANSFORMS,
    min_side,
    square,
    stack,
    views_for,
    white_background,
)
from image_similarity.types import InputSpec, Interpolation, Resize

NINE = [[1, 2, 3], [4, 5, 6], [7, 8, 9]]
INVERSE = {"000": "000", "0001": "0001", "0002": "0002", "00090": "000270", "000180": "000180", "000270": "00090"}
SQUARES = st.integers(1, 7).flatmap(lambda side: arrays(np.uint8, (side, side, 3)))


def coloured(rows: list[list[int]]) -> NDArray[np.uint8]:
    """An image whose red is the number, green a hundred more, blue two hundred less than the most."""
    numbers = np.array(rows)
    return np.stack([numbers, numbers + 100, 200 - numbers], axis=-1).astype(np.uint8)


# The six -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("view", "seen"),
    [
        ("000", [[1, 2, 3], [4, 5, 6], [7, 8, 9]]),
        ("0001", [[3, 2, 1], [6, 5, 4], [9, 8, 7]]),  # left and right change places
        ("0002", [[7, 8, 9], [4, 5, 6], [1, 2, 3]]),  # up and down
        ("00090", [[3, 6, 9], [2, 5, 8], [1, 4, 7]]),  # a quarter turn, counter-clockwise
        ("000180", [[9, 8, 7], [6, 5, 4], [3, 2, 1]]),
        ("000270", [[7, 4, 1], [8, 5, 2], [9, 6, 3]]),
    ],
)
def test_each_code_is_the_first_versions(view: str, seen: list[list[int]]) -> None:
    assert np.array_equal(TRANSFORMS[view](coloured(NINE)), coloured(seen))


def test_the_views_come_in_the_order_that_is_asked_for() -> None:
    views = stack(coloured(NINE), ["00090", "000"])
    assert views.shape == (2, 3, 3, 3)
    assert np.array_equal(views[0], coloured([[3, 6, 9], [2, 5, 8], [1, 4, 7]]))
    assert np.array_equal(views[1], coloured(NINE))


def test_data_augmentation_is_all_or_one() -> None:
    assert views_for(0) == ONE_VIEW == ("000",)
    assert views_for(1) == SIX_VIEWS == ("000", "0001", "0002", "00090", "000180", "000270")


@pytest.mark.parametrize("number", [-1, 2, 6])
def test_there_is_no_other_data_augmentation(number: int) -> None:
    with pytest.raises(UsageError, match=f"`data_augmentation` is 0 or 1, not {number}"):
        views_for(number)


@examples(derandomize=True, deadline=None)
@given(SQUARES)
def test_every_view_has_one_that_undoes_it(pixels: NDArray[np.uint8]) -> None:
    for view, inverse in INVERSE.items():
        assert np.array_equal(TRANSFORMS[inverse](TRANSFORMS[view](pixels)), pixels)


@examples(derandomize=True, deadline=None)
@given(SQUARES)
def test_turns_and_flips_add_up(pixels: NDArray[np.uint8]) -> None:
    quarter, half = TRANSFORMS["00090"](pixels), TRANSFORMS["000180"](pixels)
    assert np.array_equal(TRANSFORMS["00090"](quarter), half)
    assert np.array_equal(TRANSFORMS["00090"](half), TRANSFORMS["000270"](pixels))
    assert np.array_equal(TRANSFORMS["0001"](TRANSFORMS["0002"](pixels)), half)


@examples(derandomize=True, deadline=None)
@given(SQUARES)
def test_views_hold_the_same_pixels_in_one_piece_of_memory(pixels: NDArray[np.uint8]) -> None:
    views = stack(pixels, SIX_VIEWS)
    assert views.flags.c_contiguous
    for view in views:
        assert sorted(map(bytes, view.reshape(-1, 3))) == sorted(map(bytes, pixels.reshape(-1, 3)))


# Squares -----------------------------------------------------------------------------------------------------------


def speckled(width: int, height: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(width * 1000 + height).integers(0, 256, (height, width, 3), np.uint8))


@pytest.mark.parametrize(("width", "height"), [(7, 5), (301, 200), (96, 96), (1, 40), (50, 97), (641, 33)])
@pytest.mark.parametrize("size", [1, 8, 224])
def test_nearest_takes_the_pixel_under_each_centre(width: int, height: int, size: int) -> None:
    """What Keras' ``load_img`` does, computed in whole numbers; against Keras itself: ``test_keras_networks.py``."""
    image = speckled(width, height)
    pixels = square(image, InputSpec(size, "stretch", "nearest"))
    columns, rows = ([(2 * place + 1) * side // (2 * size) for place in range(size)] for side in (width, height))
    assert np.array_equal(pixels, np.asarray(image)[np.ix_(rows, columns)])


@pytest.mark.parametrize("interpolation", FILTERS)
def test_a_stretched_square_has_no_background(interpolation: Interpolation) -> None:
    pixels = square(Image.new("RGB", (90, 20), (10, 20, 30)), InputSpec(16, "stretch", interpolation))
    assert pixels.shape == (16, 16, 3)
    assert (pixels == (10, 20, 30)).all()


@pytest.mark.parametrize("interpolation", FILTERS)
@pytest.mark.parametrize(
    ("width", "height", "inner"),
    [
        (40, 20, (0, 8, 32, 24)),
        (20, 40, (8, 0, 24, 32)),
        (10, 10, (0, 0, 32, 32)),
        (400, 3, (0, 15, 32, 16)),  # never less than a pixel
        (1, 4000, (15, 0, 16, 32)),
    ],
)
def test_a_padded_square_has_the_whole_picture_in_the_middle_of_white(
    width: int, height: int, inner: tuple[int, int, int, int], interpolation: Interpolation
) -> None:
    left, top, right, bottom = inner
    pixels = square(Image.new("RGB", (width, height), (10, 20, 30)), InputSpec(32, "pad", interpolation))
    assert pixels.shape == (32, 32, 3)
    assert (pixels[top:bottom, left:right] == (10, 20, 30)).all()
    outside = np.ones((32, 32), bool)
    outside[top:bottom, left:right] = False
    assert (pixels[outside] == 255).all()


def test_box_is_the_mean_of_what_a_pixel_covers() -> None:
    image = Image.fromarray(coloured([[0, 2, 10, 20], [4, 6, 30, 40]]))
    pixels = square(image, InputSpec(2, "pad", "box"))
    assert pixels[0, :, 0].tolist() == [3, 25]
    assert (pixels[1] == 255).all()


@pytest.mark.parametrize("shorter", [0, 24])
@pytest.mark.parametrize(("width", "height"), [(40, 20), (20, 40), (33, 33), (16, 700), (301, 16), (7, 5)])
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic", "lanczos"])
def test_a_middle_is_cut_out_of_the_picture_made_smaller(
    width: int, height: int, shorter: int, interpolation: Interpolation
) -> None:
    image = speckled(width, height)
    scale = shorter or 16
    wide, high = (scale * side // min(width, height) for side in (width, height))
    whole = np.asarray(image.resize((wide, high), FILTERS[interpolation])).astype(int)
    left, top = (wide - 16) // 2, (high - 16) // 2
    pixels = square(image, InputSpec(16, "crop", interpolation, shorter)).astype(int)
    # Pillow may go down before it goes across, and rounds and clips in between: noise shows that, photographs do not.
    assert np.abs(pixels - whole[top : top + 16, left : left + 16]).mean() < 3


@pytest.mark.parametrize("interpolation", FILTERS)
def test_a_middle_costs_no_more_of_a_picture_ten_thousand_times_as_wide_as_high(interpolation: Interpolation) -> None:
    pixels = square(Image.new("RGB", (20_000, 2), (10, 20, 30)), InputSpec(224, "crop", interpolation, 256))
    assert pixels.shape == (224, 224, 3)
    assert (pixels == (10, 20, 30)).all()


@pytest.mark.parametrize("resize", ["stretch", "pad", "crop"])
@pytest.mark.parametrize("interpolation", FILTERS)
def test_a_picture_that_fits_is_not_resampled(resize: Resize, interpolation: Interpolation) -> None:
    image = speckled(16, 16)
    assert np.array_equal(square(image, InputSpec(16, resize, interpolation)), np.asarray(image))


def test_nearest_needs_every_pixel_and_the_others_need_their_size() -> None:
    assert min_side(InputSpec(224, "stretch", "nearest")) is None
    assert min_side(InputSpec(384, "pad", "bicubic")) == 384
    assert min_side(InputSpec(384, "crop", "bicubic", 448)) == 448


def test_small_inputs_are_made_from_one_decoding() -> None:
    assert min_side(InputSpec(128, "pad", "box")) == min_side(InputSpec(320, "pad", "bicubic")) == 320


# Studio shots ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "white"),
    [((255, 255, 255), True), ((254, 255, 255), False), ((255, 255, 0), False), ((0, 0, 0), False)],
)
def test_a_white_first_pixel_makes_a_white_background(first: tuple[int, int, int], white: bool) -> None:
    pixels = np.full((4, 4, 3), 0 if white else 255, np.uint8)  # no other pixel has a say
    pixels[0, 0] = first
    assert white_background(pixels) is white
