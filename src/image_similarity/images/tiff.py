"""Parse a TIFF: keep the tags that define pixels, and pass samples that Pillow cannot read as grey bytes."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import TiffTags

from image_similarity.errors import ImageError
from image_similarity.images.exif import ORDERS, ORIENTATION
from image_similarity.images.sample_depth import DIFFERENCES, FLOAT, FLOAT_BYTES, NUMPY_BITS, UNSIGNED
from image_similarity.images.stripped_file import TRUNCATED, SampleLayout, StrippedFile

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, SAMPLES, ROWS, PLANES = 256, 257, 258, 259, 262, 277, 278, 284
PREDICTOR, COLOURS, TILE_WIDTH, TILE_HEIGHT, EXTRA, FORMAT, SUBSAMPLING = 317, 320, 322, 323, 338, 339, 530
DATA_TAGS = {273, 279, 324, 325}  # offsets and lengths of strips and tiles
DRAWING = {
    *(254, WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, 266, SAMPLES, ROWS, PLANES, 292, 293, PREDICTOR, *DATA_TAGS),
    *(COLOURS, TILE_WIDTH, TILE_HEIGHT, 332, 334, EXTRA, FORMAT, 347, *range(512, 522), 529, SUBSAMPLING, 531, 532),
    34675,
}
LENGTHS = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
READ = {
    *(
        WIDTH,
        HEIGHT,
        BITS,
        COMPRESSION,
        PHOTOMETRIC,
        SAMPLES,
        ROWS,
        PLANES,
        PREDICTOR,
        COLOURS,
        TILE_WIDTH,
        TILE_HEIGHT,
    ),
    *(EXTRA, FORMAT, SUBSAMPLING, ORIENTATION),
}
CODES = {1: "B", 3: "H", 4: "I", 16: "Q"}
CLASSIC_TYPES = {16: 4, 17: 9, 18: 13}  # BigTIFF's eight-byte integer types, and the classic types for them
ENTRY, INLINE = 12, 4  # bytes of a tag, and of the values stored within it
BLOB_TYPES = (1, 2, 7)  # types whose sequence is one value: bytes, text, undefined
MAX_VALUES = 3 * 65536  # of a 16-bit palette
BYTE = 8  # bits
MAX_ORIENTATION = 8  # of EXIF
LOSSLESS = {1, 5, 8, 32773, 32946, 34925, 50000}  # compressions that restore arbitrary bytes
GREY, RGB, CMYK, YCBCR = (0, 1), 2, 5, 6  # photometric interpretations
DECODED = (1, 2, 4, 8)  # bits of a sample that Pillow decodes
UNSUPPORTED = "a TIFF with an unsupported sample format: convert it to 8 or 16 bits per channel"


@dataclass(frozen=True, slots=True)
class _Layout:
    """Struct formats and sizes of a TIFF's or a BigTIFF's directory."""

    order: str
    count: str
    entry: str
    offset: str
    size: int
    first: int


def stripped(data: bytes) -> StrippedFile:
    """A classic TIFF whose first page has only the tags that affect its pixels.

    Raises:
        ImageError: it ends before its tags do, or its sample format is not supported.
    """
    try:
        return _stripped(data)
    except struct.error:
        raise ImageError("decode", TRUNCATED) from None


def _stripped(data: bytes) -> StrippedFile:
    order = ORDERS[data[:2]]
    big = struct.unpack_from(order + "H", data, 2)[0] == 43
    layout = _Layout(order, "Q", "HHQ", "Q", 20, 8) if big else _Layout(order, "H", "HHI", "I", ENTRY, 4)
    (at,) = struct.unpack_from(order + layout.offset, data, layout.first)
    (count,) = struct.unpack_from(order + layout.count, data, at)
    begin = at + struct.calcsize(order + layout.count)
    changed, kept, values = bytearray(data), dict[int, bytes](), dict[int, tuple[int, ...]]()
    spare = at + 2 + count * ENTRY + 4  # the space left free when a BigTIFF's directory is written as a classic one
    for entry in range(begin, begin + count * layout.size, layout.size):
        tag, kind, number = struct.unpack_from(order + layout.entry, data, entry)
        if tag in READ:
            values.setdefault(tag, tuple(_values(data, layout, entry, kind, number)))
            if tag == COLOURS and 0 < max(values[tag], default=0) <= 255:
                _widen(changed, layout, entry, values[tag])
        if (
            tag in DATA_TAGS
            and kind in LENGTHS
            and _place(data, layout, entry, kind, number) + LENGTHS[kind] * number > len(data)
        ):
            raise ImageError("decode", TRUNCATED)
        if tag in DRAWING and kind in LENGTHS:
            kept.setdefault(
                tag, _classic_entry(data, changed, layout, entry, spare) if big else data[entry : entry + ENTRY]
            )
            spare += 8
    sample_layout = _sample_layout(values, order)
    if sample_layout is None:
        kept.pop(FORMAT, None)  # unsigned, the default
    else:
        kept = {tag: each for tag, each in kept.items() if tag not in (PREDICTOR, COLOURS, EXTRA, FORMAT)}
        kept |= {tag: struct.pack(order + "HHII", tag, 4, 1, value) for tag, value in _as_bytes(sample_layout, values)}
        if len(kept) > count:  # mandatory tags are missing
            raise ImageError("decode", UNSUPPORTED)
    kept = dict(_readable(kept, changed, order))
    directory = struct.pack(order + "H", len(kept)) + b"".join(kept[tag] for tag in sorted(kept)) + bytes(4)
    changed[:8] = data[:2] + struct.pack(order + "HI", 42, at)
    changed[at : at + len(directory)] = directory  # its last four bytes declare that there is no other page
    (turn,) = values.get(ORIENTATION, ())[:1] or (1,)
    width, height = values.get(WIDTH, (0,)), values.get(HEIGHT, (0,))
    return StrippedFile(
        bytes(changed),
        "TIFF",
        size=(width[0], height[0]) if width and height else None,
        orientation=turn if 1 <= turn <= MAX_ORIENTATION else 1,
        alpha=values.get(EXTRA, ())[:1] in ((1,), (2,)),
        sample_layout=sample_layout,
    )


def _sample_layout(values: Mapping[int, tuple[int, ...]], order: str) -> SampleLayout | None:
    """The layout of the samples where Pillow cannot decode them; None where it can.

    Raises:
        ImageError: they are not supported here either.
    """

    def first(tag: int, otherwise: int) -> int:
        return (values.get(tag) or (otherwise,))[0]

    bits, formats = set(values.get(BITS, (1,))), set(values.get(FORMAT, ())) - {4} or {UNSIGNED}  # 4: undefined
    compression, photometric, samples = first(COMPRESSION, 1), first(PHOTOMETRIC, 0), first(SAMPLES, 1)
    planar = first(PLANES, 1) != 1 and samples > 1
    each, kind = max(bits, default=1), max(formats)
    colours = 1 if photometric in GREY else {RGB: 3, CMYK: 4}.get(photometric, 0)
    if photometric == YCBCR and compression == 1 and max(values.get(SUBSAMPLING, (1,))) > 1:
        raise ImageError("decode", "a TIFF in YCbCr with subsampled colours is supported only if it is compressed")
    is_grey_with_more = colours == 1 < samples and compression in LOSSLESS
    if bits <= set(DECODED) and formats == {UNSIGNED} and (each == BYTE or samples == 1) and not is_grey_with_more:
        return None
    is_raw_planar = planar and compression == 1
    if each == 2 * BYTE and formats == {UNSIGNED} and 3 <= colours <= samples <= 4 and not is_raw_planar:
        return None
    width, height = first(WIDTH, 0), first(HEIGHT, 0)
    columns, rows = first(TILE_WIDTH, width), first(TILE_HEIGHT, 0) or min(height, first(ROWS, height))
    predictor = first(PREDICTOR, 1) if compression != 1 else 1
    is_complete = each in NUMPY_BITS and (kind < FLOAT or each > BYTE)
    is_read = is_complete or (kind == UNSIGNED and each < 32 and predictor == 1)
    is_read = is_read and predictor in (1, DIFFERENCES, FLOAT_BYTES if kind == FLOAT else 1)
    is_read = is_read and compression in LOSSLESS and 0 < colours <= samples and kind <= FLOAT
    if not is_read or len(bits) > 1 or len(formats) > 1 or not (width and height and columns and rows):
        raise ImageError("decode", UNSUPPORTED)
    if planar and height % rows and TILE_WIDTH not in values:
        raise ImageError(
            "decode", "a TIFF with this sample format in separate planes is supported only in strips of equal height"
        )
    alpha = first(EXTRA, 2) if samples > colours and photometric != CMYK else 0
    return SampleLayout(
        size=(width, height),
        columns=columns,
        samples=samples,
        colours=colours,
        alpha=alpha if alpha in (1, 2) else 0,
        bits=each,
        format=kind,
        order=order,
        predictor=predictor,
        plane=-(-height // rows) * rows if planar else 0,
        white_is_zero=photometric == 0,
    )


def _as_bytes(sample_layout: SampleLayout, values: Mapping[int, tuple[int, ...]]) -> Iterator[tuple[int, int]]:
    """The tags that make the same data a grey image with one pixel per byte."""
    width, height = sample_layout.packed
    yield from ((WIDTH, width), (HEIGHT, height), (BITS, BYTE), (PHOTOMETRIC, 1))
    yield from ((tag, 1) for tag in (SAMPLES, PLANES) if tag in values)
    if TILE_WIDTH in values:
        yield TILE_WIDTH, width // -(-sample_layout.size[0] // sample_layout.columns)
    elif sample_layout.plane:
        yield ROWS, min(values.get(ROWS, (sample_layout.plane,))[0], sample_layout.plane)


def _classic_entry(data: bytes, changed: bytearray, layout: _Layout, entry: int, spare: int) -> bytes:
    """A BigTIFF's tag in classic form; ``spare``: where to put values that no longer fit into the tag."""
    order = layout.order
    tag, kind, number = struct.unpack_from(order + layout.entry, data, entry)
    place = _place(data, layout, entry, kind, number)
    is_inside = entry < place < entry + layout.size
    body = bytes((data if is_inside else changed)[place : place + LENGTHS[kind] * number])
    if kind in CLASSIC_TYPES:
        body = struct.pack(f"{order}{number}I", *struct.unpack(f"{order}{number}Q", body))
    head = struct.pack(order + "HHI", tag, CLASSIC_TYPES.get(kind, kind), number)
    if len(body) <= 4:
        return head + body.ljust(4, b"\0")
    place = spare if is_inside else place
    changed[place : place + len(body)] = body
    return head + struct.pack(order + "I", place)


def _readable(kept: Mapping[int, bytes], changed: bytearray, order: str) -> Iterator[tuple[int, bytes]]:
    """The tags, in order, that Pillow reads without a warning in the host program.

    Tags whose values lie outside the file, or exceed its size together, are dropped; where Pillow expects one value,
    only the first is kept.
    """
    left = len(changed)
    for tag, entry in sorted(kept.items()):
        _, kind, number, place = struct.unpack(order + "HHII", entry)
        size, length = LENGTHS[kind], LENGTHS[kind] * number
        if length > INLINE and (place + length > len(changed) or length > left):
            continue
        if kind not in BLOB_TYPES and tag != PHOTOMETRIC and number > 1 and TiffTags.lookup(tag).length == 1:
            value = bytes(changed[place : place + size]) if size <= INLINE < length else entry[8:]
            entry, length = struct.pack(order + "HHI", tag, kind, 1) + value.ljust(INLINE, b"\0"), size
        left -= length if length > INLINE else 0
        yield tag, entry


def _values(data: bytes, layout: _Layout, entry: int, kind: int, number: int) -> Iterator[int]:
    """A tag's integers; nothing for other types, or for more values than any used tag has."""
    if kind in CODES and number <= MAX_VALUES:
        at = _place(data, layout, entry, kind, number)
        yield from struct.unpack_from(f"{layout.order}{number}{CODES[kind]}", data, at)


def _place(data: bytes | bytearray, layout: _Layout, entry: int, kind: int, number: int) -> int:
    inline = entry + struct.calcsize(layout.order + layout.entry)
    if LENGTHS[kind] * number <= struct.calcsize(layout.offset):
        return inline
    return int(struct.unpack_from(layout.order + layout.offset, data, inline)[0])


def _widen(changed: bytearray, layout: _Layout, entry: int, values: tuple[int, ...]) -> None:
    """Scale a palette to 16 bits, where a program stored 8-bit values in 16-bit numbers."""
    _, kind, number = struct.unpack_from(layout.order + layout.entry, changed, entry)
    if CODES[kind] == "H":
        at = _place(changed, layout, entry, kind, number)
        struct.pack_into(f"{layout.order}{number}H", changed, at, *(value * 257 for value in values))
