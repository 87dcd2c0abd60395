"""Frames as encoders take them, and what comes out of a decoder as frames again."""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import IO, Any, Literal

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from degradations.base import Damage, Masks, covered
from degradations.codec.process import Job, coded
from degradations.codec.readback import BY_DECODER, Log, headers_of

SMALLEST = 16
"""x265 writes nothing for pictures smaller than its smallest block, so every picture is padded to this."""

SMALLEST_VVC = 64
"""FFmpeg leaves VVenC as many bytes for a frame as it has pixels, which in smaller pictures the headers alone can fill."""

SCALER = "bicubic+accurate_rnd+full_chroma_int+bitexact"
"""Flags of FFmpeg's scaler: the same numbers on any processor."""

Pixels = NDArray[np.uint8]
Planes = tuple[Pixels, ...]
"""Red, green and blue of one decoded frame, or gray alone, each ``(H, W)``."""

Size = tuple[int, int]
Matrix = Literal["bt601", "bt709"]
Conversion = Literal["exact", "default"]


@dataclass(frozen=True)
class Geometry:
    """Sizes (height, width) of a picture on its way: as it comes, padded, as it is coded, and what is cut out of that."""

    given: Size
    padded: Size
    coded: Size
    shown: Size

    @classmethod
    def of(cls, height: int, width: int, shrink: int = 1, smallest: int = SMALLEST) -> Geometry:
        """Pictures coded at one ``shrink``-th of their size, padded so that every coded pixel stands for a whole square.

        Example:
            >>> Geometry.of(47, 1, shrink=2)
            Geometry(given=(47, 1), padded=(48, 32), coded=(24, 16), shown=(24, 1))
        """
        coded = tuple(max(-(-side // (2 * shrink)) * 2, smallest) for side in (height, width))
        return cls(
            (height, width),
            (coded[0] * shrink, coded[1] * shrink),
            (coded[0], coded[1]),
            (-(-height // shrink), -(-width // shrink)),
        )


def to_pictures(frames: Tensor, geometry: Geometry) -> Pixels:
    """Frames ``(n, C, H, W)`` in [0, 1] as RGB pictures ``(n, H, W, 3)``, rounded, the last row and column repeated."""
    count, channels = frames.shape[:2]
    height, width = geometry.given
    out = np.empty((count, *geometry.padded, 3), np.uint8)
    # NumPy and not torch, whose threads wait for each other in a loop and so take the core from the encoder.
    level = np.empty((height, width), np.float32)
    for frame, picture in zip(frames.numpy(), out, strict=True):
        planes = []
        for plane in frame:
            np.multiply(plane, np.float32(255), out=level)
            np.add(level, np.float32(0.5), out=level)
            np.clip(level, 0, 255, out=level)
            planes.append(level.astype(np.uint8))
        planes *= 3 // channels
        if geometry.padded == geometry.given:
            cv2.merge(planes, picture)
        else:
            pad = [(0, b - a) for a, b in zip(geometry.given, geometry.padded, strict=True)]
            cv2.merge([np.pad(plane, pad, mode="edge") for plane in planes], picture)
    return out


def to_frames(decoded: Sequence[Planes]) -> Tensor:
    """Decoded frames as ``(n, C, H, W)``, float32 in [0, 1]."""
    height, width = decoded[0][0].shape
    # NumPy asks the system for large pages, and torch does not: most of the time goes into the first touch. Nor has it
    # threads that wait for each other in a loop, while the encoder wants the core.
    out = np.empty((len(decoded), len(decoded[0]), height, width), np.float32)
    for planes, frame in zip(decoded, out, strict=True):
        for plane, target in zip(planes, frame, strict=True):
            np.divide(plane, np.float32(255), out=target)
    return torch.from_numpy(out)


class Shelf:
    """Masks that wait until their frames come back from the encoder, packed: they are zero nearly everywhere."""

    def __init__(self) -> None:
        self._chunks: deque[tuple[int, dict[str, tuple[tuple[int, ...], bytes]]]] = deque()

    def put(self, damage: Damage) -> None:
        """Keep the masks of a chunk."""
        packed = {
            kind: (tuple(plane.shape), zlib.compress(np.ascontiguousarray(plane.numpy()).data, 1))
            for kind, plane in damage.masks.items()
        }
        self._chunks.append((len(damage.frames), packed))

    @property
    def frames(self) -> int:
        """Number of frames of the oldest chunk; 0 where none waits."""
        return self._chunks[0][0] if self._chunks else 0

    def take(self) -> dict[str, Tensor]:
        """The masks of the oldest chunk."""
        _, packed = self._chunks.popleft()
        return {
            kind: torch.from_numpy(np.frombuffer(zlib.decompress(data), np.float32).reshape(shape).copy())
            for kind, (shape, data) in packed.items()
        }


@dataclass(frozen=True)
class Seen:
    """A frame as it is shown, and where it is damaged: ``(1, H, W)`` by kind."""

    planes: Planes
    masks: dict[str, NDArray[np.bool_]]


def transcoded(
    chunks: Iterable[Damage],
    geometry: Geometry,
    channels: int,
    codec: str,
    options: dict[str, Any],
    *,
    matrix: Matrix = "bt601",
    conversion: Conversion = "exact",
    measured: dict[str, Any] | None = None,
) -> Iterator[Damage]:
    """A clip through one encoder and its decoder, chunk by chunk as it came; masks are passed on as they are.

    Raises:
        ValueError: FFmpeg failed, or the decoder gave another number of frames.
    """
    log = Log(codec, headers_of(codec))

    def read(pipe: IO[bytes]) -> Iterator[Planes]:
        convert = converter(geometry.shown, channels, matrix, conversion)
        return decoded(pipe, container_of(codec), codec, convert, log)

    job = Job(geometry.padded, options, container_of(codec), log.headers)
    yield from through(chunks, geometry, job, read)
    if measured is not None:
        measured.update(log.measured(geometry.coded[0] * geometry.coded[1]))


def through(
    chunks: Iterable[Damage], geometry: Geometry, job: Job, read: Callable[[IO[bytes]], Iterator[Any]]
) -> Iterator[Damage]:
    """Chunks through a job; ``read`` gives the planes of each frame, or these and the frame's masks.

    Raises:
        ValueError: FFmpeg failed, or the decoder gave another number of frames.
    """
    shelf = Shelf()

    def feed() -> Iterator[Pixels]:
        for damage in chunks:
            shelf.put(damage)
            for frame in damage.frames.split(1):  # the encoder works on one while the next is made
                yield to_pictures(frame, geometry)

    waiting: list[Any] = []
    done = 0
    for item in coded(feed(), job, read):
        waiting.append(item)
        while shelf.frames and len(waiting) >= shelf.frames:
            count = shelf.frames
            yield _chunk(waiting[:count], shelf.take())
            done += count
            del waiting[:count]
    if waiting or shelf.frames:
        left = 0
        while shelf.frames:
            left += shelf.frames
            shelf.take()
        raise ValueError(
            f"The decoder behind {job.options['c:v']} gave {done + len(waiting)} frames, and {done + left} went in."
        )


def _chunk(items: list[Any], masks: Masks) -> Damage:
    if not isinstance(items[0], Seen):
        return Damage(to_frames(items), masks)
    frames = to_frames([seen.planes for seen in items])
    for kind in items[0].masks:
        more = torch.from_numpy(np.stack([seen.masks[kind] for seen in items]).astype(np.float32))
        masks = covered(masks, kind, more)
    return Damage(frames, masks)


def container_of(codec: str) -> str:
    """Format in which a stream comes through the pipe; VVC in Matroska loses its time stamps."""
    return "vvc" if codec == "vvc" else "matroska"


def decoded(
    pipe: IO[bytes], container: str, codec: str, convert: Callable[[Any], Planes], log: Log
) -> Iterator[Planes]:
    """Frames of a stream as its bytes come, with what is read of it noted in ``log``."""
    import av

    with av.open(pipe, "r", format=container) as source:
        stream = source.streams.video[0]
        if codec in BY_DECODER:
            stream.codec_context.options = {"export_side_data": "venc_params"}
        for packet in source.demux(stream):
            log.packet(packet)
            for frame in packet.decode():
                log.frame(frame)
                yield convert(frame)


def converter(shown: Size, channels: int, matrix: Matrix, conversion: Conversion) -> Callable[[Any], Planes]:
    """What turns a decoded frame into its planes: RGB by the matrix and range with which it was encoded.

    Of a gray clip the luma is taken. ``default`` is the conversion that FFmpeg makes when nobody asks: BT.601, limited
    range, its fast path.
    """
    from av.video.reformatter import VideoReformatter

    height, width = shown
    plain_scaler = VideoReformatter()  # sets itself up once, for all frames
    graph: list[Any] = []

    def gray(frame: Any) -> Planes:
        return (_luma(frame)[:height, :width],)

    def plain(frame: Any) -> Planes:
        rgb: Any = plain_scaler.reformat(frame, format="rgb24", threads=1).to_ndarray()
        return tuple(plane[:height, :width] for plane in cv2.split(rgb))

    def exact(frame: Any) -> Planes:
        if not graph:
            graph.append(_exact_scaler(frame, matrix))
        graph[0].push(frame)
        planes = graph[0].pull().planes
        # They stay where the scaler put them: a view keeps its frame alive.
        green, blue, red = (np.frombuffer(p, np.uint8).reshape(p.height, -1)[:height, :width] for p in planes)
        return red, green, blue

    return gray if channels == 1 else plain if conversion == "default" else exact


def _exact_scaler(frame: Any, matrix: Matrix) -> Any:
    """FFmpeg's scaler from frames like this one to RGB, with flags that give the same numbers on any processor.

    Chroma lies in the middle of its four pixels, where the same scaler puts it when it makes YUV of RGB; frames that do
    not say where it is are taken by some versions to have it at the left, which moves colours by half a pixel. Planar RGB
    has the same numbers as RGB with the colours of a pixel together, and takes half the time.
    """
    import av

    graph = av.filter.Graph()
    graph.threads = 1
    span = "pc" if _full_range(frame) else "tv"
    flags = f"{SCALER}+full_chroma_inp"
    nodes = [
        graph.add_buffer(width=frame.width, height=frame.height, format=frame.format.name, time_base=frame.time_base),
        graph.add("scale", f"in_h_chr_pos=128:in_v_chr_pos=128:in_color_matrix={matrix}:in_range={span}:flags={flags}"),
        graph.add("format", "pix_fmts=gbrp"),
        graph.add("buffersink"),
    ]
    for one, other in pairwise(nodes):
        one.link_to(other)
    graph.configure()
    return graph


def _full_range(frame: Any) -> bool:
    from av.video.reformatter import ColorRange

    return bool(frame.format.name.startswith("yuvj") or int(frame.color_range) == int(ColorRange.JPEG))


def _luma(frame: Any) -> Pixels:
    """The luma plane as gray levels 0..255, ``(H, W)``."""
    ten = frame.format.components[0].bits == 10
    plane = frame.planes[0]
    rows = np.frombuffer(plane, np.uint16 if ten else np.uint8).reshape(plane.height, -1)
    luma = rows[:, : plane.width].astype(np.float64) / (4.0 if ten else 1.0)
    levels = luma if _full_range(frame) else (luma - 16.0) * (255.0 / 219.0)
    return np.floor(np.clip(levels, 0.0, 255.0) + 0.5).astype(np.uint8)
