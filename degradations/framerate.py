"""Fewer frames per second: some are kept, and each is shown until the next."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from degradations.base import NO_MASKS, ClipShape, Damage, Degradation, Masks, Params, over_masks
from degradations.errors import CannotDamage
from degradations.rng import Rng

LONGEST = 8
"""A frame is shown at most this many times."""


class FrameRate(Degradation):
    """A clip at a lower frame rate, with kept frames repeated, so that the number of frames stays.

    Settings:
        fps: frames per second that are kept. A clip that has no more stays as it is.
        of: frames per second of the clip, where it is not to be taken as its file says.

    The kept frames are those at or just before the instants of the lower rate, as FFmpeg's ``fps`` filter takes them
    with ``round=down``; nothing is blended. Masks follow their frames.

    Example:
        >>> step = FrameRate(fps=12)
        >>> params = step.sample(ClipShape(5, 8, 8, fps=30), Rng.root(0))
        >>> step.facts(params, ClipShape(5, 8, 8))["source_frame"]
        [0, 0, 0, 2, 2]
    """

    kind: ClassVar[str] = "frame-rate"
    context: ClassVar[tuple[int, int]] = (LONGEST, 0)
    fps: float = Field(gt=0, le=1000)
    of: float | None = Field(default=None, gt=0, le=1000)

    def sample(self, shape: ClipShape, rng: Rng) -> Params:
        """Nothing is random; both rates are recorded.

        Raises:
            CannotDamage: a frame would be shown more often than can be.
        """
        of = shape.fps if self.of is None else self.of
        if of > LONGEST * self.fps:
            raise CannotDamage(
                f"Frames of {of:g} per second cannot be reduced to {self.fps:g}: each would be shown more than {LONGEST} "
                f"times. Take fps of at least {of / LONGEST:g}."
            )
        return {"fps": min(self.fps, of), "of": of}

    def facts(self, params: Params, shape: ClipShape) -> dict[str, list[Any]]:
        """``source_frame``: number of the frame that is shown in the place of each."""
        return {"source_frame": [_source(i, params) for i in range(shape.frames)]}

    def apply(self, frames: Tensor, params: Params, *, start: int = 0, masks: Masks = NO_MASKS) -> Damage:
        """See the class; comes with ``LONGEST`` frames more in front."""
        shown = torch.tensor([LONGEST + _source(start + i, params) - start for i in range(len(frames) - LONGEST)])
        return Damage(frames[shown], over_masks(masks, lambda plane: plane[shown]))


def _source(frame: int, params: Params) -> int:
    ratio = Fraction(params["fps"]).limit_denominator(10_000) / Fraction(params["of"]).limit_denominator(10_000)
    return int(int(frame * ratio) / ratio)
