"""Images of every kind become the same thing: RGB as a screen would show it, on white."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings as examples, strategies as st
from PIL import Image, ImageCms

from image_similarity.images.decoding import decode
from tests.support.icc import cmyk_profile, rgb_profile
from tests.support.pictures import (
    BLUE,
    CORNERS,
    GREY_ALPHA_PNG,
    GREY_PNG,
    RED,
    RGB_PNG,
    WHITE,
    alike,
    chunk,
    corners_of,
    encoded,
    four_corners,
    png,
    sixteen_bits,
)

LOSSY = 12  # what JPEG and WebP change in a plain field


def read(data: bytes) -> Image.Image:
    image = decode(data, max_pixels=1_000_000)
    assert image.mode == "RGB"
    return image


def colours(data: bytes) -> list[tuple[int, ...]]:
    """Every pixel, row by row."""
    return [tuple(int(value) for value in pixel) for pixel in np.asarray(read(data)).reshape(-1, 3)]


@pytest.mark.parametrize("kind", ["PNG", "GIF", "BMP", "TIFF", "JPEG", "WEBP", "AVIF"])
def test_every_ordinary_format_is_read(kind: str) -> None:
    tolerance = 0 if kind in ("PNG", "GIF", "BMP", "TIFF") else LOSSY
    assert alike(corners_of(read(encoded(four_corners(), kind))), CORNERS, tolerance)


# Sixteen bits ------------------------------------------------------------------------------------------------------


def test_sixteen_bit_grey_is_scaled_not_clipped() -> None:
    data = png(4, 1, 16, GREY_PNG, sixteen_bits(0, 257, 128 * 257, 65535))
    assert colours(data) == [(0,) * 3, (1,) * 3, (128,) * 3, WHITE]


def test_sixteen_bit_colour_is_scaled() -> None:
    data = png(2, 1, 16, RGB_PNG, sixteen_bits(65535, 128 * 257, 0, 256, 512, 65280))
    assert colours(data) == [(255, 128, 0), (1, 2, 255)]


def test_sixteen_bit_grey_with_alpha_is_flattened_on_white() -> None:
    assert colours(png(2, 1, 16, GREY_ALPHA_PNG, sixteen_bits(0, 0, 0, 65535))) == [WHITE, (0, 0, 0)]


def test_the_transparent_shade_of_a_sixteen_bit_grey_becomes_white() -> None:
    clear = chunk(b"tRNS", sixteen_bits(1000))
    assert colours(png(2, 1, 16, GREY_PNG, sixteen_bits(1000, 30 * 257), clear)) == [WHITE, (30,) * 3]


def test_the_transparent_colour_of_a_sixteen_bit_picture_becomes_white() -> None:
    clear = chunk(b"tRNS", sixteen_bits(10_000, 20_000, 30_000))
    rows = sixteen_bits(10_000, 20_000, 30_000, 0, 0, 65535)
    assert colours(png(2, 1, 16, RGB_PNG, rows, clear)) == [WHITE, BLUE]


@pytest.mark.parametrize("mode", ["I;16", "I;16B", "I"])
def test_a_scientific_tiff_is_scaled(mode: str) -> None:
    image = Image.new(mode, (2, 1), 0)
    image.putpixel((1, 0), 200 * 257)
    assert colours(encoded(image, "TIFF")) == [(0,) * 3, (200,) * 3]


@pytest.mark.parametrize(("value", "shade"), [(0.5, 127), (1.0, 255), (127.0, 127), (300.0, 255)])
def test_a_tiff_of_fractions_is_scaled_and_one_of_bytes_is_not(value: float, shade: int) -> None:
    image = Image.new("F", (2, 1), 0.0)
    image.putpixel((1, 0), value)
    assert colours(encoded(image, "TIFF")) == [(0,) * 3, (shade,) * 3]


SHADES = (0, 51, 102, 255)


def tiff(bits: int, kind: int, values: bytes, *, photometric: int = 1, order: str = "<", packed: bool = False) -> bytes:
    """A TIFF of one row of four grey numbers; ``kind``: 1 unsigned, 2 signed, 3 fractions."""
    body = zlib.compress(values) if packed else values
    tags = {256: 4, 257: 1, 258: bits, 259: 8 if packed else 1, 262: photometric, 277: 1, 278: 1, 339: kind}
    tags |= {273: 8 + 2 + 12 * (len(tags) + 2) + 4, 279: len(body)}
    entries = b"".join(struct.pack(order + "HHII", tag, 4, 1, value) for tag, value in sorted(tags.items()))
    start = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "IH", 8, len(tags))
    return start + entries + bytes(4) + body


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("photometric", [0, 1])
@pytest.mark.parametrize(
    ("bits", "kind", "code", "top"),
    [
        *((8, 1, "B", 255), (8, 2, "b", 127), (16, 1, "H", 65535), (16, 2, "h", 32767)),
        *((32, 1, "I", 2**32 - 1), (32, 2, "i", 2**31 - 1), (32, 1, "I", 65535), (32, 2, "i", 255)),
        *((32, 3, "f", 1.0), (32, 3, "f", 255.0), (32, 3, "f", 65535.0), (32, 3, "f", 1e6)),
    ],
)
def test_grey_numbers_of_a_tiff_of_any_width_are_scaled(
    bits: int, kind: int, code: str, top: float, photometric: int, order: str, packed: bool
) -> None:
    share = [shade / 255 if photometric else 1 - shade / 255 for shade in SHADES]
    numbers = [top * each if kind == 3 else round(top * each) for each in share]
    data = tiff(
        bits, kind, struct.pack(f"{order}4{code}", *numbers), photometric=photometric, order=order, packed=packed
    )
    assert alike(colours(data), [(shade,) * 3 for shade in SHADES], 2)


def test_fractions_a_little_above_one_are_still_shares_of_white() -> None:
    values = struct.pack("<4f", 0.0, 0.5, 1.0, 1.25)  # as a sharpened image has them
    assert alike(colours(tiff(32, 3, values)), [(0,) * 3, (127,) * 3, WHITE, WHITE], 1)


def test_numbers_that_are_none_cost_no_picture() -> None:
    values = struct.pack("<4f", float("nan"), 0.5, float("inf"), 1.0)
    assert alike(colours(tiff(32, 3, values)), [(0,) * 3, (127,) * 3, WHITE, WHITE], 1)


def test_a_tiffs_palette_of_eight_bits_in_sixteen_has_its_colours() -> None:
    data = encoded(four_corners().quantize(4), "TIFF")
    with Image.open(io.BytesIO(data)) as image:
        place = data.index(struct.pack("<HHI", 320, 3, 768)) + 8
        at = struct.unpack_from("<I", data, place)[0]
        palette = struct.unpack_from("<768H", data, at)
        assert image.mode == "P"
    small = struct.pack("<768H", *(value >> 8 for value in palette))
    assert alike(corners_of(read(data[:at] + small + data[at + len(small) :])), CORNERS)
    assert alike(corners_of(read(data)), CORNERS)


@pytest.mark.parametrize("alpha", [0, 255])
@pytest.mark.parametrize("header", [40, 56, 108, 124])
def test_a_bitmaps_fourth_byte_that_is_0_everywhere_is_no_transparency(header: int, alpha: int) -> None:
    masks = struct.pack("<4I", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    head = struct.pack("<IiiHHIIiiII", header, 2, 1, 1, 32, 3 if header > 40 else 0, 8, 0, 0, 0, 0)
    head += (masks + bytes(header - 56)) if header > 40 else b""
    pixels = bytes([*RED[::-1], alpha, *BLUE[::-1], alpha])
    data = b"BM" + struct.pack("<IHHI", 14 + header + 8, 0, 0, 14 + header) + head + pixels
    assert colours(data) == [RED, BLUE]


@pytest.mark.parametrize(("bits", "row"), [(1, 0b01000000), (2, 0b00011011), (4, 0x0F)])
def test_the_transparent_shade_of_a_grey_png_of_few_bits_becomes_white(bits: int, row: int) -> None:
    pixels = 8 // bits
    top = (1 << bits) - 1
    shades = [(row >> (8 - bits * (place + 1)) & top) * 255 // top for place in range(pixels)]
    clear = row >> (8 - bits) & top  # the first pixel's
    expected = [255 if shade == shades[0] else shade for shade in shades]
    data = png(pixels, 1, bits, GREY_PNG, bytes([row]), chunk(b"tRNS", sixteen_bits(clear)))
    assert colours(data) == [(shade,) * 3 for shade in expected]


def test_the_last_shade_of_four_may_be_the_transparent_one() -> None:
    data = png(4, 1, 2, GREY_PNG, bytes([0b00011011]), chunk(b"tRNS", sixteen_bits(2)))
    assert colours(data) == [(0,) * 3, (85,) * 3, WHITE, WHITE]


def test_a_picture_in_cielab_has_its_colours() -> None:
    lab = ImageCms.profileToProfile(
        four_corners(), ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
    )
    assert lab is not None
    assert alike(corners_of(read(encoded(lab, "TIFF"))), CORNERS, 25)  # of saturated colours; Pillow alone: no image


# Palettes, few bits, transparency ----------------------------------------------------------------------------------


def test_a_palette_becomes_its_colours() -> None:
    assert alike(corners_of(read(encoded(four_corners().quantize(4), "PNG"))), CORNERS)


def test_a_transparent_entry_of_a_palette_becomes_white() -> None:
    image = Image.new("P", (2, 1), 0)
    image.putpalette([*RED, *BLUE])
    image.putpixel((1, 0), 1)
    assert colours(encoded(image, "PNG", transparency=0)) == [WHITE, BLUE]
    assert colours(encoded(image, "PNG", transparency=b"\x80\xff")) == [(255, 127, 127), BLUE]


def test_one_bit_a_pixel_is_black_and_white() -> None:
    image = Image.new("1", (2, 1), 0)
    image.putpixel((1, 0), 1)
    assert colours(encoded(image, "PNG")) == [(0, 0, 0), WHITE]


def test_what_hides_under_transparency_is_not_seen() -> None:
    image = Image.new("RGBA", (3, 1), (*RED, 0))
    image.putpixel((1, 0), (*RED, 255))
    image.putpixel((2, 0), (0, 0, 0, 51))  # a shadow, one fifth
    assert colours(encoded(image, "PNG")) == [WHITE, RED, (204,) * 3]


def test_grey_with_alpha_is_flattened_on_white() -> None:
    image = Image.new("LA", (2, 1), (10, 0))
    image.putpixel((1, 0), (10, 255))
    assert colours(encoded(image, "PNG")) == [WHITE, (10,) * 3]


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_of_an_animation_the_first_frame_is_taken(kind: str) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in (RED, BLUE, WHITE)]
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], duration=50, **options)
    assert set(colours(data)) == {RED}


def test_the_holes_of_an_animations_first_frame_are_white() -> None:
    first = Image.new("P", (2, 1), 0)
    first.putpalette([*RED, *BLUE])
    first.putpixel((1, 0), 1)
    data = encoded(first, "GIF", save_all=True, append_images=[Image.new("P", (2, 1), 1)], transparency=0)
    assert colours(data) == [WHITE, BLUE]


# Inks and profiles -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("inks", "shown"),
    [((0, 0, 0, 0), WHITE), ((255, 0, 0, 0), (0, 255, 255)), ((0, 255, 255, 0), RED), ((0, 0, 0, 255), (0, 0, 0))],
)
def test_inks_become_colours(inks: tuple[int, ...], shown: tuple[int, ...]) -> None:
    image = Image.new("CMYK", (16, 16), inks)
    assert alike(colours(encoded(image, "JPEG", quality=95)), shown, LOSSY)
    assert set(colours(encoded(image, "TIFF"))) == {shown}


@pytest.mark.parametrize(
    ("inks", "shown"), [((255, 0, 0, 0), RED), ((0, 255, 0, 0), WHITE), ((0, 0, 0, 255), (0, 0, 0))]
)
def test_inks_with_a_profile_become_the_colours_that_the_profile_says(
    inks: tuple[int, ...], shown: tuple[int, ...]
) -> None:
    data = encoded(Image.new("CMYK", (16, 16), inks), "JPEG", quality=95, icc_profile=cmyk_profile())
    assert alike(colours(data), shown, LOSSY)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "JPEG", "WEBP"])
def test_a_profile_is_applied(kind: str) -> None:
    red, green, blue, _ = CORNERS
    options = {"subsampling": 0, "quality": 95} if kind == "JPEG" else {}
    data = encoded(four_corners(), kind, icc_profile=rgb_profile("bgr"), **options)
    assert alike(corners_of(read(data)), (blue, green, red, (0, 255, 255)), LOSSY)


def test_a_profile_is_applied_to_palettes_and_under_transparency_too() -> None:
    profile = rgb_profile("bgr")
    assert colours(encoded(Image.new("RGB", (1, 1), RED).quantize(2), "PNG", icc_profile=profile)) == [BLUE]
    assert colours(encoded(Image.new("RGBA", (1, 1), (*RED, 255)), "PNG", icc_profile=profile)) == [BLUE]
    assert colours(encoded(Image.new("RGBA", (1, 1), (*RED, 0)), "PNG", icc_profile=profile)) == [WHITE]


def test_a_profile_with_another_gamma_brightens_the_middle_alone() -> None:
    shades = Image.new("RGB", (3, 1))
    for place, shade in enumerate((0, 128, 255)):
        shades.putpixel((place, 0), (shade,) * 3)
    linear = colours(encoded(shades, "PNG", icc_profile=rgb_profile(gamma=1.0)))
    assert alike(linear, [(0,) * 3, (188,) * 3, WHITE], 1)  # sRGB's curve at 128 / 255


@pytest.mark.parametrize("profile", [b"no profile", rgb_profile("bgr")[:200], bytes(400), cmyk_profile()])
def test_a_profile_that_is_damaged_or_does_not_fit_changes_nothing(profile: bytes) -> None:
    assert alike(corners_of(read(encoded(four_corners(), "PNG", icc_profile=profile))), CORNERS)


def test_inks_with_a_profile_that_does_not_fit_become_colours_all_the_same() -> None:
    data = encoded(Image.new("CMYK", (16, 16), (255, 0, 0, 0)), "JPEG", quality=95, icc_profile=rgb_profile())
    assert alike(colours(data), (0, 255, 255), LOSSY)


@examples(derandomize=True, deadline=None, max_examples=200)
@given(place=st.integers(0, 491), value=st.integers(0, 255), length=st.integers(0, 492))
def test_no_damage_to_a_profile_costs_the_picture(place: int, value: int, length: int) -> None:
    profile = bytearray(rgb_profile("bgr"))
    profile[place] = value
    assert read(encoded(Image.new("RGB", (1, 1)), "PNG", icc_profile=bytes(profile[: length or None]))).size == (1, 1)
