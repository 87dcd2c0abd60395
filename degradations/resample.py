"""Loss of resolution: a clip that was made smaller, or smaller and enlarged again.

Facts of each frame: ``height_px``, ``width_px`` of the small frame, ``factor``, and the blur before it.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from pydantic import Field, model_validator
from torch import Tensor

from degradations.base import NO_MASKS, ClipShape, Damage, Degradation, Masks, Params
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
    frame_by_frame: ClassVar[bool] = True
    factor: int = Field(ge=2, le=16)
    down: Literal["area", "bilinear", "bicubic", "lanczos"] = "bicubic"
    up: Literal["area", "bilinear", "bicubic", "lanczos"] = "bicubic"

    def sample(self, shape: ClipShape, rng: Rng) -> Params:
        """Nothing is random; the size in between is recorded."""
        return {"height": -(-shape.height // self.factor), "width": -(-shape.width // self.factor)}

    def facts(self, params: Params, shape: ClipShape) -> dict[str, list[Any]]:
        """Size in between."""
        return _sizes(params, self.factor, shape.frames)

    def apply(self, frames: Tensor, params: Params, *, start: int = 0, masks: Masks = NO_MASKS) -> Damage:
        """See the class; masks are passed on."""
        height, width = frames.shape[2:]
        out = np.empty(tuple(frames.shape), np.float32)
        for frame, target in zip(frames.numpy(), out, strict=True):
            for plane, result in zip(frame, target, strict=True):
                small = resize(plane, params["height"], params["width"], self.down)
                result[...] = resize(small, height, width, self.up)
        return Damage(torch.from_numpy(np.clip(out, 0.0, 1.0)), masks)


class Shrink(Degradation):
    """Each frame at one ``factor``-th of its size, by MATLAB's bicubic ``imresize``: the input of super-resolution.

    A model is asked to bring it back to the size of the ground truth. Every pixel stands for a square of it, counted
    from the top left; where the size is no multiple of the factor the last squares reach beyond the picture, which is
    mirrored there, and what a model makes of them is cut off. Masks of earlier steps have no meaning at the new
    size and are dropped. Values are clipped to [0, 1].

    Source: MATLAB ``imresize(image, 1 / factor, "bicubic")`` with its antialiasing, which the papers on super-resolution
    use: a cubic with a = -0.5 stretched by the factor, borders mirrored with the border pixel repeated.

    Example:
        >>> step = Shrink(factor=2)
        >>> clean = torch.full((1, 3, 8, 7), 0.25)
        >>> out = step.apply(clean, {}).frames
        >>> tuple(out.shape), round(float(out.mean()), 6)
        ((1, 3, 4, 4), 0.25)
    """

    kind: ClassVar[str] = "shrink"
    frame_by_frame: ClassVar[bool] = True
    factor: int = Field(ge=2, le=8)

    def sample(self, shape: ClipShape, rng: Rng) -> Params:
        """Nothing is random; the size is recorded."""
        after = self.shape_after(shape, {})
        return {"height": after.height, "width": after.width}

    def shape_after(self, shape: ClipShape, params: Params) -> ClipShape:
        """Height and width divided by the factor, rounded up."""
        return replace(
            shape,
            height=-(-shape.height // self.factor),
            width=-(-shape.width // self.factor),
            scale=shape.scale * self.factor,
        )

    def facts(self, params: Params, shape: ClipShape) -> dict[str, list[Any]]:
        """Size behind the step."""
        return _sizes(params, self.factor, shape.frames)

    def apply(self, frames: Tensor, params: Params, *, start: int = 0, masks: Masks = NO_MASKS) -> Damage:
        """See the class."""
        rows, columns = (cubic_matrix(side, self.factor) for side in frames.shape[2:])
        # In double precision, so that a value on the limit between two levels is rounded as MATLAB rounds it.
        small = rows @ frames.double() @ columns.T
        return Damage(small.clamp(0, 1).float())


class BlurDecimate(Degradation):
    """Each frame blurred by a Gaussian, of which every ``factor``-th pixel is kept: the degradation "BD".

    Settings:
        factor: how many times smaller each side becomes (rounded up).
        sigma: standard deviation of the Gaussian in pixels.
        size: side of its kernel in pixels, cut off there and normalised.
        first: row and column, from 0, of the first pixel that is kept. A kernel of even size has its middle between
            two pixels, half a pixel further on.
        border: ``mirror`` (the edge not repeated), ``symmetric`` (repeated) or ``repeat`` (the edge itself).

    Two conventions are in use, and models trained for one are off by more than a pixel with the other. DUF, EDVR's
    copy of it and others: 13 x 13 and the first pixel, so that small pixels sit on the top left ones of the squares
    that they stand for, 1.5 pixels (x4) from where bicubic shrinking has them. BasicVSR's script: 12 x 12 and the
    second pixel, which together sit in the middle of the squares, as bicubic shrinking does. Masks of earlier steps
    are dropped. Values are clipped to [0, 1].

    Source: DUF (Jo et al., CVPR 2018) with its downsampling as in BasicSR (``duf_downsample``: mirrored borders);
    BasicVSR (Chan et al., CVPR 2021), ``BD_degradation.m``.

    Example:
        >>> step = BlurDecimate(factor=4)
        >>> ramp = torch.arange(64.0).expand(1, 1, 32, 64) / 64
        >>> small = step.apply(ramp, {}).frames
        >>> tuple(small.shape), round(float(small[0, 0, 4, 8]) * 64, 3)
        ((1, 1, 8, 16), 32.0)
    """

    kind: ClassVar[str] = "blur-decimate"
    frame_by_frame: ClassVar[bool] = True
    factor: int = Field(ge=2, le=8)
    sigma: float = Field(default=1.6, gt=0, le=20)
    size: int = Field(default=13, ge=1, le=101)
    first: int = Field(default=0, ge=0, le=7)
    border: Literal["mirror", "symmetric", "repeat"] = "mirror"

    @model_validator(mode="after")
    def _inside(self) -> BlurDecimate:
        if self.first >= self.factor:
            raise ValueError(f"first = {self.first} is outside the first square of {self.factor} pixels")
        return self

    def sample(self, shape: ClipShape, rng: Rng) -> Params:
        """Nothing is random; the size is recorded."""
        after = self.shape_after(shape, {})
        return {"height": after.height, "width": after.width}

    def shape_after(self, shape: ClipShape, params: Params) -> ClipShape:
        """Height and width divided by the factor, rounded up."""
        height, width = (-(-side // self.factor) for side in (shape.height, shape.width))
        return replace(shape, height=height, width=width, scale=shape.scale * self.factor)

    def facts(self, params: Params, shape: ClipShape) -> dict[str, list[Any]]:
        """Size behind the step, and the kernel."""
        known = _sizes(params, self.factor, shape.frames)
        known["blur_sigma_px"], known["blur_size_px"] = [self.sigma] * shape.frames, [self.size] * shape.frames
        return known

    def apply(self, frames: Tensor, params: Params, *, start: int = 0, masks: Masks = NO_MASKS) -> Damage:
        """See the class."""
        options = (self.factor, self.sigma, self.size, self.first, self.border)
        rows, columns = (gauss_matrix(side, *options) for side in frames.shape[2:])
        small = rows @ frames.double() @ columns.T
        return Damage(small.clamp(0, 1).float())


def _sizes(params: Params, factor: int, frames: int) -> dict[str, list[Any]]:
    return {
        "height_px": [params["height"]] * frames,
        "width_px": [params["width"]] * frames,
        "factor": [factor] * frames,
    }


@lru_cache(maxsize=16)
def gauss_matrix(side: int, factor: int, sigma: float, size: int, first: int, border: str) -> Tensor:
    """``(side / factor, side)``, rounded up: the weights by which a line is blurred and every pixel kept, float64.

    Example:
        >>> gauss_matrix(8, 4, 1.6, 13, 0, "mirror").sum(dim=1).round(decimals=9).tolist()
        [1.0, 1.0]
    """
    offsets = np.arange(size) - (size - 1) // 2
    weights = np.exp(-(((offsets - (size - 1) % 2 / 2) / sigma) ** 2) / 2)
    weights /= weights.sum()
    kept = first + factor * np.arange(-(-side // factor))
    places = kept[:, None] + offsets
    if border == "repeat":
        inside = np.clip(places, 0, side - 1)
    else:
        # Mirrored again and again, should the kernel be larger than the picture.
        edge = 0 if border == "symmetric" else 1
        period = max(2 * (side - edge), 1)
        folded = places % period
        inside = np.where(folded >= side, period - (1 - edge) - folded, folded)
    out = np.zeros((len(kept), side))
    np.add.at(out, (np.arange(len(kept))[:, None], inside), weights)
    return torch.from_numpy(out)


@lru_cache(maxsize=16)
def cubic_matrix(size: int, factor: int) -> Tensor:
    """``(size / factor, size)``, rounded up: the weights by which a line of pixels is shrunk, float64.

    Example:
        >>> cubic_matrix(8, 4).sum(dim=1).tolist()
        [1.0, 1.0]
    """
    count = -(-size // factor)
    centre = (np.arange(count) + 0.5) * factor - 0.5
    reach = 2 * factor
    first = np.floor(centre - reach).astype(np.int64)
    places = first[:, None] + np.arange(2 * reach + 2)
    weights = _cubic((centre[:, None] - places) / factor)
    weights /= weights.sum(axis=1, keepdims=True)
    mirrored = places % (2 * size)
    mirrored = np.where(mirrored >= size, 2 * size - 1 - mirrored, mirrored)
    out = np.zeros((count, size))
    np.add.at(out, (np.arange(count)[:, None], mirrored), weights)
    return torch.from_numpy(out)


def _cubic(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Keys' cubic with a = -0.5."""
    d = np.abs(x)
    near, far = 1.5 * d**3 - 2.5 * d**2 + 1, -0.5 * d**3 + 2.5 * d**2 - 4 * d + 2
    return np.asarray(np.where(d <= 1, near, np.where(d <= 2, far, 0.0)), np.float64)
