"""Hairs and fibres: curved, thin, dark; some fly by in one frame, some are stuck in the gate and tremble."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, NamedTuple

import cv2
import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from degradations.base import NO_MASKS, ClipShape, Damage, Degradation, Masks, Params
from degradations.film.common import Double, Float, as_frames, coverage, scale_of, stamp, with_coverage, writable
from degradations.film.marks import Canvas
from degradations.film.tensors import sent
from degradations.rng import Rng

WIDTHS = (1.0, 2.0)
"""Thinnest and thickest hair, pixels at 480 lines."""


class Hair(NamedTuple):
    """A hair in a frame: its coverage, where that begins, and its contrast."""

    cover: Float
    top: int
    left: int
    contrast: float


class Hairs(Degradation):
    """Hairs.

    Settings:
        rate: mean number of loose hairs per frame, each in one frame only.
        stuck: mean number of hairs that hang in the gate at any time.
        stay: mean number of frames that such a hair stays.
        length: median length in pixels at 480 lines.
        contrast: how dark the darkest of them are, 0 to 1; the others are down to 0.4 times as dark.
    """

    kind: ClassVar[str] = "hairs"
    frame_by_frame: ClassVar[bool] = True
    rate: float = Field(default=0.25, ge=0)
    stuck: float = Field(default=0.3, ge=0)
    stay: float = Field(default=40, gt=0)
    length: float = Field(default=45, gt=0)
    contrast: float = Field(default=0.6, gt=0, le=1)

    def sample(self, shape: ClipShape, rng: Rng) -> Params:
        """The hairs that get stuck: which frames, where, how long, how curved."""
        g = rng.at("stuck").generator()
        reach = int(4 * self.stay)
        births = g.poisson(self.stuck / self.stay, shape.frames + reach)
        stuck = []
        for frame in np.repeat(np.arange(-reach, shape.frames), births):
            until = int(frame) + max(6, round(g.exponential(self.stay)))
            hair = {
                "from": int(frame),
                "to": until,
                "edge": ["top", "bottom", "left", "right"][int(g.choice(4, p=[0.35, 0.45, 0.1, 0.1]))],
                "at": float(g.uniform(0.05, 0.95)),
                "length": float(self.length * np.exp(0.5 * g.standard_normal()) * 1.4),
                "bend": float(1.2 * g.standard_normal()),
                "curl": float(1.0 * g.standard_normal()),
                "lean": float(0.6 * g.standard_normal()),
                "width": float(g.uniform(*WIDTHS)),
                "contrast": float(self.contrast * g.uniform(0.5, 1)),
            }
            if until > 0:
                stuck.append(hair)
        return {"key": rng.key, "scale": scale_of(shape.height), "stuck": stuck}

    def facts(self, params: Params, shape: ClipShape) -> dict[str, list[Any]]:
        """Number of hairs in each frame: loose ones, and those that hang in the gate."""
        rng, frames = Rng(params["key"]), range(shape.frames)
        loose = [int(rng.at("frame", i).generator().poisson(self.rate)) for i in frames]
        stuck = [sum(hair["from"] <= i < hair["to"] for hair in params["stuck"]) for i in frames]
        return {"loose_hairs": loose, "stuck_hairs": stuck}

    def apply(self, frames: Tensor, params: Params, *, start: int = 0, masks: Masks = NO_MASKS) -> Damage:
        """See the class."""
        out, cover = writable(frames), coverage(masks, "hair", frames)
        for i in range(len(out)):
            for hair in self._drawn(cover[i].shape, params, start + i):
                stamp(out[i], cover[i], hair.top, hair.left, hair.cover, hair.contrast)
        return Damage(as_frames(out, frames), with_coverage(masks, "hair", cover))

    def on_device(self, frames: Tensor, params: Params, *, start: int = 0, masks: Masks = NO_MASKS) -> Damage:
        """See the class."""
        canvas = Canvas(frames, masks, "hair")
        drawn = [(i, hair) for i in range(len(frames)) for hair in self._drawn(canvas.size, params, start + i)]
        if drawn:
            all_of_them = sent(
                torch.from_numpy(np.concatenate([hair.cover.ravel() for _, hair in drawn])), canvas.device
            )
            covers = all_of_them.split([hair.cover.size for _, hair in drawn])
            for (i, hair), flat in zip(drawn, covers, strict=True):
                cover = flat.view(1, *hair.cover.shape)
                canvas.stamp(i, 1, hair.top, hair.left, cover, [hair.contrast] * len(canvas.planes))
        return canvas.damage()

    def _drawn(self, size: tuple[int, ...], params: Params, number: int) -> Iterator[Hair]:
        """The hairs in a frame of ``(H, W)`` pixels: loose ones, then those that hang in the gate."""
        rng, scale = Rng(params["key"]), params["scale"]
        g = rng.at("frame", number).generator()
        for _ in range(int(g.poisson(self.rate))):
            points = self._loose(size, scale, g)
            patch = stroke(points, max(1.0, g.uniform(*WIDTHS) * scale))
            yield Hair(*patch, -self.contrast * float(g.uniform(0.4, 1)))
        for which, hair in enumerate(params["stuck"]):
            if hair["from"] <= number < hair["to"]:
                tremble = rng.at("stuck", which, number).generator().standard_normal(3)
                points = _hanging(hair, size, scale, tremble)
                yield Hair(*stroke(points, max(1.0, hair["width"] * scale)), -hair["contrast"])

    def _loose(self, shape: tuple[int, ...], scale: float, g: np.random.Generator) -> Double:
        length = self.length * np.exp(0.5 * g.standard_normal()) * scale
        origin = np.array([g.uniform(0, shape[1]), g.uniform(0, shape[0])])
        return curve(origin, g.uniform(0, 2 * np.pi), length, 1.6 * g.standard_normal(), 1.6 * g.standard_normal())


def curve(origin: Double, angle: float, length: float, bend: float, curl: float) -> Double:
    """Points (N, 2) of a smooth curve: it turns by ``bend`` along its length, and ``curl`` changes the turning."""
    s = np.linspace(0, 1, max(8, int(length / 1.5)))
    heading = angle + bend * s + curl * np.sin(2.2 * np.pi * s)
    steps = np.stack([np.cos(heading), np.sin(heading)], axis=1) * (length / len(s))
    return np.asarray(origin + np.cumsum(steps, axis=0))


def _hanging(hair: dict[str, float], shape: tuple[int, ...], scale: float, tremble: Double) -> Double:
    height, width = shape
    inward = {"top": np.pi / 2, "bottom": -np.pi / 2, "left": 0.0, "right": np.pi}[str(hair["edge"])]
    along = {"top": (1, 0, 0, 0), "bottom": (1, 0, 0, 1), "left": (0, 1, 0, 0), "right": (0, 1, 1, 0)}[
        str(hair["edge"])
    ]
    origin = np.array(
        [width * (along[0] * hair["at"] + along[2]), height * (along[1] * hair["at"] + along[3])], dtype=float
    )
    origin += 0.25 * scale * tremble[:2]
    return curve(origin, inward + hair["lean"] + 0.03 * tremble[2], hair["length"] * scale, hair["bend"], hair["curl"])


def stroke(points: Double, width: float) -> tuple[Float, int, int]:
    """Coverage of a line of this width through ``points``: patch, its top, its left; anti-aliased."""
    fine, bits = 4, 4
    left, top = (np.floor(points.min(axis=0)) - 3).astype(int)
    right, bottom = (np.ceil(points.max(axis=0)) + 4).astype(int)
    canvas = np.zeros(((bottom - top) * fine, (right - left) * fine), np.uint8)
    local = np.round((points - [left, top]) * fine * 2**bits).astype(np.int32)
    cv2.polylines(canvas, [local[:, None]], False, 255, max(1, round(width * fine)), cv2.LINE_AA, bits)
    patch = cv2.resize(canvas, (right - left, bottom - top), interpolation=cv2.INTER_AREA)
    return patch.astype(np.float32) / np.float32(255), int(top), int(left)
