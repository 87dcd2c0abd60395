"""Compression to a target rate, as platforms serve video: shrunk, held to a bit rate, perhaps more than once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, ClassVar, Literal

import numpy as np
from PIL import Image
from pydantic import Field, model_validator
from torch import Tensor

from degradations.base import NO_MASKS, ClipShape, Damage, Degradation, Masks, Params, Subframes, as_one_clip
from degradations.codec.encoders import (
    ENCODERS,
    SCALES,
    Structure,
    as_text,
    check_preset,
    check_structure,
    params_option,
    picture_options,
    preset_option,
    structure_options,
)
from degradations.codec.pictures import SMALLEST, Geometry, Matrix, Planes, to_frames, transcoded
from degradations.codec.process import FPS, encoder_version
from degradations.rng import Rng

LOWEST = 1
"""kbit/s; encoders take no less."""

POWER = 0.75
"""How the rate of a ladder grows with the pixels: from 640x360 to its largest rung Twitter's with the power 0.69, YouTube's
0.80, Bilibili's 0.84 (numbers in the profile ``social``)."""


class Rate(Degradation):
    """A clip that was encoded to a bit rate: 4:2:0, one thread, one pass, BT.601 as FFmpeg does by default.

    Settings:
        codec: ``h264`` (x264), ``hevc`` (x265) or ``vp9`` (libvpx).
        kbps: the average rate in kbit/s, which with ``crf`` is only a cap.
        at: width, height and frames per second for which ``kbps`` is meant. Other sizes get a rate that goes with their
            pixels to the power of 0.75 and with the frame rate, here 25 per second; None means that ``kbps`` is the
            clip's own.
        crf: constant quality (x264 and x265 0..51, VP9 0..63) instead of an average rate.
        peak: the rate is never above this many times ``kbps``, over ``buffer`` seconds (VBV; VP9 keeps to it roughly).
        size: the clip is coded at this share of its sides, made smaller by FFmpeg's bicubic scaler.
        back: enlarged again to its size (bicubic), as a player shows it; without, it stays small, ``size`` is one part
            in a whole number (0.5: half), and masks of earlier steps are dropped.
        generations: encoded so many times one after the other, at the small size: shared, and shared again.
        preset, gop, structure, bframes: as for the step ``codec``; x264's structure is its own unless set.

    Sizes that do not divide are padded by repeating the last row or column, and cut again. The result has 8 bits. A clip
    shorter than the buffer need not meet its rate, for the first frame takes most of it (VP9 of 12 frames can
    spend three times as much): what was spent is measured.

    Measured: as for the step ``codec``, of the last generation. ``qp`` of H.264 is the mean over all blocks, which
    differ here (adaptive quantisation).

    Example:
        >>> step = Rate(codec="h264", kbps=2176, at=(1280, 720, 30))
        >>> step.target(360, 640)
        641
    """

    kind: ClassVar[str] = "rate"
    codec: Literal["h264", "hevc", "vp9"] = "h264"
    kbps: float = Field(gt=0, le=1e6)
    at: tuple[int, int, float] | None = None
    crf: float | None = Field(default=None, ge=0)
    peak: float = Field(default=1.5, ge=1, le=10)
    buffer: float = Field(default=2.0, gt=0, le=60)
    size: float = Field(default=1.0, ge=0.1, le=1)
    back: bool = True
    generations: int = Field(default=1, ge=1, le=20)
    preset: str | None = None
    gop: int | None = Field(default=None, ge=1, le=1000)
    structure: Structure | None = None
    bframes: int | None = Field(default=None, ge=0, le=16)
    matrix: Matrix = "bt601"

    @model_validator(mode="after")
    def _possible(self) -> Rate:
        if self.at is not None and min(self.at) <= 0:
            raise ValueError(f"at {list(self.at)}: width, height and frames per second should be above 0")
        high = SCALES[self.codec][1]
        if self.crf is not None and self.crf > high:
            raise ValueError(f"crf {self.crf:g} is outside 0..{high}, the scale of {self.codec}")
        if not self.back and abs(1 / self.size - round(1 / self.size)) > 1e-9:
            raise ValueError(
                f"size {self.size:g} without back is no whole part: ground truth and result need a whole factor between "
                "them, as with 0.5 or 0.25"
            )
        check_preset(self.codec, self.preset)
        check_structure(self.codec, self.structure, self.gop, self.bframes)
        return self

    def target(self, height: int, width: int) -> int:
        """kbit/s of a clip that is coded at this size.

        Example:
            >>> Rate(kbps=500).target(10, 10)
            500
        """
        if self.at is None:
            return max(round(self.kbps), LOWEST)
        wide, high, fps = self.at
        pixels = float((height * width / (high * wide)) ** POWER)
        return max(round(self.kbps * pixels * FPS / fps), LOWEST)

    def options(self, geometry: Geometry) -> dict[str, Any]:
        """FFmpeg's output options, in order."""
        rate = self.target(*geometry.coded)
        most = max(round(rate * self.peak), rate)
        structure, params = structure_options(self.codec, self.structure, self.gop, self.bframes)
        limits = {"maxrate": f"{most}k", "bufsize": f"{max(round(most * self.buffer), LOWEST)}k"}
        if self.crf is None:
            control: dict[str, Any] = {"b:v": f"{rate}k", **limits}
        elif self.codec == "vp9":
            control = {"crf": round(self.crf), "b:v": f"{most}k"}  # constrained quality
        else:
            control = {"crf": self.crf, **limits}
        if self.codec == "hevc":
            params = ["pools=1", "frame-threads=1", "log-level=error", *params]
        return {
            "c:v": ENCODERS[self.codec],
            **preset_option(self.codec, self.preset),
            **control,
            **params_option(self.codec, params),
            **structure,
            **picture_options(self.codec, self.matrix, geometry),
        }

    def sample(self, shape: ClipShape, rng: Rng) -> Params:
        """Nothing is random; the encoder, its options and FFmpeg's version are recorded."""
        options = self.options(self._geometry(shape))
        return {"encoder": options["c:v"], "options": as_text(options), "ffmpeg": encoder_version()}

    def shape_after(self, shape: ClipShape, params: Params) -> ClipShape:
        """The same, or without ``back`` a whole part of it, rounded up."""
        if self.back or self.size == 1:
            return shape
        factor = round(1 / self.size)
        return replace(
            shape, height=-(-shape.height // factor), width=-(-shape.width // factor), scale=shape.scale * factor
        )

    def _geometry(self, shape: ClipShape) -> Geometry:
        factor = 1 / self.size
        if abs(factor - round(factor)) < 1e-9:
            return Geometry.of(shape.height, shape.width, round(factor))
        padded = Geometry.of(shape.height, shape.width).padded
        small = tuple(max(2 * round(side * self.size / 2), SMALLEST) for side in padded)
        return Geometry((shape.height, shape.width), padded, (small[0], small[1]), (small[0], small[1]))

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
        """Encode and decode the clip, so often as it was shared; see the step ``codec``.

        Raises:
            ValueError: FFmpeg failed (its message is quoted), or the decoder gave another number of frames.
        """
        geometry = self._geometry(shape)
        # Between generations and before it is enlarged the picture keeps what it was padded with.
        between = replace(geometry, shown=geometry.coded)
        again = Geometry(geometry.coded, geometry.coded, geometry.coded, geometry.coded)
        stream: Iterable[Damage] = chunks
        for generation in range(self.generations):
            last = generation == self.generations - 1
            here = between if generation == 0 else again
            stream = transcoded(
                stream,
                here,
                shape.channels,
                self.codec,
                self.options(here),
                matrix=self.matrix,
                measured=measured if last else None,
            )
        height, width = self.shape_after(shape, params).height, self.shape_after(shape, params).width
        for frames, masks in stream:
            if self.back and geometry.coded != geometry.padded:
                frames = _enlarged(frames, geometry.padded)
            kept = masks if self.back or self.size == 1 else {}
            yield Damage(frames[:, :, :height, :width].contiguous(), kept)


def _enlarged(frames: Tensor, size: tuple[int, int]) -> Tensor:
    """Frames of 8 bits at another size (height, width), bicubic, rounded to 8 bits."""
    height, width = size
    grown: list[Planes] = []
    for frame in (frames * 255 + 0.5).byte().numpy():
        planes = (Image.fromarray(plane).resize((width, height), Image.Resampling.BICUBIC) for plane in frame)
        grown.append(tuple(np.array(plane, dtype=np.uint8) for plane in planes))
    return to_frames(grown)
