"""Cracks in the emulsion: branching lines and nets of shrunken gelatine, for a frame or for good."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from degradations.base import NO_MASKS, ClipShape, Damage, Degradation, Masks, Params
from degradations.film.common import Float, as_frames, coverage, scale_of, stamp, with_coverage, writable
from degradations.film.marks import Canvas
from degradations.film.shapes import crack_tree, reticulation
from degradations.film.tensors import cover_on, sent, with_cover
from degradations.rng import Rng


class Cracks(Degradation):
    """Cracks in the emulsion.

    Settings:
        rate: mean number of cracks in a frame that last one to three frames.
        lasting: mean number of cracked places in a frame that stay on the picture.
        stay: mean number of frames that those stay.
        size: median reach from the middle, pixels at 480 lines.
        width: of the lines, pixels at 480 lines.
        contrast: median depth over the local level.
        bright: share of cracks through which light falls; the others are dark with dirt or printed through.
        nets: share of nets (reticulation) instead of branching cracks.
        cell: width of the meshes of nets, pixels at 480 lines.
    """

    kind: ClassVar[str] = "cracks"
    frame_by_frame: ClassVar[bool] = True
    rate: float = Field(default=0.05, ge=0, le=20)
    lasting: float = Field(default=0.2, ge=0, le=20)
    stay: float = Field(default=40, ge=1)
    size: float = Field(default=60, gt=0, le=300)
    width: float = Field(default=1.2, gt=0, le=10)
    contrast: float = Field(default=0.25, gt=0, le=1)
    bright: float = Field(default=0.6, ge=0, le=1)
    nets: float = Field(default=0.5, ge=0, le=1)
    cell: float = Field(default=9.0, ge=3, le=100)

    def sample(self, shape: ClipShape, rng: Rng) -> Params:
        """The cracked places: in which frames, where, how large, how deep."""
        g = rng.at("births").generator()
        scale = scale_of(shape.height)
        cracks: list[dict[str, Any]] = []
        for kind, alive, mean in (("brief", self.rate, 2.0), ("lasting", self.lasting, self.stay)):
            reach = int(4 * mean)
            births = g.poisson(alive / mean, shape.frames + reach)
            for number, frame in enumerate(np.repeat(np.arange(-reach, shape.frames), births)):
                life = int(g.integers(1, 4)) if kind == "brief" else max(4, round(g.exponential(mean)))
                size = self.size * np.exp(0.4 * g.standard_normal()) * scale
                sign = 1 if g.random() < self.bright else -1
                crack = {
                    "from": int(frame),
                    "to": int(frame) + life,
                    "key": rng.at(kind, number).key,
                    "net": bool(g.random() < self.nets),
                    "at": [round(float(v), 2) for v in g.uniform(0, 1, 2) * [shape.width, shape.height]],
                    "reach": int(np.clip(size, 4, 0.6 * max(shape.height, 16))),
                    "width": round(float(max(0.8, self.width * scale * g.uniform(0.7, 1.3))), 3),
                    "cell": round(float(max(3.0, self.cell * scale * np.exp(0.2 * g.standard_normal()))), 3),
                    "contrast": round(float(sign * min(0.9, self.contrast * np.exp(0.35 * g.standard_normal()))), 4),
                }
                if int(frame) + life > 0:
                    cracks.append(crack)
        return {"cracks": cracks}

    def facts(self, params: Params, shape: ClipShape) -> dict[str, list[Any]]:
        """Number of cracked places in each frame."""
        return {"cracks": [sum(c["from"] <= i < c["to"] for c in params["cracks"]) for i in range(shape.frames)]}

    def apply(self, frames: Tensor, params: Params, *, start: int = 0, masks: Masks = NO_MASKS) -> Damage:
        """See the class."""
        if not _seen(params, start, len(frames)):
            return Damage(frames, with_coverage(masks, "crack", coverage(masks, "crack", frames)))
        out, cover = writable(frames), coverage(masks, "crack", frames)
        for i in range(len(out)):
            for crack in params["cracks"]:
                if crack["from"] <= start + i < crack["to"]:
                    top, left = _corner(crack)
                    stamp(out[i], cover[i], top, left, _pattern(*_look(crack)), crack["contrast"])
        return Damage(as_frames(out, frames), with_coverage(masks, "crack", cover))

    def on_device(self, frames: Tensor, params: Params, *, start: int = 0, masks: Masks = NO_MASKS) -> Damage:
        """See the class."""
        seen = _seen(params, start, len(frames))
        if not seen:
            return Damage(frames, with_cover(masks, "crack", cover_on(masks, "crack", frames)))
        canvas = Canvas(frames, masks, "crack")
        for crack in seen:
            first, until = max(crack["from"] - start, 0), min(crack["to"] - start, len(frames))
            cover = _pattern_on(canvas.device, *_look(crack))
            canvas.stamp(first, until - first, *_corner(crack), cover, [crack["contrast"]] * len(canvas.planes))
        return canvas.damage()


def _seen(params: Params, start: int, frames: int) -> list[dict[str, Any]]:
    """Those that are in any of some frames, in the order in which they are laid onto each."""
    return [c for c in params["cracks"] if c["from"] < start + frames and c["to"] > start]


def _corner(crack: dict[str, Any]) -> tuple[int, int]:
    """Row and column that its pattern begins at."""
    left, top = (int(np.floor(v)) - crack["reach"] for v in crack["at"])
    return top, left


def _look(crack: dict[str, Any]) -> tuple[bool, str, int, float, float]:
    return crack["net"], crack["key"], crack["reach"], crack["cell"], crack["width"]


def _pattern(net: bool, key: str, reach: int, cell: float, width: float) -> Float:
    return reticulation(key, reach, cell, width) if net else crack_tree(key, reach, width)


@lru_cache(maxsize=24)
def _pattern_on(device: torch.device, net: bool, key: str, reach: int, cell: float, width: float) -> Tensor:
    """:func:`_pattern` on a device, ``(1, side, side)``."""
    return sent(torch.tensor(_pattern(net, key, reach, cell, width)), device)[None]
