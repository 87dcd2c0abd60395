"""Blur: Gaussian, out of focus, camera shake, and the true motion blur of an exposure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar, Literal

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from degradations.base import NO_MASKS, ClipShape, Damage, Degradation, Masks, Params, Subframes, over_masks
from degradations.light import to_display, to_linear
from degradations.rng import Rng


def convolve(frames: Tensor, kernel: NDArray[np.float32]) -> Tensor:
    """Each channel of ``(T, C, H, W)`` convolved with a kernel of odd sides, mirrored at the border."""
    flipped = np.ascontiguousarray(kernel[::-1, ::-1])  # filter2D correlates
    out = torch.empty_like(frames)
    for frame, target in zip(frames, out, strict=True):
        for plane, result in zip(frame, target, strict=True):
            filtered = cv2.filter2D(plane.contiguous().numpy(), cv2.CV_32F, flipped, borderType=cv2.BORDER_REFLECT_101)
            result.copy_(torch.from_numpy(filtered))
    return out


def disc(radius: float) -> NDArray[np.float32]:
    """The blur of a lens out of focus: an even disc of this radius in pixels, its edge anti-aliased.

    Example:
        >>> k = disc(2.0)
        >>> k.shape, round(float(k.sum()), 6)
        ((5, 5), 1.0)
    """
    half = int(np.ceil(radius))
    fine = 32
    steps = (np.arange((2 * half + 1) * fine) + 0.5) / fine - half - 0.5
    inside = (steps[:, None] ** 2 + steps[None] ** 2 <= radius**2).astype(np.float64)
    side = 2 * half + 1
    kernel = inside.reshape(side, fine, side, fine).sum(axis=(1, 3))
    return np.asarray(kernel / kernel.sum(), dtype=np.float32)


def path_kernel(points: NDArray[np.float64]) -> NDArray[np.float32]:
    """Blur of a camera that moved along ``points`` (N, 2; x and y in pixels about 0), equal time at each."""
    half = int(np.ceil(np.abs(points).max())) + 1
    side = 2 * half + 1
    kernel = np.zeros((side, side))
    x, y = points[:, 0] + half, points[:, 1] + half
    x0, y0 = np.floor(x).astype(int), np.floor(y).astype(int)
    fx, fy = x - x0, y - y0
    for dx, dy, weight in (
        (0, 0, (1 - fx) * (1 - fy)),
        (1, 0, fx * (1 - fy)),
        (0, 1, (1 - fx) * fy),
        (1, 1, fx * fy),
    ):
        np.add.at(kernel, (y0 + dy, x0 + dx), weight)
    return np.asarray(kernel / kernel.sum(), dtype=np.float32)


class GaussianBlur(Degradation):
    """Gaussian blur of standard deviation ``sigma`` pixels, the same in every frame, of stored values.

    The kernel is cut at four sigma; the picture is mirrored at its border, the edge not repeated.
    """

    kind: ClassVar[str] = "gaussian-blur"
    sigma: float = Field(gt=0, le=50)

    def sample(self, shape: ClipShape, rng: Rng) -> Params:
        """Nothing is random."""
        return {}

    def apply(self, frames: Tensor, params: Params, *, start: int = 0, masks: Masks = NO_MASKS) -> Damage:
        """See the class."""
        half = int(np.ceil(4 * self.sigma))
        line = np.asarray(cv2.getGaussianKernel(2 * half + 1, self.sigma), dtype=np.float64)
        return Damage(_separable(frames, line), masks)


def _separable(frames: Tensor, line: NDArray[np.float64]) -> Tensor:
    out = torch.empty_like(frames)
    for frame, target in zip(frames, out, strict=True):
        for plane, result in zip(frame, target, strict=True):
            filtered = cv2.sepFilter2D(
                plane.contiguous().numpy(), cv2.CV_32F, line, line, borderType=cv2.BORDER_REFLECT_101
            )
            result.copy_(torch.from_numpy(filtered))
    return out


class Defocus(Degradation):
    """A lens out of focus: an even disc of ``radius`` pixels, in linear light."""

    kind: ClassVar[str] = "defocus"
    radius: float = Field(gt=0.5, le=50)

    def sample(self, shape: ClipShape, rng: Rng) -> Params:
        """Nothing is random."""
        return {}

    def apply(self, frames: Tensor, params: Params, *, start: int = 0, masks: Masks = NO_MASKS) -> Damage:
        """See the class."""
        return Damage(to_display(convolve(to_linear(frames), disc(self.radius))), masks)


class CameraShake(Degradation):
    """A camera that shook during each exposure: a smooth random path that changes slowly, in linear light.

    ``length`` is the path's largest extent in pixels (it reaches half of it from its centre); a frame has
    between 0.4 and 1.0 of it. The path of each frame is centred, so the picture does not move. The clip has a
    main direction, about which the paths turn; a path is forgotten after a quarter of a second.
    """

    kind: ClassVar[str] = "camera-shake"
    length: float = Field(gt=0, le=100)

    def sample(self, shape: ClipShape, rng: Rng) -> Params:
        """The main direction of the shake, its memory in frames, and the key of the paths."""
        angle = float(rng.at("angle").generator().uniform(0, np.pi))
        return {"angle": angle, "memory": max(1, round(shape.fps / 4)), "key": rng.key}

    def path(self, params: Params, frame: int) -> NDArray[np.float64]:
        """The path in frame ``frame``: (64, 2), x and y in pixels, its mean at 0."""
        bend, twist, sway, swing, turn, vigour = _slow(Rng(params["key"]), frame, params["memory"], 6)
        time = np.linspace(-1, 1, 64)
        along = time + 0.25 * bend * time**2 + 0.3 * twist * time**3
        across = 0.25 * sway * time**2 + 0.2 * swing * time**3
        angle = params["angle"] + 0.5 * turn
        points = np.stack(
            [along * np.cos(angle) - across * np.sin(angle), along * np.sin(angle) + across * np.cos(angle)],
            axis=1,
        )
        points -= points.mean(axis=0)
        extent = np.hypot(points[:, 0], points[:, 1]).max()
        strength = 0.7 + 0.3 * math.erf(vigour / math.sqrt(2))  # even between 0.4 and 1.0
        return np.asarray(points * (strength * self.length / 2 / extent))

    def apply(self, frames: Tensor, params: Params, *, start: int = 0, masks: Masks = NO_MASKS) -> Damage:
        """See the class; masks are passed on."""
        out = [
            convolve(frame[None], path_kernel(self.path(params, start + i)))
            for i, frame in enumerate(to_linear(frames))
        ]
        return Damage(to_display(torch.cat(out)), masks)


def _slow(rng: Rng, frame: int, memory: int, count: int) -> NDArray[np.float64]:
    """Standard normal numbers at a frame, correlated over ``memory`` frames (blended between knots)."""
    knot, within = divmod(frame, memory)
    share = 0.5 - 0.5 * math.cos(math.pi * within / memory)
    before = rng.at("knot", knot).generator().standard_normal(count)
    after = rng.at("knot", knot + 1).generator().standard_normal(count)
    return np.asarray(((1 - share) * before + share * after) / math.hypot(1 - share, share))


class ExposureBlur(Degradation):
    """True motion blur: the mean of the scene over the time that the shutter is open, centred on the frame.

    Settings:
        shutter: that time in frames (1 is a shutter of 360 degrees, 0.5 of 180).
        samples: number of instants, evenly spaced in it.
        light: whether the mean is taken of light (``linear``) or of stored values (``stored``, as published
            data sets mostly do).

    Where the source is rendered the instants are rendered, and where it is a video they are interpolated
    between neighbouring frames along optical flow; the recipe says which (``instants``: ``rendered`` or
    ``flow``), and a replay does what it says. Flow-interpolated exposures go on at constant speed before the
    first frame, after the last, and up to a cut (where the neighbour, moved back along the flow, differs from
    the frame by more than a tenth of the range on average).

    Source: the idea of Su et al., "Deep video deblurring for hand-held cameras" (CVPR 2017), which averages
    frames of a fast camera and flow-interpolated ones; flow here: DIS (Kroeger et al., ECCV 2016).
    """

    kind: ClassVar[str] = "exposure-blur"
    context: ClassVar[tuple[int, int]] = (1, 1)
    uses_subframes: ClassVar[bool] = True
    shutter: float = Field(gt=0, le=2)
    samples: int = Field(default=15, ge=3, le=101)
    light: Literal["linear", "stored"] = "linear"

    def sample(self, shape: ClipShape, rng: Rng) -> Params:
        """Nothing is random: how the instants come about, and their times about a frame, in frames."""
        times = (np.arange(self.samples) + 0.5) / self.samples * self.shutter - self.shutter / 2
        return {
            "instants": "rendered" if shape.rendered else "flow",
            "times": [float(t) for t in times],
            "frames": shape.frames,
        }

    def stream(
        self,
        chunks: Iterable[Damage],
        params: Params,
        shape: ClipShape,
        subframes: Subframes | None = None,
        measured: dict[str, Any] | None = None,
    ) -> Iterator[Damage]:
        """Rendered or flow-interpolated instants, as ``params`` say.

        Raises:
            ValueError: the recipe has rendered instants, and ``subframes`` is None or gives another size.
        """
        if params["instants"] == "flow":
            yield from super().stream(chunks, params, shape, measured=measured)
            return
        if subframes is None:
            raise ValueError(
                "The recipe was drawn for a source that can be seen between its frames, and this one cannot: "
                "give `subframes`, or draw a recipe for this source."
            )
        start = 0
        for frames, masks in chunks:
            out = torch.empty_like(frames)
            for i in range(len(frames)):
                total = torch.zeros_like(frames[0])
                for t in params["times"]:
                    instant = subframes(start + i + t)
                    if instant.shape != total.shape:
                        raise ValueError(
                            f"The scene at {start + i + t:.3f} is {tuple(instant.shape)}, its frames are "
                            f"{tuple(total.shape)} (C, H, W)."
                        )
                    total += self._in(instant)
                out[i] = self._out(total / len(params["times"]))
            yield Damage(out, masks)
            start += len(frames)

    def _in(self, values: Tensor) -> Tensor:
        return to_linear(values) if self.light == "linear" else values

    def _out(self, values: Tensor) -> Tensor:
        return to_display(values) if self.light == "linear" else values

    def apply(self, frames: Tensor, params: Params, *, start: int = 0, masks: Masks = NO_MASKS) -> Damage:
        """Blur by interpolation along DIS flow; ``frames`` come with one neighbour at each end."""
        light = self._in(frames)
        gray = [_gray8(f) for f in frames]
        out = []
        for i in range(1, len(frames) - 1):
            number = start + i - 1
            there = (number > 0, number + 1 < params["frames"])
            before, after = _motion(gray[i - 1], gray[i], gray[i + 1], there)
            total = torch.zeros_like(frames[0])
            for t in params["times"]:
                known, flow = before if t < 0 else after
                near = None if not known else light[i - 1] if t < 0 else light[i + 1]
                total += _between(light[i], near, flow, abs(t))
            out.append(self._out(total / len(params["times"])))
        return Damage(torch.stack(out), over_masks(masks, lambda plane: plane[1:-1]))


Flow = NDArray[np.float32]
CUT = 25.5
"""Mean difference in gray levels, after motion, above which a neighbour does not show the same scene."""


def _gray8(frame: Tensor) -> NDArray[np.uint8]:
    image = np.clip(np.floor(frame.numpy() * 255 + 0.5), 0, 255).astype(np.uint8)
    if len(image) == 1:
        return np.ascontiguousarray(image[0])
    gray = cv2.cvtColor(np.ascontiguousarray(image.transpose(1, 2, 0)), cv2.COLOR_RGB2GRAY)
    return np.asarray(gray, dtype=np.uint8)


def _motion(
    before: NDArray[np.uint8], centre: NDArray[np.uint8], after: NDArray[np.uint8], there: tuple[bool, bool]
) -> tuple[tuple[bool, Flow], tuple[bool, Flow]]:
    """Flow from a frame to the one before and the one after, each with whether that neighbour may be used."""
    found: list[Flow | None] = []
    for near, exists in ((before, there[0]), (after, there[1])):
        flow = dis_flow(centre, near) if exists else None
        if flow is not None:
            moved = _pull(near.astype(np.float32)[..., None], flow, 1.0)[..., 0]
            if float(np.abs(moved - centre).mean()) > CUT:
                flow = None
        found.append(flow)
    back, ahead = found
    still = np.zeros((*centre.shape, 2), np.float32)
    return (
        (back is not None, back if back is not None else -ahead if ahead is not None else still),
        (ahead is not None, ahead if ahead is not None else -back if back is not None else still),
    )


def dis_flow(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> Flow:
    """Optical flow from gray frame ``a`` to ``b``, ``(H, W, 2)`` in pixels: DIS, its preset "medium".

    Frames smaller than 64 pixels are mirrored up to that, for the method's pyramid needs room.
    """
    if np.array_equal(a, b):
        return np.zeros((*a.shape, 2), np.float32)
    height, width = a.shape
    pad = ((0, max(0, 64 - height)), (0, max(0, 64 - width)))
    large = [np.ascontiguousarray(np.pad(x, pad, mode="symmetric")) for x in (a, b)]
    method = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    flow = method.calc(large[0], large[1], None)  # type: ignore[call-overload]
    return np.ascontiguousarray(flow[:height, :width], dtype=np.float32)


def _pull(image: NDArray[np.float32], flow: Flow, share: float) -> NDArray[np.float32]:
    """``image`` ``(H, W, C)`` as seen from where ``share`` of the flow leads."""
    height, width = flow.shape[:2]
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    moved = cv2.remap(
        np.ascontiguousarray(image),
        x + np.float32(share) * flow[..., 0],
        y + np.float32(share) * flow[..., 1],
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(moved, dtype=np.float32).reshape(height, width, -1)


def _between(centre: Tensor, near: Tensor | None, flow: Flow, t: float) -> Tensor:
    """The scene at ``t`` (0 to 1) between ``centre`` and ``near``, both pulled there along the flow."""
    if t == 0:
        return centre
    seen = _pull(centre.numpy().transpose(1, 2, 0), flow, -t)
    if near is not None:
        seen = (1 - t) * seen + t * _pull(near.numpy().transpose(1, 2, 0), flow, 1 - t)
    return torch.from_numpy(np.ascontiguousarray(seen.transpose(2, 0, 1), dtype=np.float32))
