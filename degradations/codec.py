"""Compression: one real encode and decode of a clip at a constant quantiser, and JPEG of each frame."""

from __future__ import annotations

import os
import subprocess
import tempfile
import threading
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Literal

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, field_validator, model_validator
from torch import Tensor

from degradations.base import NO_MASKS, ClipShape, Damage, Degradation, Masks, Params, Subframes
from degradations.rng import Rng

SCALES: dict[str, tuple[int, int]] = {
    "h264": (0, 51),
    "hevc": (0, 51),
    "vp9": (0, 63),
    "av1": (0, 63),
    "vvc": (0, 63),
    "mpeg2": (1, 31),
    "mjpeg": (1, 31),
}
"""Range of the quantisation parameter by codec."""

SMALLEST = 16
"""x265 writes nothing for pictures smaller than its smallest block, so every picture is padded to this."""

_SCALER = "bicubic+accurate_rnd+full_chroma_int+bitexact"
"""Flags of FFmpeg's scaler: the same numbers on any processor."""


def _exe() -> str:
    import imageio_ffmpeg

    return str(imageio_ffmpeg.get_ffmpeg_exe())


@cache
def encoder_version() -> str:
    """Version of the FFmpeg in use, whose encoders decide on the bytes."""
    out = subprocess.run([_exe(), "-version"], capture_output=True, text=True, check=True).stdout
    return out.split("version ", 1)[1].split(" ", 1)[0]


class Codec(Degradation):
    """A clip that was compressed: 4:2:0, constant quantisation parameter, one thread, 25 frames per second.

    Settings:
        codec: ``h264`` (x264), ``hevc`` (x265), ``vp9`` (libvpx), ``av1`` (SVT-AV1), ``vvc`` (VVenC; 10 bit,
            it knows no other), ``mpeg2``, ``mjpeg``.
        qp: the encoder's own number. H.264 and HEVC 0..51 (of P frames; I frames have 3 less, B frames 1 or
            2 more), VP9 0..63 (the same index in every frame), AV1 and VVC 0..63 (fixed per temporal layer),
            MPEG-2 and Motion JPEG 1..31 (the quantiser scale of every frame).
        gop: distance of key frames; None is the encoder's own (x264 250, MPEG-2 12).
        matrix: from RGB to YUV, BT.601 as FFmpeg does by default at any size, or BT.709. Limited range (full
            in Motion JPEG).

    Encoders run on one thread, because pictures of x264, x265 and MPEG-2 depend on the number of threads, and
    at 25 frames per second, because GOPs and MPEG-2 depend on the rate. Odd sizes are padded by repeating the
    last row or column, and cut again. A gray clip is coded with neutral chroma, and the decoded luma is the
    result. The whole clip is one stream, whatever the chunks. The result has 8 bits.

    Source: ``-qp`` as in VOTES (Luo et al., "Restoration of User Videos Shared on Social Media", ACM MM 2022)
    for H.264, and the same principle for the others.
    """

    kind: ClassVar[str] = "codec"
    codec: Literal["h264", "hevc", "vp9", "av1", "vvc", "mpeg2", "mjpeg"]
    qp: int = Field(ge=0, le=63)
    gop: int | None = Field(default=None, ge=1)
    matrix: Literal["bt601", "bt709"] = "bt601"

    @model_validator(mode="after")
    def _range(self) -> Codec:
        low, high = SCALES[self.codec]
        if not low <= self.qp <= high:
            raise ValueError(f"qp {self.qp} is outside {low}..{high}, the scale of {self.codec}")
        if self.codec == "mjpeg" and self.gop is not None:
            raise ValueError("every frame of mjpeg is a key frame, so it has no gop")
        return self

    def options(self) -> dict[str, Any]:
        """FFmpeg's output options, in order."""
        q = self.qp
        by_codec: dict[str, dict[str, Any]] = {
            "h264": {"c:v": "libx264", "preset": "medium", "qp": q},
            "hevc": {
                "c:v": "libx265",
                "preset": "medium",
                "x265-params": f"qp={q}:pools=1:frame-threads=1:log-level=error",
            },
            "vp9": {"c:v": "libvpx-vp9", "qmin": q, "qmax": q, "crf": q, "b:v": 0, "cpu-used": 4},
            "av1": {"c:v": "libsvtav1", "preset": 10, "svtav1-params": f"rc=0:aq-mode=0:qp={q}:lp=1"},
            "vvc": {"c:v": "libvvenc", "preset": "faster", "qp": q, "qpa": 0},
            # Without qmin FFmpeg raises 1 to 2.
            "mpeg2": {"c:v": "mpeg2video", "qscale:v": q, "qmin": 1},
            "mjpeg": {"c:v": "mjpeg", "q:v": q, "qmin": 1},
        }
        out = dict(by_codec[self.codec])
        if self.gop is not None:
            out["g"] = self.gop
        span = "pc" if self.codec == "mjpeg" else "tv"
        out["vf"] = f"scale=out_color_matrix={self.matrix}:out_range={span}:flags={_SCALER}"
        out["pix_fmt"] = {"mjpeg": "yuvj420p", "vvc": "yuv420p10le"}.get(self.codec, "yuv420p")
        out["colorspace"] = {"bt601": "smpte170m", "bt709": "bt709"}[self.matrix]
        out["color_range"] = span
        out["threads"] = 1
        return out

    def sample(self, shape: ClipShape, rng: Rng) -> Params:
        """Nothing is random; the encoder, its options and FFmpeg's version are recorded."""
        options = self.options()
        text = " ".join(f"-{k} {v}" for k, v in options.items())
        return {"encoder": options["c:v"], "options": text, "ffmpeg": encoder_version()}

    def apply(self, frames: Tensor, params: Params, *, start: int = 0, masks: Masks = NO_MASKS) -> Damage:
        """``frames`` as one clip of their own (a stream cannot be cut into chunks: use :meth:`stream`)."""
        shape = ClipShape(len(frames), frames.shape[2], frames.shape[3], frames.shape[1])
        ((out, _),) = self.stream([Damage(frames)], params, shape)
        return Damage(out, masks)

    def stream(
        self,
        chunks: Iterable[Damage],
        params: Params,
        shape: ClipShape,
        subframes: Subframes | None = None,
        measured: dict[str, Any] | None = None,
    ) -> Iterator[Damage]:
        """Encode the clip to a temporary file, then decode it; memory stays that of a chunk.

        Raises:
            ValueError: FFmpeg failed (its last line is quoted), or the decoder gave another number of frames.
        """
        with tempfile.TemporaryDirectory(prefix="vbench-codec-") as name:
            folder = Path(name)
            # VVC in Matroska loses its time stamps; the others keep them.
            path = folder / ("clip.mp4" if self.codec == "vvc" else "clip.mkv")
            counts: list[int] = []
            _encode(_pictures(chunks, shape, folder, counts), path, self.options(), shape)
            with closing(_decode(path, shape, self.matrix)) as decoded:
                for number, count in enumerate(counts):
                    frames = [f for _, f in zip(range(count), decoded, strict=False)]
                    if len(frames) < count:
                        raise ValueError(
                            f"The decoder of {self.codec} gave {sum(counts[:number]) + len(frames)} frames; "
                            f"{sum(counts)} went in."
                        )
                    yield Damage(torch.stack(frames), _take_masks(folder, number))
                if next(decoded, None) is not None:
                    raise ValueError(
                        f"The decoder of {self.codec} gave more frames than the {sum(counts)} that went in."
                    )


def _pictures(
    chunks: Iterable[Damage], shape: ClipShape, folder: Path, counts: list[int]
) -> Iterator[NDArray[np.uint8]]:
    """The frames as the encoder takes them; masks wait on disk, for memory must not grow with the clip."""
    height, width = _padded(shape)
    pad = ((0, 0), (0, height - shape.height), (0, width - shape.width), (0, 0))
    for number, (frames, masks) in enumerate(chunks):
        counts.append(len(frames))
        if masks:
            # Coverage is all zero nearly everywhere.
            planes: dict[str, Any] = {kind: m.numpy() for kind, m in masks.items()}
            np.savez_compressed(folder / f"masks-{number}.npz", **planes)
        image = (frames.clamp(0, 1) * 255 + 0.5).floor().byte().permute(0, 2, 3, 1).numpy()
        if shape.channels == 1:
            image = np.repeat(image, 3, axis=3)
        yield np.ascontiguousarray(np.pad(image, pad, mode="edge"))


def _take_masks(folder: Path, number: int) -> dict[str, Tensor]:
    path = folder / f"masks-{number}.npz"
    if not path.exists():
        return {}
    with np.load(path) as planes:
        masks = {kind: torch.from_numpy(planes[kind]) for kind in planes.files}
    path.unlink()
    return masks


def _padded(shape: ClipShape) -> tuple[int, int]:
    """Height and width as encoded: even, for chroma is halved."""
    return max(shape.height + shape.height % 2, SMALLEST), max(shape.width + shape.width % 2, SMALLEST)


def _encode(pictures: Iterator[NDArray[np.uint8]], path: Path, options: dict[str, Any], shape: ClipShape) -> None:
    import ffmpeg

    height, width = _padded(shape)
    stream = ffmpeg.input("pipe:0", format="rawvideo", pix_fmt="rgb24", s=f"{width}x{height}", framerate=25)
    stream = stream.output(str(path), **options, fps_mode="passthrough").overwrite_output()
    command = stream.global_args("-hide_banner", "-nostdin", "-loglevel", "error").compile(cmd=_exe())
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**os.environ, "SVT_LOG": "1"},  # errors only
    )
    pipe, errors = process.stdin, process.stderr
    if pipe is None or errors is None:
        raise RuntimeError("The pipes to FFmpeg were not opened.")
    messages: list[bytes] = []
    reader = threading.Thread(target=lambda: messages.append(errors.read()), daemon=True)
    reader.start()
    try:
        try:
            for chunk in pictures:
                pipe.write(chunk.data)
            pipe.close()
        except BrokenPipeError:
            pass  # its exit status and messages say why
        status = process.wait()
    finally:
        process.kill()
        process.wait()
        reader.join()
        errors.close()
        try:
            pipe.close()
        except BrokenPipeError:
            pass
    if status:
        last = b"".join(messages).decode(errors="replace").strip().splitlines()[-1:] or ["no message"]
        raise ValueError(
            f"FFmpeg's encoder {options['c:v']} failed on a clip of {shape.width} x {shape.height} "
            f"(exit status {status}): {last[0]}"
        )


def _decode(path: Path, shape: ClipShape, matrix: str) -> Generator[Tensor, None, None]:
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
    space = Colorspace.ITU709 if matrix == "bt709" else Colorspace.ITU601
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            full = frame.format.name.startswith("yuvj") or int(frame.color_range) == int(ColorRange.JPEG)
            if shape.channels == 1:
                yield torch.from_numpy(_luma(frame, full)[None, : shape.height, : shape.width] / np.float32(255))
                continue
            rgb = frame.reformat(
                format="rgb24",
                src_colorspace=space,
                dst_colorspace=space,
                src_color_range=ColorRange.JPEG if full else ColorRange.MPEG,
                dst_color_range=ColorRange.JPEG,
                interpolation=flags,
            ).to_ndarray()
            image = np.ascontiguousarray(rgb[: shape.height, : shape.width].transpose(2, 0, 1))
            yield torch.from_numpy(image).float() / 255.0


def _luma(frame: Any, full: bool) -> NDArray[np.float32]:
    """The luma plane as 8-bit gray levels 0..255, ``(H, W)``."""
    ten = frame.format.components[0].bits == 10
    plane = frame.planes[0]
    rows = np.frombuffer(plane, np.uint16 if ten else np.uint8).reshape(plane.height, -1)
    luma = rows[:, : plane.width].astype(np.float64) / (4.0 if ten else 1.0)
    levels = luma if full else (luma - 16.0) * (255.0 / 219.0)
    return np.floor(np.clip(levels, 0.0, 255.0) + 0.5).astype(np.float32)


class Jpeg(Degradation):
    """JPEG of each frame by itself, 4:2:0.

    ``quality`` is a number of 1..100 (libjpeg's scale), or two between which one is drawn for the clip;
    ``spread`` is how far the quality of a single frame may lie from it, either way.

    Example:
        >>> step = Jpeg(quality=[20, 40], spread=3)
        >>> 20 <= step.sample(ClipShape(1, 16, 16), Rng.root(0))["quality"] <= 40
        True
    """

    kind: ClassVar[str] = "jpeg"
    quality: tuple[int, int]
    spread: int = Field(ge=0, le=50, default=0)

    @field_validator("quality", mode="before")
    @classmethod
    def _single(cls, value: Any) -> Any:
        return (value, value) if isinstance(value, int) else value

    @field_validator("quality")
    @classmethod
    def _ordered(cls, value: tuple[int, int]) -> tuple[int, int]:
        if not 1 <= value[0] <= value[1] <= 100:
            raise ValueError("should be one number of 1..100, or two of them in order")
        return value

    def sample(self, shape: ClipShape, rng: Rng) -> Params:
        """The clip's quality, and the key of the frames' deviations from it."""
        low, high = self.quality
        return {"quality": int(rng.at("quality").generator().integers(low, high + 1)), "key": rng.key}

    def apply(self, frames: Tensor, params: Params, *, start: int = 0, masks: Masks = NO_MASKS) -> Damage:
        """See the class; the result has 8 bits."""
        rng = Rng(params["key"])
        out = torch.empty_like(frames)
        for i, frame in enumerate(frames):
            drawn = rng.at("frame", start + i).generator().integers(-self.spread, self.spread + 1)
            quality = int(np.clip(params["quality"] + drawn, 1, 100))
            image = (frame.clamp(0, 1) * 255 + 0.5).floor().byte().permute(1, 2, 0).numpy()
            # OpenCV takes BGR, and JPEG weighs red, green and blue differently.
            ordered = np.ascontiguousarray(image[..., ::-1])
            settings = [
                cv2.IMWRITE_JPEG_QUALITY,
                quality,
                cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
                cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
            ]
            done, data = cv2.imencode(".jpg", ordered, settings)
            decoded = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if done else None
            if decoded is None:
                raise ValueError(f"OpenCV could not code frame {start + i} as JPEG of quality {quality}.")
            back = decoded.reshape(image.shape)[..., ::-1].transpose(2, 0, 1).copy()
            out[i] = torch.from_numpy(back).float() / 255.0
        return Damage(out, masks)
