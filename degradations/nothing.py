"""No damage at all, for data sets that ask what a model does to video that needs no help."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from degradations.base import NO_MASKS, ClipShape, Damage, Degradation, Masks, Params
from degradations.rng import Rng


class Nothing(Degradation):
    """Leaves every frame as it is, to the last bit.

    A step of its own, because a variant without any steps is more likely a slip of the pen.

    Example:
        >>> import torch
        >>> clean = torch.rand(1, 3, 4, 4)
        >>> bool((Nothing().apply(clean, {}).frames == clean).all())
        True
    """

    kind: ClassVar[str] = "nothing"
    frame_by_frame: ClassVar[bool] = True

    def sample(self, shape: ClipShape, rng: Rng) -> Params:
        """Nothing is random."""
        return {}

    def apply(self, frames: Tensor, params: Params, *, start: int = 0, masks: Masks = NO_MASKS) -> Damage:
        """The same frames and masks."""
        return Damage(frames, masks)
