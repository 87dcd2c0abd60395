"""What the tests of compression share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor

from degradations.base import ClipShape, Damage, Degradation, Params, joined


def texture(frames: int = 6, height: int = 48, width: int = 64, channels: int = 3) -> Tensor:
    """A smooth random picture that drifts by a pixel a frame; its colour is softer than its detail."""
    noise = np.random.default_rng(0).standard_normal((channels + 1, height, width + frames))
    detail = gaussian_filter(noise[0], 2.0, mode="wrap")
    tint = np.stack([gaussian_filter(c, 8.0, mode="wrap") for c in noise[1:]])
    smooth = 0.5 + 0.15 * detail / detail.std() + 0.05 * tint / tint.std()
    shifted = np.stack([smooth[:, :, t : t + width] for t in range(frames)])
    return torch.from_numpy(shifted.clip(0, 1).astype(np.float32))


def shape_of(frames: Tensor) -> ClipShape:
    return ClipShape(len(frames), frames.shape[2], frames.shape[3], frames.shape[1])


def run(
    step: Degradation,
    frames: Tensor,
    chunk: int = 100,
    mask: Tensor | None = None,
    params: Params | None = None,
    measured: dict[str, Any] | None = None,
) -> Damage:
    def chunks() -> Iterator[Damage]:
        for i in range(0, len(frames), chunk):
            yield Damage(frames[i : i + chunk], {} if mask is None else {"dirt": mask[i : i + chunk]})

    return joined(step.stream(chunks(), params or {}, shape_of(frames), None, measured))


def measured_by(step: Degradation, frames: Tensor, params: Params | None = None) -> dict[str, Any]:
    """What a step learns about its own work."""
    out: dict[str, Any] = {}
    run(step, frames, params=params, measured=out)
    return out


def psnr(a: Tensor, b: Tensor) -> float:
    return float(-10 * torch.log10(((a - b).double() ** 2).mean()))
