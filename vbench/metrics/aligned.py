"""Aligned PSNR and SSIM: deblurring's protocol, in which brightness and a whole-pixel shift do not count.

A deblurred frame may come out a pixel off, or a shade darker, and look the same; plain PSNR punishes that more
than the blur. So the result is scaled and shifted first, and what was found is told beside the figure.
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from vbench.errors import InputError
from vbench.metrics.spec import Figures, Metric, View, on_255
from vbench.metrics.ssim import ssim_of_planes

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from vbench.clip import ClipInfo

CROP = 16
SMALLEST = 11
"""After the crop: SSIM's window."""
_DOUBT = 1e-6
"""Rounding of the correlation in single precision, as a fraction of the product of the two frames' norms (some ten
times what was seen at 1920 x 1080). Positions that come so near the peak are looked at again in double precision."""
_TIE = 1e-12
"""The same of double precision: what is nearer is equal."""


class Alignment(NamedTuple):
    """How a frame was brought to its ground truth."""

    scale: float
    """What the result was multiplied by."""
    rows: int
    cols: int
    """By how many pixels it was moved: down and to the right where positive."""


class Aligned(NamedTuple):
    """The figures of one frame."""

    psnr: float
    ssim: float
    alignment: Alignment


class TruthSide(NamedTuple):
    """What depends on the ground truth alone, of one frame."""

    planes: NDArray[Any]
    """``(C, H, W)`` on 0..255, cropped; 8-bit frames as they are."""
    luma: NDArray[np.float64]
    shape: NDArray[np.float64]
    """Mean of the channels, less its own mean over the frame."""
    spectrum: Tensor
    """Of that, single precision."""


def prepare(frame: Tensor, crop: int = CROP) -> TruthSide:
    """The ground truth's side of one frame ``(C, H, W)``."""
    import torch

    planes = _cropped(frame, crop)
    shape = _shape(planes)
    return TruthSide(planes, _luma(planes), shape, torch.fft.rfft2(torch.from_numpy(shape).float()))


def _shape(planes: NDArray[Any]) -> NDArray[np.float64]:
    """What is registered. The official code leaves the mean in: around the edges it adds the same to the
    correlation at every shift, and only rounding is lost with it."""
    total = planes.sum(axis=0, dtype=np.uint16 if planes.dtype == np.uint8 else np.float64)
    mean = np.divide(total, float(len(planes)))
    mean -= mean.mean()
    return np.asarray(mean)


def _luma(planes: NDArray[Any], scale: float = 1.0) -> NDArray[np.float64]:
    weights = (0.299, 0.587, 0.114) if len(planes) == 3 else (1.0,)
    out = np.multiply(planes[0], weights[0] * scale, dtype=np.float64)
    more = np.empty_like(out)
    for plane, weight in zip(planes[1:], weights[1:], strict=True):
        np.multiply(plane, weight * scale, out=more)
        out += more
    return np.asarray(out)


def _cropped(frame: Tensor, crop: int) -> NDArray[Any]:
    import torch

    height, width = frame.shape[-2:]
    if min(height, width) < 2 * crop + SMALLEST:
        raise InputError(
            f"Aligned PSNR and SSIM need frames of at least {2 * crop + SMALLEST} x {2 * crop + SMALLEST} pixels "
            f"(a border of {crop} at each side, and SSIM's window), and these are {width} x {height}."
        )
    inner = frame[:, crop : height - crop, crop : width - crop]
    return np.ascontiguousarray((inner if inner.dtype == torch.uint8 else on_255(inner)).cpu().numpy())


def _products(result: NDArray[Any], truth: NDArray[Any]) -> tuple[float, float]:
    """Sums over all samples of result x truth, and of result x result."""
    if result.dtype == truth.dtype == np.uint8:
        import cv2

        # In whole numbers, exactly: x z = (x x + z z - (x - z)(x - z)) / 2.
        z, x = (v.reshape(1, -1) for v in (result, truth))
        own = cv2.norm(z, cv2.NORM_L2SQR)
        return (own + cv2.norm(x, cv2.NORM_L2SQR) - cv2.norm(z, x, cv2.NORM_L2SQR)) / 2.0, own
    z, x = (v.astype(np.float64, copy=False) for v in (result, truth))
    return float(np.vdot(x, z)), float(np.vdot(z, z))


def align(result: NDArray[Any], truth: TruthSide) -> Alignment:
    """Brightness and shift of a frame ``(C, H, W)`` on 0..255 against its ground truth, both cropped.

    The scale is ``sum(x z) / sum(z z)`` over the frames as they lie, not aligned. The shift is the peak of the
    circular cross-correlation of the channels' means, over the whole frame; of equal values the first one
    column by column. On frames with a strong gradient of brightness and a large shift that peak is not the
    true one; the official code takes it likewise.
    """
    common, energy = _products(result, truth.planes)
    # A black frame stays black by any factor.
    scale = common / energy if energy else 1.0
    height, width = truth.shape.shape
    row, col = _peak(_shape(result), truth)
    # Zero-based peaks from half the side on stand for negative shifts.
    rows = row if row < height // 2 else row - height
    cols = col if col < width // 2 else col - width
    return Alignment(scale, rows, cols)


def _peak(result: NDArray[np.float64], truth: TruthSide) -> tuple[int, int]:
    """Where the circular correlation is largest: found in single precision, decided in double."""
    import torch

    size = float(np.linalg.norm(result) * np.linalg.norm(truth.shape))
    if size == 0:
        return 0, 0  # a frame of one colour: equal everywhere
    spectrum = torch.fft.rfft2(torch.from_numpy(result).float())
    found = torch.fft.irfft2(truth.spectrum * spectrum.conj(), s=result.shape).numpy()
    rows, cols = np.nonzero(found >= found.max() - _DOUBT * size)
    if len(rows) == 1:
        return int(rows[0]), int(cols[0])
    order = np.lexsort((rows, cols))  # column by column
    rows, cols = rows[order], cols[order]
    if len(rows) > 64:
        exact = _exact_correlation(result, truth.shape)[rows, cols]
    else:
        pairs = zip(rows.tolist(), cols.tolist(), strict=True)
        exact = np.array([_shifted_product(result, truth.shape, row, col) for row, col in pairs])
    best = int(np.argmax(exact >= exact.max() - _TIE * size))
    return int(rows[best]), int(cols[best])


def _exact_correlation(result: NDArray[np.float64], truth: NDArray[np.float64]) -> NDArray[np.float64]:
    from scipy import fft

    spectrum = fft.rfft2(truth) * fft.rfft2(result).conj()
    return np.asarray(fft.irfft2(spectrum, s=truth.shape))


def _shifted_product(result: NDArray[np.float64], truth: NDArray[np.float64], rows: int, cols: int) -> float:
    """Sum of ``truth(i, j) result(i - rows, j - cols)``, around the edges: four rectangles."""
    total = 0.0
    height, width = result.shape
    for a, b in ((slice(rows, None), slice(None, height - rows)), (slice(rows), slice(height - rows, None))):
        total += float(np.vdot(truth[a, cols:], result[b, : width - cols]))
        if cols:
            total += float(np.vdot(truth[a, :cols], result[b, width - cols :]))
    return total


def aligned(result: Tensor, truth: TruthSide, crop: int = CROP) -> Aligned:
    """Figures of one frame ``(C, H, W)`` after alignment.

    Source: Koehler et al., "Recording and Playback of Camera Shake: Benchmarking Blind Deconvolution with a
    Real-World Database" (ECCV 2012), as the evaluation of PVDNet (Son et al., TOG 2021) has it.
    """
    z = _cropped(result, crop)
    found = align(z, truth)
    # Luma, brightness and shift change places: one plane is moved in place of three.
    moved, reference = _overlaid(_luma(z, found.scale), truth.luma, found)
    difference = reference - moved
    mse = float(np.vdot(difference, difference)) / difference.size
    figure = math.inf if mse == 0 else 10 * math.log10(255.0**2 / mse)
    return Aligned(figure, ssim_of_planes(moved, reference), found)


def _overlaid(
    result: NDArray[np.float64], truth: NDArray[np.float64], found: Alignment
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The moved result, and the ground truth where the result covers it; 0 in both elsewhere."""
    if found.rows == found.cols == 0:
        return result, truth
    height, width = result.shape
    to = tuple(slice(max(d, 0), n + min(d, 0)) for d, n in ((found.rows, height), (found.cols, width)))
    of = tuple(slice(max(-d, 0), n + min(-d, 0)) for d, n in ((found.rows, height), (found.cols, width)))
    moved, covered = np.zeros_like(result), np.zeros_like(truth)
    moved[to] = result[of]
    covered[to] = truth[to]
    return moved, covered


def measure(view: View, crop: int) -> list[Aligned]:
    """All frames of a chunk; computed once for the metrics that share it."""
    truth = view.reference()
    sides = truth.once(("aligned", crop), lambda: [prepare(frame, crop) for frame in truth.frames])
    frames = view.restored.frames
    return view.restored.once(
        ("aligned", crop), lambda: [aligned(z, x, crop) for z, x in zip(frames, sides, strict=True)]
    )


def _figures(which: str, crop: int, view: View) -> Figures:
    found = measure(view, crop)
    columns = {
        "scale": [f.alignment.scale for f in found],
        "shift_rows": [float(f.alignment.rows) for f in found],
        "shift_cols": [float(f.alignment.cols) for f in found],
    }
    if which == "shift":
        return Figures([math.hypot(f.alignment.rows, f.alignment.cols) for f in found], columns)
    return Figures([float(getattr(f, which)) for f in found], columns)


_WORDS = {
    "psnr": ("dB", "higher", "PSNR", "0 to infinity"),
    "ssim": ("", "higher", "SSIM", "-1 to 1"),
    "shift": ("pixels", "lower", "length of the shift found", "0 to half the diagonal"),
}


def make(which: str, crop: int = CROP) -> Metric:
    """Aligned PSNR or SSIM, or the length of the shift that was found.

    Args:
        which: "psnr", "ssim" or "shift".
        crop: pixels cropped first; 16 in PVDNet's evaluation, 0 in Koehler's own.
    """
    unit, direction, words, values = _WORDS[which]

    def check(info: ClipInfo) -> None:
        side = 2 * crop + SMALLEST
        if min(info.height, info.width) < side:
            raise InputError(
                f"Aligned PSNR and SSIM need frames of at least {side} x {side} pixels (a border of {crop} at each "
                f"side, and SSIM's window), and these are {info.width} x {info.height}."
            )

    return Metric(
        name=f"{which}_aligned" if which != "shift" else "alignment_shift",
        version=1,
        unit=unit,
        direction="higher" if direction == "higher" else "lower",
        convention=f"{words} after {crop} pixels cropped at each side, one factor for brightness, and the whole-pixel "
        "shift of the largest circular correlation; luma 0.299 R + 0.587 G + 0.114 B; what the shift uncovers is 0 in "
        "both and counts",
        source="Koehler et al., ECCV 2012; equals the MATLAB evaluation of PVDNet (Son et al., TOG 2021)",
        options={"crop_border": crop, "registration": "koehler"},
        measure=partial(_figures, which, crop),
        check=check,
        values=values,
        columns={
            "scale": "what the frame was multiplied by",
            "shift_rows": "by how many pixels it was moved down",
            "shift_cols": "by how many to the right",
        },
    )


PSNR = make("psnr")
SSIM = make("ssim")
SHIFT = make("shift")
