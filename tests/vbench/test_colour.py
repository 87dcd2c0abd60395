"""YUV to RGB against the textbook."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from vbench.colour import MATRICES, describe, reading, to_rgb
from vbench.errors import InputError


def picture(planes: list[Any], form: str, matrix: int, full: bool) -> Any:
    height, width = planes[0].shape
    frame = av.VideoFrame(width, height, form)
    for plane, values in zip(frame.planes, planes, strict=True):
        rows = np.zeros((plane.height, plane.line_size), np.uint8)
        data = np.ascontiguousarray(values).view(np.uint8).reshape(plane.height, -1)
        rows[:, : data.shape[1]] = data
        plane.update(rows.tobytes())
    frame.colorspace = matrix
    frame.color_range = 2 if full else 1
    return frame


def textbook(y: Any, u: Any, v: Any, bits: int, matrix: int, full: bool) -> Any:
    """ITU-R BT.601/709/2020: digital Y'CbCr to R'G'B' in 0..1, in float64."""
    _, kr, kb = MATRICES[matrix]
    y, u, v = (np.asarray(p, np.float64) for p in (y, u, v))
    unit = 2.0 ** (bits - 8)
    peak = 2.0**bits - 1
    luma = y / peak if full else (y - 16 * unit) / (219 * unit)
    cb, cr = ((p - 128 * unit) / (peak if full else 224 * unit) for p in (u, v))
    red, blue = luma + 2 * (1 - kr) * cr, luma + 2 * (1 - kb) * cb
    return np.clip(np.stack([red, (luma - kr * red - kb * blue) / (1 - kr - kb), blue], -1), 0, 1)


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("matrix", [1, 5, 6, 9])
@pytest.mark.parametrize("bits", [8, 10, 12])
def test_yuv_equals_the_textbook(bits: int, matrix: int, full: bool) -> None:
    rng = np.random.default_rng(bits)
    unit = 1 << (bits - 8)
    low, high = (0, 2**bits) if full else (16 * unit, 235 * unit + 1)
    dtype, end = ("u1", "") if bits == 8 else ("<u2", f"{bits}le")
    peak = 255 if bits == 8 else 65535
    y, u, v = (rng.integers(low, high, (34, 46)).astype(dtype) for _ in range(3))
    frame = picture([y, u, v], f"yuv444p{end}", matrix, full)
    error = np.abs(to_rgb(frame, reading(frame)) - peak * textbook(y, u, v, bits, matrix, full)).max()
    assert error < 0.52
    # Subsampled: chroma constant, luma a ramp.
    ramp = np.linspace(low, high - 1, 34 * 46).reshape(34, 46).astype(dtype)
    u, v = np.full((17, 23), 97 * unit + 1, dtype), np.full((17, 23), 171 * unit - 1, dtype)
    frame = picture([ramp, u, v], f"yuv420p{end}", matrix, full)
    want = peak * textbook(ramp, np.full_like(ramp, u[0, 0]), np.full_like(ramp, v[0, 0]), bits, matrix, full)
    assert np.abs(to_rgb(frame, reading(frame)) - want).max() < 0.52


def test_an_unknown_matrix_is_refused() -> None:
    planes = [np.zeros((4, 4), np.uint8)] * 3
    frame = picture(planes, "yuv444p", 8, full=False)  # YCgCo
    with pytest.raises(InputError, match=r"code 8 .*BT\.709"):
        reading(frame)
    assert "SMPTE 240M" in describe(picture(planes, "yuv444p", 7, full=False))


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="only Linux tells the threads of a process")
@pytest.mark.parametrize(("form", "bits"), [("yuv420p", 8), ("yuv420p10le", 10), ("gbrp", 8)])
def test_a_conversion_leaves_no_threads_behind(form: str, bits: int) -> None:
    """Kept with the frame, they would hold up a forked process that clears it away."""
    frame = av.VideoFrame(640, 480, form)
    for plane in frame.planes:
        plane.update(bytes(plane.buffer_size))
    frame.colorspace, frame.color_range = 1, 1
    before = len(list(Path("/proc/self/task").iterdir()))
    image = to_rgb(frame, reading(frame))
    assert image.shape == (480, 640, 3)
    assert len(list(Path("/proc/self/task").iterdir())) == before
