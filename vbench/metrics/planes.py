"""The planes that a figure is measured on: RGB, or one of the lumas that the field uses, after a crop.

Every published table names a luma as "Y", and they differ: by range (limited loses 219/255 of the contrast, which
alone is 1.3 dB), by rounding, and by whether the frame was cropped first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from vbench.errors import InputError, nearest
from vbench.metrics.spec import on_255

if TYPE_CHECKING:
    from torch import Tensor


TECOGAN_SMALLEST = 48
"""Below this side (pixels) TecoGAN's crop leaves nothing."""


def rgb(frames: Tensor) -> Tensor:
    """All channels on 0..255, float64 (gray for gray frames)."""
    return on_255(frames)


def y_limited(frames: Tensor) -> Tensor:
    """BT.601 limited range as BasicSR computes it: not rounded to integers, but to float32 of Y/255.

    ``(T, C, H, W)`` to ``(T, 1, H, W)`` float64; gray frames stay as they are.

    Source: BasicSR, ``to_y_channel``.
    """
    x = on_255(frames)
    if x.shape[1] == 1:
        return x
    # Through float32 and back twice, as the official code stores frame and luma: worth 1e-6 dB.
    unit = (x / 255.0).float().double()
    return ((_weighted(unit, 65.481, 128.553, 24.966) + 16.0) / 255.0).float().double() * 255.0


def luma(frames: Tensor) -> Tensor:
    """0.299 R + 0.587 G + 0.114 B, full range, not rounded; gray frames stay as they are."""
    x = on_255(frames)
    return x if x.shape[1] == 1 else _weighted(x, 0.299, 0.587, 0.114)


def pil_l(frames: Tensor) -> Tensor:
    """Pillow's mode "L": the luma in 16-bit fixed point, rounded to whole levels.

    Source: Pillow's documentation of ``Image.convert`` (ITU-R 601-2 luma); the weights are 19595, 38470 and
    7471 of 65536.
    """
    import torch

    x = (on_255(frames) + 0.5).floor()
    if x.shape[1] == 1:
        return x
    return torch.floor((_weighted(x, 19595.0, 38470.0, 7471.0) + 32768.0) / 65536.0)


def tecogan_y(frames: Tensor) -> Tensor:
    """16 + (65.481 R + 128.553 G + 24.966 B) / 255, not rounded, as TecoGAN's metrics compute it."""
    x = on_255(frames)
    return x if x.shape[1] == 1 else _weighted(x, 65.481, 128.553, 24.966) / 255.0 + 16.0


def _weighted(x: Tensor, r: float, g: float, b: float) -> Tensor:
    return x[:, :1] * r + x[:, 1:2] * g + x[:, 2:3] * b


PLANES: dict[str, tuple[Callable[[Tensor], Tensor], str]] = {
    "rgb": (rgb, "RGB (gray for gray clips)"),
    "y": (y_limited, "luma of BT.601, limited range, not rounded (gray clips as they are)"),
    "luma": (luma, "luma 0.299 R + 0.587 G + 0.114 B, full range, not rounded"),
    "pil-l": (pil_l, "Pillow's gray, whole levels"),
    "tecogan": (
        tecogan_y,
        "luma of BT.601, limited range, not rounded (gray clips as they are; TecoGAN's constants and central crop)",
    ),
}
"""Colour options by name: the function and its description."""
STORED = "0 to 255, more than 8 bits not rounded to 8"
"""The scale of samples, in words."""


def cropped(frames: Tensor, border: int) -> Tensor:
    """Without ``border`` pixels at each side.

    Raises:
        InputError: nothing would be left.
    """
    if border == 0:
        return frames
    if 2 * border >= min(frames.shape[-2:]):
        raise InputError(
            f"A border of {border} pixels at each side leaves nothing of frames of {frames.shape[-1]} x "
            f"{frames.shape[-2]}."
        )
    return frames[..., border:-border, border:-border]


def refuse_crop(colour: str, border: int) -> None:
    """Raise InputError if a border is to be cropped from frames that TecoGAN's colour crops in its own way."""
    if colour == "tecogan" and border:
        raise InputError(
            f'"tecogan" crops frames in a way of its own, and crop={border} is another. Leave one of the two out.'
        )


def smallest(colour: str, border: int, window: int = 1) -> int:
    """The least side of frames of which a window of so many pixels is left."""
    return max(TECOGAN_SMALLEST if colour == "tecogan" else 0, window + 2 * border)


def tecogan_crop(frames: Tensor) -> Tensor:
    """TecoGAN's central crop: each side the largest multiple of 32 that is at most the side less 16."""
    sides = []
    for side in frames.shape[-2:]:
        size = (side - 16) // 32 * 32
        if side < TECOGAN_SMALLEST:
            raise InputError(
                f"TecoGAN's crop needs sides of at least {TECOGAN_SMALLEST} pixels, and these frames are {frames.shape[-1]} x "
                f"{frames.shape[-2]}."
            )
        begin = (side - size) // 2
        sides.append(slice(begin, begin + size))
    return frames[..., sides[0], sides[1]]


def planes(frames: Tensor, colour: str, crop: int) -> Tensor:
    """``(T, C, H, W)`` frames as the planes of a convention, float64 on 0..255.

    Raises:
        InputError: no such colour option, or the crop leaves nothing.
    """
    if colour not in PLANES:
        raise InputError(f'There is no colour option "{colour}". {nearest(colour, PLANES)}')
    frames = tecogan_crop(frames) if colour == "tecogan" else cropped(frames, crop)
    return PLANES[colour][0](frames)
