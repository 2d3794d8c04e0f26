"""A TIFF's tags: those that draw stay, the others go; what its numbers mean is read here too."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from image_similarity.errors import ImageError
from image_similarity.images.exif import ORDERS, ORIENTATION
from image_similarity.images.plain import Plain, Shades

if TYPE_CHECKING:
    from collections.abc import Iterator

WIDTH, HEIGHT, BITS, PACKING, PHOTOMETRIC, PLANES, COLOURS, EXTRA, FORMAT = 256, 257, 258, 259, 262, 284, 320, 338, 339
UNSIGNED, SIGNED = 1, 2  # formats
DRAWING = {
    *(254, WIDTH, HEIGHT, BITS, PACKING, PHOTOMETRIC, 266, 273, 277, 278, 279, PLANES, 292, 293, 317, COLOURS),
    *(322, 323, 324, 325, 332, 334, EXTRA, FORMAT, 347, *range(512, 522), 529, 530, 531, 532, 34675),
}
LENGTHS = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
READ = {WIDTH, HEIGHT, BITS, PACKING, PHOTOMETRIC, PLANES, COLOURS, EXTRA, FORMAT, ORIENTATION}
CODES = {1: "B", 3: "H", 4: "I", 16: "Q"}
MOST_VALUES = 3 * 65536  # of a palette of sixteen bits
BYTE = 8  # bits
TURNED = 8  # the last of EXIF's turns


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where things are in a TIFF or a BigTIFF."""

    order: str
    count: str
    entry: str
    offset: str
    size: int
    first: int


def plain(data: bytes) -> Plain:
    """A TIFF whose first page has those tags alone that draw it."""
    try:
        return _plain(data)
    except (struct.error, KeyError):  # for the decoder to refuse
        return Plain(data, "TIFF")


def _plain(data: bytes) -> Plain:
    order = ORDERS[data[:2]]
    big = struct.unpack_from(order + "H", data, 2)[0] == 43
    layout = _Layout(order, "Q", "HHQ", "Q", 20, 8) if big else _Layout(order, "H", "HHI", "I", 12, 4)
    (at,) = struct.unpack_from(order + layout.offset, data, layout.first)
    (count,) = struct.unpack_from(order + layout.count, data, at)
    begin = at + struct.calcsize(order + layout.count)
    changed, kept, values = bytearray(data), list[bytes](), dict[int, tuple[int, ...]]()
    for entry in range(begin, begin + count * layout.size, layout.size):
        tag, kind, number = struct.unpack_from(order + layout.entry, data, entry)
        if tag in DRAWING:
            kept.append(data[entry : entry + layout.size])
        if tag in READ:
            values.setdefault(tag, tuple(_values(data, layout, entry, kind, number)))
            if tag == COLOURS and 0 < max(values[tag], default=0) <= 255:
                _widen(changed, layout, entry, values[tag])
    if FORMAT not in values and max(values.get(BITS, ()), default=1) == 32 and len(kept) < count:
        kept.append(struct.pack(order + layout.entry + "H", FORMAT, 3, 1, UNSIGNED).ljust(layout.size, b"\0"))
        kept.sort(key=lambda entry: struct.unpack_from(order + "H", entry))
    directory = struct.pack(order + layout.count, len(kept)) + b"".join(kept)
    changed[at : at + len(directory)] = directory
    end = at + len(directory)
    changed[end : end + struct.calcsize(layout.offset)] = bytes(struct.calcsize(layout.offset))  # no other page
    shades = _shades(values, order)
    _readable(changed, layout, at, shades, len(values.get(BITS, ())))
    (turn,) = values.get(ORIENTATION, ())[:1] or (1,)
    width, height = values.get(WIDTH, (0,)), values.get(HEIGHT, (0,))
    return Plain(
        bytes(changed),
        "TIFF",
        size=(width[0], height[0]) if width and height else None,
        orientation=turn if 1 <= turn <= TURNED else 1,
        shades=shades,
    )


def _shades(values: dict[int, tuple[int, ...]], order: str) -> Shades:
    bits, packed = values.get(BITS, ()), values.get(PACKING, ())[:1] not in ((), (1,))
    if values.get(PLANES, ())[:1] == (2,) and len(bits) > 1 and max(bits) > BYTE and not packed:
        raise ImageError("decode", "a TIFF of separate planes of 16 bits, not compressed, is not read")
    return Shades(
        bits=max(bits, default=1),
        format=max(values.get(FORMAT, ()), default=UNSIGNED),
        white_is_zero=values.get(PHOTOMETRIC, ())[:1] in ((), (0,)),
        alpha=values.get(EXTRA, ())[:1] in ((1,), (2,)),
        swapped=packed and order == ORDERS[b"MM"],
    )


def _readable(changed: bytearray, layout: _Layout, at: int, shades: Shades, samples: int) -> None:
    """Have the decoder take numbers for what it reads: not for negatives, and those of 32 bits for signed ones."""
    if samples != 1 or (shades.bits <= BYTE and shades.format == UNSIGNED):
        return
    begin = at + struct.calcsize(layout.order + layout.count)
    (count,) = struct.unpack_from(layout.order + layout.count, changed, at)
    for entry in range(begin, begin + count * layout.size, layout.size):
        tag, kind, _ = struct.unpack_from(layout.order + layout.entry, changed, entry)
        inline = entry + struct.calcsize(layout.order + layout.entry)
        if tag == PHOTOMETRIC and shades.white_is_zero:
            struct.pack_into(layout.order + CODES[kind], changed, inline, 1)
        elif tag == FORMAT and (shades.bits, shades.format) == (32, UNSIGNED):
            struct.pack_into(layout.order + CODES[kind], changed, inline, SIGNED)


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
