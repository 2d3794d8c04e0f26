"""Metadata never decides over pixels: whatever a file holds beside them, the image is used, and upright."""

from __future__ import annotations

import io
import struct
import zlib
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings as examples, strategies as st
from PIL import ExifTags, Image, TiffTags

from image_similarity.images.decoding import decode, was_repaired
from tests.support.fuzzing import LONG
from tests.support.icc import rgb_profile
from tests.support.pictures import (
    BLUE,
    CORNERS,
    RED,
    RGB_PNG,
    alike,
    chunk,
    corners_of,
    encoded,
    four_corners,
    orientation,
    png,
)

LOSSY = 12
TYPES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}  # EXIF's types and their bytes
TAGS = sorted({*TiffTags.TAGS_V2, *ExifTags.TAGS, *ExifTags.GPSTAGS, *ExifTags.Interop, 0xEA1C} - {0x0112})
VALUES = ((1, b"\xff" * 8), (3, b"12:\0" * 4), (0, b""))
PLACES = {"beside the turn": 0, "in EXIF's own": 0x8769, "where it was": 0x8825}  # by the tag that leads there
SAMPLE = 41  # of so many cases one is tried, where nobody asks for more
TURNED = Image.fromarray(np.ascontiguousarray(np.asarray(four_corners()).transpose(1, 0, 2)[::-1]))  # orientation 6
DRAWING = [tag for tag in TAGS if tag in (*range(254, 263), 266, 273, 277, 278, 279, 284, *range(317, 348), 34675)]


def exif(tag: int, kind: int, count: int, value: bytes, within: int = 0) -> bytes:
    """EXIF that says how the camera was held, and one thing more; ``within``: the tag of the tags that it is among."""
    turn, odd = struct.pack("<HHIHxx", 0x0112, 3, 1, 6), struct.pack("<HHI", tag, kind, count) + value[:4].ljust(4)
    at = 8 + 2 + 2 * 12 + 4
    second = struct.pack("<HHII", within, 4, 1, at) if within else odd
    entries = sorted([turn, second], key=lambda entry: struct.unpack_from("<H", entry))
    further = struct.pack("<H", 1) + odd + bytes(4) if within else b""
    start = b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", 2)
    return start + b"".join(entries) + bytes(4) + further + value.ljust(64, b"\xff")


def upright(data: bytes, tolerance: int = LOSSY) -> bool:
    image = decode(data, max_pixels=1_000_000)
    return image.size == (48, 32) and alike(corners_of(image), CORNERS, tolerance)


def with_app1(jpeg: bytes, body: bytes) -> bytes:
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + jpeg[2:]


def with_exif(kind: str, block: bytes) -> bytes:
    """The turned photo with such EXIF."""
    if kind == "JPEG":
        return with_app1(PLAIN_JPEG, block)
    if kind == "PNG":
        return PLAIN_PNG[:33] + chunk(b"eXIf", block.removeprefix(b"Exif\0\0")) + PLAIN_PNG[33:]
    assert len(block) <= len(FILLER) and FILLER in PLAIN_WEBP
    return PLAIN_WEBP.replace(FILLER, block.removeprefix(b"Exif\0\0").ljust(len(FILLER), b"\xff"))


FILLER = b"II*\0\x08\0\0\0" + bytes(6) + b"\xaa" * 140
PLAIN_JPEG, PLAIN_PNG = encoded(TURNED, "JPEG", quality=95), encoded(TURNED, "PNG")
PLAIN_WEBP = encoded(TURNED, "WEBP", lossless=True, exif=FILLER)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("place", PLACES)
def test_no_tag_of_any_type_costs_a_turned_photo(kind: str, place: str) -> None:
    cases = list(product(TAGS, TYPES, VALUES))
    for tag, number, (count, value) in cases if LONG else cases[:: SAMPLE if kind == "JPEG" else 10 * SAMPLE]:
        block = exif(tag, number, count, value, PLACES[place])
        assert upright(with_exif(kind, block)), (tag, number, count)


@examples(derandomize=True, deadline=None, max_examples=150)
@given(block=st.binary(max_size=200), kind=st.sampled_from(["JPEG", "PNG", "WEBP", "AVIF"]))
def test_exif_that_is_any_bytes_costs_no_picture(block: bytes, kind: str) -> None:
    filler = b"II*\0\x08\0\0\0" + bytes(6) + b"\xaa" * 200
    if kind == "JPEG":
        data = with_app1(encoded(four_corners(), "JPEG"), b"Exif\0\0" + block)
    elif kind == "PNG":
        data = png_with(chunk(b"eXIf", block))
    else:
        data = encoded(four_corners(), kind, exif=filler)
        at = data.index(filler) + 8
        data = data[:at] + block + data[at + len(block) :]
    image = decode(data, max_pixels=1_000_000)
    assert image.width * image.height == 48 * 32


@pytest.mark.parametrize(("kind", "count"), [(3, 2), (4, 2), (3, 700), (12, 1), (4, 2**31), (3, 0), (99, 1)])
@pytest.mark.parametrize("tag", [254, 292, 332, 334, 34675])
@pytest.mark.parametrize("place", [8, 1 << 20])
def test_a_damaged_tag_of_a_tiff_is_no_warning_to_the_program(tag: int, kind: int, count: int, place: int) -> None:
    """The suite makes errors of warnings: one of Pillow's would cost the image."""
    data = bytearray(encoded(four_corners(), "TIFF", tiffinfo={tag: b"\0" if tag == 34675 else 0}))
    (at,) = struct.unpack_from("<I", data, 4)
    (entries,) = struct.unpack_from("<H", data, at)
    (entry,) = (
        each for each in range(at + 2, at + 2 + 12 * entries, 12) if data[each : each + 2] == tag.to_bytes(2, "little")
    )
    struct.pack_into("<HII", data, entry + 2, kind, count, place)
    assert upright(bytes(data), 0)


@pytest.mark.parametrize("kind", ["AVIF", "HEIF"])
@pytest.mark.parametrize("first", [8, 12])
def test_damaged_exif_in_boxes_is_no_warning_to_the_program(kind: str, first: int) -> None:
    filler = b"II*\0\x08\0\0\0" + bytes(6) + b"\xaa" * 100
    if kind == "HEIF":
        pytest.importorskip("pillow_heif").register_heif_opener()
    data = encoded(four_corners(), kind, exif=b"Exif\0\0" + filler)
    odd = struct.pack("<HHII", 0x010F, 2, 1 << 20, 1 << 20)  # a camera's name that is not there
    block = b"II*\0" + struct.pack("<I", first).ljust(first - 4, b"\0") + struct.pack("<H", 1) + odd + bytes(4)
    at = data.index(filler)
    assert upright(data[:at] + block + data[at + len(block) :])


@pytest.mark.parametrize("value", [1, 3, 6, 8])
def test_the_orientation_of_a_png_that_is_written_as_a_text_is_read(value: int) -> None:
    stored = {1: four_corners(), 3: four_corners().transpose(Image.Transpose.ROTATE_180), 6: TURNED}
    stored[8] = four_corners().transpose(Image.Transpose.ROTATE_270)
    block = b"Exif\0\0" + orientation(value).tobytes().removeprefix(b"Exif\0\0")
    text = b"\nexif\n" + str(len(block)).encode().rjust(8) + b"\n" + block.hex().encode() + b"\n"
    note = chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(text))
    data = encoded(stored[value], "PNG")
    assert upright(data[:33] + note + data[33:], 0)


@pytest.mark.parametrize("text", [b"\nexif\n  9\nno digits", b"", b"exif", b"\nexif\n 4\nabc"])
def test_a_text_that_says_it_is_exif_and_is_not_costs_no_picture(text: bytes) -> None:
    for body in (b"tEXtRaw profile type exif\0" + text, b"zTXtRaw profile type exif\0\0" + zlib.compress(text)):
        assert upright(png_with(chunk(body[:4], body[4:])), 0)


def png_with(*notes: bytes) -> bytes:
    """Four corners, with chunks before the pixels."""
    data = encoded(four_corners(), "PNG")
    return data[:33] + b"".join(notes) + data[33:]


BAD_CHECKSUM = chunk(b"tEXt", b"Comment\0hello")[:-4] + b"oops"
HUGE = zlib.compress(bytes(5_000_000))
NOTES = {
    "a wrong checksum": BAD_CHECKSUM,
    "a huge packed text": chunk(b"zTXt", b"Comment\0\0" + HUGE),
    "a huge text of another alphabet": chunk(b"iTXt", b"Comment\0\1\0\0\0" + HUGE),
    "a huge profile": chunk(b"iCCP", b"p\0\0" + HUGE),
    "a profile packed in an unknown way": chunk(b"iCCP", b"p\0\7" + zlib.compress(rgb_profile("bgr"))),
    "a profile that is not packed": chunk(b"iCCP", b"p\0\0" + rgb_profile("bgr")),
    "a profile cut short": chunk(b"iCCP", b"p\0\0" + zlib.compress(rgb_profile("bgr"))[:-9]),
    "a profile with a wrong checksum": chunk(b"iCCP", b"p\0\0" + zlib.compress(rgb_profile("bgr")))[:-1] + b"\0",
    "a size in metres that is none": chunk(b"pHYs", b"\1"),
    "white of no colour": chunk(b"cHRM", b""),
    "a gamma of nothing": chunk(b"gAMA", b"\0"),
    "frames that are not there": chunk(b"acTL", b"\0\0\0\7") + chunk(b"fcTL", b"x"),
    "transparency of nothing": chunk(b"tRNS", b""),
    "a chunk that nobody knows": chunk(b"abCd", bytes(9)),
}


@pytest.mark.parametrize("note", NOTES)
def test_no_chunk_beside_the_pixels_costs_a_png(note: str) -> None:
    assert upright(png_with(NOTES[note]), 0)


def test_a_large_profile_that_is_sound_is_applied() -> None:
    profile = rgb_profile("bgr")
    large = struct.pack(">I", len(profile) + 2_000_000) + profile[4:] + bytes(2_000_000)
    data = png(1, 1, 8, RGB_PNG, bytes(RED), chunk(b"iCCP", b"p\0\0" + zlib.compress(large)))
    assert decode(data, max_pixels=9).getpixel((0, 0)) == BLUE


@pytest.mark.parametrize("kind", TYPES)
def test_no_tag_of_a_tiff_that_does_not_draw_costs_it(kind: int) -> None:
    for tag in (270, 274, 282, 283, 296, 305, 306, 330, 700, 33432, 33723, 34377, 34665, 34853, 37500):
        file = io.BytesIO()
        four_corners().save(file, "TIFF", tiffinfo={65000: "x" * 9, 305: "y" * 9})
        data = bytearray(file.getvalue())
        (at,) = struct.unpack_from("<I", data, 4)
        (count,) = struct.unpack_from("<H", data, at)
        for entry in range(at + 2, at + 2 + 12 * count, 12):
            if struct.unpack_from("<H", data, entry)[0] == 65000:
                struct.pack_into("<HHI", data, entry, tag, kind, 2_000_000_000)
        assert decode(bytes(data), max_pixels=10_000).size == (48, 32), tag


@pytest.mark.parametrize("cut", [1, 20, 100])
def test_a_webp_cut_within_its_metadata_is_used_and_called_repaired(cut: int) -> None:
    data = encoded(four_corners(), "WEBP", exif=b"Exif\0\0" + bytes(300), lossless=True)
    image = decode(data[:-cut], max_pixels=10_000)
    assert alike(corners_of(image), CORNERS)
    assert was_repaired(image)


def test_of_a_phones_second_picture_nothing_is_looked_at() -> None:
    data = encoded(TURNED, "MPO", save_all=True, append_images=[Image.new("RGB", (9, 9))], exif=orientation(6))
    assert upright(data)
    damaged = data.replace(b"MPF\0", b"MPF\0" + b"\xff" * 4, 1)[: len(data)]
    assert upright(damaged)
