"""Files that are no good image: each is refused with a stage and a reason, and none of them costs much memory."""

from __future__ import annotations

import os
import random
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings as examples, strategies as st
from PIL import Image

from image_similarity.errors import ImageError
from image_similarity.images.decoding import decode, read_bytes
from tests.support.pictures import GREY_PNG, encoded, enormous_png, four_corners, png

LIMIT = 1_000_000
JPEG = encoded(four_corners(96, 64), "JPEG")
REAL = [JPEG, *(encoded(four_corners(96, 64), kind) for kind in ("PNG", "GIF", "WEBP", "BMP", "TIFF", "AVIF"))]
SIGNATURES = [data[:16] for data in REAL] + [b"", b"8BPS", b"%!PS-Adobe-3.0 EPSF-3.0\n", b"\0\0\0\x1cftypheic"]


def refused(data: bytes, limit: int = LIMIT) -> str:
    with pytest.raises(ImageError) as caught:
        decode(data, max_pixels=limit)
    assert caught.value.stage == "decode"
    assert "\n" not in caught.value.reason
    return caught.value.reason


def unreadable(path: Path) -> str:
    with pytest.raises(ImageError) as caught:
        read_bytes(path)
    assert caught.value.stage == "read"
    return caught.value.reason


def test_a_missing_file_is_a_failure_of_reading(tmp_path: Path) -> None:
    assert unreadable(tmp_path / "gone.jpg") == "No such file or directory"


def test_a_folder_named_like_a_picture_is_a_failure_of_reading(tmp_path: Path) -> None:
    assert unreadable(tmp_path) == "Is a directory"


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root reads every file")
def test_a_file_that_may_not_be_read_is_a_failure_of_reading(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(JPEG)
    (tmp_path / "a.jpg").chmod(0)
    assert unreadable(tmp_path / "a.jpg") == "Permission denied"


def test_zero_bytes_are_a_failure_of_reading(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").touch()
    assert unreadable(tmp_path / "a.jpg") == "the file is empty"


@pytest.mark.parametrize("name", ["a\0.jpg", "\ud800.jpg"])
def test_a_name_that_no_file_can_have_is_a_failure_of_reading(tmp_path: Path, name: str) -> None:
    assert unreadable(tmp_path / name)


@pytest.mark.parametrize("name", ["帽子.jpg", "γάντι 1.jpg", "ша́йба.jpg", "مضرب.jpg", 'it\'s "new"; --.jpg', "🏒.jpg"])
def test_names_in_any_alphabet_are_read(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(JPEG)
    assert decode(read_bytes(tmp_path / name), max_pixels=LIMIT).size == (96, 64)


def test_a_truncated_jpeg_is_refused_not_filled_with_grey() -> None:
    photo = encoded(Image.effect_noise((300, 200), 60), "JPEG")
    for part in (0.1, 0.5, 0.9):
        assert refused(photo[: int(len(photo) * part)]).startswith("damaged image: image file is truncated")


@pytest.mark.parametrize("data", [JPEG[:3], JPEG[:20], JPEG[: len(JPEG) // 2], REAL[1][:20], REAL[1][:10]])
def test_a_picture_cut_within_its_header_is_called_damaged(data: bytes) -> None:
    assert refused(data).startswith("damaged image: ")


@pytest.mark.parametrize("page", ["<!DOCTYPE html><p>404", "\r\n  <html>Sign in", '<?xml version="1.0"?><Error/>'])
def test_a_web_page_named_jpg_is_called_so(page: str) -> None:
    assert refused(page.encode()) == "not an image: the file holds a web page"


@pytest.mark.parametrize("data", [b"", b"\n", b"just text", bytes(1000)])
def test_anything_else_is_no_picture_in_any_known_format(data: bytes) -> None:
    assert refused(data) == "not an image in any known format"


def test_the_limit_is_in_pixels_and_reached_exactly() -> None:
    assert decode(JPEG, max_pixels=96 * 64).size == (96, 64)
    assert refused(JPEG, 96 * 64 - 1) == "96 x 64 pixels are more than the limit of 6143"


def test_a_header_alone_is_enough_to_refuse_a_picture() -> None:
    claim = png(60_000, 60_000, 8, GREY_PNG, b"")
    assert refused(claim) == "60000 x 60000 pixels are more than the limit of 1000000"


MEASURE = """
import sys
from pathlib import Path
from image_similarity.errors import ImageError
from image_similarity.images.decoding import decode

def most_memory():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))

decode(Path(sys.argv[1]).read_bytes(), max_pixels=100)
before = most_memory()
try:
    decode(Path(sys.argv[2]).read_bytes(), max_pixels=100_000_000)
except ImageError as error:
    print(error.reason)
print(most_memory() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="this system does not say how much memory it used")
def test_thirty_thousand_by_thirty_thousand_pixels_are_refused_before_they_take_memory(tmp_path: Path) -> None:
    (tmp_path / "small.png").write_bytes(encoded(Image.new("L", (3, 3)), "PNG"))
    (tmp_path / "enormous.png").write_bytes(enormous_png())
    assert (tmp_path / "enormous.png").stat().st_size < 1_000_000
    command = [sys.executable, "-c", MEASURE, str(tmp_path / "small.png"), str(tmp_path / "enormous.png")]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert said[0] == "30000 x 30000 pixels are more than the limit of 100000000"
    assert int(said[1]) < 20_000  # KiB; its pixels are 900,000,000 bytes


def test_an_icon_cannot_hide_a_picture_larger_than_the_limit() -> None:
    """An ICO says 16 x 16 and holds a PNG of any size: formats that say one and decode another are not read."""
    inner = png(3000, 3000, 8, GREY_PNG, bytes(9_000_000))
    entry = struct.pack("<BBBBHHII", 16, 16, 0, 0, 1, 32, len(inner), 22)
    assert refused(struct.pack("<HHH", 0, 1, 1) + entry + inner) == "not an image in any known format"


def test_a_jpeg_of_thousands_of_scans_is_refused_before_they_are_decoded() -> None:
    data = encoded(four_corners(), "JPEG", progressive=True)
    start = data.rindex(b"\xff\xda")
    scan = data[start:-2]
    assert refused(data[:start] + scan * 2000 + b"\xff\xd9").endswith("scans are more than the limit of 100")


def test_a_webp_is_refused_by_its_header_alone() -> None:
    whole = encoded(four_corners(), "WEBP", lossless=True)
    canvas = b"VP8X" + struct.pack("<IB3x", 10, 0x10) + (9999).to_bytes(3, "little") * 2
    claim = whole[:12] + canvas + whole[12:]
    assert refused(claim) == "10000 x 10000 pixels are more than the limit of 1000000"


def test_postscript_is_not_run() -> None:
    program = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n"
    assert refused(program) == "not an image in any known format"


def test_a_png_whose_pixels_are_damaged_is_refused() -> None:
    assert refused(png(4, 4, 8, GREY_PNG, bytes(16)).replace(b"IDATx", b"IDATy")).startswith("damaged image: ")


def test_a_damaged_exif_does_not_cost_the_picture() -> None:
    for exif in (b"Exif\0\0garbage!", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0II*\0\x08\0\0\0\x02\0\x12\x01\x03\0"):
        assert decode(encoded(four_corners(), "JPEG", exif=exif), max_pixels=LIMIT).size == (48, 32)


def only_an_image_error(data: bytes, min_side: int | None = None) -> None:
    try:
        image = decode(data, max_pixels=LIMIT, min_side=min_side)
    except ImageError as error:
        assert error.stage == "decode"
        assert error.reason
    else:
        assert image.mode == "RGB"
        assert image.width * image.height <= LIMIT


@examples(derandomize=True, deadline=None, max_examples=300)
@given(start=st.sampled_from(SIGNATURES), rest=st.binary(max_size=300), min_side=st.none() | st.integers(1, 64))
def test_random_bytes_raise_nothing_but_an_image_error(start: bytes, rest: bytes, min_side: int | None) -> None:
    only_an_image_error(start + rest, min_side)


@examples(derandomize=True, deadline=None, max_examples=300)
@given(data=st.sampled_from(REAL), part=st.floats(0, 1), min_side=st.none() | st.integers(1, 64))
def test_random_truncations_raise_nothing_but_an_image_error(data: bytes, part: float, min_side: int | None) -> None:
    only_an_image_error(data[: int(part * len(data))], min_side)


@examples(derandomize=True, deadline=None, max_examples=600)
@given(data=st.sampled_from(REAL), seed=st.integers(0, 2**32), changes=st.integers(1, 12), header=st.booleans())
def test_random_changes_raise_nothing_but_an_image_error(data: bytes, seed: int, changes: int, header: bool) -> None:
    changed, generator = bytearray(data), random.Random(seed)
    for _ in range(changes):
        changed[generator.randrange(min(len(data), 80) if header else len(data))] = generator.randrange(256)
    only_an_image_error(bytes(changed), min_side=16)
