"""The true motion blur of an exposure: the mean of the scene over the time that the shutter is open."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Tensor

from degradations.base import NO_MASKS, ClipShape, Damage, Degradation, Masks, Params, Subframes, over_masks
from degradations.blur.flow import between, gray8, interpolate, motion
from degradations.light import to_display, to_linear
from degradations.rng import Rng

Light = Literal["linear", "gamma22", "stored"]


def into_light(values: Tensor, light: Light) -> Tensor:
    """Display values as the mean of an exposure is taken of them: of sRGB light, of x^2.2, or as they are."""
    if light == "linear":
        return to_linear(values)
    return _power(values, 2.2) if light == "gamma22" else values


def out_of_light(values: Tensor, light: Light) -> Tensor:
    """The inverse of :func:`into_light`."""
    if light == "linear":
        return to_display(values)
    return _power(values, 1 / 2.2) if light == "gamma22" else values


def _power(values: Tensor, exponent: float) -> Tensor:
    # In double precision by NumPy, as degradations.light does it and for the same reason.
    clipped = np.clip(values.numpy().astype(np.float64), 0.0, 1.0)
    return torch.from_numpy((clipped**exponent).astype(np.float32))


class ExposureBlur(Degradation):
    """True motion blur: the mean of the scene over the time that the shutter is open, centred on the frame.

    Settings:
        shutter: that time in frames (1 is a shutter of 360 degrees, 0.5 of 180).
        samples: number of instants, evenly spaced in it.
        light: whether the mean is taken of light (``linear``: of sRGB), of the 2.2nd power of stored values
            (``gamma22``), or of stored values as they are (``stored``, as published data sets mostly do).
        between: how many instants more are interpolated along flow between each two neighbouring ones, and averaged
            with them.
        weights: of the instants, one for each; None is all the same.

    Where the source is rendered or is a part of a faster video (:class:`degradations.blur.Decimated`) the instants are
    taken from there, and where it is a plain video they are interpolated between neighbouring frames along optical
    flow; the recipe says which (``instants``: ``rendered`` or ``flow``), and a replay does what it says.
    Flow-interpolated exposures go on at constant speed before the first frame, after the last, and up to a cut (where
    the neighbour, moved back along the flow, differs from the frame by more than a tenth of the range on average).

    The published data sets in these terms: GoPro averages N successive frames of a camera of 240 frames per second,
    and its sharp frames, the middle ones, are N frames apart: ``shutter`` 1, ``samples`` N, ``gamma22`` for its
    version ``blur_gamma`` and ``stored`` for ``blur``. DVD takes every 8th frame as the sharp one and averages 7 about
    it with 10 interpolated ones between each two: ``shutter`` 7/8, ``samples`` 7, ``between`` 10, ``stored``.

    Source: Su et al., "Deep video deblurring for hand-held cameras" (CVPR 2017); Nah et al., "Deep multi-scale
    convolutional neural network for dynamic scene deblurring" (CVPR 2017); flow here: DIS (Kroeger et al., ECCV 2016).
    """

    kind: ClassVar[str] = "exposure-blur"
    context: ClassVar[tuple[int, int]] = (1, 1)
    uses_subframes: ClassVar[bool] = True
    shutter: float = Field(gt=0, le=2)
    samples: int = Field(default=15, ge=3, le=101)
    light: Light = "linear"
    between: int = Field(default=0, ge=0, le=100)
    weights: tuple[float, ...] | None = None

    @model_validator(mode="after")
    def _weighed(self) -> ExposureBlur:
        if self.weights is None:
            return self
        if self.between:
            raise ValueError("weights are for instants that are taken, not for those between: leave out one of the two")
        if len(self.weights) != self.samples:
            raise ValueError(f"there are {len(self.weights)} weights for {self.samples} samples")
        if min(self.weights) < 0 or sum(self.weights) <= 0:
            raise ValueError("weights should be 0 or more, and some above 0")
        return self

    def sample(self, shape: ClipShape, rng: Rng) -> Params:
        """Nothing is random: how the instants come about, and their times about a frame, in frames."""
        times = (np.arange(self.samples) + 0.5) / self.samples * self.shutter - self.shutter / 2
        return {
            "instants": "rendered" if shape.rendered else "flow",
            "times": [float(t) for t in times],
            "frames": shape.frames,
        }

    def facts(self, params: Params, shape: ClipShape) -> dict[str, list[Any]]:
        """Of each frame: where its instants came from, how many were averaged, and from the first to the last the
        time in frames."""
        times = self._times(params)
        span = round(times[-1] - times[0], 6)
        named = {"instants": params["instants"], "averaged": len(times), "exposure_frames": span}
        return {name: [value] * shape.frames for name, value in named.items()}

    def _times(self, params: Params) -> list[float]:
        """Times of all instants that are averaged, those between included."""
        taken: list[float] = params["times"]
        if not self.between:
            return taken
        count = (len(taken) - 1) * (self.between + 1) + 1
        return [float(t) for t in np.linspace(taken[0], taken[-1], count)]

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
        yield from rendered(chunks, subframes, lambda frame, at: self._of([at(t) for t in params["times"]], frame))

    def _of(self, instants: Sequence[Tensor], frame: Tensor) -> Tensor:
        total = torch.zeros_like(frame)
        if not self.between:
            for number, instant in enumerate(instants):
                total += self._weigh(into_light(instant, self.light), number)
            return out_of_light(total / self._sum(len(instants)), self.light)
        shares = [(k + 1) / (self.between + 1) for k in range(self.between)]
        count = 1
        total += into_light(instants[0], self.light)
        for a, b in pairwise(instants):
            for seen in (*interpolate(a, b, shares), b):
                total += into_light(seen, self.light)
                count += 1
        return out_of_light(total / count, self.light)

    def _weigh(self, values: Tensor, number: int) -> Tensor:
        return values if self.weights is None else values * self.weights[number]

    def _sum(self, count: int) -> float:
        return count if self.weights is None else sum(self.weights)

    def apply(self, frames: Tensor, params: Params, *, start: int = 0, masks: Masks = NO_MASKS) -> Damage:
        """Blur by interpolation along DIS flow; ``frames`` come with one neighbour at each end."""
        light = into_light(frames, self.light)
        gray = [gray8(f) for f in frames]
        times = self._times(params)
        out = []
        for i in range(1, len(frames) - 1):
            number = start + i - 1
            there = (number > 0, number + 1 < params["frames"])
            before, after = motion(gray[i - 1], gray[i], gray[i + 1], there)
            total = torch.zeros_like(frames[0])
            for k, t in enumerate(times):
                known, flow = before if t < 0 else after
                near = None if not known else light[i - 1] if t < 0 else light[i + 1]
                total += self._weigh(between(light[i], near, flow, abs(t)), k)
            out.append(out_of_light(total / self._sum(len(times)), self.light))
        return Damage(torch.stack(out), over_masks(masks, lambda plane: plane[1:-1]))


def rendered(
    chunks: Iterable[Damage],
    subframes: Subframes | None,
    make: Callable[[Tensor, Callable[[float], Tensor]], Tensor],
) -> Iterator[Damage]:
    """Frames that ``make`` makes of the frame and of the scene at times about it (a function of those, in frames).

    Raises:
        ValueError: ``subframes`` is None or gives another size than that of the frames.
    """
    if subframes is None:
        raise ValueError(
            "The recipe was drawn for a source that can be seen between its frames, and this one cannot: "
            "give `subframes`, or draw a recipe for this source."
        )
    start = 0
    for frames, masks in chunks:
        out = torch.empty_like(frames)
        for i, frame in enumerate(frames):
            out[i] = make(frame, _about(subframes, start + i, frame))
        yield Damage(out, masks)
        start += len(frames)


def _about(subframes: Subframes, number: int, frame: Tensor) -> Callable[[float], Tensor]:
    def at(time: float) -> Tensor:
        instant = subframes(number + time)
        if instant.shape != frame.shape:
            raise ValueError(
                f"The scene at {number + time:.3f} is {tuple(instant.shape)}, its frames are "
                f"{tuple(frame.shape)} (C, H, W)."
            )
        return instant

    return at
