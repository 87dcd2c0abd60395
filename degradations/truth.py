"""The ground truth that a variant asks for: the clean clip in colour or black and white, as it is or sharpened."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from degradations.profile import Tone

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from degradations.profile import Variant

TONES: tuple[str, ...] = get_args(Tone)


def to_gray(frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """RGB ``(T, H, W, 3)`` as luma (Rec. 601, as Pillow's "L") in three equal channels; gray frames as they are.

    Example:
        >>> to_gray(np.array([[[[255, 0, 0]]]], np.uint8)).tolist()
        [[[[76, 76, 76]]]]
    """
    if frames.shape[3] == 1:
        return frames
    luma = np.stack([np.asarray(Image.fromarray(np.ascontiguousarray(f)).convert("L")) for f in frames])
    return np.repeat(luma[..., None], 3, axis=3)


def unsharp(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """``(H, W, C)`` float32 in [0, 1], sharpened where it has edges, as the targets of Real-ESRGAN are.

    The difference from a blurred copy (51 x 51, sigma 8) is added by half where it is larger than 10 of 255 levels,
    with the border of that region softened by the same blur.

    Source: protocol facts of RTN and RealBasicVSR (unsharp mask of Real-ESRGAN, Wang et al., ICCVW 2021).
    """
    blurred = _soft(image)
    difference = image - blurred
    edges = (np.abs(difference) * 255 > 10).astype(np.float32)
    share = _soft(edges)
    sharp = np.clip(image + 0.5 * difference, 0, 1)
    return np.asarray(share * sharp + (1 - share) * image, dtype=np.float32)


def _soft(image: NDArray[np.float32]) -> NDArray[np.float32]:
    # Sigma 0 is OpenCV's own for this size: 0.3 * ((51 - 1) / 2 - 1) + 0.8 = 8.0.
    return np.asarray(cv2.GaussianBlur(image, (51, 51), 0), dtype=np.float32).reshape(image.shape)


def toned(frames: NDArray[np.uint8], tone: str) -> NDArray[np.uint8]:
    """``(T, H, W, C)`` uint8, RGB or gray, in the tone of a variant.

    "gray-sharp" is the target of RTN: luma first, and the sharpened levels are truncated to 8 bits, as the generator of
    its validation data and RRTN's script write them (in training they stay real numbers). "sharp" is rounded half up.

    Raises:
        ValueError: no such tone.

    Example:
        >>> toned(np.full((1, 4, 4, 3), 7, np.uint8), "gray-sharp").max()
        np.uint8(7)
    """
    steps: dict[str, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]] = {
        "colour": lambda clip: clip,
        "gray": to_gray,
        "sharp": lambda clip: _sharpened(clip, 0.5),
        "gray-sharp": lambda clip: np.repeat(_sharpened(to_gray(clip)[..., :1], 0.0), clip.shape[3], axis=3),
    }
    if tone not in steps:
        raise ValueError(f'There is no tone "{tone}"; known: {", ".join(TONES)}.')
    return steps[tone](frames)


def begun(frames: Tensor, variant: Variant) -> tuple[Tensor, Tensor]:
    """What a data set of a variant begins with: its ground truth, and the clip that its damage starts from.

    Args:
        frames: a clean clip ``(T, C, H, W)``, float32 in [0, 1], RGB or gray, on any device. It is rounded to the 8 bits
            that data sets hold.

    Returns:
        Both like ``frames``; the second is given to ``degrade``. They are the same tensor where the damage starts from
        the ground truth.

    Example:
        >>> import torch
        >>> from degradations.profile import load_profile
        >>> red = torch.tensor([1.0, 0.0, 0.0]).view(1, 3, 1, 1)
        >>> truth, clip = begun(red, load_profile("oldfilm").variant("light"))
        >>> (truth * 255).flatten().tolist(), clip is truth
        ([76.0, 76.0, 76.0], True)
    """
    levels = (frames.detach().cpu() * 255 + 0.5).clamp(0, 255).byte().permute(0, 2, 3, 1).numpy()
    truth = _as_clip(toned(levels, variant.truth), frames)
    return truth, truth if variant.start is None else _as_clip(toned(levels, variant.start), frames)


def _as_clip(levels: NDArray[np.uint8], like: Tensor) -> Tensor:
    import torch  # here, for what else is in this file needs none

    return torch.from_numpy(np.ascontiguousarray(levels.transpose(0, 3, 1, 2))).float().div_(255).to(like.device)


def _sharpened(frames: NDArray[np.uint8], half: float) -> NDArray[np.uint8]:
    """Sharpened frames at whole levels: half a level is added before truncation, or nothing."""
    out = np.empty_like(frames)
    for frame, target in zip(frames, out, strict=True):
        levels = unsharp(frame.astype(np.float32) / 255) * 255
        target[...] = np.clip(levels + np.float32(half), 0, 255).astype(np.uint8)
    return out
