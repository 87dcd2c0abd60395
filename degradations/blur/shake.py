"""A camera that shook while it exposed."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from degradations.base import NO_MASKS, ClipShape, Damage, Degradation, Masks, Params
from degradations.blur.kernels import convolve, path_kernel, told
from degradations.light import to_display, to_linear
from degradations.rng import Rng


class CameraShake(Degradation):
    """A camera that shook during each exposure: a smooth random path that changes slowly, in linear light.

    ``length`` is the path's largest extent in pixels (it reaches half of it from its centre); a frame has
    between 0.4 and 1.0 of it. The path of each frame is centred, so the picture does not move. The clip has a
    main direction, about which the paths turn; a path is forgotten after a quarter of a second.
    """

    kind: ClassVar[str] = "camera-shake"
    frame_by_frame: ClassVar[bool] = True
    length: float = Field(gt=0, le=100)

    def sample(self, shape: ClipShape, rng: Rng) -> Params:
        """The main direction of the shake, its memory in frames, and the key of the paths."""
        angle = float(rng.at("angle").generator().uniform(0, np.pi))
        return {"angle": angle, "memory": max(1, round(shape.fps / 4)), "key": rng.key}

    def facts(self, params: Params, shape: ClipShape) -> dict[str, list[Any]]:
        """Of each frame: the path as 16 points (x, y) in pixels, and the kernel where all of the clip's are told."""
        paths = [self.path(params, frame) for frame in range(shape.frames)]
        points = [[[round(float(x), 3), round(float(y), 3)] for x, y in path[::4]] for path in paths]
        facts: dict[str, list[Any]] = {"path_px": points}
        # A path reaches at most half of its length, and its kernel a pixel further.
        if told(path_kernel(np.array([[self.length / 2, 0.0]]))) is not None:
            facts["kernel"] = [told(path_kernel(path)) for path in paths]
        return facts

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
