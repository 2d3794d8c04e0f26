"""TIFFs of numbers that hardly any program reads: shown as they are meant, or refused in a sentence."""

from __future__ import annotations

import struct
import zlib
from itertools import product
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from image_similarity.errors import ImageError
from image_similarity.images.decoding import decode, was_repaired
from tests.support.pictures import CORNERS, alike, corners_of, four_corners

COLOURS = np.asarray(four_corners()) / 255  # shares of full light
GREY = COLOURS.mean(axis=2, keepdims=True)
HALF = np.full_like(GREY, 128 / 255)  # transparency
TOPS = {
    "u1": 255,
    "i1": 127,
    "u2": 65535,
    "i2": 32767,
    "u4": 2**32 - 1,
    "i4": 2**31 - 1,
    "u8": 2**64 - 2048,
    "i8": 2**63 - 1024,
    "f2": 1.0,
    "f4": 1.0,
    "f8": 1.0,
}
KINDS = {"u": 1, "i": 2, "f": 3}


def tiff(
    shares: NDArray[np.float64],
    code: str,
    *,
    order: str = "<",
    big: bool = False,
    packed: bool = False,
    predictor: int = 1,
    rows: int = 0,
    apart: bool = False,
    tags_first: bool = False,
    **tags: int,
) -> bytes:
    """A TIFF of such numbers, ``(height, width, samples)`` in shares of full light; ``b12``: twelve bits, packed."""
    height, width, samples = shares.shape
    strip = rows or height
    planes = [shares[..., each : each + 1] for each in range(samples)] if apart else [shares]
    bodies = [
        body_of(plane[top : top + strip], code, order, predictor) for plane in planes for top in range(0, height, strip)
    ]
    bodies = [zlib.compress(body) for body in bodies] if packed else bodies
    bits = int(code[1:]) if code.startswith("b") else 8 * int(code[1:])
    values: dict[int, list[int]] = {256: [width], 257: [height], 258: [bits] * samples, 259: [8 if packed else 1]}
    values |= {262: [tags.get("photometric", 2 if samples > 2 else 1)], 277: [samples], 278: [strip]}
    values |= {284: [2 if apart else 1], 317: [predictor], 339: [KINDS.get(code[0], 1)] * samples}
    values |= {tag: [tags[name]] for name, tag in (("extra", 338), ("coarse", 530)) if name in tags}
    starts = np.cumsum([0, *map(len, bodies)])
    values |= {273: [0] * len(bodies), 279: [*map(len, bodies)]}
    begin, size = 16 if big else 8, len(directory(values, order, big, 0))
    at, pixels = (begin, begin + size) if tags_first else (begin + int(starts[-1]), begin)
    values[273] = [pixels + int(start) for start in starts[:-1]]
    parts = [b"".join(bodies), directory(values, order, big, at)]
    return head_of(order, big, at) + b"".join(parts[::-1] if tags_first else parts)


def body_of(shares: NDArray[np.float64], code: str, order: Any, predictor: int) -> bytes:
    if code.startswith("b"):
        bits = int(code[1:])
        whole = (shares * ((1 << bits) - 1)).round().astype(np.uint32).reshape(len(shares), -1, 1)
        single = (whole >> np.arange(bits - 1, -1, -1)) & 1
        return np.packbits(single.reshape(len(shares), -1), axis=1).tobytes()
    numbers = (shares * TOPS[code]).astype(code)
    if predictor == 2:
        plain = numbers.view(f"u{code[1:]}")
        numbers = np.diff(plain, axis=1, prepend=plain[:, :1] * 0)
    if predictor == 3:
        packed = np.frombuffer(numbers.astype(f">{code}").tobytes(), np.uint8).reshape(len(shares), -1, int(code[1:]))
        packed = packed.transpose(0, 2, 1).reshape(len(shares), -1, shares.shape[2])
        return np.diff(packed, axis=1, prepend=packed[:, :1] * 0).tobytes()
    return numbers.astype(numbers.dtype.newbyteorder(order)).tobytes()


def head_of(order: str, big: bool, at: int) -> bytes:
    mark = b"II" if order == "<" else b"MM"
    return mark + (struct.pack(order + "HHHQ", 43, 8, 0, at) if big else struct.pack(order + "HI", 42, at))


def directory(values: dict[int, list[int]], order: str, big: bool, at: int) -> bytes:
    count, number, inside, kind = ("Q", "Q", 8, 16) if big else ("H", "I", 4, 4)
    end = at + struct.calcsize(order + count) + len(values) * (20 if big else 12) + inside
    entries, further = b"", b""
    for tag, each in sorted(values.items()):
        own = 3 if tag in (258, 339) else kind  # so that some stand in the tag itself
        body = struct.pack(f"{order}{len(each)}{'H' if own == 3 else number}", *each)
        entries += struct.pack(order + "HH" + number, tag, own, len(each))
        if len(body) > inside:
            entries += struct.pack(order + number, end + len(further))
            further += body
        else:
            entries += body.ljust(inside, b"\0")
    return struct.pack(order + count, len(values)) + entries + bytes(inside) + further


def shown(data: bytes) -> NDArray[np.int64]:
    return np.asarray(decode(data, max_pixels=1_000_000)).astype(int)


WAYS: list[dict[str, Any]] = [
    {"order": order, "big": big, "packed": packed} for order, big, packed in product("<>", (False, True), (False, True))
]


@pytest.mark.parametrize("code", TOPS)
def test_numbers_of_every_width_are_shown_in_colour_in_grey_and_through_transparency(code: str) -> None:
    for how in WAYS:
        assert alike(shown(tiff(COLOURS, code, **how)), COLOURS * 255, 3), how
        assert alike(shown(tiff(GREY, code, **how)), np.repeat(GREY, 3, axis=2) * 255, 3), how
        assert alike(shown(tiff(1 - GREY, code, photometric=0, **how)), np.repeat(GREY, 3, axis=2) * 255, 3), how
        for light in (GREY, COLOURS):
            through = (light * HALF + 1 - HALF) * 255
            assert alike(shown(tiff(np.dstack([light, HALF]), code, extra=2, **how)), through, 4), how
            assert alike(shown(tiff(np.dstack([light * HALF, HALF]), code, extra=1, **how)), through, 5), how
            assert alike(shown(tiff(np.dstack([light, HALF]), code, extra=0, **how)), light * 255, 3), how
            assert alike(shown(tiff(np.dstack([light, HALF * 0]), code, **how)), light * 255, 3), how  # none is said


@pytest.mark.parametrize("code", ["u1", "u2", "u4", "u8", "f2", "f4", "f8"])
def test_differences_of_numbers_and_of_their_bytes_are_undone(code: str) -> None:
    for order, big in product("<>", (False, True)):
        for predictor in (2, 3) if code.startswith("f") else (2,):
            data = tiff(COLOURS, code, order=order, big=big, packed=True, predictor=predictor, rows=7)
            assert alike(shown(data), COLOURS * 255, 3), (order, predictor)


@pytest.mark.parametrize("bits", [3, 5, 10, 12, 14, 24])
def test_numbers_that_are_packed_bit_by_bit_are_shown(bits: int) -> None:
    coarse = 256 // (1 << bits) + 1
    for big, packed in product((False, True), (False, True)):
        for order in "<>" if bits % 8 else ">":
            how: dict[str, Any] = {"order": order, "big": big, "packed": packed}
            assert alike(shown(tiff(COLOURS, f"b{bits}", **how)), COLOURS * 255, coarse), how
            assert alike(shown(tiff(GREY[:, :47], f"b{bits}", rows=5, **how)), GREY[:, :47] * 255, coarse), how


@pytest.mark.parametrize("code", ["u2", "u4", "f4"])
def test_channels_in_planes_of_their_own_are_shown_or_refused(code: str) -> None:
    for how in WAYS:
        for rows in (0, 8):
            assert alike(shown(tiff(COLOURS, code, apart=True, rows=rows, **how)), COLOURS * 255, 3), (how, rows)
    with pytest.raises(ImageError, match="strips of equal height"):
        shown(tiff(COLOURS, code, apart=True, rows=7))


@pytest.mark.parametrize("tag", [256, 277, 322], ids=["width", "samples", "width of tiles"])
def test_a_tiff_that_says_it_is_enormous_is_refused_before_it_is_decoded(tag: int) -> None:
    data = bytearray(tiff(np.zeros((32, 48, 6)), "f8", packed=True))
    entry = data.index(struct.pack("<HHI", 278 if tag == 322 else tag, 4, 1))  # strips become tiles
    struct.pack_into("<HHII", data, entry, tag, 4, 1, 4_000_000)
    with pytest.raises(ImageError, match="more than the limit of 1000000"):
        shown(bytes(data))


def test_inks_of_many_bits_are_shown() -> None:
    inks = np.dstack([1 - COLOURS, GREY * 0])
    for code in ("u2", "u4", "f4"):
        assert alike(shown(tiff(inks, code, photometric=5)), COLOURS * 255, 3)


@pytest.mark.parametrize(
    ("photometric", "code"), [(3, "u2"), (8, "u2"), (6, "f4"), (4, "f4")], ids=["palette", "LAB", "YCbCr", "mask"]
)
def test_numbers_whose_meaning_is_not_known_are_refused_in_a_sentence(photometric: int, code: str) -> None:
    with pytest.raises(ImageError, match="unsupported sample format"):
        shown(tiff(GREY if photometric in (3, 4) else COLOURS, code, photometric=photometric))


def test_colours_that_are_coarser_than_the_light_are_refused_where_no_decoder_reads_them() -> None:
    with pytest.raises(ImageError, match="subsampled colours"):
        shown(tiff(COLOURS, "u1", photometric=6, coarse=2) + bytes(9_000))
    assert shown(tiff(COLOURS, "u1", photometric=6, coarse=1)).shape == (32, 48, 3)


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("code", ["u1", "f4"])
def test_a_tiff_that_ends_before_its_tags_is_called_cut_short(code: str, big: bool) -> None:
    whole = tiff(COLOURS, code, big=big)
    for missing in (40, 200, len(whole) // 2):
        with pytest.raises(ImageError, match="damaged image: image file is truncated"):
            shown(whole[:-missing])


@pytest.mark.parametrize("big", [False, True])
def test_one_of_many_bits_without_its_last_bytes_is_used(big: bool) -> None:
    data = tiff(COLOURS, "f4", big=big, tags_first=True)
    assert alike(shown(data), COLOURS * 255, 1)
    image = decode(data[:-9], max_pixels=1_000_000)
    assert was_repaired(image) and alike(corners_of(image), CORNERS, 1)
    with pytest.raises(ImageError, match="truncated"):
        shown(data[:-1500])
