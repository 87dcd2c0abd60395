"""What a stream says of its frames: bits, quantiser and type of each, in the order in which they are shown."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from degradations.codec.process import FPS

BY_HEADERS = ("hevc", "av1", "vvc")
"""Codecs whose quantiser no decoder at hand tells; FFmpeg prints their headers while it encodes."""

BY_DECODER = ("h264", "vp9")
"""Codecs whose decoder gives the quantiser of every block beside each frame."""

_TYPES = {1: "I", 2: "P", 3: "B", 4: "S"}
_FIELD = re.compile(rb"\s(\w+)(?:\[\d+\])*\s+[01]*\s*= (-?\d+)$")
_PACKET = re.compile(rb"Packet: (\d+) bytes,.* pts (-?\d+),")


@dataclass
class Coded:
    """One packet of a stream: when it is shown, its size, and the quantiser and type of its frame where it says them."""

    pts: int
    size: int
    qp: float | None = None
    type: str | None = None


@dataclass
class Shown:
    """Quantiser and type of a frame as its decoder tells them."""

    qp: float | None
    type: str | None


class Headers(Protocol):
    """Reads the lines that FFmpeg's ``trace_headers`` prints; ``packets`` is in coding order."""

    packets: list[Coded]

    def __call__(self, line: bytes) -> None:
        """Take one line."""


def headers_of(codec: str) -> Headers | None:
    """A reader of the headers of this codec, where they are the way to its quantiser."""
    if codec == "av1":
        return Av1Headers()
    return SliceHeaders() if codec in BY_HEADERS else None


class SliceHeaders:
    """HEVC and VVC: the quantiser of a slice is 26 and two differences, of its parameter set and its own.

    Example:
        >>> trace = SliceHeaders()
        >>> for text in ("init_qp_minus26 1 = 0", "Packet: 90 bytes, key frame, pts 0, dts -2, duration 1.",
        ...              "slice_type 011 = 2", "slice_qp_delta 0001000 = 4"):
        ...     trace(b"[trace_headers @ 0x1] [info] " + text.encode())
        >>> trace.packets
        [Coded(pts=0, size=90, qp=30.0, type='I')]
    """

    def __init__(self) -> None:
        self.packets: list[Coded] = []
        self._base = 26
        self._slices: list[int] = []

    def __call__(self, line: bytes) -> None:
        """Take one line."""
        if b"Packet: " in line:
            if found := _PACKET.search(line):
                # A slice of VVC that holds no type is one of a picture without inter prediction.
                self.packets.append(Coded(int(found[2]), int(found[1]), type="I"))
                self._slices = []
            return
        if b"qp" not in line and b"slice_type" not in line:
            return
        found = _FIELD.search(line)
        if found is None:
            return
        name, value = found[1], int(found[2])
        if name in (b"init_qp_minus26", b"pps_init_qp_minus26"):
            self._base = 26 + value
        elif name in (b"slice_type", b"sh_slice_type") and self.packets:
            self.packets[-1].type = "BPI"[value]
        elif name in (b"slice_qp_delta", b"sh_qp_delta", b"ph_qp_delta") and self.packets:
            self._slices.append(self._base + value)
            self.packets[-1].qp = sum(self._slices) / len(self._slices)


class Av1Headers:
    """AV1: the index 0..255 of the frame that a packet shows, which may have come hidden in an earlier packet."""

    def __init__(self) -> None:
        self.packets: list[Coded] = []
        self._slots: list[tuple[float | None, str | None]] = [(None, None)] * 8
        self._frame: dict[bytes, int] = {}

    def __call__(self, line: bytes) -> None:
        """Take one line."""
        if b"Packet: " in line:
            if found := _PACKET.search(line):
                self.packets.append(Coded(int(found[2]), int(found[1])))
            return
        if line.endswith(b"Frame Header"):
            self._frame = {}
            return
        found = _FIELD.search(line)
        if found is None or not self.packets:
            return
        name, value = found[1], int(found[2])
        if name == b"frame_to_show_map_idx":
            self.packets[-1].qp, self.packets[-1].type = self._slots[value]
        elif name in (b"frame_type", b"show_frame", b"refresh_frame_flags"):
            self._frame[name] = value
        elif name == b"base_q_idx":
            # Types 0 and 2 are coded without other frames. A key frame that is shown renews all slots.
            key = self._frame.get(b"frame_type") == 0
            known = (float(value), "I" if self._frame.get(b"frame_type") in (0, 2) else "P")
            renewed = self._frame.get(b"refresh_frame_flags", 255 if key else 0)
            self._slots = [known if renewed >> i & 1 else old for i, old in enumerate(self._slots)]
            if self._frame.get(b"show_frame"):
                self.packets[-1].qp, self.packets[-1].type = known


def quantiser_in(packet: bytes, codec: str) -> float | None:
    """The quantiser that a packet of MPEG-2, MPEG-4 part 2 or Motion JPEG states, on the scale of ``-qscale``.

    MPEG-2: mean of the codes of all slices. MPEG-4: that of the picture's header. Motion JPEG: half of the first AC
    weight, because FFmpeg scales the matrix of MPEG-1, which has 16 there, by qscale / 8.

    Example:
        >>> quantiser_in(bytes.fromhex("00000101 40") + b"data", "mpeg2")
        8.0
    """
    if codec == "mpeg2":
        slices = [found[2][0] >> 3 for found in re.finditer(rb"\x00\x00\x01([\x01-\xaf])(.)", packet, re.DOTALL)]
        return sum(slices) / len(slices) if slices else None
    if codec == "mpeg4":
        start = packet.find(b"\x00\x00\x01\xb6")
        return _vop_quantiser(packet[start + 4 : start + 16]) if start >= 0 else None
    if codec == "mjpeg":
        start = packet.find(b"\xff\xdb")
        return packet[start + 6] / 2 if 0 <= start < len(packet) - 6 else None
    return None


def _vop_quantiser(header: bytes) -> float | None:
    """Quantiser of an MPEG-4 picture: after its type, time (5 bits at 25 frames per second) and coding flags."""
    bits = "".join(f"{byte:08b}" for byte in header)
    kind, place = int(bits[:2], 2), 2
    place = bits.index("0", place) + 1  # whole seconds, one bit each
    place += 1 + (FPS - 1).bit_length() + 1  # marker, time within the second, marker
    if bits[place] == "0":
        return None  # nothing is coded: the picture before stands
    place += 1 + (kind == 1) + 3  # coded, rounding of P pictures, threshold of intra DC
    return float(int(bits[place : place + 5], 2))


@dataclass
class Log:
    """Collects what is read of a stream; one is filled by the thread that decodes."""

    codec: str
    headers: Headers | None = None
    coded: list[Coded] = field(default_factory=list)
    shown: list[Shown] = field(default_factory=list)

    def packet(self, packet: Any) -> None:
        """Note a packet of PyAV."""
        if packet.size and self.headers is None:
            data = bytes(packet)
            size = len(data) - _about_itself(data) if self.codec == "h264" else len(data)
            self.coded.append(Coded(int(packet.pts), size, quantiser_in(data, self.codec)))

    def frame(self, frame: Any) -> None:
        """Note a frame of PyAV; frames come in the order in which they are shown."""
        kind = _TYPES.get(int(frame.pict_type))
        self.shown.append(Shown(_decoders_qp(frame) if self.codec in BY_DECODER else None, kind))

    def measured(self, pixels: int) -> dict[str, Any]:
        """The ground truth of the compression, after the last frame.

        Args:
            pixels: coded pixels of a frame.

        Returns:
            For each frame, in the order of display, ``qp`` (on the scale of the stream: see the step), ``bits`` of its
            packet and ``frame_type`` (I, P, B); for the clip ``bits_total``, ``bit_rate`` in bit/s at 25 frames per
            second and ``bits_per_pixel``.

        Raises:
            ValueError: the stream has not one packet for each frame.
        """
        packets = self.coded if self.headers is None else self.headers.packets
        ordered = sorted(packets, key=lambda p: p.pts)
        if len(ordered) != len(self.shown) or len({p.pts for p in ordered}) < len(ordered):
            raise ValueError(
                f"The {self.codec} stream has {len(ordered)} packets and {len(self.shown)} frames, so that the bits of "
                "a frame are not known."
            )
        frames = [(p.qp if s.qp is None else s.qp, p.type or s.type) for p, s in zip(ordered, self.shown, strict=True)]
        bits = [8 * p.size for p in ordered]
        total = sum(bits)
        return {
            "qp": [None if qp is None else round(qp, 3) for qp, _ in frames],
            "bits": bits,
            "frame_type": [kind for _, kind in frames],
            "bits_total": total,
            "bit_rate": round(total * FPS / len(bits), 1),
            "bits_per_pixel": round(total / (pixels * len(bits)), 6),
        }


def _about_itself(packet: bytes) -> int:
    """Bytes of a packet of H.264 (units behind a length of 4 bytes) that are no picture but x264's text about itself."""
    spent, place = 0, 0
    while place + 4 < len(packet):
        length = int.from_bytes(packet[place : place + 4], "big")
        if packet[place + 4] & 31 == 6:
            spent += 4 + length
        place += 4 + length
    return spent


def _decoders_qp(frame: Any) -> float | None:
    """Mean quantiser of a frame's blocks."""
    from av.sidedata.sidedata import Type

    data = frame.side_data.get(Type.VIDEO_ENC_PARAMS)
    if data is None:
        return None
    if not data.nb_blocks:
        return float(data.qp)
    # In every block the fifth 32-bit number is its difference from the frame's.
    blocks = np.frombuffer(data, np.uint8)[data.blocks_offset :].reshape(data.nb_blocks, data.block_size)
    return float(data.qp + np.ascontiguousarray(blocks[:, 16:20]).view(np.int32).mean())
