"""Splices: where the film broke and was cemented, frames are lost and the picture jumps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, ClassVar

import cv2
import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from degradations.base import NO_MASKS, ClipShape, Damage, Degradation, Masks, Params, Subframes, over_masks
from degradations.border import mirror
from degradations.film.common import Double, Float, as_frames, coverage, planes_of, scale_of, stamp, with_coverage
from degradations.film.shapes import fractal_noise, smooth_step
from degradations.film.tensors import as_warped, cover_on, planes_on, seen_as, sent, shifted, with_cover
from degradations.film.weave import cubic
from degradations.rng import Rng

MOST_LOST = 8
SETTLES = 0.4
"""What is left of the jump in each frame, of that in the frame before."""


class Splices(Degradation):
    """Splices.

    The number of frames stays: in the place of lost frames the last one before them is seen again. The first frame
    behind the splice shows the overlap at its upper edge and, in most splices, the last one before it at its lower
    edge: a line across the picture and a smear of cement. The picture jumps up or down and settles, and the film
    behind the splice has another density, which slowly becomes that of the rest of the reel.

    Put it early in a recipe: grain and dirt that come later are then new in the frames that are seen again.

    Settings:
        rate: probability of a splice at each frame.
        lost: most frames that are lost at one (1 to 8; at least one is).
        jump: standard deviation of the jump, pixels at 480 lines.
        density: standard deviation of the change of log brightness.
        line: mean contrast of the line, bright or dark.
        smear: contrast of the cement.
    """

    kind: ClassVar[str] = "splices"
    context: ClassVar[tuple[int, int]] = (MOST_LOST, 0)
    at_home_anywhere: ClassVar[bool] = True
    rate: float = Field(default=0.004, ge=0, le=0.5)
    lost: int = Field(default=4, ge=1, le=MOST_LOST)
    jump: float = Field(default=5.0, ge=0, le=100)
    density: float = Field(default=0.08, ge=0, le=1)
    line: float = Field(default=0.5, gt=0, le=1)
    smear: float = Field(default=0.25, ge=0, le=1)

    def sample(self, shape: ClipShape, rng: Rng) -> Params:
        """The splices: first frame behind it, frames lost before that, jump, density, place of the line."""
        g = rng.at("splices").generator()
        scale = scale_of(shape.height)
        splices: list[dict[str, Any]] = []
        free = 1  # the first frame has none before it that could be seen again
        for frame in np.flatnonzero(g.random(shape.frames) < self.rate):
            lost = int(g.integers(1, self.lost + 1))
            jump, density = self.jump * scale * g.standard_normal(), self.density * g.standard_normal()
            line = {
                "depth": round(float(g.uniform(0.01, 0.05)), 4),
                "lean": round(float(0.004 * g.standard_normal()), 5),
                "thick": round(float(max(1.0, g.uniform(1.2, 3.0) * scale)), 3),
                "contrast": round(float((1 if g.random() < 0.65 else -1) * self.line * g.uniform(0.6, 1.4)), 4),
                "both": bool(g.random() < 0.7),
            }
            begin = max(int(frame) - lost, free)
            if begin >= int(frame):
                continue  # too close to the one before
            splices.append(
                {
                    "frame": int(frame),
                    "lost": int(frame) - begin,
                    "jump": round(float(np.clip(jump, -0.3 * shape.height, 0.3 * shape.height)), 3),
                    "density": round(float(density), 5),
                    "line": {**line, "contrast": float(np.clip(line["contrast"], -0.95, 0.95))},
                }
            )
            free = int(frame) + 1
        return {"key": rng.key, "scale": scale, "splices": splices}

    def facts(self, params: Params, shape: ClipShape) -> dict[str, list[Any]]:
        """``source_frame``: the frame that is seen in each; ``shift_y_px``: the jump, down; ``gain``: factor on the
        brightness; ``splice``: 1 where the splice itself is seen."""
        source, shift, gain = _timeline(params, shape.frames)
        seen = [0] * shape.frames
        for splice in params["splices"]:
            seen[splice["frame"]] = 1
            if splice["line"]["both"]:
                seen[splice["frame"] - 1] = 1
        return {
            "source_frame": source,
            "shift_y_px": [round(float(v), 3) for v in shift],
            "gain": [round(float(v), 5) for v in np.exp(gain)],
            "splice": seen,
        }

    def stream(
        self,
        chunks: Iterable[Damage],
        params: Params,
        shape: ClipShape,
        subframes: Subframes | None = None,
        measured: dict[str, Any] | None = None,
    ) -> Iterator[Damage]:
        """See the class. A clip without a splice passes through as it is."""
        if params["splices"]:
            yield from super().stream(chunks, params, shape, subframes, measured)
            return
        for frames, masks in chunks:
            if frames.device.type == "cpu":  # NumPy's zeros cost nothing until somebody writes to them
                yield Damage(frames, with_coverage(masks, "splice", coverage(masks, "splice", frames)))
            else:
                yield Damage(frames, with_cover(masks, "splice", cover_on(masks, "splice", frames)))

    def apply(self, frames: Tensor, params: Params, *, start: int = 0, masks: Masks = NO_MASKS) -> Damage:
        """See the class. The frames come with eight more in front."""
        count = len(frames) - MOST_LOST
        source, shift, gain = _timeline(params, start + count)
        chosen = [MOST_LOST + source[i] - start for i in range(start, start + count)]
        out = planes_of(frames)[chosen]
        moved = {kind: plane[chosen] for kind, plane in masks.items()}
        for i in range(count):
            if shift[start + i]:
                for plane in out[i]:
                    _move_down(plane, shift[start + i], cv2.INTER_CUBIC)
                for mask in moved.values():
                    _move_down(mask[i, 0].numpy(), shift[start + i], cv2.INTER_LINEAR)
            if gain[start + i]:
                out[i] *= np.float32(np.exp(gain[start + i]))
        cover = coverage(moved, "splice", frames[MOST_LOST:])
        for i, below, line in _lines(params, start, count):
            rng = Rng(params["key"]).at("line", start + i)
            self._join(out[i], cover[i], line, params["scale"], below, rng)
        return Damage(as_frames(out, frames), with_coverage(moved, "splice", cover))

    def on_device(self, frames: Tensor, params: Params, *, start: int = 0, masks: Masks = NO_MASKS) -> Damage:
        """What ``apply`` gives, on the device of the frames; only a frame with a line is drawn into on the CPU."""
        count, device = len(frames) - MOST_LOST, frames.device
        source, shift, gain = _timeline(params, start + count)
        chosen = [MOST_LOST + source[i] - start for i in range(start, start + count)]
        planes, moved = planes_on(frames), dict(masks)
        if chosen == list(range(MOST_LOST, MOST_LOST + count)):
            planes, moved = planes[MOST_LOST:], over_masks(masks, lambda plane: plane[MOST_LOST:])
        else:
            index = sent(torch.tensor(chosen), device)
            planes, moved = planes[index], over_masks(masks, lambda plane: plane[index])
        if shift[start:].any():
            planes = _moved_down_on(planes, shift[start:], cubic)
            moved = over_masks(moved, lambda plane: _moved_down_on(plane, shift[start:], linear))
        if gain[start:].any():
            factors = torch.from_numpy(np.exp(gain[start:]).astype(np.float32))
            planes = planes * sent(factors, device)[:, None, None, None]
        cover = cover_on(moved, "splice", frames[MOST_LOST:])
        lines = _lines(params, start, count)
        if lines:
            planes = planes.clone()  # it may still be what came in
        for i, below, line in lines:
            frame, part = (torch.Tensor.numpy(x[i].cpu()) for x in (planes, cover))
            self._join(frame, part, line, params["scale"], below, Rng(params["key"]).at("line", start + i))
            planes[i], cover[i] = (torch.from_numpy(x).to(device) for x in (frame, part))
        return Damage(seen_as(planes, frames), with_cover(moved, "splice", cover))

    def _join(self, frame: Float, cover: Float, line: dict[str, Any], scale: float, below: bool, rng: Rng) -> None:
        """The overlap at the upper edge of a frame, or at the lower one: cement, with a line where it ends."""
        height, width = cover.shape
        g = rng.generator()
        deep = max(3, int(np.ceil((line["depth"] + 0.02) * height + 4 * line["thick"])))
        deep = min(deep, height)
        y = np.arange(deep, dtype=np.float32)[:, None] + np.float32(0.5)
        wave = fractal_noise(1, width, max(8.0, width / 6), 0.5, g)[0]
        x = np.linspace(-0.5, 0.5, width)
        end = line["depth"] * height + line["lean"] * width * x + 0.8 * scale * wave
        apart = np.abs(y - end.astype(np.float32)[None])
        edge = np.clip(np.float32(line["thick"] / 2 + 0.5) - apart, 0, 1)
        blobs = fractal_noise(deep, width, max(6.0, 28 * scale), 0.65, g)
        reach = (end + 2.5 * scale * np.maximum(wave, 0)).astype(np.float32)[None]
        cement = smooth_step((reach - y) / np.float32(1.5 * scale) + np.float32(0.5))
        density = cement * np.clip(np.float32(0.55) + np.float32(0.35) * blobs, 0.05, 1)
        flip = slice(None, None, -1) if below else slice(None)
        top = height - deep if below else 0
        stamp(frame, cover, top, 0, cement[flip], float(-self.smear), density[flip])
        stamp(frame, cover, top, 0, edge[flip], float(line["contrast"]))


def _timeline(params: Params, count: int) -> tuple[list[int], Double, Double]:
    """For the first frames of a clip: which one is seen, how far it is moved down, the logarithm of its gain."""
    source = list(range(count))
    shift, gain = np.zeros(count), np.zeros(count)
    for splice in params["splices"]:
        frame = splice["frame"]
        for i in range(frame - splice["lost"], min(frame, count)):
            source[i] = frame - splice["lost"] - 1
        after = np.arange(max(0, count - frame))
        jump = splice["jump"] * SETTLES**after
        shift[frame:] += np.where(np.abs(jump) > 0.03, jump, 0)
        gain[frame:] += splice["density"] * np.exp(-after / 60)
    return source, shift, gain


def _lines(params: Params, start: int, count: int) -> list[tuple[int, bool, dict[str, Any]]]:
    """The lines of splices in a run of frames: in which frame of it, whether at its lower edge, what it looks like."""
    return [
        (frame - start, below, splice["line"])
        for splice in params["splices"]
        for frame, below in ((splice["frame"], False), (splice["frame"] - 1, True))
        if start <= frame < start + count and (not below or splice["line"]["both"])
    ]


def linear(part: float) -> Float:
    """Weights of four neighbours for a point ``part`` of the way from the second to the third, of which two count."""
    return np.array([0, 1 - part, part, 0], np.float32)


def _moved_down_on(planes: Tensor, pixels: Double, weights: Callable[[float], Float]) -> Tensor:
    """`_move_down` for planes ``(T, P, H, W)`` on any device, each frame by its own pixels."""
    places = as_warped(-pixels)
    whole = np.floor(places)
    taps = np.stack([weights(part) for part in places - whole])
    repeat = mirror(tuple(planes.shape[2:])) == cv2.BORDER_REPLICATE
    each = np.arange(len(pixels))[:, None]
    return shifted(planes, -2, whole.astype(np.int64)[:, None] - 1, each, taps, repeat=repeat)


def _move_down(plane: Float, pixels: float, interpolation: int) -> None:
    matrix = np.array([[1, 0, 0], [0, 1, pixels]], dtype=float)
    size = plane.shape[::-1]
    source = np.ascontiguousarray(plane)
    plane[...] = cv2.warpAffine(source, matrix, size, flags=interpolation, borderMode=mirror(source.shape))
