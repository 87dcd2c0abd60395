"""Damage of single pictures by albumentations, driven frame by frame with numbers keyed by place.

albumentations 2.0.8 gives every frame of its ``images=`` the same noise; here each frame has its own seed
(``per: frame``), or deliberately one for the clip (``per: clip``).
"""

from __future__ import annotations

import os
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from pydantic import Field, field_validator
from torch import Tensor

from degradations.base import ClipShape, Damage, Degradation, Params
from degradations.rng import Rng

ALLOWED = (
    "ISONoise", "MultiplicativeNoise", "ShotNoise", "GaussNoise", "MotionBlur", "ZoomBlur", "GlassBlur",
    "Downscale", "ImageCompression", "Posterize", "RandomGamma", "RandomBrightnessContrast", "RandomShadow",
    "RandomFog", "RandomRain", "RandomSnow", "ChromaticAberration", "PlanckianJitter", "RingingOvershoot",
)  # fmt: skip
"""Transforms that may be named: those that damage a picture and leave every pixel in its place."""


def _library() -> Any:
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # it would ask the network for a newer version
    import albumentations

    return albumentations


def _run(transform: Any, frame: Tensor, seed: int) -> Tensor:
    image = (frame.clamp(0, 1) * 255 + 0.5).floor().byte().permute(1, 2, 0).numpy()
    gray = image.shape[2] == 1
    image = np.ascontiguousarray(np.repeat(image, 3, axis=2) if gray else image)
    transform.set_random_seed(seed)
    out = transform(image=image)["image"]
    if out.shape != image.shape:
        raise ValueError(f"The transform changed the size of a frame from {image.shape} to {out.shape}.")
    result = torch.from_numpy(np.ascontiguousarray(out)).permute(2, 0, 1).float() / 255.0
    return result[1:2] if gray else result


class Spatial(Degradation):
    """One transform of albumentations, always applied, on 8-bit values.

    ``transform`` is its name, ``options`` what its constructor takes, ``per`` whether its random numbers are
    new in each frame or hold for the clip.

    Example:
        >>> step = Spatial(transform="ISONoise", options={"intensity": (0.3, 0.3)})
        >>> clean = torch.rand(1, 3, 16, 16).expand(2, -1, -1, -1)
        >>> out = step.apply(clean, step.sample(ClipShape(2, 16, 16), Rng.root(0))).frames
        >>> bool((out[0] != out[1]).any())
        True
    """

    kind: ClassVar[str] = "spatial"
    transform: str
    options: dict[str, Any] = Field(default_factory=dict)
    per: Literal["frame", "clip"] = "frame"

    @field_validator("transform")
    @classmethod
    def _allowed(cls, value: str) -> str:
        if value not in ALLOWED:
            raise ValueError(f"is not one of the transforms that leave pixels in place: {', '.join(ALLOWED)}")
        return value

    def _build(self) -> Any:
        library = _library()
        known = getattr(library, self.transform)
        return library.Compose([known(p=1.0, **self.options)])

    def sample(self, shape: ClipShape, rng: Rng) -> Params:
        """The key of the seeds, and the library's version."""
        return {"key": rng.key, "albumentations": _library().__version__}

    def apply(self, frames: Tensor, params: Params, *, start: int = 0, mask: Tensor | None = None) -> Damage:
        """See the class."""
        transform = self._build()
        rng = Rng(params["key"])
        out = []
        for i, frame in enumerate(frames):
            place = rng.at("frame", start + i) if self.per == "frame" else rng.at("clip")
            out.append(_run(transform, frame, int(place.generator().integers(2**31))))
        return Damage(torch.stack(out), mask)


class Jpeg(Degradation):
    """JPEG of each frame: ``quality`` (1..100), give or take ``spread`` drawn for each frame."""

    kind: ClassVar[str] = "jpeg"
    quality: int = Field(ge=1, le=100)
    spread: int = Field(ge=0, le=50, default=0)

    def sample(self, shape: ClipShape, rng: Rng) -> Params:
        """The key of the qualities."""
        return {"key": rng.key}

    def apply(self, frames: Tensor, params: Params, *, start: int = 0, mask: Tensor | None = None) -> Damage:
        """See the class."""
        rng = Rng(params["key"])
        library = _library()
        out = []
        for i, frame in enumerate(frames):
            drawn = rng.at("frame", start + i).generator().integers(-self.spread, self.spread + 1)
            quality = int(np.clip(self.quality + drawn, 1, 100))
            transform = library.Compose([library.ImageCompression(quality_range=(quality, quality), p=1.0)])
            out.append(_run(transform, frame, 0))
        return Damage(torch.stack(out), mask)
