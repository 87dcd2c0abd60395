"""Frames as files: lossless pictures for the viewer, small lossy ones for previews, x-t slices, masks, video."""

from __future__ import annotations

import io
import subprocess
import tempfile
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from reports.media.series import Rgb

WEBP_SIDE = 16383
"""Pixels along a side of a WebP at most (RFC 9649); PNG takes more."""
VIDEO_SIDE = 1280
"""Pixels along a side of a preview at most; larger frames are made smaller."""
CRF = 23
"""Constant rate factor of x264: the default, for previews."""
GOP = 12
"""Frames from one key frame to the next: a jump decodes so many at most."""


def lossless(image: Rgb | NDArray[np.uint8]) -> tuple[str, bytes]:
    """Ending and bytes of a picture without loss, ``(H, W, 3)`` or with alpha ``(H, W, 4)``."""
    from PIL import Image

    out = io.BytesIO()
    picture = Image.fromarray(image)
    if max(picture.size) > WEBP_SIDE:
        picture.save(out, "PNG", compress_level=6)
        return ".png", out.getvalue()
    # Method 1: method 4 takes four times as long for 5 per cent fewer bytes.
    picture.save(out, "WEBP", lossless=True, quality=20, method=1)
    return ".webp", out.getvalue()


def still(image: Rgb, png: bytes | None) -> tuple[str, bytes]:
    """A frame without loss; as the PNG that it is stored as where that is given."""
    return (".png", png) if png is not None else lossless(image)


def lossy_kind() -> str:
    """``avif`` where Pillow has it, else ``webp``."""
    from PIL import features

    return "avif" if features.check("avif") else "webp"


def lossy(image: Rgb, quality: int) -> tuple[str, bytes]:
    """Ending and bytes of a small picture for an overview."""
    from PIL import Image

    out = io.BytesIO()
    picture = Image.fromarray(image)
    if lossy_kind() == "avif":
        picture.save(out, "AVIF", quality=quality, speed=8, max_threads=1)
        return ".avif", out.getvalue()
    picture.save(out, "WEBP", quality=quality, method=4)
    return ".webp", out.getvalue()


def smaller(image: Rgb, width: int, height: int) -> Rgb:
    """Averaged down into a box; never enlarged."""
    factor = min(1.0, width / image.shape[1], height / image.shape[0])
    return _resized(image, max(1, round(image.shape[1] * factor)), max(1, round(image.shape[0] * factor)))


def _resized(image: Rgb, width: int, height: int) -> Rgb:
    import cv2

    size = (width, height)
    if size == (image.shape[1], image.shape[0]):
        return image
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def tinted(mask: Rgb, colour: tuple[int, int, int]) -> tuple[str, bytes] | None:
    """A mask as a picture of one colour, as opaque as the mask is strong; None where nothing is marked."""
    alpha = mask[..., 0]
    if not alpha.any():
        return None
    out = np.empty((*alpha.shape, 4), np.uint8)
    out[..., :3] = np.where(alpha[..., None] > 0, np.asarray(colour, np.uint8), 0)
    out[..., 3] = alpha
    return lossless(out)


def video_shape(width: int, height: int) -> tuple[int, int]:
    """Width and height of the picture in a preview, before it is made even.

    Example:
        >>> video_shape(321, 181), video_shape(1920, 1080)
        ((321, 181), (1280, 720))
    """
    factor = min(1.0, VIDEO_SIDE / max(width, height))
    return max(1, round(width * factor)), max(1, round(height * factor))


class Preview:
    """Writes H.264 in MP4 by the FFmpeg that imageio-ffmpeg brings: yuv420p, one thread, so that bytes are the same.

    Frames are made smaller where they are larger than :data:`VIDEO_SIDE`, and odd sides get one more row or column that
    repeats the last, as yuv420p has even sides only.

    Args:
        path: the file to write, which ends in ``.mp4``; it is removed if anything fails.
        fps: frames per second.
    """

    def __init__(self, path: Path, fps: float) -> None:
        self._path = path
        self._fps = Fraction(fps if 0 < fps <= 1000 else 24.0).limit_denominator(1001)
        self._process: subprocess.Popen[bytes] | None = None
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed by __exit__

    def __enter__(self) -> Preview:
        return self

    def write(self, image: Rgb) -> None:
        """The next frame, ``(H, W, 3)`` uint8; all have one size.

        Raises:
            ValueError: FFmpeg stopped; its message is quoted.
        """
        width, height = video_shape(image.shape[1], image.shape[0])
        image = _resized(image, width, height)
        odd = ((0, image.shape[0] % 2), (0, image.shape[1] % 2), (0, 0))
        image = np.pad(image, odd, mode="edge") if any(after for _, after in odd) else image
        if self._process is None:
            self._process = self._start(image.shape[1], image.shape[0])
        assert self._process.stdin is not None  # noqa: S101 - opened as a pipe
        try:
            self._process.stdin.write(np.ascontiguousarray(image).data)
        except BrokenPipeError:
            raise ValueError(f"FFmpeg stopped while it made a preview: {self._said()}") from None

    def _start(self, width: int, height: int) -> subprocess.Popen[bytes]:
        import imageio_ffmpeg

        matrix = "bt709"
        command = [
            imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-nostdin", "-protocol_whitelist", "pipe,file",
            "-f", "rawvideo", "-pix_fmt", "rgb24", "-video_size", f"{width}x{height}", "-framerate", str(self._fps),
            "-i", "pipe:0",
            "-vf", f"scale=out_color_matrix={matrix}:out_range=tv:flags=accurate_rnd+full_chroma_int+bitexact",
            "-c:v", "libx264", "-preset", "veryfast", "-crf", str(CRF), "-bf", "0", "-g", str(GOP), "-threads", "1",
            "-pix_fmt", "yuv420p", "-color_primaries", matrix, "-color_trc", matrix, "-colorspace", matrix,
            "-color_range", "tv", "-fflags", "+bitexact", "-flags:v", "+bitexact", "-map_metadata", "-1",
            "-movflags", "+faststart", "-y", f"file:{self._path.absolute()}",
        ]  # fmt: skip
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=self._errors)

    def _said(self) -> str:
        self._errors.seek(0)
        return self._errors.read().decode("utf-8", "replace").strip()[-300:] or "it said nothing"

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        process = self._process
        try:
            if process is not None and process.stdin is not None:
                if kind is not None:
                    process.kill()
                try:
                    process.stdin.close()
                except BrokenPipeError:
                    pass  # its exit status says it
                if process.wait() and kind is None:
                    raise ValueError(f"FFmpeg could not make a preview: {self._said()}")
        finally:
            self._errors.close()
            if kind is not None or process is None or process.returncode:
                self._path.unlink(missing_ok=True)
