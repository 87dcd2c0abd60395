"""Stages of a random chain: what is drawn for a clip, and what is done to one frame.

Frames inside the chain are NumPy arrays ``(H, W, C)``, RGB or gray, on the 0..255 scale: float32, or uint8 behind a
JPEG. As in the published code the next filter then rounds and clips to 8 bits, for OpenCV keeps the type.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, field_validator

from degradations.base import Params
from degradations.realworld.kernels import SHAPES, Kernel, bell, sinc, walk
from degradations.rng import Rng

Image = NDArray[Any]
Size = tuple[int, int]
Range = tuple[float, float]

FILTERS = {
    "bilinear": cv2.INTER_LINEAR,
    "area": cv2.INTER_AREA,
    "bicubic": cv2.INTER_CUBIC,
    "lanczos": cv2.INTER_LANCZOS4,
}


@dataclass(frozen=True)
class Scene:
    """What a stage must know of the clip to draw: sizes ``(height, width)`` of the finished frames and of every frame
    that reaches the stage, and how many times as many bits as it says a video stage gets."""

    final: Size
    sizes: list[Size]
    budget: float = 1.0

    @property
    def count(self) -> int:
        """Number of frames."""
        return len(self.sizes)


class Stage(BaseModel):
    """One stage. ``draw`` gives JSON values, ``one`` applies them to a frame."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    do: str
    known: ClassVar[tuple[str, ...]] = ()

    def draw(self, scene: Scene, rng: Rng) -> tuple[Params, list[Size]]:
        """What was drawn, and the sizes of the frames behind the stage."""
        raise NotImplementedError

    def one(self, image: Image, drawn: Params, index: int, rng: Rng) -> Image:
        """A frame, ``index`` its place in the drawn lists and ``rng`` its own address."""
        raise NotImplementedError

    def run(
        self, images: Iterator[Image], drawn: Params, places: Places, rng: Rng, folder: Path, measured: Params
    ) -> Iterator[Image]:
        """All frames in turn; only stages that need the whole clip do more than :meth:`one`."""
        for number, image in enumerate(images):
            yield self.one(image, drawn, places.index(number), rng.at("frame", places.frame(number)))

    def facts(self, drawn: Params, index: int) -> dict[str, Any]:
        """What is true of a frame, by the names in ``known``; those that do not apply are left out."""
        return {}


@dataclass(frozen=True)
class Places:
    """Which frames of the clip pass: the first one's number, and whether lists hold one value for each frame."""

    start: int
    listed: bool

    def frame(self, number: int) -> int:
        """Number in the clip of the frame that comes as ``number``."""
        return self.start + number

    def index(self, number: int) -> int:
        """Its place in the drawn lists."""
        return self.start + number if self.listed else 0


def in_order(value: Range, low: float, high: float) -> Range:
    if not low <= value[0] <= value[1] <= high:
        raise ValueError(f"should be two numbers in order, from {low:g} to {high:g}")
    return value


def _applied(chance: float, rng: Rng) -> bool:
    return bool(rng.at("applied").generator().uniform() <= chance)


def _pick(chances: dict[str, float], rng: Rng) -> str:
    names = list(chances)
    weights = np.array([chances[name] for name in names])
    return names[int(rng.generator().choice(len(names), p=weights / weights.sum()))]


def _chances(value: dict[str, float], known: tuple[str, ...]) -> dict[str, float]:
    for name, chance in value.items():
        if name not in known:
            raise ValueError(f'there is no "{name}"; known: {", ".join(known)}')
        if chance < 0:
            raise ValueError(f"the chance of {name} is {chance:g}, below 0")
    if not sum(value.values()) > 0:
        raise ValueError("the chances should sum to more than 0")
    return value


class BlurSteps(BaseModel):
    """How far a blur's numbers move from frame to frame, at most (0: they hold for the clip)."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    sigma: float = Field(default=0.0, ge=0)
    angle: float = Field(default=0.0, ge=0)
    beta_gaussian: float = Field(default=0.0, ge=0)
    beta_plateau: float = Field(default=0.0, ge=0)
    omega: float = Field(default=0.0, ge=0)


KERNELS = dict(zip(SHAPES, (0.405, 0.225, 0.108, 0.027, 0.108, 0.027, 0.1), strict=True))


class Blur(Stage):
    """A random kernel; its shape and size hold for the clip, its widths, angle and exponent may walk.

    Settings:
        prob: chance of being applied at all.
        kernels: chances of the shapes (see :data:`~degradations.realworld.kernels.SHAPES`).
        sizes: sides of the kernel in pixels, one of which is drawn evenly, whatever its widths.
        sigma_x, sigma_y: ranges of the widths in pixels.
        angle, beta_gaussian, beta_plateau: ranges of the angle in radians and of the exponents.
        omega: range of a sinc's cut-off in radians; None is [pi/3, pi] for sizes below 13 and [pi/5, pi] from there.
        steps: how far these walk from frame to frame.
        beta: which exponent a frame gets. ``mmagic``, as that code does: evenly between 1 and the walking exponent,
            drawn anew for every frame (once, if it does not walk); ``walk``: the walking exponent itself, as the
            settings of that code suggest; ``basicsr``: half of the clips start below 1 and half above.
    """

    do: Literal["blur"] = "blur"
    known: ClassVar[tuple[str, ...]] = ("kernel", "size_px", "sigma_x_px", "sigma_y_px", "angle_rad", "beta", "omega")
    prob: float = Field(default=1.0, ge=0, le=1)
    kernels: dict[str, float] = Field(default_factory=lambda: dict(KERNELS))
    sizes: tuple[int, ...] = Field(default=(7, 9, 11, 13, 15, 17, 19, 21), min_length=1)
    sigma_x: Range = (0.2, 3.0)
    sigma_y: Range = (0.2, 3.0)
    angle: Range = (-3.1416, 3.1416)
    beta_gaussian: Range = (0.5, 4.0)
    beta_plateau: Range = (1.0, 2.0)
    omega: Range | None = None
    steps: BlurSteps = BlurSteps()
    beta: Literal["mmagic", "walk", "basicsr"] = "mmagic"

    @field_validator("kernels")
    @classmethod
    def _shapes(cls, value: dict[str, float]) -> dict[str, float]:
        return _chances(value, SHAPES)

    @field_validator("sizes")
    @classmethod
    def _odd(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if any(size % 2 == 0 or not 1 <= size <= 101 for size in value):
            raise ValueError("sizes of kernels should be odd, from 1 to 101")
        return value

    @field_validator("sigma_x", "sigma_y", "beta_gaussian", "beta_plateau")
    @classmethod
    def _positive(cls, value: Range) -> Range:
        return in_order(value, 0.01, 100)

    @field_validator("angle", "omega")
    @classmethod
    def _radians(cls, value: Range | None) -> Range | None:
        return None if value is None else in_order(value, -6.2832, 6.2832)

    def draw(self, scene: Scene, rng: Rng) -> tuple[Params, list[Size]]:
        """See the class."""
        if not _applied(self.prob, rng):
            return {"kernel": "none"}, scene.sizes
        shape = _pick(self.kernels, rng.at("kernel"))
        size = int(rng.at("size").generator().choice(self.sizes))
        out: Params = {"kernel": shape, "size": size}
        count = scene.count

        def along(name: str, bounds: Range, step: float, start: float | None = None) -> list[float]:
            return walk(rng.at(name).generator(), bounds, step, count, start)

        if shape == "sinc":
            out["omega"] = along("omega", self.omega or (np.pi / (3 if size < 13 else 5), np.pi), self.steps.omega)
            return out, scene.sizes
        out["sigma_x"] = along("sigma_x", self.sigma_x, self.steps.sigma)
        if shape.endswith("aniso"):
            out["sigma_y"] = along("sigma_y", self.sigma_y, self.steps.sigma)
            out["angle"] = along("angle", self.angle, self.steps.angle)
        if shape not in ("iso", "aniso"):
            gaussian = shape.startswith("generalized")
            bounds = self.beta_gaussian if gaussian else self.beta_plateau
            start = self._start(bounds, rng.at("side")) if self.beta == "basicsr" else None
            step = self.steps.beta_gaussian if gaussian else self.steps.beta_plateau
            betas = along("beta", bounds, step, start)
            if self.beta == "mmagic":
                # That code hands [b, b] to a sampler that expects a range about 1, and asks it for every kernel.
                shares = rng.at("flicker").generator().uniform(size=count if step else 1)
                betas = [round(1 + float(shares[i % len(shares)]) * (b - 1), 6) for i, b in enumerate(betas)]
            out["beta"] = betas
        return out, scene.sizes

    @staticmethod
    def _start(bounds: Range, rng: Rng) -> float:
        low, high = bounds
        generator = rng.generator()
        below = generator.uniform() < 0.5
        return float(generator.uniform(*((low, 1.0) if below else (1.0, high))))

    def kernel(self, drawn: Params, index: int) -> Kernel:
        """The kernel of a frame."""
        if drawn["kernel"] == "sinc":
            return sinc(drawn["size"], drawn["omega"][index])

        def of(name: str, otherwise: float) -> float:
            return float(drawn[name][index]) if name in drawn else otherwise

        sigma = of("sigma_x", 1.0)
        return bell(drawn["kernel"], drawn["size"], sigma, of("sigma_y", sigma), of("angle", 0.0), of("beta", 1.0))

    def one(self, image: Image, drawn: Params, index: int, rng: Rng) -> Image:
        """See the class; the border is mirrored without repeating the edge."""
        if drawn["kernel"] == "none":
            return image
        blurred = cv2.filter2D(image, -1, self.kernel(drawn, index), borderType=cv2.BORDER_REFLECT_101)
        return np.asarray(blurred).reshape(image.shape)

    def facts(self, drawn: Params, index: int) -> dict[str, Any]:
        """Shape, size and numbers of the kernel."""
        units = {"sigma_x": "sigma_x_px", "sigma_y": "sigma_y_px", "angle": "angle_rad"}
        out: dict[str, Any] = {"kernel": drawn["kernel"]}
        if "size" in drawn:
            out["size_px"] = drawn["size"]
        for name in ("sigma_x", "sigma_y", "angle", "beta", "omega"):
            if name in drawn:
                out[units.get(name, name)] = drawn[name][index]
        return out


class Resize(Stage):
    """Frames made larger or smaller; mode and interpolation hold for the clip, the scale may walk.

    Settings:
        final: to the size of the finished frames; no scale is drawn then.
        modes: chances of ``up`` (scale evenly in [1, largest]), ``down`` (evenly in [smallest, 1]) and ``keep`` (1).
        scale: smallest and largest scale of a side. The walk keeps to this whole range, whatever the mode.
        step: how far the scale moves from frame to frame, at most. The size of every frame is that of the first one
            times its scale, so behind a walk frames differ in size, until a ``video`` stage makes them alike.
        of: what the scale is a part of: the frame as it comes (``current``, mmagic) or the finished size
            (``final``, the second resize of BasicSR).
        even: whether sides are made even, which 4:2:0 needs; otherwise they are cut off to whole pixels. No side
            becomes smaller than 2 pixels (1, if not even).
        filters: OpenCV's interpolations, one of which is drawn evenly; of these only ``area`` averages when it shrinks.
    """

    do: Literal["resize"] = "resize"
    known: ClassVar[tuple[str, ...]] = ("mode", "filter", "scale", "height_px", "width_px")
    final: bool = False
    modes: dict[str, float] = Field(default_factory=lambda: {"up": 0.2, "down": 0.7, "keep": 0.1})
    scale: Range = (0.15, 1.5)
    step: float = Field(default=0.0, ge=0, le=1)
    of: Literal["current", "final"] = "current"
    even: bool = False
    filters: tuple[Literal["bilinear", "area", "bicubic", "lanczos"], ...] = Field(
        default=("bilinear", "area", "bicubic"), min_length=1
    )

    @field_validator("modes")
    @classmethod
    def _modes(cls, value: dict[str, float]) -> dict[str, float]:
        return _chances(value, ("up", "down", "keep"))

    @field_validator("scale")
    @classmethod
    def _about_one(cls, value: Range) -> Range:
        if not value[0] <= 1 <= value[1]:
            raise ValueError("the range should contain 1")
        return in_order(value, 0.01, 8)

    def draw(self, scene: Scene, rng: Rng) -> tuple[Params, list[Size]]:
        """See the class."""
        name = self.filters[int(rng.at("filter").generator().integers(len(self.filters)))]
        if self.final:
            mode, scales, sizes = "final", None, [scene.final] * scene.count
        else:
            mode = _pick(self.modes, rng.at("mode"))
            low, high = self.scale
            ends = {"up": (1.0, high), "down": (low, 1.0), "keep": (1.0, 1.0)}[mode]
            first = float(rng.at("first").generator().uniform(*ends))
            scales = walk(rng.at("scale").generator(), self.scale, self.step, scene.count, first)
            sides = scene.sizes[0] if self.of == "current" else scene.final
            sizes = [(self._side(sides[0], s), self._side(sides[1], s)) for s in scales]
        out: Params = {"mode": mode, "filter": name, "height": [s[0] for s in sizes], "width": [s[1] for s in sizes]}
        if scales is not None:
            out["scale"] = scales
        return out, sizes

    def _side(self, side: int, scale: float) -> int:
        return max(2 * int(side * scale / 2), 2) if self.even else max(int(side * scale), 1)

    def one(self, image: Image, drawn: Params, index: int, rng: Rng) -> Image:
        """See the class."""
        height, width = drawn["height"][index], drawn["width"][index]
        resized = cv2.resize(image, (width, height), interpolation=FILTERS[drawn["filter"]])
        return np.asarray(resized).reshape(height, width, image.shape[2])

    def facts(self, drawn: Params, index: int) -> dict[str, Any]:
        """Mode, interpolation, scale and size."""
        out = {"mode": drawn["mode"], "filter": drawn["filter"]}
        out |= {"height_px": drawn["height"][index], "width_px": drawn["width"][index]}
        return out | ({"scale": drawn["scale"][index]} if "scale" in drawn else {})
