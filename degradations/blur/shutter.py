"""A rolling shutter: rows are exposed one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, ClassVar

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from degradations.base import NO_MASKS, ClipShape, Damage, Degradation, Masks, Params, Subframes, over_masks
from degradations.blur.exposure import Light, into_light, out_of_light, rendered
from degradations.blur.flow import Flow, gray8, motion, pull
from degradations.border import mirror
from degradations.rng import Rng

_WAVES = 6
_FACTS_ROWS = 9


class RollingShutter(Degradation):
    """A rolling shutter: rows are exposed one after the other, so what moves is slanted, stretched or wobbles.

    Settings:
        readout: time from the first to the last row, in frames; the middle row is exposed when the frame is.
        upwards: the last row is the first to be exposed.
        shutter: time for which each row is exposed, in frames; 0 is an instant.
        samples: instants at which a rendered scene is looked at for each frame; a row takes the two that are next to
            its own time, weighed by how near they are. Keep the motion between two of them below a pixel. Where the
            source is a video the scene is interpolated along flow at the time of each row itself.
        shake: a camera that trembles: root mean square, in pixels and along each side, of a path made of six waves;
            rows are displaced by how far the camera went since the middle row was exposed.
        shake_hz: range of the frequencies of these waves.
        light: as in :class:`~degradations.blur.ExposureBlur`.

    The recipe says whether the instants are ``rendered`` or by ``flow``, as with the blur of an exposure.

    Source: the geometry of Liang et al., "Analysis and compensation of rolling shutter effect" (TIP 2008).
    """

    kind: ClassVar[str] = "rolling-shutter"
    context: ClassVar[tuple[int, int]] = (1, 1)
    uses_subframes: ClassVar[bool] = True
    readout: float = Field(gt=0, le=1)
    upwards: bool = False
    shutter: float = Field(default=0.0, ge=0, le=1)
    samples: int = Field(default=24, ge=3, le=101)
    shake: float = Field(default=0.0, ge=0, le=50)
    shake_hz: tuple[float, float] = (3.0, 12.0)
    light: Light = "linear"

    def sample(self, shape: ClipShape, rng: Rng) -> Params:
        """How the instants come about, and the waves of the shake: amplitude in pixels, frequency in cycles a frame,
        phase in radians, for x and for y."""
        params: Params = {"instants": "rendered" if shape.rendered else "flow", "frames": shape.frames}
        if self.shake:
            for axis in ("x", "y"):
                g = rng.at("shake", axis).generator()
                amplitude = self.shake * np.sqrt(2 / _WAVES)  # a wave's mean square is half its amplitude's square
                waves = [
                    [float(amplitude), float(g.uniform(*self.shake_hz) / shape.fps), float(g.uniform(0, 2 * np.pi))]
                    for _ in range(_WAVES)
                ]
                params[axis] = waves
            params["key"] = rng.key
        return params

    def row_times(self, height: int) -> NDArray[np.float64]:
        """When each row is exposed, in frames from the frame's own time."""
        times = self.readout * ((np.arange(height) + 0.5) / height - 0.5)
        return np.asarray(-times if self.upwards else times)

    def wobble(self, params: Params, frame: int, times: NDArray[np.float64]) -> NDArray[np.float64]:
        """How far the picture is displaced at each time of a frame, ``(N, 2)`` in pixels, x and y."""
        out = np.zeros((len(times), 2))
        for axis, waves in enumerate((params.get("x", []), params.get("y", []))):
            for amplitude, frequency, phase in waves:
                turn = 2 * np.pi * frequency
                out[:, axis] += amplitude * (np.cos(turn * (frame + times) + phase) - np.cos(turn * frame + phase))
        return out

    def facts(self, params: Params, shape: ClipShape) -> dict[str, list[Any]]:
        """Of each frame: where its instants came from, the time in frames from the top row to the bottom one (below
        0 where it rolls upwards), and how far the shake displaces nine rows from top to bottom, (x, y) in pixels."""
        signed = -self.readout if self.upwards else self.readout
        facts: dict[str, list[Any]] = {
            "instants": [params["instants"]] * shape.frames,
            "readout_frames": [signed] * shape.frames,
        }
        if self.shake:
            rows = self.row_times(shape.height)[np.linspace(0, shape.height - 1, _FACTS_ROWS).astype(int)]
            facts["wobble_px"] = [np.round(self.wobble(params, t, rows), 3).tolist() for t in range(shape.frames)]
        return facts

    def stream(
        self,
        chunks: Iterable[Damage],
        params: Params,
        shape: ClipShape,
        subframes: Subframes | None = None,
        measured: dict[str, Any] | None = None,
    ) -> Iterator[Damage]:
        """Rendered or flow-interpolated rows, as ``params`` say; masks are passed on.

        Raises:
            ValueError: the recipe has rendered instants, and ``subframes`` is None or gives another size.
        """
        if params["instants"] == "flow":
            yield from super().stream(chunks, params, shape, measured=measured)
            return
        number = 0

        def make(frame: Tensor, at: Callable[[float], Tensor]) -> Tensor:
            nonlocal number
            seen = self._shaken(self._rendered(frame, at), params, number)
            number += 1
            return out_of_light(seen, self.light)

        yield from rendered(chunks, subframes, make)

    def _rendered(self, frame: Tensor, at: Callable[[float], Tensor]) -> Tensor:
        reach = (self.readout + self.shutter) / 2
        instants = np.linspace(-reach, reach, self.samples)
        share = instant_weights(self.row_times(frame.shape[1]), instants, self.shutter)
        out = torch.zeros_like(frame)
        for number, time in enumerate(instants):
            weights = torch.from_numpy(share[:, number].astype(np.float32))
            rows = weights > 0
            out[:, rows] += weights[rows, None] * into_light(at(float(time))[:, rows], self.light)
        return out

    def apply(self, frames: Tensor, params: Params, *, start: int = 0, masks: Masks = NO_MASKS) -> Damage:
        """Rows by interpolation along DIS flow; ``frames`` come with one neighbour at each end."""
        light = [f.numpy().transpose(1, 2, 0) for f in into_light(frames, self.light)]
        gray = [gray8(f) for f in frames]
        exposed = (np.arange(self.samples) + 0.5) / self.samples - 0.5 if self.shutter else np.zeros(1)
        out = []
        for i in range(1, len(frames) - 1):
            number = start + i - 1
            there = (number > 0, number + 1 < params["frames"])
            before, after = motion(gray[i - 1], gray[i], gray[i + 1], there)
            total = np.zeros_like(light[i])
            for offset in exposed:
                times = self.row_times(len(total)) + self.shutter * offset
                early = times < 0
                total += _rows(light[i], light[i - 1], before, -times, early)
                total += _rows(light[i], light[i + 1], after, times, ~early)
            mean = torch.from_numpy(np.ascontiguousarray((total / len(exposed)).transpose(2, 0, 1)))
            out.append(out_of_light(self._shaken(mean, params, number), self.light))
        return Damage(torch.stack(out), over_masks(masks, lambda plane: plane[1:-1]))

    def _shaken(self, frame: Tensor, params: Params, number: int) -> Tensor:
        if not self.shake:
            return frame
        height, width = frame.shape[1:]
        moved = self.wobble(params, number, self.row_times(height)).astype(np.float32)
        x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
        image = np.ascontiguousarray(frame.numpy().transpose(1, 2, 0))
        out = cv2.remap(
            image, x - moved[:, :1], y - moved[:, 1:], cv2.INTER_CUBIC, borderMode=mirror(image.shape)
        ).reshape(image.shape)
        return torch.from_numpy(np.ascontiguousarray(out.transpose(2, 0, 1)))


def instant_weights(rows: NDArray[np.float64], instants: NDArray[np.float64], shutter: float) -> NDArray[np.float64]:
    """How much of each instant a row takes, ``(rows, instants)`` of sum 1 along instants.

    A time between two instants takes both, weighed by how near they are; a row that is exposed for ``shutter`` frames
    is the mean over that time.
    """
    fine = (np.arange(64) + 0.5) / 64 - 0.5 if shutter else np.zeros(1)
    times = np.clip(rows[:, None] + shutter * fine[None], instants[0], instants[-1])
    step = instants[1] - instants[0]
    near = 1 - np.abs(times[..., None] - instants) / step
    return np.asarray(np.clip(near, 0, None).mean(axis=1))


def _rows(
    centre: NDArray[np.float32],
    near: NDArray[np.float32],
    way: tuple[bool, Flow],
    times: NDArray[np.float64],
    chosen: NDArray[np.bool_],
) -> NDArray[np.float32]:
    """The chosen rows (neighbours of each other) at their times from ``centre`` towards ``near``; others are 0."""
    known, flow = way
    out = np.zeros_like(centre)
    if not chosen.any():
        return out
    rows = np.flatnonzero(chosen)
    top, bottom = int(rows[0]), int(rows[-1]) + 1
    share = times[top:bottom, None].astype(np.float32)
    seen = pull(centre, flow[top:bottom], -share, top)
    if known:
        weight = share[..., None]
        seen = (1 - weight) * seen + weight * pull(near, flow[top:bottom], 1 - share, top)
    out[top:bottom] = seen
    return out
