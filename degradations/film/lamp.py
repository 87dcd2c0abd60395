"""What the lamp and the shutter do to the whole frame: vignette and flicker."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from degradations.base import NO_MASKS, ClipShape, Damage, Degradation, Masks, Params
from degradations.film.common import Double, Float, as_frames, autoregressive, planes_of
from degradations.film.tensors import kept_on, planes_on, seen_as, sent
from degradations.rng import Rng

LEAPS = 0.06
"""Share of frames at which brightness steps three times as far as at the others."""


class Vignette(Degradation):
    """Corners darker by ``strength`` than the centre, about a centre that is off by a little."""

    kind: ClassVar[str] = "vignette"
    frame_by_frame: ClassVar[bool] = True
    strength: float = Field(default=0.25, ge=0, le=1)

    def sample(self, shape: ClipShape, rng: Rng) -> Params:
        """Where the centre is, in halves of the frame."""
        x, y = 0.08 * rng.at("centre").generator().standard_normal(2)
        return {"x": float(x), "y": float(y)}

    def apply(self, frames: Tensor, params: Params, *, start: int = 0, masks: Masks = NO_MASKS) -> Damage:
        """See the class."""
        height, width = frames.shape[-2:]
        light = _light(height, width, params["x"], params["y"], self.strength)
        return Damage(as_frames(planes_of(frames) * light, frames), masks)

    def on_device(self, frames: Tensor, params: Params, *, start: int = 0, masks: Masks = NO_MASKS) -> Damage:
        """What ``apply`` gives, on the device of the frames."""
        look = (*frames.shape[-2:], params["x"], params["y"], self.strength)
        return Damage(seen_as(planes_on(frames) * kept_on(frames.device, _light, *look), frames), masks)


@lru_cache(maxsize=4)
def _light(height: int, width: int, x: float, y: float, strength: float) -> Float:
    rows = (np.linspace(-1, 1, height) - y)[:, None]
    columns = (np.linspace(-1, 1, width) - x)[None]
    radius = np.clip((columns**2 + rows**2) / 2, 0, 1.2)
    return np.asarray(1 - strength * radius**1.4, dtype=np.float32)


class Flicker(Degradation):
    """Flicker: brightness that wanders from frame to frame, not quite the same over the frame.

    Settings:
        strength: standard deviation of the step of log brightness between neighbouring frames.
        memory: correlation of brightness between neighbouring frames.
        local: the uneven part (top to bottom, side to side, edge to centre) over the common one.
        drift: standard deviation of a slow change of log brightness over hundreds of frames.

    The mean log brightness over the clip is that of the ground truth.

    Measured on real transfers: steps of 0.016 to 0.030, hardly correlated with each other (-0.06 to 0.37), the
    largest three to four times as large; an uneven part of about half to 0.8, largest at top and bottom; over the
    whole clip brightness moves by 0.13 to 0.28.
    """

    kind: ClassVar[str] = "flicker"
    frame_by_frame: ClassVar[bool] = True
    strength: float = Field(default=0.025, ge=0, le=1)
    memory: float = Field(default=0.94, ge=0, lt=1)
    local: float = Field(default=0.5, ge=0, le=2)
    drift: float = Field(default=0.02, ge=0, le=0.5)

    def sample(self, shape: ClipShape, rng: Rng) -> Params:
        """Log brightness of each frame, and of its uneven parts."""
        g = rng.at("gain").generator()
        std = self.strength / np.sqrt(2 * (1 - self.memory))
        out = {"common": _rounded(autoregressive(g, shape.frames + 1, self.memory, std, LEAPS))}
        for name, share in (("vertical", 0.7), ("edges", 0.6), ("horizontal", 0.3)):
            out[name] = autoregressive(g, shape.frames, self.memory, std * self.local * share * 1.6)
        out["common"] = out["common"] + self.drift * _slow(rng.at("drift").generator(), shape.frames)
        if shape.frames > 1:
            out["common"] -= out["common"].mean()
        return {name: [round(float(v), 6) for v in values] for name, values in out.items()}

    def facts(self, params: Params, shape: ClipShape) -> dict[str, list[Any]]:
        """``gain``: factor on the brightness of each frame, common to all of it. At x and y from -1 (left, top) to 1
        (right, bottom) the factor is ``gain * exp(vertical * y + edges * (y**2 - 1/3) + horizontal * x)``."""
        out: dict[str, list[Any]] = {"gain": [round(float(np.exp(v)), 6) for v in params["common"]]}
        return out | {f"log_gain_{name}": params[name] for name in ("vertical", "edges", "horizontal")}

    def apply(self, frames: Tensor, params: Params, *, start: int = 0, masks: Masks = NO_MASKS) -> Damage:
        """See the class."""
        planes = planes_of(frames)
        height, width = planes.shape[2:]
        out = np.empty(planes.shape, np.float32)
        factors = _gains(params, height, width, range(start, start + len(planes)))
        for frame, target, (down, across) in zip(planes, out, factors, strict=True):
            np.multiply(frame, down[:, None], out=target)
            target *= across
        return Damage(as_frames(out, frames), masks)

    def on_device(self, frames: Tensor, params: Params, *, start: int = 0, masks: Masks = NO_MASKS) -> Damage:
        """What ``apply`` gives, on the device of the frames."""
        planes = planes_on(frames)
        height, width = planes.shape[2:]
        gains = _gains(params, height, width, range(start, start + len(planes)))
        down, across = (sent(torch.from_numpy(np.stack(part)), frames.device) for part in zip(*gains, strict=True))
        return Damage(seen_as((planes * down[:, None, :, None]).mul_(across[:, None, None]), frames), masks)


def _gains(params: Params, height: int, width: int, frames: Iterable[int]) -> Iterator[tuple[Float, Float]]:
    """Of each frame the factors that depend on the row, ``(H,)``, and those that depend on the column, ``(W,)``."""
    y, x = np.linspace(-1, 1, height), np.linspace(-1, 1, width)
    for i in frames:
        common, vertical, edges, horizontal = (
            params[name][i] for name in ("common", "vertical", "edges", "horizontal")
        )
        down = np.exp(common + vertical * y + edges * (y * y - 1 / 3)).astype(np.float32)
        yield down, np.exp(horizontal * x).astype(np.float32)


def _rounded(path: Double) -> Double:
    """A path without its first point, each pulled a little to the one before: its steps correlate by 0.15, and are as
    large as they were."""
    pull = 0.16
    return np.asarray(((1 - pull) * path[1:] + pull * path[:-1]) / np.hypot(1 - pull, pull))


def _slow(g: np.random.Generator, count: int) -> Double:
    """A slow change of about unit deviation: three waves of 90 to 700 frames, from any phase on."""
    periods = np.exp(g.uniform(np.log(90), np.log(700), 3))
    phases = g.uniform(0, 2 * np.pi, 3)
    waves = np.sin(2 * np.pi * np.arange(count)[:, None] / periods + phases)
    return np.asarray(waves.sum(axis=1) * np.sqrt(2 / 3))
