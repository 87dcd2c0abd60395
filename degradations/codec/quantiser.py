"""Compression at a constant quantiser."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, ClassVar

from pydantic import Field, model_validator
from torch import Tensor

from degradations.base import NO_MASKS, ClipShape, Damage, Degradation, Masks, Params, Subframes, as_one_clip
from degradations.codec.encoders import (
    ENCODERS,
    SCALES,
    Name,
    Structure,
    as_text,
    check_preset,
    check_structure,
    params_option,
    picture_options,
    preset_option,
    structure_options,
)
from degradations.codec.pictures import SMALLEST, SMALLEST_VVC, Conversion, Geometry, Matrix, transcoded
from degradations.codec.process import FPS, encoder_version
from degradations.rng import Rng


class Codec(Degradation):
    """A clip that was compressed: 4:2:0, constant quantisation parameter, one thread, 25 frames per second.

    Settings:
        codec: ``h264`` (x264), ``hevc`` (x265), ``vp9`` (libvpx), ``av1`` (SVT-AV1), ``vvc`` (VVenC; 10 bit,
            it knows no other), ``mpeg2``, ``mpeg4`` (part 2), ``mjpeg``.
        qp: the encoder's own number. H.264 and HEVC 0..51 (of P frames; I frames have 3 less, B frames 1 or
            2 more), VP9 0..63 (the same index in every frame), AV1 and VVC 0..63 (fixed per temporal layer),
            MPEG-2, MPEG-4 and Motion JPEG 1..31 (the quantiser scale of every frame).
        gop: distance of key frames; None is the encoder's own (x264 250, MPEG-2 and MPEG-4 12). VVenC rounds it up to
            whole groups of 32.
        structure: which frames are predicted from which. ``intra``: every frame by itself; ``ippp``: no B frames;
            ``ibbp``: B frames that no other frame refers to; ``hierarchical``: B frames that others refer to (VP9
            and AV1 reach the same with hidden frames). None is the encoder's own, which for x264 and x265 also
            depends on the content. With a structure scene cuts make no further key frames.
        bframes: B frames in a row (3 with ``hierarchical``, 2 with ``ibbp``).
        one_qp: the same quantiser in I, P and B frames, instead of that of P frames and offsets (H.264, HEVC).
        preset: speed against size, in the encoder's own word or number; None is medium for H.264 and HEVC, 4 for
            VP9 (``-cpu-used``), 10 for AV1, faster for VVC.
        matrix: from RGB to YUV, BT.601 as FFmpeg does by default at any size, or BT.709. Limited range (full
            in Motion JPEG).
        shrink: the clip is coded at one ``shrink``-th of its size, made smaller by FFmpeg's bicubic scaler in the same
            command, and comes out that small. Masks of earlier steps are dropped then.
        conversion: ``exact``: FFmpeg's scaler with the flags that give the same numbers on any processor;
            ``default``: the conversions that FFmpeg makes when nobody asks, as the commands of papers have it. H.264
            at the encoder's own preset and structure then gets the options of VOTES and no others.

    Encoders run on one thread, because pictures of x264, x265, MPEG-2 and MPEG-4 depend on the number of threads, and
    at 25 frames per second, because GOPs and MPEG-2 depend on the rate. Sizes that are not even (with ``shrink``: not a
    multiple of twice that) or smaller than 16 coded pixels (VVC: 64) are padded by repeating the last row or column, and cut
    again. A gray clip is coded with neutral chroma, and the decoded luma is the result. The whole clip is one
    stream, whatever the chunks. The result has 8 bits.

    Measured: for every frame ``qp``, ``bits`` (of its packet, without what x264 writes about itself; the first may hold
    headers) and ``frame_type``, for the clip ``bits_total``, ``bit_rate`` (bit/s at 25 frames per second) and
    ``bits_per_pixel``. ``qp`` is read from the stream, on its scale: H.264 mean over the blocks, HEVC and VVC that
    of the slice (VVC changes it by block as well), VP9 and AV1 the index 0..255 of the frame shown, MPEG-2, MPEG-4
    and Motion JPEG the scale of ``-qscale``. It is null where an MPEG-4 picture says that nothing changed.

    Source: ``-qp`` as in VOTES (Luo et al., "Restoration of User Videos Shared on Social Media", ACM MM 2022)
    for H.264, and the same principle for the others.

    Example:
        >>> Codec(codec="h264", qp=33).options(Geometry.of(64, 80))["qp"]
        33
    """

    kind: ClassVar[str] = "codec"
    codec: Name
    qp: int = Field(ge=0, le=63)
    gop: int | None = Field(default=None, ge=1, le=1000)
    matrix: Matrix = "bt601"
    structure: Structure | None = None
    bframes: int | None = Field(default=None, ge=0, le=16)
    one_qp: bool = False
    preset: str | None = None
    shrink: int = Field(default=1, ge=1, le=8)
    conversion: Conversion = "exact"

    @model_validator(mode="after")
    def _range(self) -> Codec:
        low, high = SCALES[self.codec]
        if not low <= self.qp <= high:
            raise ValueError(f"qp {self.qp} is outside {low}..{high}, the scale of {self.codec}")
        check_preset(self.codec, self.preset)
        check_structure(self.codec, self.structure, self.gop, self.bframes)
        if self.one_qp and self.codec in ("av1", "vvc"):
            raise ValueError(f"one_qp: the encoder of {self.codec} has a quantiser for each temporal layer")
        if self.conversion == "default" and (self.codec in ("vvc", "mjpeg") or self.matrix != "bt601"):
            raise ValueError("conversion 'default' is BT.601 in 8 bits and limited range: not for bt709, vvc or mjpeg")
        return self

    def options(self, geometry: Geometry) -> dict[str, Any]:
        """FFmpeg's output options, in order."""
        structure, params = structure_options(self.codec, self.structure, self.gop, self.bframes)
        if self.one_qp and self.codec in ("h264", "hevc"):
            params += ["ipratio=1", "pbratio=1"]
        start = {"c:v": ENCODERS[self.codec]}
        if self.conversion == "default":
            height, width = geometry.coded
            size = {} if geometry.coded == geometry.padded else {"s": f"{width}x{height}"}
            end = {**structure, **size, "pix_fmt": "yuv420p", "threads": 1}
            return {**start, "r": FPS, **self._quantiser(params), **end}
        return {
            **start,
            **self._quantiser(params),
            **structure,
            **picture_options(self.codec, self.matrix, geometry),
        }

    def _quantiser(self, params: list[str]) -> dict[str, Any]:
        """Options for speed and quantiser, and for the encoder itself."""
        q = self.qp
        # The commands of papers name no preset; x264's and x265's own is medium.
        named = self.conversion == "exact" or self.preset is not None or self.codec not in ("h264", "hevc")
        preset = preset_option(self.codec, self.preset) if named else {}
        if self.codec == "h264":
            return {**preset, "qp": q, **params_option("h264", params)}
        if self.codec == "hevc":
            return {
                **preset,
                **params_option("hevc", [f"qp={q}", "pools=1", "frame-threads=1", "log-level=error", *params]),
            }
        if self.codec == "vp9":
            return {"qmin": q, "qmax": q, "crf": q, "b:v": 0, **preset}
        if self.codec == "av1":
            return {**preset, **params_option("av1", ["rc=0", "aq-mode=0", f"qp={q}", "lp=1", *params])}
        if self.codec == "vvc":
            return {**preset, "qp": q, "qpa": 0}
        # Without qmin FFmpeg raises 1 to 2.
        return {"q:v" if self.codec == "mjpeg" else "qscale:v": q, "qmin": 1}

    def sample(self, shape: ClipShape, rng: Rng) -> Params:
        """Nothing is random; the encoder, its options and FFmpeg's version are recorded."""
        options = self.options(self._geometry(shape))
        return {"encoder": options["c:v"], "options": as_text(options), "ffmpeg": encoder_version()}

    def shape_after(self, shape: ClipShape, params: Params) -> ClipShape:
        """Height and width divided by ``shrink``, rounded up."""
        if self.shrink == 1:
            return shape
        height, width = self._geometry(shape).shown
        return replace(shape, height=height, width=width, scale=shape.scale * self.shrink)

    def _geometry(self, shape: ClipShape) -> Geometry:
        return Geometry.of(shape.height, shape.width, self.shrink, SMALLEST_VVC if self.codec == "vvc" else SMALLEST)

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
        """Encode the clip and decode what comes out while the encoder goes on; memory stays that of a chunk and of the
        frames that the encoder holds back.

        Raises:
            ValueError: FFmpeg failed (its message is quoted), or the decoder gave another number of frames.
        """
        geometry = self._geometry(shape)
        for damage in transcoded(
            chunks,
            geometry,
            shape.channels,
            self.codec,
            self.options(geometry),
            matrix=self.matrix,
            conversion=self.conversion,
            measured=measured,
        ):
            yield damage if self.shrink == 1 else Damage(damage.frames)
