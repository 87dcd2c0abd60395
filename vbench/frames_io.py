"""Frames as image files: reading them, writing PNG, a folder that appears whole or not at all, hashes.

Arrays are RGB or gray, uint8 or (for 16-bit files) uint16 over the full range 0..65535.
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vbench.clip import ClipInfo, Frames, check_range, walk
from vbench.errors import InputError, RunError
from vbench.tiff_tags import alpha_alone, samples
from vbench.workspace import disk_error, partial_path

IMAGE_FPS = 24.0
"""Frames per second of a folder of frames, which says nothing about it."""

_PNG = [cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE]
PNG_OPTIONS = [*_PNG, cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_AVG]
"""Fixed, so that the same frame gives the same bytes.

One filter instead of a choice for every row takes 0.6 of the time, for 1 (colour) to 4 (gray) per cent more bytes of
grainy film; level 3 with the default strategy takes three times as long for 3 per cent fewer.
"""
PNG_SPARSE = [*_PNG, cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_NONE]
"""For masks, which are mostly 0: no filter takes half of the time, and nothing away."""

_PNG_GRAY_ALPHA = 4
_FAMILIES = {".jpeg": ".jpg", ".tiff": ".tif"}
_SEVERAL_IMAGES = frozenset({".tif", ".tiff", ".webp", ".png"})


def read_image(path: Path) -> tuple[NDArray[Any], bool]:
    """One image as ``(H, W, C)`` RGB or gray, uint8 or uint16, and whether it had an alpha channel (dropped).

    Palettes are resolved; a JPEG's EXIF orientation is honoured.

    Raises:
        InputError: missing, damaged, neither 8 nor 16 bit, or holding several images.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f'The frame "{path}" cannot be read: {error.strerror}.') from error
    jpeg = data[:2] == b"\xff\xd8"
    tiff = samples(data)
    if tiff is not None and tiff.extra:
        if tiff.apart or (tiff.count == 2 and tiff.bits != 8):
            where = ", each in a plane of its own" if tiff.apart else ""
            raise InputError(
                f'The frame "{path}" is a TIFF of {tiff.count} channels of {tiff.bits} bits{where}, of which {tiff.extra} '
                f"{'is' if tiff.extra == 1 else 'are'} alpha or the like. That cannot be read: store it without."
            )
        data = alpha_alone(data, tiff)
    # "Unchanged" ignores the orientation, which JPEG carries in practice; JPEG has no alpha to be told of.
    image = _decode(data, cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH if jpeg else cv2.IMREAD_UNCHANGED)
    if image is None:
        raise InputError(
            f'The frame "{path}" ({len(data)} bytes) is not an image that can be decoded: it is damaged or '
            "truncated. Restore the file, or choose other frames with --frames."
        )
    if image.dtype not in (np.uint8, np.uint16):
        raise InputError(
            f'The frame "{path}" holds {image.dtype} samples, whose range is not known; frames have 8 or 16 '
            "bits. Convert it to 16 bits first."
        )
    if path.suffix.lower() in _SEVERAL_IMAGES and (count := _count_images(data)) > 1:
        raise InputError(
            f'"{path}" holds {count} images, and a frame is a file with one. Split it into a file per frame.'
        )
    if image.ndim == 2:
        return image[..., None], tiff is not None and tiff.extra > 0
    if image.shape[2] == 2 or (data[:4] == b"\x89PNG" and data[25] == _PNG_GRAY_ALPHA):
        return np.ascontiguousarray(image[..., :1]), True
    alpha = image.shape[2] == 4
    colours = cv2.cvtColor(image, cv2.COLOR_BGRA2RGB if alpha else cv2.COLOR_BGR2RGB)
    # CMYK comes with an alpha channel that the file has not.
    return colours, alpha and not (tiff is not None and tiff.inks and not tiff.extra)


def _decode(data: bytes, flags: int) -> NDArray[Any] | None:
    if not data:
        return None
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # our sentence says it
    try:
        image: NDArray[Any] | None = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:
        return None
    finally:
        cv2.utils.logging.setLogLevel(level)
    return image


def _count_images(data: bytes) -> int:
    """Pages of a TIFF, frames of an animation. Looks at headers only."""
    animated_png = data[:4] == b"\x89PNG" and b"acTL" in data[:4096]
    if data[:4] == b"\x89PNG" and not animated_png:
        return 1
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(data)) as image:
            return int(getattr(image, "n_frames", 1))
    except (UnidentifiedImageError, OSError, SyntaxError):
        return 1  # OpenCV reads kinds of TIFF that Pillow does not know


def read_png(path: Path) -> NDArray[Any]:
    """A PNG as ``(H, W, C)``: RGB (C = 3) or gray (C = 1), uint8 or uint16; alpha is dropped."""
    return read_image(path)[0]


def encode_png(frame: NDArray[Any], sparse: bool = False) -> bytes:
    """``(H, W, C)`` RGB or gray, uint8 or uint16, as the bytes of a PNG file; the same bytes each time.

    ``sparse`` is for frames that are mostly 0.

    Raises:
        RunError: another shape or type.
    """
    if frame.ndim != 3 or frame.shape[2] not in (1, 3) or frame.dtype not in (np.uint8, np.uint16):
        raise RunError(
            f"A frame of shape {frame.shape} and type {frame.dtype} cannot be written as PNG; expected (H, "
            "W, 3) RGB or (H, W, 1) gray, uint8 or uint16."
        )
    image = frame[..., 0] if frame.shape[2] == 1 else frame[..., ::-1]
    done, data = cv2.imencode(".png", np.ascontiguousarray(image), PNG_SPARSE if sparse else PNG_OPTIONS)
    if not done:
        raise RunError(f"OpenCV could not encode a frame of shape {frame.shape} and type {frame.dtype} as PNG.")
    return bytes(data.tobytes())


def write_png(path: Path, frame: NDArray[Any]) -> None:
    """Write ``(H, W, C)`` RGB or gray, uint8 or uint16, as PNG: the whole file appears, or none.

    Raises:
        RunError: the disk is full or refuses; the text says which file and how much space is left.
    """
    data = encode_png(frame)
    temporary = partial_path(path)
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise disk_error(path, error) from error


class ImageClip:
    """A clip of image files, one per frame, all of one size and kind. Frames are decoded when they are read.

    Raises:
        InputError: files of several kinds lie together, or the first cannot be decoded.
    """

    def __init__(self, folder: Path, files: list[Path], name: str) -> None:
        _one_kind(folder, files)
        self._files = files
        first, alpha = read_image(files[0])
        depth = 8 if first.dtype == np.uint8 else 16
        words = "gray as stored" if first.shape[2] == 1 else "RGB as stored"
        if files[0].suffix.lower() in (".jpg", ".jpeg"):
            words = "gray, from JPEG" if first.shape[2] == 1 else "RGB, from JPEG (BT.601 full range)"
        self._expected = first.shape, first.dtype
        self.info = ClipInfo(
            name=name,
            frames=len(files),
            height=first.shape[0],
            width=first.shape[1],
            channels=first.shape[2],
            fps=IMAGE_FPS,
            bit_depth=depth,
            source=str(folder),
            colour=f"{words}, {depth} bit{', alpha dropped' if alpha else ''}",
        )

    def read(self, start: int, stop: int) -> Frames:
        """Frames ``start`` to ``stop`` (excluded), ``(T, H, W, C)``.

        Raises:
            InputError: a file is missing, damaged, or of another size or kind than the first.
        """
        check_range(self.info, start, stop)
        shape, dtype = self._expected
        out = np.empty((stop - start, *shape), dtype)
        for i, path in enumerate(self._files[start:stop]):
            image, _ = read_image(path)
            if image.shape != shape or image.dtype != dtype:
                raise InputError(
                    f'The frames of a clip must be alike: "{path}" is {_words(image.shape, image.dtype)}, '
                    f'and the first, "{self._files[0].name}", is {_words(shape, dtype)}. Move the odd one '
                    "out of the folder."
                )
            out[i] = image
        return out

    def chunks(self, size: int = 16) -> Iterator[Frames]:
        """All frames, ``size`` at a time."""
        return walk(self, size)


def _one_kind(folder: Path, files: list[Path]) -> None:
    kinds: dict[str, list[Path]] = {}
    for path in files:
        ending = path.suffix.lower()
        kinds.setdefault(_FAMILIES.get(ending, ending), []).append(path)
    if len(kinds) > 1:
        said = ", ".join(f'{len(paths)} {kind} ("{paths[0].name}", ...)' for kind, paths in sorted(kinds.items()))
        raise InputError(
            f'"{folder}" holds images of several kinds: {said}. It is not plain which are the frames of the '
            "clip: leave one kind in the folder."
        )


def _words(shape: tuple[int, ...], dtype: Any) -> str:
    kind = "gray" if shape[2] == 1 else "colour"
    return f"{shape[1]} x {shape[0]}, {kind}, {np.dtype(dtype).itemsize * 8} bit"


class FrameHasher:
    """sha256 over decoded frames: size, type and bytes; the same for any chunking.

    Example:
        >>> frames = np.zeros((4, 2, 2, 3), np.uint8)
        >>> a, b = FrameHasher(), FrameHasher()
        >>> a.update(frames)
        >>> b.update(frames[:1]); b.update(frames[1:])
        >>> a.hexdigest() == b.hexdigest() == frame_hash([frames])
        True
    """

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._head: str | None = None

    def update(self, frames: Frames) -> None:
        """Add ``(T, H, W, C)`` frames.

        Raises:
            RunError: of another size or type than those before.
        """
        # The type by its name: "uint16" on a machine of any byte order; the bytes are little-endian.
        head = f"{tuple(int(n) for n in frames.shape[1:])}{frames.dtype.name}"
        if self._head is None:
            self._head = head
            self._hash.update(head.encode())
        elif head != self._head:
            raise RunError(f"Frames of one clip differ in size or type: {self._head}, then {head}.")
        self._hash.update(np.ascontiguousarray(frames, dtype=frames.dtype.newbyteorder("<")).data)

    def hexdigest(self) -> str:
        """The hash so far."""
        return self._hash.hexdigest()


def frame_hash(chunks: Iterable[Frames]) -> str:
    """`FrameHasher` over all the chunks of a clip."""
    hasher = FrameHasher()
    for frames in chunks:
        hasher.update(frames)
    return hasher.hexdigest()


class FrameFolder:
    """Writes ``00000000.png``, ... into a folder that appears whole at the end of ``with``, or not at all.

    Until then the frames lie beside it under a name that begins with ``vbench.workspace.TEMPORARY``; what a
    killed process left is removed by ``clear_partial``.

    Args:
        folder: its final name.
        replace: an older folder of that name is replaced (in one rename, after the new one is whole);
            without, it is an error.
        sparse: frames are mostly 0, as masks are.
    """

    def __init__(self, folder: Path, *, replace: bool = True, sparse: bool = False) -> None:
        self._final = folder
        self._replace = replace
        self._sparse = sparse
        self._blank: bytes | None = None
        self._temporary = partial_path(folder)
        self._count = 0
        self._kind: tuple[tuple[int, ...], str] | None = None

    def __enter__(self) -> FrameFolder:
        if not self._replace and self._final.exists():
            raise RunError(f'The folder "{self._final}" exists already. Choose another name, or remove it first.')
        try:
            self._final.parent.mkdir(parents=True, exist_ok=True)
            self._temporary.mkdir()
        except OSError as error:
            raise disk_error(self._final, error) from error
        return self

    def write(self, frame: NDArray[Any]) -> None:
        """The next frame, ``(H, W, C)``, RGB or gray, uint8 or uint16; all alike.

        Raises:
            RunError: the frame is unlike the first, or the disk is full or refuses.
        """
        kind = (frame.shape, frame.dtype.name)
        if self._kind is None:
            self._kind = kind
        elif kind != self._kind:
            raise RunError(f'Frame {self._count} for "{self._final}" is {kind}, and the first was {self._kind}.')
        name = f"{self._count:08d}.png"
        data = self._encoded(frame)
        try:
            (self._temporary / name).write_bytes(data)
        except OSError as error:
            raise disk_error(self._final / name, error) from error
        self._count += 1

    def _encoded(self, frame: NDArray[Any]) -> bytes:
        if not self._sparse or frame.any():
            return encode_png(frame, self._sparse)
        if self._blank is None:  # most frames have nothing of most kinds of damage
            self._blank = encode_png(frame, sparse=True)
        return self._blank

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)
            return
        try:
            _flush_folder(self._temporary)
            self._commit()
        except OSError as failure:
            shutil.rmtree(self._temporary, ignore_errors=True)
            raise disk_error(self._final, failure) from failure

    def _commit(self) -> None:
        if not self._final.exists():
            self._temporary.rename(self._final)
            return
        # A folder cannot be renamed over one that holds files: the old one steps aside first.
        aside = partial_path(self._final)
        self._final.rename(aside)
        try:
            self._temporary.rename(self._final)
        except OSError:
            aside.rename(self._final)
            raise
        shutil.rmtree(aside, ignore_errors=True)


def _flush_folder(folder: Path) -> None:
    """Make sure that the names reach the disk before the rename does (where folders can be opened)."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
