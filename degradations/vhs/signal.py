"""Lines of a television system as signals in time: frequencies in megahertz, filters, noise that went through them.

A line of ``width`` pixels is the active part of a scan line, so a pixel lasts ``active_us / width`` microseconds and a
cut-off in megahertz is a number of cycles per picture width, whatever the size of the picture. Rows 0, 2, 4, ... are
the lines of one field and rows 1, 3, 5, ... those of the other.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import fft

Plane = NDArray[np.float32]
Spectrum = NDArray[np.complex64]
Mix = NDArray[np.float64]
SystemName = Literal["ntsc", "pal"]


@dataclass(frozen=True)
class System:
    """A television system.

    Attributes:
        active_us: length of the part of a line that is seen, in microseconds.
        lines: lines of a frame that are seen.
        comb: lines of the same field, counted back from this one, of which the colour is a mean.
    """

    active_us: float
    lines: int
    comb: tuple[int, ...]


SYSTEMS: dict[str, System] = {
    "ntsc": System(active_us=52.6, lines=480, comb=(0, 1)),
    "pal": System(active_us=51.95, lines=576, comb=(0, 1, 2, 3)),
}
"""The two systems; their lines are what the blanking of ITU-R BT.470 leaves.

VHS takes the crosstalk of the neighbouring track off the colour by a comb filter with a delay of one line in NTSC and
of two in PAL, whose decoder averages two lines once more.
"""

LUMA_ORDER, CHROMA_ORDER = 5, 2
"""Orders of the two low passes (Butterworth): ours; a recorder cuts luma steeply and lets colour fall off softly."""

PEAKING_MHZ = 2.0
"""Where the aperture correction (the sharpness control) lifts most: ours."""

PAD_US = 6.0
"""The border of the picture goes on for this long beyond it, so that filters and shifts have something to take."""

YUV = np.array([[0.299, 0.587, 0.114], [-0.147, -0.289, 0.436], [0.615, -0.515, -0.100]])
"""RGB to luma and the two colour differences, of stored (gamma-corrected) values: ITU-R BT.601 and BT.470."""


def coloured(saturation: float = 1.0, hue_deg: float = 0.0, cast: tuple[float, float] = (0.0, 0.0)) -> Mix:
    """Luma, U and V to the same with colour weakened, then turned, then offset: ``(3, 4)``, the last column added.

    Example:
        >>> coloured(0.5, 90.0, (0.1, 0.0)).round(3).tolist()
        [[1.0, 0.0, 0.0, 0.0], [0.0, 0.0, -0.5, 0.1], [0.0, 0.5, 0.0, 0.0]]
    """
    c, s = (saturation * f(math.radians(hue_deg)) for f in (math.cos, math.sin))
    return np.array([[1, 0, 0, 0], [0, c, -s, cast[0]], [0, s, c, cast[1]]], dtype=np.float64)


def to_yuv(frame: Plane, colours: Mix | None = None) -> Plane:
    """``(3, H, W)`` RGB to luma and U, V, which are changed by ``colours`` (:func:`coloured`) where there is one; a
    gray frame ``(1, H, W)`` is its luma."""
    if len(frame) == 1:
        return frame
    mix = coloured() if colours is None else colours
    return mixed(frame, np.hstack([mix[:, :3] @ YUV, mix[:, 3:]]))


def to_rgb(planes: Plane) -> Plane:
    """The inverse of :func:`to_yuv`.

    Example:
        >>> colour = np.array([0.1, 0.5, 0.9], np.float32).reshape(3, 1, 1)
        >>> bool(np.abs(to_rgb(to_yuv(colour)) - colour).max() < 1e-6)
        True
    """
    return planes if len(planes) == 1 else mixed(planes, np.linalg.inv(YUV))


def mixed(planes: Plane, mix: Mix) -> Plane:
    """Three planes mixed anew by a matrix ``(3, 3)`` or ``(3, 4)``, whose last column is added."""
    out = np.empty_like(planes)
    for target, row in zip(out, mix.tolist(), strict=True):
        a, b, c, *offset = row
        cv2.addWeighted(planes[0], a, planes[1], b, sum(offset), dst=target)
        cv2.scaleAdd(planes[2], c, target, dst=target)
    return out


@dataclass(frozen=True)
class Lines:
    """How lines of ``width`` pixels of a system are taken apart into frequencies."""

    system: System
    width: int

    @property
    def us(self) -> float:
        """Microseconds of a pixel."""
        return self.system.active_us / self.width

    @property
    def pad(self) -> int:
        """Pixels by which the border goes on at either side."""
        return math.ceil(PAD_US / self.us)

    @property
    def size(self) -> int:
        """Samples of a line with its borders, as the transform takes them."""
        return int(fft.next_fast_len(self.width + 2 * self.pad, real=True))

    @property
    def mhz(self) -> NDArray[np.float64]:
        """Frequencies of the transform in megahertz."""
        return np.asarray(np.arange(self.size // 2 + 1) / (self.size * self.us))

    def analysed(self, plane: Plane) -> Spectrum:
        """Spectra of the rows of ``(H, W)``, the border repeated beyond them."""
        wide = np.empty((len(plane), self.size), np.float32)
        end = self.pad + self.width
        wide[:, : self.pad], wide[:, self.pad : end], wide[:, end:] = plane[:, :1], plane, plane[:, -1:]
        return np.asarray(fft.rfft(wide, axis=1, overwrite_x=True))

    def synthesised(self, spectrum: Spectrum) -> Plane:
        """Rows ``(H, W)`` of their spectra, of which frequencies beyond the last one given are 0."""
        wide: Plane = fft.irfft(spectrum, self.size, axis=1, overwrite_x=True)
        return wide[:, self.pad : self.pad + self.width]

    def turned(self, shifts_us: NDArray[np.float64], count: int) -> Spectrum:
        """What delays each row by its own time in microseconds, at the ``count`` lowest frequencies ``(H, count)``."""
        angles = np.outer((-2 * np.pi * shifts_us), self.mhz[:count]).astype(np.float32)
        out = np.empty(angles.shape, np.complex64)
        np.cos(angles, out=out.real)
        np.sin(angles, out=out.imag)
        return out


class Channel:
    """A path for lines: a response at ``lines.mhz``, and the standard deviation of the noise that comes out of it.

    Where the response is below 1 % nothing passes, and no noise where it is below a tenth of its most.
    """

    def __init__(self, lines: Lines, response: NDArray[np.complex128], noise: float) -> None:
        gain = np.abs(response)
        self.lines = lines
        self.passes: Spectrum = response[: int(np.flatnonzero(gain >= 0.01)[-1]) + 1].astype(np.complex64)
        loud = gain[: int(np.flatnonzero(gain >= 0.1 * gain.max())[-1]) + 1]
        # Frequency 0 is real and counts once, every other one twice; a drawn number has a mean square of 2.
        power = float((loud[1:] ** 2).sum() * 4 + loud[0] ** 2)
        self.loud: Plane = (loud * (noise * lines.size / math.sqrt(power))).astype(np.float32)

    def played(self, plane: Plane, turned: Spectrum, generator: np.random.Generator) -> Plane:
        """Rows ``(H, W)`` that went through: filtered, noisy, each delayed as ``lines.turned`` says."""
        kept: Spectrum = self.lines.analysed(plane)[:, : len(self.passes)]
        kept *= self.passes
        kept[:, : len(self.loud)] += self.noise(generator, len(plane))
        kept *= turned[:, : len(self.passes)]
        return self.lines.synthesised(kept)

    def noise(self, generator: np.random.Generator, rows: int) -> Spectrum:
        """Spectra of the noise of some rows: white before the channel, with the channel's own spectrum behind it."""
        drawn: Plane = generator.standard_normal((rows, len(self.loud), 2), dtype=np.float32)
        noise: Spectrum = drawn.view(np.complex64)[..., 0]
        noise *= self.loud
        return noise


def butterworth(mhz: NDArray[np.float64], cut: float, order: int) -> NDArray[np.complex128]:
    """Response of a Butterworth low pass, 0.71 (-3 dB) at ``cut`` megahertz, without its delay at low frequencies.

    An analogue filter rings behind an edge and not before it; that it also delays everything is made up for by a
    delay line in the other path, so only what differs from that delay is left here.

    Example:
        >>> np.abs(butterworth(np.array([0.0, 3.0, 6.0]), 3.0, 5)).round(3)
        array([1.   , 0.707, 0.031])
    """
    s = 1j * mhz / cut
    out = np.ones(len(mhz), np.complex128)
    for k in range(1, order + 1):
        out /= s - np.exp(1j * np.pi * (2 * k + order - 1) / (2 * order))
    delay = 1 / math.sin(math.pi / (2 * order))
    return np.asarray(out * np.exp(s * delay))


def peaking(mhz: NDArray[np.float64], decibel: float) -> NDArray[np.float64]:
    """Response of an aperture correction by two delayed copies: 1 at 0, its most at ``PEAKING_MHZ``.

    Example:
        >>> peaking(np.array([0.0, 2.0, 4.0]), 6.0206).round(3)
        array([1., 2., 1.])
    """
    lift = (10 ** (decibel / 20) - 1) / 2
    return np.asarray(1 + lift * (1 - np.cos(np.pi * mhz / PEAKING_MHZ)))


def luma_response(mhz: NDArray[np.float64], cut: float, decibel: float) -> NDArray[np.complex128]:
    """Response of the path of luma: the low pass of the tape and the sharpness control of the player."""
    return np.asarray(butterworth(mhz, cut, LUMA_ORDER) * peaking(mhz, decibel))


def chroma_response(mhz: NDArray[np.float64], cut: float, delay_us: float) -> NDArray[np.complex128]:
    """Response of the path of colour: its low pass, and how much later than luma it comes."""
    return np.asarray(butterworth(mhz, cut, CHROMA_ORDER) * np.exp(-2j * np.pi * mhz * delay_us))


def combed(plane: Plane, lags: tuple[int, ...], out: Plane) -> None:
    """The mean of lines of the same field, ``lags`` lines above each; above the first line there are more of it."""
    out[...] = 0
    for lag in lags:
        below = min(2 * lag, len(plane))
        out[below:] += plane[: len(plane) - below]
        for row in range(below):
            out[row] += plane[min(row % 2, len(plane) - 1)]
    out /= np.float32(len(lags))
