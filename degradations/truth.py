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


def _sharpened(frames: NDArray[np.uint8], half: float) -> NDArray[np.uint8]:
    """Sharpened frames at whole levels: half a level is added before truncation, or nothing."""
    out = np.empty_like(frames)
    for frame, target in zip(frames, out, strict=True):
        levels = unsharp(frame.astype(np.float32) / 255) * 255
        target[...] = np.clip(levels + np.float32(half), 0, 255).astype(np.uint8)
    return out
