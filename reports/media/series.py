"""The frames of one clip as the report reads them: a folder of pictures, or one video; 8-bit RGB, one at a time."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

PICTURES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp"})
STORED = (".mkv", ".avi")
"""Endings of the videos in which this suite stores clips without loss: FFV1, MagicYUV."""
VIDEOS = frozenset({".mp4", ".mkv", ".mov", ".avi", ".y4m", ".webm", ".mxf", ".mpg", ".mpeg", ".ts", ".m4v"})

Rgb = NDArray[np.uint8]
"""``(H, W, 3)``, 0 to 255."""


@dataclass(frozen=True)
class Series:
    """The frames of a clip: a file each, or a video of which some are taken. False where there are none.

    Attributes:
        files: a picture each, in their order.
        video: in place of files.
        count: frames that are taken of the video.
        first: the first of them.
        sha256: of the decoded frames, where whoever made them has written it down.
        own: the files were written by this suite, so that a PNG is nothing but its pixels.
    """

    files: tuple[Path, ...] = ()
    video: Path | None = None
    count: int = 0
    first: int = 0
    sha256: str = ""
    own: bool = True

    def __len__(self) -> int:
        return self.count if self.video else len(self.files)

    @cached_property
    def identity(self) -> str:
        """Changes when the frames do: the hash that is recorded, else that of the files' bytes."""
        if self.sha256:
            return f"{self.sha256}+{self.first}+{len(self)}"
        digest = hashlib.sha256()
        for path in (*self.files, *([self.video] if self.video else ())):
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        return f"{digest.hexdigest()}+{self.first}+{len(self)}"

    @cached_property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels.

        Raises:
            ValueError: the first frame cannot be read.
        """
        if self.files and (known := _png_size(self.files[0])) is not None:
            return known
        image = next(iter(self.walk([0])))[1]
        return image.shape[1], image.shape[0]

    @cached_property
    def frame_bytes(self) -> int:
        """About how many bytes a frame takes without loss."""
        if self.video is not None and self.video.suffix.lower() in STORED and self.own:
            return self.video.stat().st_size // max(self.count, 1)
        if self.files and self.files[0].suffix.lower() == ".png":
            middle = self.files[len(self.files) // 2]
            return middle.stat().st_size
        return self.size[0] * self.size[1] * 3 // 2

    def stored_png(self, number: int) -> bytes | None:
        """The file of a frame, where it is a PNG of this suite in 8-bit gray: nothing is smaller by much."""
        if not self.own or self.video is not None or self.files[number].suffix.lower() != ".png":
            return None
        data = self.files[number].read_bytes()
        return data if data[12:16] == b"IHDR" and data[24:26] == b"\x08\x00" else None

    def walk(self, numbers: Sequence[int]) -> Iterator[tuple[int, Rgb]]:
        """Frames of these numbers, which rise, one at a time.

        Raises:
            ValueError: a frame cannot be read, or is not there; the text names it.
        """
        if self.video is None:
            for number in numbers:
                yield number, read_rgb(self.files[number])
            return
        yield from _walk_video(self.video, [n + self.first for n in numbers], self.first)


def read_rgb(path: Path) -> Rgb:
    """A picture of 8 or 16 bits, gray or colour, as 8-bit RGB; alpha is dropped, a photograph stands upright.

    Raises:
        ValueError: it cannot be read, or holds floating point.
    """
    import cv2

    try:
        data = np.fromfile(path, np.uint8)
    except OSError as error:
        raise ValueError(f'The frame "{path}" cannot be read: {error.strerror}.') from error
    jpeg = data[:2].tobytes() == b"\xff\xd8"
    flags = cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH if jpeg else cv2.IMREAD_UNCHANGED
    image: NDArray[Any] | None = cv2.imdecode(data, flags) if data.size else None
    if image is None or image.dtype not in (np.uint8, np.uint16):
        raise ValueError(f'The frame "{path}" is no picture of 8 or 16 bits that can be decoded.')
    if image.dtype == np.uint16:
        image = ((image.astype(np.uint32) + 128) // 257).astype(np.uint8)
    if image.ndim == 2:
        return np.repeat(image[..., None], 3, axis=2)
    if image.shape[2] == 2:  # gray with alpha
        return np.repeat(image[..., :1], 3, axis=2)
    code = cv2.COLOR_BGRA2RGB if image.shape[2] == 4 else cv2.COLOR_BGR2RGB
    return np.asarray(cv2.cvtColor(image, code), dtype=np.uint8)


def _walk_video(path: Path, wanted: Sequence[int], first: int) -> Iterator[tuple[int, Rgb]]:
    import av
    from av.video.reformatter import Interpolation

    # Without these swscale is up to three levels off when it makes RGB of YUV; RGB and gray are copied exactly.
    exact = (
        Interpolation.BICUBIC
        | Interpolation.FULL_CHR_H_INT
        | Interpolation.FULL_CHR_H_INP
        | Interpolation.ACCURATE_RND
        | Interpolation.BITEXACT
    )
    left = list(wanted)
    try:
        with av.open(str(path.absolute()), options={"protocol_whitelist": "file"}) as container:
            for number, frame in enumerate(container.decode(video=0)):
                if left and number == left[0]:
                    left.pop(0)
                    rgb = frame.reformat(format="rgb24", interpolation=exact, threads=1).to_ndarray()
                    yield number - first, np.ascontiguousarray(rgb)
                if not left:
                    return
    except (av.FFmpegError, OSError) as error:
        raise ValueError(f'The video "{path}" cannot be decoded ({error.strerror or error}).') from error
    raise ValueError(f'The video "{path}" ends before frame {left[0]}.')


def _png_size(path: Path) -> tuple[int, int] | None:
    with path.open("rb") as file:
        head = file.read(24)
    if head[:8] != b"\x89PNG\r\n\x1a\n" or head[12:16] != b"IHDR":
        return None
    return int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")


def stored(room: Path, clip: str, frames: int, sha256: str = "") -> Series:
    """A clip in a room of the workspace: a folder of PNG, or a lossless video; empty where there is neither."""
    folder = room / clip
    if folder.is_dir():
        return Series(tuple(sorted(folder.glob("[0-9]*.png"))), sha256=sha256)
    videos = (room / f"{clip}{suffix}" for suffix in STORED)
    video = next((path for path in videos if path.is_file()), None)
    return Series() if video is None else Series(video=video, count=frames, sha256=sha256)


def outside(place: Path, first: int, frames: int, sha256: str = "") -> Series:
    """A clip that lies where its owner has it: a folder of pictures in their natural order, or a video."""
    if place.is_dir():
        inside = [p for p in place.iterdir() if p.name[0] != "." and p.is_file()]
        names = sorted((p for p in inside if p.suffix.lower() in PICTURES), key=lambda p: by_number(p.name))
        if names:
            taken = tuple(names[first : first + frames])
            return Series(taken, first=first, sha256=sha256, own=False)
        videos = [p for p in inside if p.suffix.lower() in VIDEOS]
        place = videos[0] if len(videos) == 1 else place
    if place.is_file():
        return Series(video=place, count=frames, first=first, sha256=sha256, own=False)
    return Series()


def by_number(name: str) -> tuple[tuple[int, int, str], ...]:
    """Sort key by which frame2 comes before frame10.

    Example:
        >>> sorted(["f10.png", "f2.png"], key=by_number)
        ['f2.png', 'f10.png']
    """
    parts = [p for p in re.split(r"(\d+)", name.casefold()) if p]
    return (*((0, int(p), "") if p.isdecimal() else (1, 0, p) for p in parts), (-1, 0, name))
