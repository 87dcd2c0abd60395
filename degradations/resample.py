"""Loss of resolution: a clip that was made smaller and enlarged again."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from pydantic import Field
from torch import Tensor

from degradations.base import ClipShape, Damage, Degradation, Params
from degradations.rng import Rng

FILTERS = {
    "area": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


def resize(plane: NDArray[np.float32], height: int, width: int, filter: str) -> NDArray[np.float32]:
    """One plane ``(H, W)`` at another size, antialiased when it shrinks (bicubic with a = -0.5).

    Values are float32 and may overshoot [0, 1].
    """
    image = Image.fromarray(np.ascontiguousarray(plane, dtype=np.float32))
    return np.asarray(image.resize((width, height), FILTERS[filter]), dtype=np.float32)


class Downscale(Degradation):
    """Each frame shrunk by ``factor`` with ``down`` and enlarged to its size again with ``up``.

    The small frame has the sides of the large one divided by ``factor``, rounded up. Both filters have the
    picture's centre as theirs (half-pixel centres), so nothing moves. The result is clipped to [0, 1].

    Example:
        >>> step = Downscale(factor=2)
        >>> clean = torch.full((1, 3, 9, 7), 0.25)
        >>> out = step.apply(clean, step.sample(ClipShape(1, 9, 7), Rng.root(0))).frames
        >>> out.shape == clean.shape, round(float(out.mean()), 6)
        (True, 0.25)
    """

    kind: ClassVar[str] = "downscale"
    factor: int = Field(ge=2, le=16)
    down: Literal["area", "bilinear", "bicubic", "lanczos"] = "bicubic"
    up: Literal["area", "bilinear", "bicubic", "lanczos"] = "bicubic"

    def sample(self, shape: ClipShape, rng: Rng) -> Params:
        """Nothing is random; the size in between is recorded."""
        return {"height": -(-shape.height // self.factor), "width": -(-shape.width // self.factor)}

    def apply(self, frames: Tensor, params: Params, *, start: int = 0, mask: Tensor | None = None) -> Damage:
        """See the class; the mask is passed on."""
        height, width = frames.shape[2:]
        out = np.empty(tuple(frames.shape), np.float32)
        for frame, target in zip(frames.numpy(), out, strict=True):
            for plane, result in zip(frame, target, strict=True):
                small = resize(plane, params["height"], params["width"], self.down)
                result[...] = resize(small, height, width, self.up)
        return Damage(torch.from_numpy(out.clip(0.0, 1.0)), mask)
