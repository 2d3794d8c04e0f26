"""A TIFF's tags: those that draw stay, the others go; numbers that no decoder reads are given to it as bytes."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import TiffTags

from image_similarity.errors import ImageError
from image_similarity.images.exif import ORDERS, ORIENTATION
from image_similarity.images.sample_depth import BYTES_OF_FRACTIONS, DIFFERENCES, FRACTIONS, UNSIGNED, WHOLE_BYTES
from image_similarity.images.stripped_file import CUT_SHORT, SampleLayout, StrippedFile

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

WIDTH, HEIGHT, BITS, PACKING, PHOTOMETRIC, SAMPLES, ROWS, PLANES = 256, 257, 258, 259, 262, 277, 278, 284
PREDICTOR, COLOURS, TILE_WIDTH, TILE_HEIGHT, EXTRA, FORMAT, COARSE = 317, 320, 322, 323, 338, 339, 530
PLACES = {273, 279, 324, 325}  # of strips and tiles, and their lengths
DRAWING = {
    *(254, WIDTH, HEIGHT, BITS, PACKING, PHOTOMETRIC, 266, SAMPLES, ROWS, PLANES, 292, 293, PREDICTOR, *PLACES),
    *(COLOURS, TILE_WIDTH, TILE_HEIGHT, 332, 334, EXTRA, FORMAT, 347, *range(512, 522), 529, COARSE, 531, 532),
    34675,
}
LENGTHS = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
READ = {
    *(WIDTH, HEIGHT, BITS, PACKING, PHOTOMETRIC, SAMPLES, ROWS, PLANES, PREDICTOR, COLOURS, TILE_WIDTH, TILE_HEIGHT),
    *(EXTRA, FORMAT, COARSE, ORIENTATION),
}
CODES = {1: "B", 3: "H", 4: "I", 16: "Q"}
SMALLER = {16: 4, 17: 9, 18: 13}  # types of eight bytes that a TIFF has which is no BigTIFF: whole numbers all
ENTRY, INLINE = 12, 4  # bytes of a tag, and of the values that stand in itself
WHOLE_TEXTS = (1, 2, 7)  # types of which many are one value: bytes, letters, anything
MOST_VALUES = 3 * 65536  # of a palette of sixteen bits
BYTE = 8  # bits
TURNED = 8  # the last of EXIF's turns
BYTEWISE = {1, 5, 8, 32773, 32946, 34925, 50000}  # packings that give back whatever bytes were packed
GREY, RGB, INKS, YCBCR = (0, 1), 2, 5, 6  # photometric interpretations
DECODED = (1, 2, 4, 8)  # bits of a number that decoders read
UNREAD = "a TIFF of a kind of numbers that is not read: convert it to eight or sixteen bits a channel"


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where things are in a TIFF or a BigTIFF."""

    order: str
    count: str
    entry: str
    offset: str
    size: int
    first: int


def stripped(data: bytes) -> StrippedFile:
    """A TIFF, and no BigTIFF, whose first page has those tags alone that draw it.

    Raises:
        ImageError: it ends before its tags do, or holds a kind of numbers that is not read.
    """
    try:
        return _stripped(data)
    except struct.error:
        raise ImageError("decode", CUT_SHORT) from None


def _stripped(data: bytes) -> StrippedFile:
    order = ORDERS[data[:2]]
    big = struct.unpack_from(order + "H", data, 2)[0] == 43
    layout = _Layout(order, "Q", "HHQ", "Q", 20, 8) if big else _Layout(order, "H", "HHI", "I", ENTRY, 4)
    (at,) = struct.unpack_from(order + layout.offset, data, layout.first)
    (count,) = struct.unpack_from(order + layout.count, data, at)
    begin = at + struct.calcsize(order + layout.count)
    changed, kept, values = bytearray(data), dict[int, bytes](), dict[int, tuple[int, ...]]()
    spare = at + 2 + count * ENTRY + 4  # what a directory of a BigTIFF leaves when it is written as another one
    for entry in range(begin, begin + count * layout.size, layout.size):
        tag, kind, number = struct.unpack_from(order + layout.entry, data, entry)
        if tag in READ:
            values.setdefault(tag, tuple(_values(data, layout, entry, kind, number)))
            if tag == COLOURS and 0 < max(values[tag], default=0) <= 255:
                _widen(changed, layout, entry, values[tag])
        if (
            tag in PLACES
            and kind in LENGTHS
            and _place(data, layout, entry, kind, number) + LENGTHS[kind] * number > len(data)
        ):
            raise ImageError("decode", CUT_SHORT)
        if tag in DRAWING and kind in LENGTHS:
            kept.setdefault(tag, _smaller(data, changed, layout, entry, spare) if big else data[entry : entry + ENTRY])
            spare += 8
    sample_layout = _sample_layout(values, order)
    if sample_layout is None:
        kept.pop(FORMAT, None)  # unsigned, which need not be said
    else:
        kept = {tag: each for tag, each in kept.items() if tag not in (PREDICTOR, COLOURS, EXTRA, FORMAT)}
        kept |= {tag: struct.pack(order + "HHII", tag, 4, 1, value) for tag, value in _as_bytes(sample_layout, values)}
        if len(kept) > count:  # it lacks what every TIFF has
            raise ImageError("decode", UNREAD)
    kept = dict(_readable(kept, changed, order))
    directory = struct.pack(order + "H", len(kept)) + b"".join(kept[tag] for tag in sorted(kept)) + bytes(4)
    changed[:8] = data[:2] + struct.pack(order + "HI", 42, at)
    changed[at : at + len(directory)] = directory  # of which the last four bytes say that there is no other page
    (turn,) = values.get(ORIENTATION, ())[:1] or (1,)
    width, height = values.get(WIDTH, (0,)), values.get(HEIGHT, (0,))
    return StrippedFile(
        bytes(changed),
        "TIFF",
        size=(width[0], height[0]) if width and height else None,
        orientation=turn if 1 <= turn <= TURNED else 1,
        alpha=values.get(EXTRA, ())[:1] in ((1,), (2,)),
        sample_layout=sample_layout,
    )


def _sample_layout(values: Mapping[int, tuple[int, ...]], order: str) -> SampleLayout | None:
    """What its numbers are, where no decoder reads them.

    Raises:
        ImageError: nor can they be read here.
    """

    def first(tag: int, otherwise: int) -> int:
        return (values.get(tag) or (otherwise,))[0]

    bits, formats = set(values.get(BITS, (1,))), set(values.get(FORMAT, ())) - {4} or {UNSIGNED}  # 4: nobody knows
    packing, photometric, samples = first(PACKING, 1), first(PHOTOMETRIC, 0), first(SAMPLES, 1)
    apart = first(PLANES, 1) != 1 and samples > 1
    each, kind = max(bits, default=1), max(formats)
    colours = 1 if photometric in GREY else {RGB: 3, INKS: 4}.get(photometric, 0)
    if photometric == YCBCR and packing == 1 and max(values.get(COARSE, (1,))) > 1:
        raise ImageError("decode", "a TIFF in YCbCr with less colour than light is read only if it is packed")
    is_grey_with_more = colours == 1 < samples and packing in BYTEWISE
    if bits <= set(DECODED) and formats == {UNSIGNED} and (each == BYTE or samples == 1) and not is_grey_with_more:
        return None
    if each == 2 * BYTE and formats == {UNSIGNED} and 3 <= colours <= samples <= 4 and not (apart and packing == 1):
        return None
    width, height = first(WIDTH, 0), first(HEIGHT, 0)
    columns, rows = first(TILE_WIDTH, width), first(TILE_HEIGHT, 0) or min(height, first(ROWS, height))
    predictor = first(PREDICTOR, 1) if packing != 1 else 1
    is_complete = each in WHOLE_BYTES and (kind < FRACTIONS or each > BYTE)
    is_read = is_complete or (kind == UNSIGNED and each < 32 and predictor == 1)
    is_read = is_read and predictor in (1, DIFFERENCES, BYTES_OF_FRACTIONS if kind == FRACTIONS else 1)
    is_read = is_read and packing in BYTEWISE and 0 < colours <= samples and kind <= FRACTIONS
    if not is_read or len(bits) > 1 or len(formats) > 1 or not (width and height and columns and rows):
        raise ImageError("decode", UNREAD)
    if apart and height % rows and TILE_WIDTH not in values:
        raise ImageError("decode", "a TIFF of such numbers in separate planes is read in strips of equal height only")
    alpha = first(EXTRA, 2) if samples > colours and photometric != INKS else 0
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
        plane=-(-height // rows) * rows if apart else 0,
        white_is_zero=photometric == 0,
    )


def _as_bytes(sample_layout: SampleLayout, values: Mapping[int, tuple[int, ...]]) -> Iterator[tuple[int, int]]:
    """The tags of the same file as a grey image, each of whose pixels is a byte."""
    width, height = sample_layout.packed
    yield from ((WIDTH, width), (HEIGHT, height), (BITS, BYTE), (PHOTOMETRIC, 1))
    yield from ((tag, 1) for tag in (SAMPLES, PLANES) if tag in values)
    if TILE_WIDTH in values:
        yield TILE_WIDTH, width // -(-sample_layout.size[0] // sample_layout.columns)
    elif sample_layout.plane:
        yield ROWS, min(values.get(ROWS, (sample_layout.plane,))[0], sample_layout.plane)


def _smaller(data: bytes, changed: bytearray, layout: _Layout, entry: int, spare: int) -> bytes:
    """A BigTIFF's tag as another TIFF has it; ``spare``: room for values that no longer stand in the tag itself."""
    order = layout.order
    tag, kind, number = struct.unpack_from(order + layout.entry, data, entry)
    place = _place(data, layout, entry, kind, number)
    is_inside = entry < place < entry + layout.size
    body = bytes((data if is_inside else changed)[place : place + LENGTHS[kind] * number])
    if kind in SMALLER:
        body = struct.pack(f"{order}{number}I", *struct.unpack(f"{order}{number}Q", body))
    head = struct.pack(order + "HHI", tag, SMALLER.get(kind, kind), number)
    if len(body) <= 4:
        return head + body.ljust(4, b"\0")
    place = spare if is_inside else place
    changed[place : place + len(body)] = body
    return head + struct.pack(order + "I", place)


def _readable(kept: Mapping[int, bytes], changed: bytearray, order: str) -> Iterator[tuple[int, bytes]]:
    """The tags, in order, that Pillow takes without a word: it warns, whoever's program it is, of the others.

    Those whose values are not in the file, or are more than it together, go; where one value belongs, the first stays.
    """
    left = len(changed)
    for tag, entry in sorted(kept.items()):
        _, kind, number, place = struct.unpack(order + "HHII", entry)
        size, length = LENGTHS[kind], LENGTHS[kind] * number
        if length > INLINE and (place + length > len(changed) or length > left):
            continue
        if kind not in WHOLE_TEXTS and tag != PHOTOMETRIC and number > 1 and TiffTags.lookup(tag).length == 1:
            value = bytes(changed[place : place + size]) if size <= INLINE < length else entry[8:]
            entry, length = struct.pack(order + "HHI", tag, kind, 1) + value.ljust(INLINE, b"\0"), size
        left -= length if length > INLINE else 0
        yield tag, entry


def _values(data: bytes, layout: _Layout, entry: int, kind: int, number: int) -> Iterator[int]:
    """A tag's whole numbers; none of another type, or of more than any that is looked at has."""
    if kind in CODES and number <= MOST_VALUES:
        at = _place(data, layout, entry, kind, number)
        yield from struct.unpack_from(f"{layout.order}{number}{CODES[kind]}", data, at)


def _place(data: bytes | bytearray, layout: _Layout, entry: int, kind: int, number: int) -> int:
    inline = entry + struct.calcsize(layout.order + layout.entry)
    if LENGTHS[kind] * number <= struct.calcsize(layout.offset):
        return inline
    return int(struct.unpack_from(layout.order + layout.offset, data, inline)[0])


def _widen(changed: bytearray, layout: _Layout, entry: int, values: tuple[int, ...]) -> None:
    """A palette of eight bits in numbers of sixteen, as some programs write, to sixteen."""
    _, kind, number = struct.unpack_from(layout.order + layout.entry, changed, entry)
    if CODES[kind] == "H":
        at = _place(changed, layout, entry, kind, number)
        struct.pack_into(f"{layout.order}{number}H", changed, at, *(value * 257 for value in values))
