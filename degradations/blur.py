"""Blur: Gaussian, out of focus, camera shake, and the true motion blur of an exposure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import ClassVar, Literal

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from degradations.base import ClipShape, Damage, Degradation, Params, Subframes
from degradations.noise import to_display, to_linear
from degradations.rng import Rng


def convolve(frames: Tensor, kernel: NDArray[np.float32]) -> Tensor:
    """Each channel of ``(T, C, H, W)`` convolved with a kernel of odd sides, the picture mirrored at its border."""
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
    """Gaussian blur of standard deviation ``sigma`` pixels, the same in every frame."""

    kind: ClassVar[str] = "gaussian-blur"
    sigma: float = Field(gt=0, le=50)

    def sample(self, shape: ClipShape, rng: Rng) -> Params:
        """Nothing is random."""
        return {}

    def apply(self, frames: Tensor, params: Params, *, start: int = 0, mask: Tensor | None = None) -> Damage:
        """See the class."""
        half = int(np.ceil(4 * self.sigma))
        line = np.asarray(cv2.getGaussianKernel(2 * half + 1, self.sigma), dtype=np.float64)
        return Damage(_separable(frames, line), mask)


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

    def apply(self, frames: Tensor, params: Params, *, start: int = 0, mask: Tensor | None = None) -> Damage:
        """See the class."""
        return Damage(to_display(convolve(to_linear(frames), disc(self.radius))), mask)


class CameraShake(Degradation):
    """A camera that shook during each exposure: a smooth random path, another one in every frame, in linear light.

    ``length`` is the path's extent in pixels (its largest distance from the centre is half of it). The path of
    a frame is centred, so the picture does not move.
    """

    kind: ClassVar[str] = "camera-shake"
    length: float = Field(gt=0, le=100)

    def sample(self, shape: ClipShape, rng: Rng) -> Params:
        """The main direction of the shake, and the key of the paths."""
        return {"angle": float(rng.at("angle").generator().uniform(0, np.pi)), "key": rng.key}

    def path(self, params: Params, frame: int) -> NDArray[np.float64]:
        """The path in frame ``frame``: (64, 2), x and y in pixels, its mean at 0."""
        g = Rng(params["key"]).at("frame", frame).generator()
        time = np.linspace(-1, 1, 64)
        along = time + 0.25 * g.standard_normal() * time**2 + 0.3 * g.standard_normal() * time**3
        across = 0.25 * g.standard_normal() * time**2 + 0.2 * g.standard_normal() * time**3
        angle = params["angle"] + 0.5 * g.standard_normal()
        points = np.stack(
            [along * np.cos(angle) - across * np.sin(angle), along * np.sin(angle) + across * np.cos(angle)],
            axis=1,
        )
        points -= points.mean(axis=0)
        extent = np.hypot(points[:, 0], points[:, 1]).max()
        strength = g.uniform(0.4, 1.0)
        return np.asarray(points * (strength * self.length / 2 / extent))

    def apply(self, frames: Tensor, params: Params, *, start: int = 0, mask: Tensor | None = None) -> Damage:
        """See the class."""
        out = [
            convolve(frame[None], path_kernel(self.path(params, start + i)))
            for i, frame in enumerate(to_linear(frames))
        ]
        return Damage(to_display(torch.cat(out)), mask)


class ExposureBlur(Degradation):
    """True motion blur: the mean of the scene over the time that the shutter is open, centred on the frame.

    ``shutter`` is that time in frames (1 is a shutter of 360 degrees, 0.5 of 180), ``samples`` the number of
    instants. ``light`` says whether the mean is taken of light (``linear``) or of stored values (``stored``,
    as published data sets mostly do). Where the source is rendered, the instants are rendered, and where it
    is a video they are interpolated between neighbouring frames along optical flow; which of both it was is
    known from the recipe's ``instants``.

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
        """Nothing is random; the instants are the same for every frame."""
        return {
            "times": [
                float(t) for t in (np.arange(self.samples) + 0.5) / self.samples * self.shutter - self.shutter / 2
            ]
        }

    def stream(
        self, chunks: Iterable[Damage], params: Params, shape: ClipShape, subframes: Subframes | None = None
    ) -> Iterator[Damage]:
        """Rendered instants where ``subframes`` gives them, flow-interpolated ones otherwise."""
        if subframes is None:
            yield from super().stream(chunks, params, shape)
            return
        start = 0
        for frames, mask in chunks:
            out = []
            for i in range(len(frames)):
                total = torch.zeros_like(frames[0])
                for t in params["times"]:
                    total += self._in(subframes(start + i + t))
                out.append(self._out(total / len(params["times"])))
            yield Damage(torch.stack(out), mask)
            start += len(frames)

    def _in(self, values: Tensor) -> Tensor:
        return to_linear(values) if self.light == "linear" else values

    def _out(self, values: Tensor) -> Tensor:
        return to_display(values) if self.light == "linear" else values

    def apply(self, frames: Tensor, params: Params, *, start: int = 0, mask: Tensor | None = None) -> Damage:
        """Blur by interpolation along DIS flow; ``frames`` come with one neighbour at each end."""
        light = self._in(frames)
        gray = [_gray8(f) for f in frames]
        dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM) if min(frames.shape[-2:]) >= 32 else None
        out = []
        for i in range(1, len(frames) - 1):
            flows = [_flow(dis, gray[i], gray[j]) for j in (i - 1, i + 1)]
            total = torch.zeros_like(frames[0])
            for t in params["times"]:
                near, flow = (light[i - 1], flows[0]) if t < 0 else (light[i + 1], flows[1])
                total += _between(light[i], near, flow, abs(t))
            out.append(self._out(total / len(params["times"])))
        return Damage(torch.stack(out), None if mask is None else mask[1:-1])


def _gray8(frame: Tensor) -> NDArray[np.uint8]:
    image = np.clip(np.floor(frame.numpy() * 255 + 0.5), 0, 255).astype(np.uint8)
    gray = (
        image[0]
        if len(image) == 1
        else cv2.cvtColor(np.ascontiguousarray(image.transpose(1, 2, 0)), cv2.COLOR_RGB2GRAY)
    )
    return np.ascontiguousarray(gray, dtype=np.uint8)


def _flow(dis: cv2.DISOpticalFlow | None, a: NDArray[np.uint8], b: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Flow from ``a`` to ``b``; none for frames too small to have any."""
    if dis is None or np.array_equal(a, b):
        return np.zeros((*a.shape, 2), np.float32)
    return np.asarray(dis.calc(a, b, None), dtype=np.float32)  # type: ignore[call-overload]


def _between(centre: Tensor, near: Tensor, flow: NDArray[np.float32], t: float) -> Tensor:
    """The scene at ``t`` (0 to 1) on the way from ``centre`` to ``near``, both pulled there along the flow."""
    if t == 0:
        return centre
    height, width = flow.shape[:2]
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))

    def pull(frame: Tensor, share: float) -> NDArray[np.float32]:
        image = np.ascontiguousarray(frame.numpy().transpose(1, 2, 0))
        moved = cv2.remap(
            image,
            x + share * flow[..., 0],
            y + share * flow[..., 1],
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        return np.asarray(moved, dtype=np.float32).reshape(height, width, -1)

    mixed = (1 - t) * pull(centre, -t) + t * pull(near, 1 - t)
    return torch.from_numpy(np.ascontiguousarray(mixed.transpose(2, 0, 1)))
