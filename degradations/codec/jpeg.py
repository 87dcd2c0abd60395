"""JPEG of each frame by itself."""

from __future__ import annotations

from typing import Any, ClassVar

import cv2
import numpy as np
import torch
from pydantic import Field, field_validator
from torch import Tensor

from degradations.base import NO_MASKS, ClipShape, Damage, Degradation, Masks, Params
from degradations.rng import Rng


class Jpeg(Degradation):
    """JPEG of each frame by itself, 4:2:0.

    ``quality`` is a number of 1..100 (libjpeg's scale), or two between which one is drawn for the clip;
    ``spread`` is how far the quality of a single frame may lie from it, either way.

    Example:
        >>> step = Jpeg(quality=[20, 40], spread=3)
        >>> 20 <= step.sample(ClipShape(1, 16, 16), Rng.root(0))["quality"] <= 40
        True
    """

    kind: ClassVar[str] = "jpeg"
    frame_by_frame: ClassVar[bool] = True
    quality: tuple[int, int]
    spread: int = Field(ge=0, le=50, default=0)

    @field_validator("quality", mode="before")
    @classmethod
    def _single(cls, value: Any) -> Any:
        return (value, value) if isinstance(value, int) else value

    @field_validator("quality")
    @classmethod
    def _ordered(cls, value: tuple[int, int]) -> tuple[int, int]:
        if not 1 <= value[0] <= value[1] <= 100:
            raise ValueError("should be one number of 1..100, or two of them in order")
        return value

    def sample(self, shape: ClipShape, rng: Rng) -> Params:
        """The clip's quality, and the key of the frames' deviations from it."""
        low, high = self.quality
        return {"quality": int(rng.at("quality").generator().integers(low, high + 1)), "key": rng.key}

    def _quality_of(self, params: Params, frame: int) -> int:
        drawn = Rng(params["key"]).at("frame", frame).generator().integers(-self.spread, self.spread + 1)
        return int(np.clip(params["quality"] + drawn, 1, 100))

    def facts(self, params: Params, shape: ClipShape) -> dict[str, list[Any]]:
        """The quality of each frame."""
        return {"quality": [self._quality_of(params, frame) for frame in range(shape.frames)]}

    def apply(self, frames: Tensor, params: Params, *, start: int = 0, masks: Masks = NO_MASKS) -> Damage:
        """See the class; the result has 8 bits.

        Raises:
            ValueError: OpenCV cannot code a frame.
        """
        out = torch.empty_like(frames)
        for i, frame in enumerate(frames):
            quality = self._quality_of(params, start + i)
            image = (frame.clamp(0, 1) * 255 + 0.5).floor().byte().permute(1, 2, 0).numpy()
            # OpenCV takes BGR, and JPEG weighs red, green and blue differently.
            ordered = np.ascontiguousarray(image[..., ::-1])
            settings = [
                cv2.IMWRITE_JPEG_QUALITY,
                quality,
                cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
                cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
            ]
            done, data = cv2.imencode(".jpg", ordered, settings)
            decoded = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if done else None
            if decoded is None:
                raise ValueError(f"OpenCV could not code frame {start + i} as JPEG of quality {quality}.")
            back = decoded.reshape(image.shape)[..., ::-1].transpose(2, 0, 1).copy()
            out[i] = torch.from_numpy(back).float() / 255.0
        return Damage(out, masks)
