"""Enlargement that agrees with what it was made from: made small again, it is the given frame."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from vbench.models.identity import enlarged
from vbench.models.spec import ModelSpec

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from vbench.restore import ClipMeta, Restorer

ITERATIONS = 10


class BackProjection:
    """Bicubic enlargement, corrected by the enlarged difference between the given frame and the result made small again.

    Both ways go by Pillow's bicubic filter, which smooths where it makes smaller, in single precision.
    """

    def restore(self, chunks: Iterator[Tensor], meta: ClipMeta) -> Iterator[Tensor]:
        """Each chunk as it comes."""
        for chunk in chunks:
            height, width = meta.size
            yield projected(chunk, meta.scale)[..., :height, :width]


def projected(frames: Tensor, scale: int) -> Tensor:
    """``(T, C, H, W)`` in [0, 1] at ``scale`` times the size.

    Example:
        >>> import torch
        >>> projected(torch.full((1, 1, 4, 5), 0.5), 2).shape
        torch.Size([1, 1, 8, 10])
    """
    import numpy as np
    import torch
    from PIL import Image

    large = enlarged(frames, scale, "bicubic").cpu().float().flatten(0, 1).numpy()
    given = frames.cpu().float().flatten(0, 1).numpy()
    small, big = given.shape[:0:-1], large.shape[:0:-1]
    for plane, wanted in zip(large, given, strict=True):
        for _ in range(ITERATIONS):
            again = np.asarray(Image.fromarray(plane).resize(small, Image.Resampling.BICUBIC))
            missing = Image.fromarray(np.ascontiguousarray(wanted - again))
            plane += np.asarray(missing.resize(big, Image.Resampling.BICUBIC))
    out: Tensor = torch.from_numpy(large).clamp(0, 1).unflatten(0, frames.shape[:2])
    return out.to(frames.device)


def _load(device: torch.device, weights: Path | None) -> Restorer:
    return BackProjection()


SPEC = ModelSpec(
    name="back-projection",
    version=1,
    title="Iterated back-projection",
    task="super-resolution",
    source='Irani and Peleg, "Improving resolution by image registration" (1991), of each frame by itself; filters of Pillow.',
    licence="Apache-2.0",
    load=_load,
    settings={"iterations": ITERATIONS, "filter": "bicubic, both ways"},
    scales=tuple(range(2, 65)),
)
