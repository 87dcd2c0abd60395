"""Video compression inside a random chain: a starved encoder at a bit rate for each frame."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field, field_validator

from degradations.base import Params
from degradations.realworld.noise_jpeg import to_bytes
from degradations.realworld.stages import Image, Places, Scene, Size, Stage
from degradations.rng import Rng

ENCODERS = {"libx264": "libx264", "h264": "libx264", "mpeg4": "mpeg4"}
"""The configurations' names of codecs, and the encoders that these names select in PyAV's wheels."""

SMALLEST = 16
"""Frames smaller than a block are padded to it."""


class Video(Stage):
    """The clip through a video encoder that is given a number of bits for each frame, and back.

    Settings:
        codecs: one of which is drawn evenly. The name ``h264`` selects FFmpeg's first H.264 encoder, which in PyAV's
            wheels is x264 too, so that two of three clips are H.264 and one is MPEG-4 part 2.
        bits: range of the bits for each frame, of which a whole number is drawn evenly.

    The encoder's defaults otherwise (x264: medium, average bit rate in whole kbit; MPEG-4: key frames every 12), 4:2:0,
    BT.601, one frame a second, so that bits a second are bits a frame. One thread, for pictures of x264 depend on their
    number, and none of x264's processor-dependent shortcuts, for some give other bytes now and then. All frames get
    the size of the first. The result is float32 with whole numbers.

    Source: facts of RandomVideoCompression in ``random_degradations.py`` of mmagic.
    """

    do: Literal["video"] = "video"
    known: ClassVar[tuple[str, ...]] = ("codec", "encoder", "target_bits")
    codecs: tuple[Literal["libx264", "h264", "mpeg4"], ...] = Field(default=("libx264", "h264", "mpeg4"), min_length=1)
    bits: tuple[int, int] = (10_000, 100_000)

    @field_validator("bits")
    @classmethod
    def _range(cls, value: tuple[int, int]) -> tuple[int, int]:
        if not 1000 <= value[0] <= value[1] <= 1_000_000_000:
            raise ValueError("should be two numbers of bits in order, of 1000 at least")
        return value

    def draw(self, scene: Scene, rng: Rng) -> tuple[Params, list[Size]]:
        """See the class."""
        codec = self.codecs[int(rng.at("codec").generator().integers(len(self.codecs)))]
        bits = int(rng.at("bits").generator().integers(self.bits[0], self.bits[1] + 1))
        bits = max(1000, round(bits * scene.budget))
        height, width = scene.sizes[0]
        drawn = {"codec": codec, "encoder": ENCODERS[codec], "bits": bits, "height": height, "width": width}
        return drawn, [scene.sizes[0]] * scene.count

    def run(
        self, images: Iterator[Image], drawn: Params, places: Places, rng: Rng, folder: Path, measured: Params
    ) -> Iterator[Image]:
        """All frames into a file in ``folder``, then out of it again; the bits of each frame go into ``measured``.

        Raises:
            ValueError: the encoder or the decoder gave another number of frames.
        """
        first = next(images)
        path = folder / f"{rng.key[:16]}.mp4"
        spent = encode(chain([first], images), path, drawn)
        measured["bits"] = spent
        count = 0
        for image in decode(path, drawn):
            count += 1
            yield image if first.shape[2] == 3 else image[..., 1:2]
        path.unlink()
        if count != len(spent):
            raise ValueError(f"The decoder of {drawn['codec']} gave {count} frames; {len(spent)} went in.")

    def facts(self, drawn: Params, index: int) -> dict[str, Any]:
        """Codec and the bits that the encoder was given for each frame on average."""
        return {"codec": drawn["codec"], "encoder": drawn["encoder"], "target_bits": drawn["bits"]}


def encode(images: Iterator[Image], path: Path, drawn: Params) -> list[int]:
    """Write a stream of ``drawn["bits"]`` a frame; the bits of every frame, in order of display.

    Raises:
        ValueError: the encoder wrote another number of frames.
    """
    import av
    from av.video.reformatter import ColorRange, Colorspace

    height, width = drawn["height"], drawn["width"]
    spent: dict[int, int] = {}
    with av.open(str(path), "w", format="mp4") as container:
        stream: Any = container.add_stream(drawn["encoder"], rate=1)
        stream.height, stream.width = _even(height), _even(width)
        stream.pix_fmt = "yuv420p"
        stream.bit_rate = drawn["bits"]
        stream.codec_context.thread_count = 1
        if drawn["encoder"] == "libx264":
            # With AVX-512, x264 gives other bytes now and then for the same frames in rate control (what it reads
            # depends on what was in memory before, x264 165); this keeps it to code that does not.
            stream.options = {"x264-params": "cpu-independent=1"}

        def put(frame: Any) -> None:
            for packet in stream.encode(frame):
                spent[packet.pts] = spent.get(packet.pts, 0) + 8 * packet.size
                container.mux(packet)

        count = 0
        for count, image in enumerate(images, 1):
            whole = to_bytes(image)
            colour = np.repeat(whole, 3, axis=2) if whole.shape[2] == 1 else whole
            if colour.shape[:2] != (height, width):
                other = av.VideoFrame.from_ndarray(np.ascontiguousarray(colour), format="rgb24")
                other = other.reformat(width=width, height=height, interpolation=_flags(), threads=1)
                colour = np.asarray(other.to_ndarray(), np.uint8)
            pad = ((0, stream.height - height), (0, stream.width - width), (0, 0))
            colour = np.ascontiguousarray(np.pad(colour, pad, mode="edge"))
            frame = av.VideoFrame.from_ndarray(colour, format="rgb24").reformat(
                threads=1,
                format="yuv420p",
                src_colorspace=Colorspace.ITU601,
                dst_colorspace=Colorspace.ITU601,
                src_color_range=ColorRange.JPEG,
                dst_color_range=ColorRange.MPEG,
                interpolation=_flags(),
            )
            frame.pts = count - 1
            put(frame)
        put(None)
    if len(spent) != count:
        raise ValueError(f"The encoder {drawn['encoder']} wrote {len(spent)} frames of {count}.")
    return [bits for _, bits in sorted(spent.items())]


def decode(path: Path, drawn: Params) -> Iterator[Image]:
    """Frames ``(H, W, 3)``, float32 with whole numbers 0..255."""
    import av
    from av.video.reformatter import ColorRange, Colorspace

    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            colour = frame.reformat(
                threads=1,
                format="rgb24",
                src_colorspace=Colorspace.ITU601,
                dst_colorspace=Colorspace.ITU601,
                src_color_range=ColorRange.MPEG,
                dst_color_range=ColorRange.JPEG,
                interpolation=_flags(),
            ).to_ndarray()
            yield colour[: drawn["height"], : drawn["width"]].astype(np.float32)


def _flags() -> Any:
    from av.video.reformatter import Interpolation

    # The same numbers on any processor.
    return Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.BITEXACT


def _even(side: int) -> int:
    return max(side + side % 2, SMALLEST)
