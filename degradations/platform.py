"""What platforms and phones do to a picture beside compressing it: another size, and sharpening."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar, Literal

import cv2
import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Tensor

from degradations.base import NO_MASKS, ClipShape, Damage, Degradation, Masks, Params
from degradations.resample import resize
from degradations.rng import Rng


class Resize(Degradation):
    """Each frame at a share of its size, and enlarged to it again or left small.

    Settings:
        size: share of the sides. With ``back`` any; without, one part in a whole number (0.5, 0.25), so that ground
            truth and result have a whole factor between them.
        filter: by which it is made smaller, antialiased, and larger again. For a whole factor with other filters on the
            way back see ``downscale``, for MATLAB's bicubic ``shrink``.
        back: enlarged again. Without, masks of earlier steps have no meaning at the new size and are dropped, and sizes
            that do not divide are padded by repeating the last row or column.

    Both ways the centres of the pictures are the same (half-pixel centres), so nothing moves. Values are clipped to
    [0, 1].

    Example:
        >>> step = Resize(size=0.75)
        >>> step.apply(torch.full((1, 3, 9, 7), 0.25), {}).frames.shape
        torch.Size([1, 3, 9, 7])
    """

    kind: ClassVar[str] = "resize"
    frame_by_frame: ClassVar[bool] = True
    size: float = Field(ge=0.05, lt=1)
    filter: Literal["area", "bilinear", "bicubic", "lanczos"] = "bicubic"
    back: bool = True

    @model_validator(mode="after")
    def _whole(self) -> Resize:
        if not self.back and abs(1 / self.size - self._factor()) > 1e-9:
            raise ValueError(
                f"size {self.size:g} without back is no whole part: ground truth and result need a whole factor between "
                "them, as with 0.5 or 0.25"
            )
        return self

    def _factor(self) -> int:
        return round(1 / self.size)

    def sample(self, shape: ClipShape, rng: Rng) -> Params:
        """Nothing is random; the small size is recorded."""
        height, width = self._small(shape.height, shape.width)
        return {"height": height, "width": width}

    def _small(self, height: int, width: int) -> tuple[int, int]:
        if self.back:
            return max(round(height * self.size), 1), max(round(width * self.size), 1)
        return -(-height // self._factor()), -(-width // self._factor())

    def shape_after(self, shape: ClipShape, params: Params) -> ClipShape:
        """The same with ``back``; without, height and width divided by the factor, rounded up."""
        if self.back:
            return shape
        height, width = self._small(shape.height, shape.width)
        return replace(shape, height=height, width=width, scale=shape.scale * self._factor())

    def apply(self, frames: Tensor, params: Params, *, start: int = 0, masks: Masks = NO_MASKS) -> Damage:
        """See the class."""
        height, width = frames.shape[2:]
        small = self._small(height, width)
        whole = (height, width) if self.back else (small[0] * self._factor(), small[1] * self._factor())
        pad = ((0, whole[0] - height), (0, whole[1] - width))
        out = np.empty((*frames.shape[:2], *((height, width) if self.back else small)), np.float32)
        for frame, target in zip(frames.numpy(), out, strict=True):
            for plane, result in zip(frame, target, strict=True):
                shrunk = resize(np.pad(plane, pad, mode="edge"), *small, self.filter)
                result[...] = resize(shrunk, height, width, self.filter) if self.back else shrunk
        return Damage(torch.from_numpy(out.clip(0.0, 1.0)), masks if self.back else NO_MASKS)


class Sharpen(Degradation):
    """Unsharp masking: the difference from a blurred copy added once more, which leaves halos at edges.

    Settings:
        amount: share of the difference that is added.
        sigma: of the Gaussian blur, in pixels of the clip.

    Every channel by itself; the result is clipped to [0, 1].

    Example:
        >>> edge = torch.cat([torch.full((1, 1, 4, 8), 0.2), torch.full((1, 1, 4, 8), 0.8)], dim=3)
        >>> out = Sharpen(amount=0.5).apply(edge, {}).frames
        >>> bool(out.min() < 0.2), bool(out.max() > 0.8)
        (True, True)
    """

    kind: ClassVar[str] = "sharpen"
    frame_by_frame: ClassVar[bool] = True
    amount: float = Field(gt=0, le=5)
    sigma: float = Field(default=1.0, gt=0, le=20)

    def sample(self, shape: ClipShape, rng: Rng) -> Params:
        """Nothing is random."""
        return {}

    def apply(self, frames: Tensor, params: Params, *, start: int = 0, masks: Masks = NO_MASKS) -> Damage:
        """See the class; masks are passed on."""
        out = np.empty(tuple(frames.shape), np.float32)
        for frame, target in zip(frames.numpy(), out, strict=True):
            for plane, result in zip(frame, target, strict=True):
                soft = cv2.GaussianBlur(plane, (0, 0), self.sigma, borderType=cv2.BORDER_REFLECT_101)
                result[...] = plane + np.float32(self.amount) * (plane - soft.reshape(plane.shape))
        return Damage(torch.from_numpy(out.clip(0.0, 1.0)), masks)
