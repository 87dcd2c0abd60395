"""Blur that is the same in every frame: Gaussian of one sigma or two, and a lens out of focus."""

from __future__ import annotations

from typing import Any, ClassVar

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, field_validator, model_validator
from torch import Tensor

from degradations.base import NO_MASKS, ClipShape, Damage, Degradation, Masks, Params
from degradations.blur.kernels import Kernel, anisotropic, constant_facts, convolve, disc, polygon
from degradations.light import to_display, to_linear
from degradations.rng import Rng


class GaussianBlur(Degradation):
    """Gaussian blur of standard deviation ``sigma`` pixels, the same in every frame, of stored values.

    The kernel is cut at four sigma; the picture is mirrored at its border, the edge not repeated.
    """

    kind: ClassVar[str] = "gaussian-blur"
    frame_by_frame: ClassVar[bool] = True
    sigma: float = Field(gt=0, le=50)

    def sample(self, shape: ClipShape, rng: Rng) -> Params:
        """Nothing is random."""
        return {}

    def facts(self, params: Params, shape: ClipShape) -> dict[str, list[Any]]:
        """The standard deviation in pixels."""
        return {"sigma_px": [self.sigma] * shape.frames}

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


class AnisotropicBlur(Degradation):
    """Gaussian blur that is wider along one axis than across it, the same in every frame, of stored values.

    Settings:
        sigma_x, sigma_y: standard deviations in pixels along the two axes; a number, or two between which one is
            drawn for the clip.
        angle: how far the axes are turned, in degrees from x towards y; a number or a range too.

    Example:
        >>> step = AnisotropicBlur(sigma_x=[2, 4], sigma_y=0.5)
        >>> drawn = step.sample(ClipShape(1, 32, 32), Rng.root(0))
        >>> 2 <= drawn["sigma_x"] <= 4, drawn["sigma_y"], 0 <= drawn["angle"] <= 180
        (True, 0.5, True)
    """

    kind: ClassVar[str] = "anisotropic-blur"
    frame_by_frame: ClassVar[bool] = True
    sigma_x: tuple[float, float]
    sigma_y: tuple[float, float]
    angle: tuple[float, float] = (0.0, 180.0)

    @field_validator("sigma_x", "sigma_y", "angle", mode="before")
    @classmethod
    def _single(cls, value: Any) -> Any:
        return (value, value) if isinstance(value, int | float) else value

    @field_validator("sigma_x", "sigma_y")
    @classmethod
    def _sigmas(cls, value: tuple[float, float]) -> tuple[float, float]:
        if not 0.1 <= value[0] <= value[1] <= 50:
            raise ValueError("should be one number of 0.1..50, or two of them in order")
        return value

    @field_validator("angle")
    @classmethod
    def _angles(cls, value: tuple[float, float]) -> tuple[float, float]:
        if not -360 <= value[0] <= value[1] <= 360:
            raise ValueError("should be one number of -360..360, or two of them in order")
        return value

    def sample(self, shape: ClipShape, rng: Rng) -> Params:
        """The clip's two sigmas and its angle, each even within its range."""
        g = rng.at("kernel").generator()
        ranges = (("sigma_x", self.sigma_x), ("sigma_y", self.sigma_y), ("angle", self.angle))
        return {name: float(g.uniform(low, high)) for name, (low, high) in ranges}

    def kernel(self, params: Params) -> Kernel:
        """The clip's kernel."""
        return anisotropic(params["sigma_x"], params["sigma_y"], params["angle"])

    def facts(self, params: Params, shape: ClipShape) -> dict[str, list[Any]]:
        """Sigmas in pixels, the angle in degrees, and the kernel where it is no larger than 33 x 33."""
        names = {"sigma_x_px": params["sigma_x"], "sigma_y_px": params["sigma_y"], "angle_deg": params["angle"]}
        return constant_facts(shape.frames, self.kernel(params), **names)

    def apply(self, frames: Tensor, params: Params, *, start: int = 0, masks: Masks = NO_MASKS) -> Damage:
        """See the class."""
        return Damage(convolve(frames, self.kernel(params)), masks)


class Defocus(Degradation):
    """A lens out of focus: an even disc of ``radius`` pixels, or the polygon of a diaphragm, in linear light.

    Settings:
        radius: of the disc, or of the circle through the corners of the polygon.
        blades: corners of the polygon; None is a disc.
        rotation: of the polygon in degrees (see :func:`degradations.blur.polygon`); None draws one for the clip.
    """

    kind: ClassVar[str] = "defocus"
    frame_by_frame: ClassVar[bool] = True
    radius: float = Field(gt=0.5, le=50)
    blades: int | None = Field(default=None, ge=3, le=20)
    rotation: float | None = Field(default=None, ge=-360, le=360)

    @model_validator(mode="after")
    def _turned(self) -> Defocus:
        if self.blades is None and self.rotation is not None:
            raise ValueError("a disc has no rotation: give blades too")
        return self

    def sample(self, shape: ClipShape, rng: Rng) -> Params:
        """The rotation of the polygon; nothing is random with a disc."""
        if self.blades is None:
            return {}
        drawn = float(rng.at("rotation").generator().uniform(0, 360 / self.blades))
        return {"rotation": drawn if self.rotation is None else self.rotation}

    def kernel(self, params: Params) -> Kernel:
        """The clip's kernel."""
        if self.blades is None:
            return disc(self.radius)
        return polygon(self.radius, self.blades, params["rotation"])

    def facts(self, params: Params, shape: ClipShape) -> dict[str, list[Any]]:
        """The radius in pixels, the blades and their rotation, and the kernel where it is no larger than 33 x 33."""
        turned = {} if self.blades is None else {"blades": self.blades, "rotation_deg": params["rotation"]}
        return constant_facts(shape.frames, self.kernel(params), radius_px=self.radius, **turned)

    def apply(self, frames: Tensor, params: Params, *, start: int = 0, masks: Masks = NO_MASKS) -> Damage:
        """See the class."""
        return Damage(to_display(convolve(to_linear(frames), self.kernel(params))), masks)
