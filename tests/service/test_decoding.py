"""Pictures of strangers: large ones are decoded by a process that can be ended, all of them within one budget."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image

from image_similarity.errors import ImageError
from image_similarity.images.decoding import decode, was_repaired
from image_similarity.service.errors import BusyError
from image_similarity.service.guards.decoding import Decoding, LargeImageError
from tests.support.pictures import RGB_PNG, encoded, four_corners, png

SIDE = 2000  # pixels: as a WebP more than is decoded in a thread
LARGE = encoded(four_corners(SIDE, SIDE), "WEBP", lossless=True)
SMALL = encoded(four_corners(), "PNG")


@pytest.fixture
def decoding() -> Iterator[Decoding]:
    decoding = Decoding()
    yield decoding
    decoding.close()


def read(data: bytes, decoding: Decoding) -> Image.Image:
    with decoding.within():
        return decode(data, max_pixels=25_000_000)


def test_a_picture_is_the_same_wherever_it_is_decoded(decoding: Decoding) -> None:
    for data in (SMALL, LARGE, LARGE):
        here = decode(data, max_pixels=25_000_000)
        assert np.array_equal(np.asarray(read(data, decoding)), np.asarray(here))
    cut = encoded(four_corners(SIDE, SIDE), "WEBP", lossless=True, exif=b"Exif\0\0" + bytes(99))[:-9]
    assert was_repaired(read(cut, decoding))


def test_what_is_refused_elsewhere_is_refused_with_the_same_words(decoding: Decoding) -> None:
    damaged = LARGE[:40] + bytes(20) + LARGE[60:]
    with pytest.raises(ImageError) as here:
        decode(damaged, max_pixels=25_000_000)
    with pytest.raises(ImageError) as elsewhere:
        read(damaged, decoding)
    assert elsewhere.value.reason == here.value.reason
    assert read(LARGE, decoding).size == (SIDE, SIDE)  # the process goes on


def test_a_process_that_was_killed_while_it_was_idle_costs_no_picture(decoding: Decoding) -> None:
    read(LARGE, decoding)
    idle = multiprocessing.active_children()
    assert idle
    for process in idle:
        process.kill()
        process.join()
    assert read(LARGE, decoding).size == (SIDE, SIDE)


def test_a_picture_that_takes_too_long_is_given_up() -> None:
    decoding = Decoding(seconds=0.0)
    with pytest.raises(ImageError, match="more than 0 seconds"):
        read(LARGE, decoding)
    assert read(SMALL, decoding).size == (48, 32)
    decoding.close()


def test_large_pictures_take_no_room_from_ordinary_ones() -> None:
    decoding = Decoding(budget=1_000_000, patience=0.0)
    with decoding.within():
        decode(LARGE, max_pixels=25_000_000)  # more than all the room that large ones have
        assert read(SMALL, decoding).size == (48, 32)
        with pytest.raises(BusyError):
            read(LARGE, decoding)
    assert read(LARGE, decoding).size == (SIDE, SIDE)
    with pytest.raises(LargeImageError), decoding.within(large=False):
        decode(LARGE, max_pixels=25_000_000)
    decoding.close()


def test_what_would_take_more_memory_than_may_be_taken_is_refused_with_a_word_on_it(decoding: Decoding) -> None:
    declared = png(20_000, 20_000, 16, RGB_PNG, b"")
    with pytest.raises(ImageError, match=r"decoding it takes \d+ MB"), decoding.within():
        decode(declared, max_pixels=10**9)


@pytest.mark.parametrize("progressive", [False, True])
def test_inks_which_no_decoder_makes_smaller_count_whole(progressive: bool) -> None:
    inks = encoded(Image.new("CMYK", (2500, 2500)), "JPEG", progressive=progressive)
    decoding = Decoding()
    with decoding.within(large=False):
        decode(encoded(Image.new("RGB", (2500, 2500)), "JPEG"), max_pixels=10**9, min_side=64)
        with pytest.raises(LargeImageError):
            decode(inks, max_pixels=10**9, min_side=64)


def test_who_does_not_fit_waits_until_another_is_done() -> None:
    decoding = Decoding(budget=300_000)  # ordinary pictures have a fifth of it
    done = threading.Event()
    found: list[tuple[int, int]] = []

    def later() -> None:
        found.append(read(encoded(four_corners(60, 60), "PNG"), decoding).size)
        done.set()

    with decoding.within():
        decode(encoded(four_corners(80, 80), "PNG"), max_pixels=10_000)  # the whole budget, or more
        thread = threading.Thread(target=later)
        thread.start()
        assert not done.wait(0.1)
    assert done.wait(30)
    thread.join()
    assert found == [(60, 60)]
    decoding.close()


def test_who_waits_when_the_service_ends_is_told_to_come_back(decoding: Decoding) -> None:
    decoding.close()
    with pytest.raises(BusyError):
        read(LARGE, decoding)
