"""Damage of single pictures by albumentations, driven frame by frame with numbers keyed by place.

albumentations 2.0.8 gives every frame of its ``images=`` the same noise; here each frame has its own seed
(``per: frame``), or deliberately one for the clip (``per: clip``).
"""

from __future__ import annotations

import inspect
import os
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from pydantic import Field, ValidationError, model_validator
from torch import Tensor

from degradations.base import NO_MASKS, ClipShape, Damage, Degradation, Masks, Params
from degradations.catalog import nearest
from degradations.rng import Rng

ALLOWED = (
    "AdditiveNoise", "AdvancedBlur", "ChromaticAberration", "Downscale", "GaussNoise", "GlassBlur",
    "ISONoise", "Illumination", "MotionBlur", "MultiplicativeNoise", "PlanckianJitter", "Posterize",
    "RandomBrightnessContrast", "RandomFog", "RandomGamma", "RandomRain", "RandomShadow", "RandomSnow",
    "RandomSunFlare", "RingingOvershoot", "SaltAndPepper", "ShotNoise", "Spatter", "ZoomBlur",
)  # fmt: skip
"""Transforms that may be named: those that damage a picture and leave its content in its place.

``ImageCompression`` is not among them: it hands RGB to an encoder that expects BGR, so red and blue are
weighed wrongly; the kind ``jpeg`` does it right.
"""


def library() -> Any:
    """albumentations, told before its import not to ask the network for a newer version of itself."""
    os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"
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
    result = torch.from_numpy(np.ascontiguousarray(out.transpose(2, 0, 1))).float() / 255.0
    return result[1:2] if gray else result


class Spatial(Degradation):
    """One transform of albumentations, always applied, on 8-bit values; of a gray clip, its green channel.

    ``transform`` is its name, ``options`` what its constructor takes, ``per`` whether its random numbers are
    new in each frame or hold for the clip.

    Example:
        >>> step = Spatial(transform="GaussNoise", options={"std_range": (0.1, 0.1)})
        >>> clean = torch.full((2, 3, 16, 16), 0.5)
        >>> out = step.apply(clean, step.sample(ClipShape(2, 16, 16), Rng.root(0))).frames
        >>> bool((out[0] != out[1]).any())
        True
    """

    kind: ClassVar[str] = "spatial"
    transform: str
    options: dict[str, Any] = Field(default_factory=dict)
    per: Literal["frame", "clip"] = "frame"

    @model_validator(mode="after")
    def _possible(self) -> Spatial:
        if self.transform not in ALLOWED:
            raise ValueError(
                f'the transform "{self.transform}" is not one that may be named. {nearest(self.transform, ALLOWED)}'
            )
        # albumentations only warns of an option that it does not know, and goes on without it.
        known = set(inspect.signature(getattr(library(), self.transform).__init__).parameters) - {"self", "p"}
        for option in self.options:
            if option not in known:
                raise ValueError(f'{self.transform} has no option "{option}". {nearest(option, known)}')
        try:
            self.build()
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"])
            raise ValueError(f"{self.transform}: {place} = {first['input']!r}: {first['msg']}") from error
        return self

    def build(self) -> Any:
        """The transform, ready to be seeded and called."""
        found = library()
        return found.Compose([getattr(found, self.transform)(p=1.0, **self.options)])

    def sample(self, shape: ClipShape, rng: Rng) -> Params:
        """The key of the seeds, and the library's version."""
        return {"key": rng.key, "albumentations": library().__version__}

    def apply(self, frames: Tensor, params: Params, *, start: int = 0, masks: Masks = NO_MASKS) -> Damage:
        """See the class; the result has 8 bits."""
        transform = self.build()
        rng = Rng(params["key"])
        out = []
        for i, frame in enumerate(frames):
            place = rng.at("frame", start + i) if self.per == "frame" else rng.at("clip")
            out.append(_run(transform, frame, int(place.generator().integers(2**31))))
        return Damage(torch.stack(out), masks)
