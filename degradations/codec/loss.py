"""Loss of packets on the way: slices of a coded clip that never arrive, and what a decoder puts in their place."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import IO, Any, ClassVar, Literal

import numpy as np
from pydantic import Field, model_validator
from torch import Tensor

from degradations.base import NO_MASKS, ClipShape, Damage, Degradation, Masks, Params, Subframes, as_one_clip
from degradations.codec.encoders import SCALES, as_text, picture_options
from degradations.codec.pictures import Geometry, Planes, Seen, converter, through
from degradations.codec.process import Job, encoder_version
from degradations.codec.readback import BY_DECODER, Log
from degradations.rng import Rng


class PacketLoss(Degradation):
    """A clip that was sent over a bad line: coded in slices, some lost, decoded with FFmpeg's concealment.

    Settings:
        codec: ``h264``, in slices that fill a packet each (RTP sends one unit a packet), or ``mpeg2``, whose slices, a
            row of macroblocks each, are packed together (as in a transport stream).
        qp: the constant quantiser, on the codec's own scale.
        rate: share of the packets that is lost, on average.
        burst: how many packets in a row are lost on average; 1 / (1 - rate) would be losses that know nothing of each
            other.
        packet: payload of a packet in bytes.
        gop: distance of key frames; damage lasts until the next.
        bframes: B frames in a row.

    Packets are lost by the model of Gilbert: two states, good and bad, and in the bad one every packet is lost. The
    first frame arrives whole, for a decoder shows nothing before it, and so do the headers of the stream. At least
    one packet of the clip is lost: where the chain spares all before a frame that is drawn, the first of that frame is.
    What is missing the decoder guesses from its surroundings and from the frame before (``ec`` guess_mvs+deblock), and
    all that is predicted from it is wrong as well. A frame of which nothing arrives is replaced by the frame shown
    before, so that the number of frames stays.

    Mask: kind ``loss``, where the picture differs from what the whole stream would have given.

    Measured: ``qp``, ``bits`` and ``frame_type`` of the whole stream as for the step ``codec``, and for every frame
    ``packets`` and ``packets_lost`` of its own, and ``repeated`` (nothing arrived); for the clip ``loss_rate``.

    Source: E. N. Gilbert, "Capacity of a burst-noise channel" (Bell System Technical Journal, 1960), used for packets as
    in RFC 3357 and ITU-T G.1050; the concealment is FFmpeg's.

    Example:
        >>> PacketLoss(rate=0.05, burst=2).chain()
        (0.0263..., 0.5)
    """

    kind: ClassVar[str] = "packet-loss"
    codec: Literal["h264", "mpeg2"] = "h264"
    qp: int = Field(default=28, ge=0, le=51)
    rate: float = Field(gt=0, le=0.5)
    burst: float = Field(default=2.0, ge=1, le=100)
    packet: int = Field(default=1400, ge=64, le=65535)
    gop: int = Field(default=50, ge=1, le=1000)
    bframes: int = Field(default=0, ge=0, le=16)

    @model_validator(mode="after")
    def _range(self) -> PacketLoss:
        low, high = SCALES[self.codec]
        if not low <= self.qp <= high:
            raise ValueError(f"qp {self.qp} is outside {low}..{high}, the scale of {self.codec}")
        return self

    def chain(self) -> tuple[float, float]:
        """Probabilities to go from the good state to the bad one, and back."""
        back = 1 / self.burst
        return self.rate / (1 - self.rate) * back, back

    def options(self, geometry: Geometry) -> dict[str, Any]:
        """FFmpeg's output options, in order."""
        by_codec: dict[str, dict[str, Any]] = {
            "h264": {
                "c:v": "libx264",
                "preset": "medium",
                "qp": self.qp,
                "x264-params": f"slice-max-size={self.packet}",
                "sc_threshold": 0,
            },
            "mpeg2": {"c:v": "mpeg2video", "qscale:v": self.qp, "qmin": 1},
        }
        frames = {"g": self.gop, "bf": self.bframes}
        return {**by_codec[self.codec], **frames, **picture_options(self.codec, "bt601", geometry)}

    def sample(self, shape: ClipShape, rng: Rng) -> Params:
        """The key of the losses; the encoder's options and FFmpeg's version are recorded."""
        options = self.options(Geometry.of(shape.height, shape.width))
        return {
            "key": rng.key,
            "encoder": options["c:v"],
            "options": as_text(options),
            "ffmpeg": encoder_version(),
        }

    def apply(self, frames: Tensor, params: Params, *, start: int = 0, masks: Masks = NO_MASKS) -> Damage:
        """``frames`` as one clip of their own (a stream cannot be cut into chunks: use :meth:`stream`)."""
        return as_one_clip(self, frames, params, masks)

    def stream(
        self,
        chunks: Iterable[Damage],
        params: Params,
        shape: ClipShape,
        subframes: Subframes | None = None,
        measured: dict[str, Any] | None = None,
    ) -> Iterator[Damage]:
        """Encode the clip, lose packets of it, and decode what arrives beside what was sent.

        Raises:
            ValueError: FFmpeg failed (its message is quoted).
        """
        geometry = Geometry.of(shape.height, shape.width)
        convert = converter(geometry.shown, shape.channels, "bt601", "exact")
        line = Line(self, Rng(params["key"]), shape.frames)
        log = Log(self.codec)
        fate: list[tuple[int, int, int, bool]] = []

        def read(pipe: IO[bytes]) -> Iterator[Seen]:
            return _received(pipe, self, line, convert, log, fate)

        yield from through(chunks, geometry, Job(geometry.padded, self.options(geometry)), read)
        if measured is not None:
            packets, lost, repeated = ([frame[i] for frame in fate] for i in (1, 2, 3))
            measured.update(log.measured(geometry.coded[0] * geometry.coded[1]))
            measured.update(packets=packets, packets_lost=lost, repeated=repeated)
            measured["loss_rate"] = round(sum(lost) / sum(packets), 6)


class Line:
    """Which packets arrive. Asked for one frame after the other, in coding order.

    Example:
        >>> line = Line(PacketLoss(rate=0.5, burst=1), Rng.root(0), frames=3)
        >>> line.arrives(4)
        [True, True, True, True]
        >>> sum(not whole for whole in line.arrives(100) + line.arrives(100)) > 50
        True
    """

    def __init__(self, step: PacketLoss, rng: Rng, frames: int) -> None:
        self._worse, self._better = step.chain()
        self._generator = rng.at("line").generator()
        self._bad = bool(self._generator.random() < step.rate)
        self._at_least = int(rng.at("least").generator().integers(1, max(frames, 2)))
        self._frame = 0
        self._any = False

    def arrives(self, packets: int) -> list[bool]:
        """For each packet of the next frame whether it arrives."""
        number = self._frame
        self._frame += 1
        if number == 0:
            return [True] * packets
        out = []
        for drawn in self._generator.random(packets):
            out.append(not self._bad)
            self._bad = drawn >= self._better if self._bad else drawn < self._worse
        if number == self._at_least and not self._any and all(out) and packets:
            out[0] = False
        self._any = self._any or not all(out)
        return out


def _received(
    pipe: IO[bytes],
    step: PacketLoss,
    line: Line,
    convert: Callable[[Any], Planes],
    log: Log,
    fate: list[tuple[int, int, int, bool]],
) -> Iterator[Seen]:
    """Each frame as it is shown, and where it is not as it was sent.

    ``fate`` gets for each frame its time, its packets, how many of them were lost, and whether nothing came of it.
    """
    import av

    def time_of(thing: Any) -> int:
        return int(thing.pts)

    counts: dict[int, tuple[int, int]] = {}
    sent: deque[tuple[int, Planes]] = deque()
    got: dict[int, Planes] = {}
    shown: Planes | None = None

    with av.open(pipe, "r", format="matroska") as source:
        stream = source.streams.video[0]
        if step.codec in BY_DECODER:
            stream.codec_context.options = {"export_side_data": "venc_params"}
        receiver: Any = av.CodecContext.create(stream.codec_context.name, "r")
        receiver.extradata = stream.codec_context.extradata
        receiver.thread_count = 1
        receiver.options = {"ec": "guess_mvs+deblock"}
        newest = -1
        for packet in source.demux(stream):
            log.packet(packet)
            for frame in packet.decode():
                log.frame(frame)
                sent.append((time_of(frame), convert(frame)))
            if packet.size:
                head, units = split(bytes(packet), step.codec, step.packet)
                whole = line.arrives(len(units))
                counts[time_of(packet)] = (len(units), whole.count(False))
                came = _decoded(receiver, packet, head, units, whole) if any(whole) else []
            else:
                came = receiver.decode(None)
            for frame in came:
                newest = time_of(frame)
                got[newest] = convert(frame)
            # Frames leave a decoder in order: one that is older than the newest is not coming any more.
            while sent and (newest >= sent[0][0] or not packet.size):
                pts, clean = sent.popleft()
                picture = got.pop(pts, None)
                fate.append((pts, *counts.pop(pts), picture is None))
                shown = picture if picture is not None else clean if shown is None else shown
                differs = np.logical_or.reduce([a != b for a, b in zip(shown, clean, strict=True)])
                yield Seen(shown, {"loss": differs[None]})


def _decoded(receiver: Any, packet: Any, head: bytes, units: list[bytes], whole: list[bool]) -> list[Any]:
    """Frames that come out of a decoder when it is given what arrived of a packet of the stream."""
    import av

    arrived = av.Packet(head + b"".join(unit for unit, there in zip(units, whole, strict=True) if there))
    arrived.pts, arrived.dts, arrived.time_base = packet.pts, packet.dts, packet.time_base
    try:
        return list(receiver.decode(arrived))
    except av.InvalidDataError:
        return []  # too little is left of it for a picture


def split(packet: bytes, codec: str, payload: int) -> tuple[bytes, list[bytes]]:
    """Headers of a frame, and its slices in units that are sent in one packet each.

    Example:
        >>> split(bytes.fromhex("00000001 09 00000002 6511 00000002 6522"), "h264", 1400)[1]
        [b'\\x00\\x00\\x00\\x02e\\x11', b'\\x00\\x00\\x00\\x02e"']
    """
    if codec == "h264":
        head, units, place = b"", [], 0
        while place + 4 < len(packet):
            end = place + 4 + int.from_bytes(packet[place : place + 4], "big")
            if packet[place + 4] & 31 in (1, 5):
                units.append(packet[place:end])
            else:
                head += packet[place:end]
            place = end
        return head, units
    starts = [found.start() for found in re.finditer(rb"\x00\x00\x01[\x01-\xaf]", packet)]
    if not starts:
        return packet, []
    units = []
    for start, end in zip(starts, [*starts[1:], len(packet)], strict=True):
        if units and len(units[-1]) + end - start <= payload:
            units[-1] += packet[start:end]
        else:
            units.append(packet[start:end])
    return packet[: starts[0]], units
