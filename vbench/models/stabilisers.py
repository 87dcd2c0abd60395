"""Steady frames: what the gate of a projector or a hand shook is found by global motion and taken out."""

from __future__ import annotations

import math
import tempfile
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vbench.errors import RunError
from vbench.models.spec import ModelSpec

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from vbench.restore import ClipMeta, Restorer

REACH = 5
"""Frames before and after, over which the path is smoothed."""
SPREAD = 2.0
"""Standard deviation of the Gaussian that smooths it, in frames."""
MATCH = 0.3
"""Height of the correlation's peak below which two frames are of different scenes. Measured: 0.6 to 1 where a picture moved,
0.46 under noise of sigma 25, 0.8 in transfers of old films, below 0.2 at cuts."""
SMALLEST = 16
"""Height and width below which vid.stab finds no fields to measure."""
LONGEST = 0.1
"""The largest shift between neighbours, as a share of the frame's side: beyond it there is a cut, or no match."""


class PhaseStabiliser:
    """Each frame moved to where the smoothed path of the camera is.

    The shift between neighbours is found by phase correlation of their luma, to fractions of a pixel; the path is its sum,
    smoothed by a Gaussian over eleven frames (fewer at the ends of the clip and at cuts). Moved by bicubic interpolation, the
    border repeated. Eleven frames are held.
    """

    def restore(self, chunks: Iterator[Tensor], meta: ClipMeta) -> Iterator[Tensor]:
        """One frame at a time, five frames behind what came in."""
        frames: deque[tuple[int, Tensor]] = deque()
        path: dict[int, NDArray[np.float64]] = {}
        scene: dict[int, int] = {}
        before: NDArray[np.float32] | None = None
        seen = done = 0
        for chunk in chunks:
            for frame in chunk:
                luma = _luma(frame)
                step = None if before is None else _shift(before, luma)
                before = luma
                path[seen] = np.zeros(2) if step is None else path[seen - 1] + step
                scene[seen] = seen if step is None else scene[seen - 1]
                frames.append((seen, frame))
                seen += 1
                if seen > done + REACH:
                    yield self._one(frames.popleft()[1], done, path, scene)
                    done += 1
                    path.pop(done - REACH - 1, None)
                    scene.pop(done - REACH - 1, None)
        while frames:
            yield self._one(frames.popleft()[1], done, path, scene)
            done += 1

    @staticmethod
    def _one(frame: Tensor, index: int, path: dict[int, NDArray[np.float64]], scene: dict[int, int]) -> Tensor:
        near = [i for i in range(index - REACH, index + REACH + 1) if i in path and scene[i] == scene[index]]
        weights = np.exp([-((i - index) ** 2) / (2 * SPREAD**2) for i in near])
        smooth = np.average([path[i] for i in near], axis=0, weights=weights)
        return _moved(frame, smooth - path[index])


def _luma(frame: Tensor) -> NDArray[np.float32]:
    """``(H, W)`` of ``(C, H, W)``; equal channels give what one of them gives."""
    import cv2

    pixels = np.ascontiguousarray(frame.permute(1, 2, 0).cpu().float().numpy())
    levels = (pixels.clip(0, 1) * 255 + 0.5).astype(np.uint8)
    gray = levels[..., 0] if levels.shape[2] == 1 else cv2.cvtColor(levels, cv2.COLOR_RGB2GRAY)
    return np.asarray(gray, dtype=np.float32)


def _shift(before: NDArray[np.float32], now: NDArray[np.float32]) -> NDArray[np.float64] | None:
    """How far the picture moved, (x, y) in pixels; None at a cut."""
    import cv2

    height, width = now.shape
    window = cv2.createHanningWindow((width, height), cv2.CV_32F) if min(height, width) > 1 else None
    (x, y), match = cv2.phaseCorrelate(before, now, window)
    found = np.array([x, y])
    reached = (
        match >= MATCH and np.isfinite(found).all() and (np.abs(found) <= LONGEST * np.array([width, height])).all()
    )
    return found if reached else None


def _moved(frame: Tensor, by: NDArray[np.float64]) -> Tensor:
    """``(1, C, H, W)`` moved to the right and down by ``by`` pixels."""
    import cv2
    import torch

    if not np.abs(by).max() > 1e-3:
        return frame[None]
    matrix = np.array([[1, 0, by[0]], [0, 1, by[1]]])
    planes = [
        cv2.warpAffine(plane, matrix, plane.shape[::-1], flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        for plane in frame.cpu().float().numpy()
    ]
    return torch.from_numpy(np.stack(planes))[None].clamp(0, 1).to(frame)


DETECT = "vidstabdetect=result=path.trf:shakiness=5:accuracy=15:stepsize=6"
TRANSFORM = "vidstabtransform=input=path.trf:smoothing=5:optalgo=gauss:optzoom=0:crop=keep:interpol=bicubic"


class Vidstab:
    """FFmpeg's vidstabdetect over the whole clip, then vidstabtransform: two passes.

    Frames wait on the disk as 8-bit numbers between the passes, in a temporary folder. The motion is found in the luma; each
    channel is moved by itself, as a gray clip, so that colours do not depend on the filter's conversions.
    """

    def restore(self, chunks: Iterator[Tensor], meta: ClipMeta) -> Iterator[Tensor]:
        """One frame at a time, after the whole clip went in.

        Raises:
            RunError: frames below 16 x 16 pixels, or FFmpeg failed.
        """
        import cv2
        import torch

        if min(meta.height, meta.width) < SMALLEST:
            raise RunError(
                f"vid.stab was given frames of {meta.width} x {meta.height} pixels; it takes {SMALLEST} x {SMALLEST} and more."
            )

        from vbench.media import pipe_filter
        from vbench.restore import from_array, to_uint8

        shape = (meta.height, meta.width, meta.channels)
        size: dict[str, Any] = {"height": meta.height, "width": meta.width, "channels": 1, "fps": meta.fps}
        with tempfile.TemporaryDirectory(prefix="vbench-") as name:
            folder = Path(name)

            def spooled() -> Iterator[NDArray[np.uint8]]:
                with (folder / "frames.raw").open("wb") as file:
                    for chunk in chunks:
                        for frame in to_uint8(chunk):
                            file.write(frame.tobytes())
                            luma = frame[..., 0] if meta.channels == 1 else cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
                            yield np.asarray(luma, dtype=np.uint8)[None, ..., None]

            for _ in pipe_filter(spooled(), f"format=gray,{DETECT}", folder=folder, **size):
                pass

            def one(channel: int) -> Iterator[NDArray[np.uint8]]:
                with (folder / "frames.raw").open("rb") as file:
                    while data := file.read(math.prod(shape)):
                        yield np.frombuffer(data, np.uint8).reshape(1, *shape)[..., channel : channel + 1]

            def moved(channel: int) -> Iterator[NDArray[np.uint8]]:
                threads = torch.get_num_threads()
                return pipe_filter(one(channel), f"format=gray,{TRANSFORM}", folder=folder, threads=threads, **size)

            for parts in zip(*(moved(c) for c in range(meta.channels)), strict=True):
                yield from_array(np.concatenate(parts, axis=-1))


def _load_phase(device: torch.device, weights: Path | None) -> Restorer:
    return PhaseStabiliser()


def _load_vidstab(device: torch.device, weights: Path | None) -> Restorer:
    return Vidstab()


PHASE = ModelSpec(
    name="steady",
    version=1,
    title="Steadying by phase correlation",
    task="stabilisation",
    source="Shifts by phase correlation (Kuglin and Hines 1975; OpenCV's phaseCorrelate), their path smoothed by a Gaussian.",
    licence="Apache-2.0",
    load=_load_phase,
    settings={
        "motion": "shifts alone, neither rotation nor zoom",
        "path": f"Gaussian, sigma {SPREAD:g} frames, over {2 * REACH + 1} frames",
        "cut": f"a shift of more than {LONGEST:g} of the frame's side, or a correlation below {MATCH:g}",
        "moved": "bicubic, the border repeated",
    },
)
VIDSTAB = ModelSpec(
    name="vidstab",
    version=1,
    title="vid.stab, two passes",
    task="stabilisation",
    source="FFmpeg's filters vidstabdetect and vidstabtransform (library vid.stab of Georg Martius).",
    licence="FFmpeg, GPL build (run as a separate program)",
    load=_load_vidstab,
    settings={"passes": f"{DETECT}, then {TRANSFORM}", "colour": "motion of the luma; each channel moved by itself"},
)
