"""Compression: one real encode and decode of the whole clip at a constant quantisation parameter."""

from __future__ import annotations

import subprocess
import tempfile
import threading
from collections.abc import Iterable, Iterator
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, model_validator
from torch import Tensor

from degradations.base import ClipShape, Damage, Degradation, Params, Subframes
from degradations.rng import Rng

SCALES: dict[str, tuple[int, int]] = {
    "h264": (0, 51), "hevc": (0, 51), "vp9": (0, 63), "av1": (0, 63), "mpeg2": (1, 31), "mjpeg": (1, 31)
}  # fmt: skip
"""Range of the quantisation parameter by codec."""


def _exe() -> str:
    import imageio_ffmpeg

    return str(imageio_ffmpeg.get_ffmpeg_exe())


@cache
def encoder_version() -> str:
    """Version of the FFmpeg in use, whose encoders decide on the bytes."""
    out = subprocess.run([_exe(), "-version"], capture_output=True, text=True, check=True).stdout
    return out.split("version ", 1)[1].split(" ", 1)[0]


class Codec(Degradation):
    """A clip that was compressed: 4:2:0, BT.601 limited range, constant quantisation parameter, one thread.

    ``qp`` is the encoder's own number: 0..51 for ``h264`` and ``hevc``, 0..63 for ``vp9`` (the same index in
    every frame) and ``av1`` (SVT; fixed per temporal layer), 1..31 for ``mpeg2`` and ``mjpeg`` (their
    quantiser scale). ``gop`` is the distance of key frames; by default the encoder's own. Encoders run on one
    thread, because the pictures of x264, x265 and MPEG-2 depend on the number of threads. Odd sizes are
    padded by repeating the last row or column, and cut again. The whole clip is one stream, whatever the
    chunks.

    Source: ``-qp`` as in VOTES (Luo et al., ACM MM 2022) for H.264, and the same principle for the others.
    """

    kind: ClassVar[str] = "codec"
    codec: Literal["h264", "hevc", "vp9", "av1", "mpeg2", "mjpeg"]
    qp: int = Field(ge=0, le=63)
    gop: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _range(self) -> Codec:
        low, high = SCALES[self.codec]
        if not low <= self.qp <= high:
            raise ValueError(f"qp {self.qp} is outside {low}..{high}, the scale of {self.codec}")
        return self

    def options(self) -> dict[str, Any]:
        """FFmpeg's output options, in order."""
        q = self.qp
        by_codec: dict[str, dict[str, Any]] = {
            "h264": {"c:v": "libx264", "qp": q, "pix_fmt": "yuv420p"},
            "hevc": {
                "c:v": "libx265",
                "pix_fmt": "yuv420p",
                "x265-params": f"qp={q}:pools=1:frame-threads=1:log-level=error",
            },
            "vp9": {
                "c:v": "libvpx-vp9",
                "qmin": q,
                "qmax": q,
                "crf": q,
                "b:v": 0,
                "cpu-used": 4,
                "pix_fmt": "yuv420p",
            },
            "av1": {
                "c:v": "libsvtav1",
                "preset": 10,
                "pix_fmt": "yuv420p",
                "svtav1-params": f"rc=0:aq-mode=0:qp={q}:lp=1",
            },
            "mpeg2": {"c:v": "mpeg2video", "qscale:v": q, "qmin": 1, "pix_fmt": "yuv420p"},
            "mjpeg": {"c:v": "mjpeg", "q:v": q, "qmin": 1, "pix_fmt": "yuvj420p"},
        }
        out = dict(by_codec[self.codec])
        if self.gop is not None:
            out["g"] = self.gop
        return out

    def sample(self, shape: ClipShape, rng: Rng) -> Params:
        """Nothing is random; the encoder, its options and version are recorded."""
        options = " ".join(f"-{k} {v}" for k, v in self.options().items())
        return {"options": f"{options} -threads 1", "ffmpeg": encoder_version()}

    def apply(self, frames: Tensor, params: Params, *, start: int = 0, mask: Tensor | None = None) -> Damage:
        """``frames`` as one clip of their own (a stream cannot be cut into chunks: use :meth:`stream`)."""
        shape = ClipShape(len(frames), frames.shape[2], frames.shape[3], frames.shape[1])
        parts = list(self.stream([Damage(frames, mask)], params, shape))
        masks = [p.mask for p in parts if p.mask is not None]
        return Damage(torch.cat([p.frames for p in parts]), torch.cat(masks) if masks else None)

    def stream(
        self, chunks: Iterable[Damage], params: Params, shape: ClipShape, subframes: Subframes | None = None
    ) -> Iterator[Damage]:
        """Encode the clip to a temporary file, then decode it; memory stays that of a chunk."""
        with tempfile.TemporaryDirectory(prefix="vbench-codec-") as folder:
            # SVT-AV1 in Matroska keeps its time stamps; MPEG-2 and Motion JPEG too.
            path = Path(folder) / "clip.mkv"
            masks: list[tuple[int, Tensor | None]] = []
            _encode(self._bytes(chunks, shape, masks), path, self.options(), shape)
            decoded = _decode(path, shape)
            for count, mask in masks:
                frames = [next(decoded, None) for _ in range(count)]
                whole = [f for f in frames if f is not None]
                if len(whole) < count:
                    raise ValueError(f"The decoder of {self.codec} gave fewer frames than went in ({shape.frames}).")
                yield Damage(torch.stack(whole), mask)
            if next(decoded, None) is not None:
                raise ValueError(f"The decoder of {self.codec} gave more frames than went in ({shape.frames}).")

    def _bytes(
        self, chunks: Iterable[Damage], shape: ClipShape, masks: list[tuple[int, Tensor | None]]
    ) -> Iterator[NDArray[np.uint8]]:
        for frames, mask in chunks:
            masks.append((len(frames), mask))
            image = (frames.clamp(0, 1) * 255 + 0.5).floor().byte().permute(0, 2, 3, 1).numpy()
            if shape.channels == 1:
                image = np.repeat(image, 3, axis=3)
            pad = ((0, 0), (0, shape.height % 2), (0, shape.width % 2), (0, 0))
            yield np.ascontiguousarray(np.pad(image, pad, mode="edge"))


def _even(shape: ClipShape) -> tuple[int, int]:
    return shape.height + shape.height % 2, shape.width + shape.width % 2


def _encode(frames: Iterator[NDArray[np.uint8]], path: Path, options: dict[str, Any], shape: ClipShape) -> None:
    import ffmpeg

    height, width = _even(shape)
    rate = str(Fraction(shape.fps).limit_denominator(100_000))
    stream = ffmpeg.input("pipe:0", format="rawvideo", pix_fmt="rgb24", s=f"{width}x{height}", framerate=rate)
    # Accurate rounding makes the conversion to YUV independent of the processor's instruction sets.
    stream = stream.output(
        str(path),
        **options,
        threads=1,
        sws_flags="bicubic+accurate_rnd+full_chroma_int+bitexact",
        fps_mode="passthrough",
    )
    command = (
        stream.global_args("-hide_banner", "-nostdin", "-loglevel", "error").overwrite_output().compile(cmd=_exe())
    )
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert process.stdin is not None  # noqa: S101 - asked for above
    assert process.stderr is not None  # noqa: S101
    messages: list[bytes] = []
    reader = threading.Thread(target=lambda: messages.append(process.stderr.read()), daemon=True)  # type: ignore[union-attr]
    reader.start()
    try:
        try:
            for chunk in frames:
                process.stdin.write(chunk.data)
            process.stdin.close()
        except BrokenPipeError:
            pass  # its exit status and messages say why
        status = process.wait()
        reader.join()
    finally:
        process.kill()
        process.wait()
        reader.join()
        process.stderr.close()
        if not process.stdin.closed:
            try:
                process.stdin.close()
            except BrokenPipeError:
                pass
    if status:
        last = b"".join(messages).decode(errors="replace").strip().splitlines()[-1:] or ["no message"]
        raise ValueError(
            f"FFmpeg's encoder {options['c:v']} failed on a clip of {shape.width} x {shape.height} "
            f"(exit status {status}): {last[0]}"
        )


def _decode(path: Path, shape: ClipShape) -> Iterator[Tensor]:
    """Frames ``(C, H, W)`` of a stream, by the matrix and range with which :func:`_encode` made it."""
    import av
    from av.video.reformatter import ColorRange, Colorspace, Interpolation

    flags = (
        Interpolation.BICUBIC
        | Interpolation.FULL_CHR_H_INT
        | Interpolation.FULL_CHR_H_INP
        | Interpolation.ACCURATE_RND
        | Interpolation.BITEXACT
    )
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            full = frame.format.name.startswith("yuvj") or int(frame.color_range) == int(ColorRange.JPEG)
            rgb = frame.reformat(
                format="rgb24",
                src_colorspace=Colorspace.ITU601,
                dst_colorspace=Colorspace.ITU601,
                src_color_range=ColorRange.JPEG if full else ColorRange.MPEG,
                dst_color_range=ColorRange.JPEG,
                interpolation=flags,
            ).to_ndarray()
            image = torch.from_numpy(np.ascontiguousarray(rgb[: shape.height, : shape.width])).permute(2, 0, 1)
            # A gray clip has neutral chroma, so its three decoded channels differ by rounding at most: take green.
            yield (image[1:2] if shape.channels == 1 else image).float() / 255.0
