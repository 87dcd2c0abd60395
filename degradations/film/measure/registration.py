"""Where the picture lies in each frame: shifts by phase correlation, rotation from two halves."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import fft
from skimage.registration import phase_cross_correlation

from degradations.film.measure.luma import Float

UPSAMPLING = 20


class Registrar:
    """Shifts between pictures of one size: mean removed, Hann window, phase-normalised correlation to 1/20 pixel."""

    def __init__(self, shape: tuple[int, int]) -> None:
        rows, columns = (np.hanning(n + 2)[1:-1].astype(np.float32) for n in shape)
        self._window = rows[:, None] * columns[None]

    def spectrum(self, picture: NDArray[Any]) -> NDArray[np.complex64]:
        """The windowed picture's spectrum, to be compared with others."""
        plain = picture.astype(np.float32)
        return np.asarray(fft.fft2((plain - plain.mean()) * self._window), dtype=np.complex64)

    def shift(self, reference: NDArray[np.complex64], moved: NDArray[np.complex64]) -> tuple[float, float]:
        """By how much the second picture lies below and right of the first: (dy, dx) in pixels; 0 of empty ones."""
        if not (reference.any() and moved.any()):
            return 0.0, 0.0
        found = phase_cross_correlation(reference, moved, upsample_factor=UPSAMPLING, space="fourier")[0]
        return float(-found[0]), float(-found[1])


class Halves:
    """Rotation of a picture from the shifts of its left and right half."""

    def __init__(self, shape: tuple[int, int]) -> None:
        self.half = shape[1] // 2
        self._registrar = Registrar((shape[0], self.half))

    def spectra(self, picture: NDArray[Any]) -> tuple[NDArray[np.complex64], NDArray[np.complex64]]:
        """Of the left and the right half."""
        return self._registrar.spectrum(picture[:, : self.half]), self._registrar.spectrum(picture[:, -self.half :])

    def turn(
        self,
        reference: tuple[NDArray[np.complex64], NDArray[np.complex64]],
        moved: tuple[NDArray[np.complex64], NDArray[np.complex64]],
    ) -> float:
        """Degrees by which the second picture is turned counter-clockwise, as seen, against the first."""
        left, right = (self._registrar.shift(a, b)[0] for a, b in zip(reference, moved, strict=True))
        return float(np.degrees(np.arctan((left - right) / self.half)))


def shifted(picture: NDArray[Any], dy: float, dx: float, turn: float = 0.0) -> Float:
    """The picture moved down by ``dy``, right by ``dx``, turned counter-clockwise by ``turn`` degrees about its centre."""
    height, width = picture.shape
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), turn, 1.0)
    matrix[:, 2] += np.array([dx, dy])
    return np.asarray(
        cv2.warpAffine(
            np.asarray(picture, dtype=np.float32),
            matrix,
            (width, height),
            flags=cv2.INTER_CUBIC,
            borderMode=cv2.BORDER_REPLICATE,
        )
    )
