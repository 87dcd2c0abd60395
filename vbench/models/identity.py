"""Doing nothing, and what comes nearest to it where frames are to be larger. A model below it made things worse."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from vbench.models.spec import ModelSpec

if TYPE_CHECKING:
    import torch

    from vbench.restore import ClipMeta, Restorer


class Enlarging:
    """Frames as they are, or enlarged by Pillow's ``bicubic`` or ``lanczos`` filter (a cubic with a = -0.5, or three
    lobes), each channel in single precision, clipped to [0, 1]."""

    def __init__(self, kind: str) -> None:
        self._kind = kind

    def restore(self, chunks: Iterator[torch.Tensor], meta: ClipMeta) -> Iterator[torch.Tensor]:
        """Each chunk as it comes."""
        for chunk in chunks:
            height, width = meta.size
            large = chunk if meta.scale == 1 else enlarged(chunk, meta.scale, self._kind)
            yield large[..., :height, :width]


def enlarged(frames: torch.Tensor, scale: int, kind: str) -> torch.Tensor:
    """``(T, C, H, W)`` in [0, 1] at ``scale`` times the size.

    Example:
        >>> import torch
        >>> enlarged(torch.full((1, 1, 2, 3), 0.5), 4, "lanczos").shape
        torch.Size([1, 1, 8, 12])
    """
    import numpy as np
    import torch
    from PIL import Image

    height, width = (scale * side for side in frames.shape[2:])
    planes = frames.cpu().float().flatten(0, 1).numpy()
    method = {"bicubic": Image.Resampling.BICUBIC, "lanczos": Image.Resampling.LANCZOS}[kind]
    large = np.stack([np.asarray(Image.fromarray(plane).resize((width, height), method)) for plane in planes])
    out: torch.Tensor = torch.from_numpy(large).clamp(0, 1).unflatten(0, frames.shape[:2])
    return out.to(frames.device)


def _load(device: torch.device, weights: Path | None) -> Restorer:
    return Enlarging("bicubic")


def _load_lanczos(device: torch.device, weights: Path | None) -> Restorer:
    return Enlarging("lanczos")


SPEC = ModelSpec(
    name="identity",
    version=1,
    title="Identity (do nothing)",
    task="baseline",
    source="The degraded clip itself, enlarged bicubically where the ground truth is larger; a model that scores below it "
    "did harm.",
    licence="Apache-2.0",
    load=_load,
    scales=None,
)
LANCZOS = ModelSpec(
    name="lanczos",
    version=1,
    title="Lanczos enlargement",
    task="super-resolution",
    source="Pillow's Lanczos filter with three lobes",
    licence="Apache-2.0",
    load=_load_lanczos,
    scales=tuple(range(2, 65)),
)
