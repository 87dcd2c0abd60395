"""What RTN's code does to one 8-bit gray frame: blending, blur, resizing, noise, JPEG, jitter; all truncate as it does."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance

Gray = NDArray[np.uint8]

BLENDS = ("addition", "subtract", "multiply")
FILTERS = ("bicubic", "bilinear", "lanczos")
_PILLOW = {
    "bicubic": Image.Resampling.BICUBIC,
    "bilinear": Image.Resampling.BILINEAR,
    "lanczos": Image.Resampling.LANCZOS,
}

SCRATCH = 15
"""A pixel of a texture is part of a scratch where it is darker than the texture's mean by more than this, in levels."""
LINE = 25
"""The same where a window for moving lines is sought."""
EDGE = 40
"""Columns at the left and right edge of a template in which no scratch is sought."""

_EXACT = 1e-3  # levels: what is a whole level but for the rounding of single precision is not to lose one


def luma(planes: Gray) -> Gray:
    """Red, green and blue ``(3, H, W)`` as Rec. 601 luma ``(H, W)``, as Pillow's "L"."""
    return np.asarray(Image.fromarray(cv2.merge(list(planes))).convert("L"))


def marks(texture: Gray, depth: int) -> NDArray[np.bool_]:
    """Which pixels are darker than the mean by more than ``depth`` levels."""
    return np.asarray(texture < cv2.mean(texture)[0] - depth)


def resized(image: Gray, size: tuple[int, int], how: str) -> Gray:
    """``image`` at another ``(width, height)`` by a filter of Pillow, antialiased; the same size is no change."""
    return np.asarray(Image.fromarray(image).resize(size, _PILLOW[how]))


def scratches(template: Gray, depth: int) -> NDArray[np.intp]:
    """Flat positions of the pixels that are darker than the mean by more than ``depth`` levels, away from both sides."""
    width = template.shape[1]
    if width <= 2 * EDGE:
        return np.empty(0, np.intp)
    inner = template[:, EDGE:-EDGE] < cv2.mean(template)[0] - depth
    row, column = np.divmod(np.flatnonzero(inner), width - 2 * EDGE)
    return np.asarray(row * width + column + EDGE)


class Window(NamedTuple):
    """A square cut out of a template: left, top and side in its pixels, and an angle in degrees."""

    left: int
    top: int
    side: int
    angle: float


def window(template: Gray, marks: NDArray[np.intp], sides: tuple[int, int], g: np.random.Generator) -> Window:
    """A window with one of ``marks`` in it: side, place and (whole) angle uniform within what the template allows.

    RTN's code fails where a template is smaller than the window; here the window is then as large as the template.
    """
    height, width = template.shape
    y, x = divmod(int(marks[int(g.random() * len(marks))]), width)
    side = min(whole(sides, g.random()), height, width)
    left = x - whole((max(side - width + x, 0), min(x, side)), g.random())
    top = y - whole((max(side - height + y, 0), min(y, side)), g.random())
    return Window(left, top, side, float(whole((0, 360), g.random())))


def cut(template: Gray, at: Window, size: tuple[int, int], *, turned: bool) -> Gray:
    """The window at the frame's ``(width, height)`` (Lanczos); turned first (bilinear), and what is whole of it kept."""
    patch = template[at.top : at.top + at.side, at.left : at.left + at.side]
    image = Image.fromarray(np.ascontiguousarray(patch))
    if turned:
        image = image.rotate(at.angle, expand=True, resample=Image.Resampling.BILINEAR)
        angle = np.radians(at.angle)
        # The largest upright square within a turned square.
        side = at.side / (abs(np.cos(angle)) + abs(np.sin(angle)))
        wide, high = image.size
        box = ((wide - side) / 2, (high - side) / 2, (wide + side) / 2, (high + side) / 2)
        image = image.crop(tuple(round(v) for v in box))
    return np.asarray(image.resize(size, Image.Resampling.LANCZOS))


def grown(texture: Gray) -> Gray:
    """Dark marks larger by a pixel on every side: the minimum of 3 x 3."""
    return np.asarray(cv2.erode(texture, np.ones((3, 3), np.uint8)), dtype=np.uint8)


def contrasted(texture: Gray, factor: float) -> Gray:
    """Differences from the (rounded) mean times ``factor``, as Pillow's enhancement of contrast."""
    return np.asarray(ImageEnhance.Contrast(Image.fromarray(texture)).enhance(factor))


def blended(image: Gray, texture: Gray, blend: str, opacity: float) -> Gray:
    """A texture laid into an image: its darkness added or subtracted, or its lightness multiplied, by ``opacity``.

    In double precision in the order of the code's operations, which decides where a level is lost to truncation.

    Example:
        >>> blended(np.array([[100]], np.uint8), np.array([[200]], np.uint8), "subtract", 0.5).tolist()
        [[72]]
    """
    level = np.arange(256) / 255.0
    clean, sheet = level[:, None], level[None, :]
    if blend == "multiply":
        full = np.clip(sheet * clean, 0.0, 1.0)
    else:
        full = clean + (1.0 - sheet) if blend == "addition" else clean - (1.0 - sheet)
    table = np.clip(full * opacity + clean * (1.0 - opacity), 0.0, 1.0) * 255.0
    index = np.left_shift(image, 8, dtype=np.uint16) | texture
    return np.asarray(np.take(table.astype(np.uint8), index))


def covariance(l1: float, l2: float, angle: float) -> tuple[float, float, float]:
    """xx, xy, yy of the covariance with these eigenvalues, turned by ``angle`` radians (y points down).

    Example:
        >>> [round(v, 6) for v in covariance(4.0, 1.0, np.pi / 2)]
        [1.0, 0.0, 4.0]
    """
    c, s = np.cos(angle), np.sin(angle)
    return float(l1 * c * c + l2 * s * s), float((l1 - l2) * c * s), float(l1 * s * s + l2 * c * c)


@lru_cache(maxsize=32)
def kernel(size: int, shape: tuple[float, float, float]) -> NDArray[np.float64]:
    """A Gaussian of covariance xx, xy, yy in square pixels, sampled at ``size`` x ``size`` points; its sum is 1."""
    xx, xy, yy = shape
    ax = np.arange(size) - (size - 1) / 2
    x, y = ax[None, :], ax[:, None]
    k = np.exp(-0.5 * (yy * x * x - 2 * xy * x * y + xx * y * y) / (xx * yy - xy * xy))
    return np.asarray(k / k.sum())


def blurred(image: Gray, size: int, shape: tuple[float, float, float]) -> Gray:
    """``image`` under that Gaussian, mirrored at the border without repeating the edge, truncated; no width, no change."""
    if not (shape[0] or shape[2]):
        return image
    border = cv2.BORDER_REFLECT_101
    if shape[1] == 0 and shape[0] == shape[2]:
        line = np.exp(-0.5 * (np.arange(size) - (size - 1) / 2) ** 2 / shape[0])
        line /= line.sum()
        soft = cv2.sepFilter2D(image, cv2.CV_32F, line, line, delta=_EXACT, borderType=border)
    else:
        k = kernel(size, shape)
        # What is far below a level is cut off, for small kernels are faster.
        reach = np.flatnonzero(k.max(axis=0) > 1e-9 * k.max()), np.flatnonzero(k.max(axis=1) > 1e-9 * k.max())
        spare = min(int(r[0]) for r in reach)
        soft = cv2.filter2D(
            image, cv2.CV_32F, k[spare : size - spare, spare : size - spare], delta=_EXACT, borderType=border
        )
    return np.asarray(np.clip(soft, 0, 255).astype(np.uint8))


def noisy(image: Gray, kind: str, std: float, g: np.random.Generator) -> Gray:
    """White Gaussian noise of ``std`` levels ("gaussian"), or of that share of 255 times the image ("speckle")."""
    noise: NDArray[np.float32] = g.standard_normal(image.shape, dtype=np.float32)
    if kind == "speckle":
        noise *= np.float32(std / 255)
        noise *= image
    else:
        noise *= np.float32(std)
    noise += image
    return np.asarray(np.clip(noise, 0, 255, out=noise).astype(np.uint8))


def jpeg(image: Gray, quality: int) -> Gray:
    """``image`` after baseline gray JPEG of this quality (1 to 100, libjpeg's scale).

    Raises:
        ValueError: OpenCV could not code it.
    """
    done, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    decoded = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE) if done else None
    if decoded is None:
        raise ValueError(f"OpenCV could not code a frame of {image.shape} as JPEG of quality {quality}.")
    return np.asarray(decoded, dtype=np.uint8)


def jittered(image: Gray, brightness: float, contrast: float, *, brightness_first: bool) -> Gray:
    """Values times ``brightness``, differences from the mean times ``contrast``, one after the other, both truncated."""
    level = np.arange(256)
    count = cv2.calcHist([image], [0], None, [256], [0, 256]).ravel().astype(np.float64)
    table = level
    for step in ("brightness", "contrast") if brightness_first else ("contrast", "brightness"):
        if step == "brightness":
            curve = level * brightness
        else:
            mean = float(count @ table) / image.size
            curve = level * contrast + mean * (1 - contrast)
        table = np.clip(curve, 0, 255).astype(np.uint8)[table]
    return np.asarray(cv2.LUT(image, table.astype(np.uint8)), dtype=np.uint8)


def shifted(columns: NDArray[np.intp], step: int) -> NDArray[np.intp]:
    """Columns of a texture after it moved by ``step`` pixels (right above 0): the strip that is left empty is filled by
    repeating the outermost strip of that width.

    Example:
        >>> shifted(np.arange(6), 2).tolist(), shifted(np.arange(6), -2).tolist()
        ([0, 1, 0, 1, 2, 3], [2, 3, 4, 5, 4, 5])
    """
    width = len(columns)
    if step > 0:
        return np.concatenate([columns[:step], columns[: width - step]])
    return np.concatenate([columns[-step:], columns[width + step :]])


def at(span: tuple[float, float], share: float) -> float:
    """The number at a share of 0 to 1 of a span."""
    return float(span[0] + (span[1] - span[0]) * share)


def whole(span: tuple[int, int], share: float) -> int:
    """The whole number at a share of 0 to 1 of a span that includes both ends, all equally likely.

    Example:
        >>> [whole((5, 7), u) for u in (0.0, 0.34, 0.999)]
        [5, 6, 7]
    """
    return int(span[0] + int(share * (span[1] - span[0] + 1)))
