"""H.264 of single fields, two to a frame, written out by hand: no encoder at hand stores them so, camcorders and broadcasters do.

Main profile, every picture of macroblocks of raw samples (I_PCM), see ITU-T H.264, 7.3.
"""

from __future__ import annotations

import numpy as np

WIDTH, HEIGHT = 32, 64


class _Bits:
    def __init__(self) -> None:
        self.all: list[int] = []

    def u(self, count: int, value: int) -> _Bits:
        self.all += [(value >> i) & 1 for i in reversed(range(count))]
        return self

    def ue(self, *values: int) -> _Bits:
        for value in values:
            length = (value + 1).bit_length()
            self.u(length - 1, 0).u(length, value + 1)
        return self

    def align(self) -> _Bits:
        self.all += [0] * (-len(self.all) % 8)
        return self

    def unit(self, head: int) -> bytes:
        """As a unit of the byte stream."""
        self.u(1, 1).align()
        out, zeros = bytearray([head]), 0
        for byte in np.packbits(np.array(self.all, np.uint8)).tolist():
            if zeros >= 2 and byte <= 3:
                out.append(3)
                zeros = 0
            out.append(byte)
            zeros = 0 if byte else zeros + 1
        return b"\0\0\0\1" + bytes(out)


def stream(levels: list[tuple[int, int]]) -> bytes:
    """A stream of gray frames: luma of the upper and the lower field of each."""
    wide, high = WIDTH // 16, HEIGHT // 32
    sequence = _Bits().u(8, 77).u(8, 0).u(8, 30).ue(0, 0, 2, 1).u(1, 0).ue(wide - 1, high - 1).u(5, 0b00100).unit(0x67)
    picture = _Bits().ue(0, 0).u(2, 0).ue(0, 0, 0).u(3, 0).ue(0, 0, 0).u(3, 0b100).unit(0x68)
    out = b""
    for number, pair in enumerate(levels):
        for lower, level in enumerate(pair):
            bits = _Bits().ue(0, 7, 0).u(4, 0).u(1, 1).u(1, lower)
            bits = bits.u(1, 0) if lower else bits.ue(number % 2).u(2, 0)
            bits.ue(0, 1)
            samples = np.unpackbits(np.repeat(np.array([level, 128], np.uint8), [256, 128])).tolist()
            for _ in range(wide * high):
                bits.ue(25).align().all += samples
            out += b"\0\0\0\1\x09\x10" + (b"" if lower else sequence + picture) + bits.unit(0x61 if lower else 0x65)
    return out
