"""Noise and JPEG as stages of a random chain."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from degradations.base import Params
from degradations.realworld.kernels import walk
from degradations.realworld.stages import Image, Range, Scene, Size, Stage, in_order
from degradations.rng import Rng


class Noise(Stage):
    """Gaussian or Poisson noise; which, and whether it is gray, holds for the clip, its strength may walk.

    Settings:
        gaussian: range of the standard deviation, on the 0..255 scale.
        poisson: range of the factor on the Poisson noise.
        gaussian_prob: chance of Gaussian noise, else it is Poisson.
        gray_prob: chance of one plane of noise for all channels.
        gaussian_step, poisson_step: how far the strength moves from frame to frame, at most.
        levels: Poisson noise of pixel value x (0..255) in a frame with about V different values (a power of 2) has the
            standard deviation sqrt(x / V) times the factor with ``mmagic``, and sqrt(255 x / V) with ``basicsr``, which
            counts x from 0 to 1: sixteen times as strong for the same factor.
        clip: whether the result is clipped to 0..255, as BasicSR does and mmagic does not.
    """

    do: Literal["noise"] = "noise"
    known: ClassVar[tuple[str, ...]] = ("noise", "gray", "sigma_255", "poisson_factor")
    gaussian: Range = (1.0, 30.0)
    poisson: Range = (0.05, 3.0)
    gaussian_prob: float = Field(default=0.5, ge=0, le=1)
    gray_prob: float = Field(default=0.4, ge=0, le=1)
    gaussian_step: float = Field(default=0.0, ge=0)
    poisson_step: float = Field(default=0.0, ge=0)
    levels: Literal["mmagic", "basicsr"] = "mmagic"
    clip: bool = False

    @field_validator("gaussian", "poisson")
    @classmethod
    def _strength(cls, value: Range) -> Range:
        return in_order(value, 0, 255)

    def draw(self, scene: Scene, rng: Rng) -> tuple[Params, list[Size]]:
        """See the class."""
        gaussian = bool(rng.at("noise").generator().uniform() < self.gaussian_prob)
        bounds, step = (self.gaussian, self.gaussian_step) if gaussian else (self.poisson, self.poisson_step)
        return {
            "noise": "gaussian" if gaussian else "poisson",
            "gray": bool(rng.at("gray").generator().uniform() < self.gray_prob),
            "level": walk(rng.at("level").generator(), bounds, step, scene.count),
        }, scene.sizes

    def one(self, image: Image, drawn: Params, index: int, rng: Rng) -> Image:
        """See the class; the result is float32, not rounded."""
        generator = rng.generator()
        level, gray = drawn["level"][index], drawn["gray"]
        base = image.astype(np.float32)
        if drawn["noise"] == "gaussian":
            shape = (*image.shape[:2], 1) if gray else image.shape
            added: Image = np.float32(level) * generator.standard_normal(shape, dtype=np.float32)
        else:
            seen = luma(base) if gray else base
            added = np.float32(level) * _poisson(seen, self.levels, generator)
        out: Image = base + added
        return np.clip(out, 0, 255) if self.clip else out

    def facts(self, drawn: Params, index: int) -> dict[str, Any]:
        """Kind and strength."""
        strength = "sigma_255" if drawn["noise"] == "gaussian" else "poisson_factor"
        return {"noise": drawn["noise"], "gray": drawn["gray"], strength: drawn["level"][index]}


def luma(image: Image) -> Image:
    """RGB ``(H, W, 3)`` float32 as its Rec. 601 luma ``(H, W, 1)``; gray as it is."""
    if image.shape[2] == 1:
        return image
    weights = np.array([0.299, 0.587, 0.114], np.float32)
    return np.asarray(np.dot(image, weights)[..., None], np.float32)


def _poisson(image: Image, levels: str, generator: np.random.Generator) -> Image:
    """Poisson noise of ``image`` (0..255), less its mean, on the same scale."""
    whole = np.rint(image).clip(0, 255).astype(np.uint8)
    different = np.count_nonzero(np.bincount(whole.ravel(), minlength=256))
    quanta = 2.0 ** np.ceil(np.log2(different))
    unit = 255.0 if levels == "basicsr" else 1.0
    expected = whole / unit
    noise = (generator.poisson(expected * quanta) / quanta - expected) * unit
    return np.asarray(noise, np.float32)


class Jpeg(Stage):
    """JPEG of each frame, 4:2:0; its quality may walk in whole numbers.

    ``quality`` is its range on libjpeg's scale, ``step`` how far it moves from frame to frame at most. With
    ``swapped`` the encoder takes red for blue and the other way round, as in the configurations of mmagic, which
    hand RGB to an encoder that expects BGR. Values are rounded and clipped before; the result is uint8.
    """

    do: Literal["jpeg"] = "jpeg"
    known: ClassVar[tuple[str, ...]] = ("quality",)
    quality: tuple[int, int] = (30, 95)
    step: float = Field(default=0.0, ge=0)
    swapped: bool = True

    @field_validator("quality")
    @classmethod
    def _scale(cls, value: tuple[int, int]) -> tuple[int, int]:
        in_order(value, 1, 100)
        return value

    def draw(self, scene: Scene, rng: Rng) -> tuple[Params, list[Size]]:
        """See the class."""
        low, high = self.quality
        found = walk(rng.generator(), (low, high), self.step, scene.count, whole=True)
        return {"quality": [int(q) for q in found]}, scene.sizes

    def one(self, image: Image, drawn: Params, index: int, rng: Rng) -> Image:
        """See the class.

        Raises:
            ValueError: OpenCV cannot code the frame.
        """
        whole = to_bytes(image)
        ordered = whole if self.swapped else np.ascontiguousarray(whole[..., ::-1])
        options = [cv2.IMWRITE_JPEG_QUALITY, drawn["quality"][index]]
        options += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420]
        done, data = cv2.imencode(".jpg", ordered, options)
        decoded = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if done else None
        if decoded is None:
            raise ValueError(f"OpenCV could not code a frame of {whole.shape[1]} x {whole.shape[0]} as JPEG.")
        out = np.asarray(decoded).reshape(image.shape)
        return out if self.swapped else np.ascontiguousarray(out[..., ::-1])

    def facts(self, drawn: Params, index: int) -> dict[str, Any]:
        """Quality on libjpeg's scale."""
        return {"quality": drawn["quality"][index]}


def to_bytes(image: Image) -> NDArray[np.uint8]:
    """Rounded (half to even, as OpenCV does) and clipped to uint8."""
    return np.asarray(image if image.dtype == np.uint8 else np.rint(image).clip(0, 255), dtype=np.uint8)
