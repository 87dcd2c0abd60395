"""What one would write in NumPy from the pages of the papers: plain, right, and what our code is measured against."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.signal import convolve2d

Array = NDArray[np.float64]


def aligned_psnr_ssim(truth: NDArray[np.uint8], result: NDArray[np.uint8]) -> tuple[float, float, int, int]:
    """Koehler's alignment step by step: crop, scale, Fourier transforms of complex doubles, shift, luma, figures."""
    x, z = (v[16:-16, 16:-16].astype(np.float64) for v in (truth, result))
    z = z * (x * z).sum() / (z * z).sum()
    correlation = np.fft.ifft2(np.fft.fft2(x.mean(axis=2)) * np.conj(np.fft.fft2(z.mean(axis=2)))).real
    height, width = correlation.shape
    col, row = divmod(int(np.argmax(correlation.T)), height)
    rows = row if row < height // 2 else row - height
    cols = col if col < width // 2 else col - width
    moved, mask = np.zeros_like(z), np.zeros((height, width, 1))
    for i in range(height):
        if 0 <= i - rows < height:
            source = np.arange(width) - cols
            inside = (source >= 0) & (source < width)
            moved[i, inside] = z[i - rows, source[inside]]
            mask[i, inside] = 1
    weights = np.array([0.299, 0.587, 0.114])
    a, b = (x * mask) @ weights, moved @ weights
    psnr = 10 * np.log10(255**2 / np.mean((a - b) ** 2))
    return float(psnr), ssim_index(a, b), rows, cols


def ssim_index(a: Array, b: Array) -> float:
    """SSIM of two planes with the 11 x 11 window as one filter."""
    d = np.arange(11) - 5
    window = np.exp(-(d[:, None] ** 2 + d**2) / (2 * 1.5**2))
    window /= window.sum()
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2

    def mean(v: Array) -> Array:
        return np.asarray(convolve2d(v, window, mode="valid"))

    mu_a, mu_b = mean(a), mean(b)
    var_a, var_b, cov = mean(a * a) - mu_a**2, mean(b * b) - mu_b**2, mean(a * b) - mu_a * mu_b
    top = (2 * mu_a * mu_b + c1) * (2 * cov + c2)
    return float((top / ((mu_a**2 + mu_b**2 + c1) * (var_a + var_b + c2))).mean())


def _sample(image: Array, flow: Array) -> Array:
    height, width = image.shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float64)
    x, y = np.clip(x + flow[..., 0], 0, width - 1), np.clip(y + flow[..., 1], 0, height - 1)
    x0, y0 = np.floor(x).astype(int), np.floor(y).astype(int)
    x1, y1 = np.minimum(x0 + 1, width - 1), np.minimum(y0 + 1, height - 1)
    fx, fy = (x - x0)[..., None], (y - y0)[..., None]
    top = image[y0, x0] * (1 - fx) + image[y0, x1] * fx
    bottom = image[y1, x0] * (1 - fx) + image[y1, x1] * fx
    return np.asarray(top * (1 - fy) + bottom * fy)


def warp_error(frame: NDArray[np.uint8], after: NDArray[np.uint8], there: Array, back: Array) -> float:
    """Lai et al.'s pair error: occlusion by both tests, then the masked mean square."""
    returned = _sample(back, there)
    f2, b2 = (there**2).sum(-1), (returned**2).sum(-1)
    occluded = ((returned + there) ** 2).sum(-1) > 0.01 * (b2 + f2) + 0.5
    gradient = np.zeros_like(f2)
    for k in (0, 1):
        right, down = np.zeros_like(f2), np.zeros_like(f2)
        right[:, :-1] = there[:, 1:, k] - there[:, :-1, k]
        down[:-1] = there[1:, :, k] - there[:-1, :, k]
        gradient += right**2 + down**2
    keep = ~(occluded | (gradient > 0.01 * f2 + 0.002))
    warped = _sample(after / 255.0, there)
    mask = np.repeat(keep[..., None], 3, axis=2)
    return float((mask * (warped - frame / 255.0) ** 2).sum() / mask.sum())
