"""What a TIFF file says of its samples, and an alpha channel that leaves colours alone.

libtiff, which OpenCV reads with, multiplies colours of 8 bits by an alpha channel that is tagged as not multiplied yet
(which is what most programs write), and gives the product out. Nobody wants that of a channel that is dropped.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

BITS, KIND, SAMPLES, PLANAR, EXTRA = 258, 262, 277, 284, 338
"""Tags of TIFF 6.0: BitsPerSample, PhotometricInterpretation, SamplesPerPixel, PlanarConfiguration, ExtraSamples."""
_INKS = 5
_SHORT = 3
_UNSPECIFIED = 0
_MOST_TAGS = 4096


@dataclass(frozen=True)
class Samples:
    """Samples of each pixel.

    Attributes:
        bits: of a sample; of the first, where they differ.
        count: of a pixel.
        extra: how many of these are said to be no colours.
        inks: whether colours are amounts of ink (CMYK).
        apart: whether each of them lies in a plane of its own.
        place: where in the file the meaning of the first extra one stands; None where nothing is extra.
    """

    bits: int
    count: int
    extra: int
    inks: bool
    apart: bool
    place: int | None
    order: str


def samples(data: bytes) -> Samples | None:
    """What the first image of a TIFF file is made of; None where the file is no TIFF, or is cut."""
    order = {b"II": "<", b"MM": ">"}.get(bytes(data[:2]))
    try:
        if order is None:
            return None
        (version,) = struct.unpack_from(f"{order}H", data, 2)
        if version == 42:
            (at,) = struct.unpack_from(f"{order}I", data, 4)
            (tags,), first, entry, room = struct.unpack_from(f"{order}H", data, at), at + 2, "HHI", 4
        elif version == 43:  # BigTIFF
            (at,) = struct.unpack_from(f"{order}Q", data, 8)
            (tags,), first, entry, room = struct.unpack_from(f"{order}Q", data, at), at + 8, "HHQ", 8
        else:
            return None
        head = struct.calcsize(f"{order}{entry}")
        found: dict[int, tuple[int, int, int]] = {}
        for i in range(min(tags, _MOST_TAGS)):
            place = first + i * (head + room)
            tag, kind, count = struct.unpack_from(f"{order}{entry}", data, place)
            if kind == _SHORT and tag in (BITS, KIND, SAMPLES, PLANAR, EXTRA):
                place += head
                if 2 * count > room:
                    (place,) = struct.unpack_from(f"{order}{'I' if room == 4 else 'Q'}", data, place)
                (value,) = struct.unpack_from(f"{order}H", data, place)
                found[tag] = (value, count, place)
    except struct.error:
        return None
    extra = found.get(EXTRA)
    return Samples(
        bits=found.get(BITS, (1, 1, 0))[0],
        count=found.get(SAMPLES, (1, 1, 0))[0],
        extra=extra[1] if extra else 0,
        inks=found.get(KIND, (0, 1, 0))[0] == _INKS,
        apart=found.get(PLANAR, (1, 1, 0))[0] == 2,
        place=extra[2] if extra else None,
        order=order,
    )


def alpha_alone(data: bytes, known: Samples) -> bytes:
    """The file with its first extra channel tagged as of no known meaning, so that no colour is multiplied by it."""
    if known.place is None:
        return data
    changed = bytearray(data)
    struct.pack_into(f"{known.order}H", changed, known.place, _UNSPECIFIED)
    return bytes(changed)
