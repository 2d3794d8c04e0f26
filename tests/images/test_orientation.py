"""Images come out as they were seen, however the camera was held, at any size, and from phones' formats too."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from image_similarity.images.decoding import decode
from tests.support.pictures import CORNERS, RED, alike, corners_of, encoded, four_corners, orientation

LOSSY = 12
Stored = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]

# What a camera stores of an upright image, from EXIF 2.3, section 4.6.4 A: the side of the scene that the stored
# first row and first column are.
STORED: dict[int, Stored] = {
    1: lambda seen: seen,  # top, left
    2: lambda seen: seen[:, ::-1],  # top, right
    3: lambda seen: seen[::-1, ::-1],  # bottom, right
    4: lambda seen: seen[::-1],  # bottom, left
    5: lambda seen: seen.transpose(1, 0, 2),  # left, top
    6: lambda seen: seen.transpose(1, 0, 2)[::-1],  # right, top
    7: lambda seen: seen.transpose(1, 0, 2)[::-1, ::-1],  # right, bottom
    8: lambda seen: seen.transpose(1, 0, 2)[:, ::-1],  # left, bottom
}


def read(data: bytes, min_side: int | None = None) -> Image.Image:
    image = decode(data, max_pixels=10_000_000, min_side=min_side)
    assert image.mode == "RGB"
    return image


def as_stored(value: int, width: int = 48, height: int = 32) -> Image.Image:
    return Image.fromarray(np.ascontiguousarray(STORED[value](np.asarray(four_corners(width, height)))))


@pytest.mark.parametrize("value", STORED)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_a_turned_picture_is_turned_back(kind: str, value: int) -> None:
    image = read(encoded(as_stored(value), kind, exif=orientation(value)))
    assert image.size == (48, 32)
    assert alike(corners_of(image), CORNERS, LOSSY if kind in ("JPEG", "WEBP") else 0)


@pytest.mark.parametrize("value", STORED)
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_turned_jpeg_that_is_decoded_smaller_is_turned_back_too(mode: str, value: int) -> None:
    data = encoded(as_stored(value, 1200, 800).convert(mode), "JPEG", exif=orientation(value))
    image = read(data, min_side=100)
    assert image.size == (300, 200)  # a quarter; an eighth has too few pixels for a hundred
    assert alike(corners_of(image), corners_of(four_corners().convert(mode).convert("RGB")), LOSSY)


@pytest.mark.parametrize("value", [0, 9, 255])
def test_an_orientation_that_there_is_not_changes_nothing(value: int) -> None:
    assert alike(corners_of(read(encoded(four_corners(), "PNG", exif=orientation(value)))), CORNERS)


@pytest.mark.parametrize(
    ("min_side", "size"), [(None, (1600, 800)), (1, (200, 100)), (80, (200, 100)), (81, (400, 200)), (800, (1600, 800))]
)
def test_a_jpeg_is_decoded_smaller_but_to_a_quarter_more_than_what_is_kept(
    min_side: int | None, size: tuple[int, int]
) -> None:
    assert read(encoded(four_corners(1600, 800), "JPEG"), min_side).size == size


def test_a_phones_double_jpeg_is_its_first_picture_and_decoded_smaller_too() -> None:
    data = encoded(four_corners(1600, 800), "MPO", save_all=True, append_images=[Image.new("RGB", (1600, 800), RED)])
    assert alike(corners_of(read(data)), CORNERS, LOSSY)
    assert read(data, min_side=100).size == (400, 200)


def test_other_formats_are_decoded_whole_whatever_is_kept() -> None:
    assert read(encoded(four_corners(800, 600), "PNG"), min_side=10).size == (800, 600)


# Phones' formats ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", STORED)
@pytest.mark.parametrize("kind", ["AVIF", "HEIF"])
def test_avif_and_heic_are_read_upright(kind: str, value: int) -> None:
    pytest.importorskip("pillow_heif").register_heif_opener()
    image = read(encoded(as_stored(value, 96, 64), kind, exif=orientation(value).tobytes()))
    assert image.size == (96, 64)
    assert alike(corners_of(image), CORNERS, LOSSY)


@pytest.mark.parametrize("kind", ["AVIF", "HEIF"])
def test_transparency_in_avif_and_heic_becomes_white(kind: str) -> None:
    pytest.importorskip("pillow_heif").register_heif_opener()
    image = Image.new("RGBA", (64, 64), (*RED, 0))
    image.paste((*RED, 255), (0, 0, 32, 64))
    flat = read(encoded(image, kind))
    assert alike(flat.getpixel((8, 32)), RED, LOSSY)
    assert alike(flat.getpixel((56, 32)), (255, 255, 255), LOSSY)


DECODE = """
import sys
from pathlib import Path
if sys.argv[2] == "without":
    sys.modules["pillow_heif"] = None  # Python's way to say that there is no such package
from image_similarity.errors import ImageError
from image_similarity.images.decoding import decode
try:
    print(decode(Path(sys.argv[1]).read_bytes(), max_pixels=10_000).size)
except ImageError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("plugin", "part", "said"),
    [
        ("with", 1.0, "(64, 48)"),
        ("with", 0.5, "damaged image: its header cannot be read"),
        ("without", 1.0, "a HEIC image: install image-similarity[heif] to read it"),
    ],
)
def test_heic_without_the_plugin_gets_a_hint_how_to_install_it(
    tmp_path: Path, plugin: str, part: float, said: str
) -> None:
    pytest.importorskip("pillow_heif").register_heif_opener()
    data = encoded(four_corners(64, 48), "HEIF")
    (tmp_path / "photo.heic").write_bytes(data[: int(len(data) * part)])
    command = [sys.executable, "-c", DECODE, str(tmp_path / "photo.heic"), plugin]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == said
