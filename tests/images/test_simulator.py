"""Simulated photos: seeded, plausible, and of the thing that was on the image."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageDraw

from image_similarity.images.backgrounds import draw_background
from image_similarity.images.cutout import cutout
from image_similarity.images.simulator import STANDARD, simulated_photo
from tests.support.pictures import four_corners

RED = (200, 30, 40)
MILD = replace(
    STANDARD,
    turn=0.0,
    tilt=0.0,
    offset=0.0,
    objects=(0, 0),
    exposure=0.0,
    warmth=0.0,
    gamma=0.0,
    falloff=0.0,
    blur=0.0,
    noise=0.0,
    quality=(95, 95),
    fill=(0.8, 0.8),
)


def studio(
    size: tuple[int, int] = (300, 400), background: int = 250, colour: tuple[int, int, int] = RED
) -> Image.Image:
    """A red ring with a white inside, on an even background."""
    image = Image.new("RGB", size, (background,) * 3)
    width, height = size
    ImageDraw.Draw(image).ellipse(
        (width * 0.2, height * 0.2, width * 0.8, height * 0.8), fill=(background,) * 3, outline=colour, width=width // 6
    )
    return image


def reds(photo: Image.Image) -> float:
    """The share of pixels that are clearly red."""
    pixels = np.asarray(photo).astype(int)
    return float((pixels[..., 0] - pixels[..., 1:].max(axis=-1) > 70).mean())


def test_the_same_seed_takes_the_same_photo() -> None:
    first, again, other = (simulated_photo(studio(), seed) for seed in (3, 3, 4))
    assert first.tobytes() == again.tobytes()
    assert first.size != other.size or first.tobytes() != other.tobytes()


@pytest.mark.parametrize("seed", range(6))
def test_a_photo_shows_the_thing_somewhere_else(seed: int) -> None:
    photo = simulated_photo(studio(), seed)
    assert photo.mode == "RGB"
    assert max(photo.size) == STANDARD.side
    assert 0.03 < reds(photo) < 0.6
    corners = np.asarray(photo)[[0, 0, -1, -1], [0, -1, 0, -1]].astype(int)
    assert (np.abs(corners - 250).max(axis=1) > 6).any()  # the studio is gone


def test_without_any_hardness_the_thing_is_as_it_was() -> None:
    photo = simulated_photo(studio(), 5, MILD)
    pixels = np.asarray(photo).astype(int)
    clearly = np.abs(pixels - RED).max(axis=-1) < 12
    assert clearly.mean() == pytest.approx(reds(photo), abs=0.02)
    down, across = np.nonzero(clearly)
    middle = across.mean() / photo.width, down.mean() / photo.height
    assert middle == pytest.approx((0.5, 0.5), abs=0.01)
    spans = np.ptp(across) / photo.width, np.ptp(down) / photo.height
    assert max(spans) == pytest.approx(0.8, abs=0.02)  # `fill` of the frame


def test_a_white_inside_stays_and_the_outside_goes() -> None:
    alone = cutout(studio())
    assert alone is not None
    alpha = np.asarray(alone.getchannel("A"))
    assert alone.size == pytest.approx((180, 240), abs=4)
    assert alpha[alpha.shape[0] // 2, alpha.shape[1] // 2] == 255
    assert alpha[0, 0] == 0


@pytest.mark.parametrize(
    "image",
    [
        four_corners(200, 150),
        studio(background=120),
        Image.new("RGB", (80, 60), (255, 255, 255)),
        Image.fromarray(np.random.default_rng(0).integers(0, 256, (90, 120, 3)).astype(np.uint8)),
    ],
    ids=["four colours", "grey", "nothing", "noise"],
)
def test_an_image_without_a_light_even_background_is_the_scene_itself(image: Image.Image) -> None:
    assert cutout(image) is None
    photo = simulated_photo(image, 1)
    assert max(photo.size) == STANDARD.side
    assert photo.width / photo.height == pytest.approx(image.width / image.height, rel=0.02)


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (500, 2), (3000, 40)])
def test_pictures_of_any_shape_are_taken(size: tuple[int, int]) -> None:
    for background in (255, 90):
        photo = simulated_photo(Image.new("RGB", size, (background, background, 240)), 2)
        assert max(photo.size) == STANDARD.side


def test_an_alpha_channel_says_where_the_thing_is() -> None:
    ring = Image.new("RGBA", (300, 400))  # nothing but the ring: what it leaves open, inside too, is the photo's ground
    ImageDraw.Draw(ring).ellipse((60, 80, 240, 320), outline=(*RED, 255), width=50)
    photo = simulated_photo(ring, 5, MILD)
    pixels = np.asarray(photo).astype(int)
    down, across = np.nonzero(np.abs(pixels - RED).max(axis=-1) < 12)
    spans = np.ptp(across) / photo.width, np.ptp(down) / photo.height
    assert max(spans) == pytest.approx(0.8, abs=0.02)
    middle = pixels[photo.height // 2, photo.width // 2]
    assert np.abs(middle - RED).max() > 12


@pytest.mark.parametrize("size", [(1, 1), (2, 300), (320, 180), (288, 512)])
def test_a_background_is_an_uneven_surface_of_any_size(size: tuple[int, int]) -> None:
    seen = set()
    for seed in range(30):  # all surfaces, upright and turned
        drawn = draw_background(size, 2, np.random.default_rng(seed))
        assert (drawn.size, drawn.mode) == (size, "RGB")
        assert min(size) < 3 or np.asarray(drawn).std() > 3
        assert drawn.tobytes() == draw_background(size, 2, np.random.default_rng(seed)).tobytes()
        seen.add(drawn.tobytes())
    assert len(seen) == 30 or size == (1, 1)


def test_the_picture_given_stays_as_it_is() -> None:
    image = studio((2000, 1600))
    before = image.tobytes()
    simulated_photo(image, 0)
    assert image.tobytes() == before
