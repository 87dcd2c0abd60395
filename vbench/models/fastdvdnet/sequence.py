"""FastDVDnet on a sequence: windows, padding, and what neighbouring windows share."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from vbench.errors import RunError
from vbench.models.cascade import Cascade
from vbench.models.fastdvdnet.net import FRAMES, MULTIPLE, FastDVDnet
from vbench.restore import reflect

SHORTEST = 3
"""Frames of the shortest sequence: a shorter one cannot be reflected without repeating its end."""


def windows(count: int) -> list[tuple[int, ...]]:
    """For each of ``count`` frames the five that are shown to the network: reflected, the end frame not repeated.

    Raises:
        RunError: fewer than three frames.

    Example:
        >>> windows(4)
        [(2, 1, 0, 1, 2), (1, 0, 1, 2, 3), (0, 1, 2, 3, 2), (1, 2, 3, 2, 1)]
    """
    if count < SHORTEST:
        raise RunError(
            f"FastDVDnet was given a clip of {count} frame(s); it takes at least {SHORTEST}, as its official script: "
            "a window of five is reflected at both ends."
        )
    around = FRAMES // 2
    return [tuple(reflect(i, count) for i in range(t - around, t + around + 1)) for t in range(count)]


def pad(frames: Tensor) -> Tensor:
    """``(B, C, H, W)``, reflected at the bottom and right up to multiples of four.

    Raises:
        RunError: frames of one to three rows or columns, too small to be reflected.

    Example:
        >>> pad(torch.arange(6.0).view(1, 1, 1, 6).expand(1, 1, 4, 6))[0, 0, 0].tolist()
        [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 4.0, 3.0]
    """
    height, width = frames.shape[2:]
    bottom, right = -height % MULTIPLE, -width % MULTIPLE
    if bottom >= height or right >= width:
        raise RunError(
            f"FastDVDnet was given frames of {width} x {height} pixels, too few to be reflected up to multiples of "
            f"{MULTIPLE}; it takes frames of at least 3 x 3."
        )
    return functional.pad(frames, (0, right, 0, bottom), mode="reflect") if bottom or right else frames


class Sequence(Cascade[Tensor, Tensor]):
    """The frames of one clip, padded ``(1, 3, H, W)``, in the order of time, to the network's outputs on the padded
    size, not clamped.

    Two denoising blocks are run for each frame in place of four: see :class:`Cascade`.
    """

    def __init__(self, network: FastDVDnet, noise_map: Tensor, count: int) -> None:
        """``noise_map``: ``(1, 1, H, W)`` on the padded size; ``count``: frames of the clip."""

        def inner(a: Tensor, b: Tensor, c: Tensor) -> Tensor:
            found: Tensor = network.temp1(a, b, c, noise_map)
            return found

        def outer(a: Tensor, b: Tensor, c: Tensor) -> Tensor:
            return network.second((a, b, c), noise_map)

        super().__init__(windows(count), inner, outer)


def restore_all(network: FastDVDnet, noisy: Tensor, noise: float) -> tuple[Tensor, Tensor]:
    """A whole sequence that is in memory.

    Args:
        noisy: ``(T, 3, H, W)``, RGB, not clipped.
        noise: standard deviation, in units of 1.

    Returns:
        The denoised frames, clamped to [0, 1] and of the size given, and the network's output of frame 0 on the
        padded size, not clamped.
    """
    height, width = noisy.shape[2:]
    sequence: Sequence | None = None
    raw: list[Tensor] = []
    first = noisy.new_empty(0)
    for frame in noisy:
        padded = pad(frame[None])
        if sequence is None:
            sequence = Sequence(network, torch.full_like(padded[:, :1], noise), len(noisy))
        for out in sequence.feed(padded):
            if not raw:
                first = out
            raw.append(out[..., :height, :width].clamp(0, 1))
    if not raw:
        windows(len(noisy))
    return torch.cat(raw), first
