"""Decoded pictures to RGB: by which matrix and range, said in words, and computed exactly.

swscale with the flags below is within 0.52 of a level of the textbook's real numbers for 8-bit YUV (without
them up to 2.7 levels off), and takes chroma from where the stream says that it sits. For more than 8 bits it
loses up to a whole 8-bit level on the way to 16 bits, so there it only enlarges the chroma, and the matrix is
applied here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from av.video.reformatter import ColorRange, Interpolation
from numpy.typing import NDArray

from vbench.errors import InputError

MATRICES = {
    1: ("BT.709", 0.2126, 0.0722),
    4: ("FCC", 0.30, 0.11),
    5: ("BT.601", 0.299, 0.114),
    6: ("BT.601", 0.299, 0.114),
    7: ("SMPTE 240M", 0.212, 0.087),
    9: ("BT.2020", 0.2627, 0.0593),
}
"""Matrix coefficients of ITU-T H.273, table 4: code to name, Kr, Kb."""

_UNSPECIFIED = 2
_BT601 = 5
_FULL = 2
_TRANSFERS = {16: "PQ", 18: "HLG"}
_FLAGS = (
    Interpolation.BICUBIC
    | Interpolation.FULL_CHR_H_INT
    | Interpolation.FULL_CHR_H_INP
    | Interpolation.ACCURATE_RND
    | Interpolation.BITEXACT
)
ONE = 1
"""Threads of a conversion. Those that swscale would start are kept with the frame, and a process that is forked while they
are (a training loop's worker) waits for ever for them when it clears the frame away."""


@dataclass(frozen=True)
class Reading:
    """How the pictures of a stream are to be read; equal for all of them, or the stream changes half-way."""

    format: str
    kind: Literal["gray", "rgb", "yuv"]
    bits: int
    matrix: int
    full: bool
    rotation: int
    """Quarter turns, counted counter-clockwise."""


def reading(frame: Any) -> Reading:
    """How a decoded picture (``av.VideoFrame``) is to be read, from its format and tags.

    An untagged matrix is BT.601 and an untagged range is limited (gray and ``yuvj`` formats: full), which is
    what FFmpeg's scaler takes.

    Raises:
        InputError: a pixel format, matrix or orientation that is not supported; the text names it.
    """
    form = frame.format
    name = form.name
    parts = [c.bits for c in form.components]
    bits = max(parts, default=0)
    if form.is_bayer or name.startswith("xyz") or "f16" in name or "f32" in name or not 1 <= bits <= 16:
        raise InputError(
            f"Its pixel format {name} is not supported. Convert it to RGB or YUV of at most 16 bits first."
        )
    kind: Literal["gray", "rgb", "yuv"] = "yuv"
    if name.startswith(("gray", "ya", "mono")):
        kind = "gray"
    elif form.is_rgb or form.has_palette:
        kind = "rgb"
    matrix = int(frame.colorspace)
    if matrix == _UNSPECIFIED or kind != "yuv":
        matrix = _BT601
    elif matrix not in MATRICES:
        raise InputError(
            f"Its matrix coefficients (code {matrix} of ITU-T H.273) are not supported; supported: "
            f"{', '.join(sorted({m[0] for m in MATRICES.values()}))}. Convert it to one of these first."
        )
    untagged = int(frame.color_range) == 0
    full = int(frame.color_range) == _FULL or (untagged and (kind == "gray" or name.startswith("yuvj")))
    return Reading(name, kind, bits, matrix, full or kind == "rgb", _quarter_turns(frame))


def _quarter_turns(frame: Any) -> int:
    table = next((item for item in frame.side_data if item.type.name == "DISPLAYMATRIX"), None)
    if table is not None:
        a, b, _, c, d = np.frombuffer(table, np.int32)[:5].astype(float)
        if a * d - b * c < 0:
            raise InputError("Its display matrix mirrors the picture, which is not supported. Store it unmirrored.")
    angle = float(frame.rotation or 0)
    if angle % 90:
        raise InputError(f"It is tagged to be turned by {angle:g} degrees; only quarter turns are supported.")
    return round(angle / 90) % 4


def describe(frame: Any) -> str:
    """How stored values become RGB, in words: ``"yuv420p10le, BT.709 limited range (tagged)"``."""
    how = reading(frame)
    words = [how.format]
    if how.kind == "rgb":
        words.append("RGB as stored")
    else:
        span = "full range" if how.full else "limited range"
        ranged = int(frame.color_range) != 0
        if how.kind == "gray":
            words.append(f"{span} ({'tagged' if ranged else 'untagged: full assumed, as FFmpeg does'})")
        else:
            words.append(_matrix_words(how, int(frame.colorspace) != _UNSPECIFIED, ranged))
    names = frame.format.name
    if names.startswith(("yuva", "ya", "gbrap", "rgba", "bgra", "argb", "abgr")):
        words.append("alpha dropped")
    if transfer := _TRANSFERS.get(int(frame.color_trc or 0)):
        words.append(f"{transfer} values as stored")
    if frame.interlaced_frame:
        words.append("interlaced, fields left woven")
    if how.rotation:
        words.append(f"turned by {how.rotation * 90 if how.rotation < 3 else -90} degrees as tagged")
    return ", ".join(words)


def _matrix_words(how: Reading, matrix_tagged: bool, range_tagged: bool) -> str:
    name = MATRICES[how.matrix][0]
    extent = "full" if how.full else "limited"
    span = f"{extent} range"
    if matrix_tagged and range_tagged:
        return f"{name} {span} (tagged)"
    if not matrix_tagged and not range_tagged:
        return f"{name} {span} (untagged: {name} assumed and {extent}, as FFmpeg does)"
    if matrix_tagged:
        return f"{name} (tagged) {span} (untagged: {extent} assumed, as FFmpeg does)"
    return f"{name} (untagged: {name} assumed, as FFmpeg does) {span} (tagged)"


def to_rgb(frame: Any, how: Reading) -> NDArray[Any]:
    """A decoded picture as ``(H, W, C)`` RGB or gray, upright.

    uint8 for at most 8 bits, else uint16 over the full range 0..65535, rounded half up, clipped.
    """
    if how.kind == "gray":
        image = _gray(frame, how)
    elif how.bits <= 8:
        image = _rgb8(frame, how)
    else:
        image = _rgb_deep(frame, how) if how.kind == "rgb" else _yuv_deep(frame, how)
    return np.ascontiguousarray(np.rot90(image, how.rotation)) if how.rotation else image


def _rgb8(frame: Any, how: Reading) -> NDArray[Any]:
    if how.kind == "rgb":
        return np.asarray(frame.reformat(format="rgb24", interpolation=_FLAGS, threads=ONE).to_ndarray())
    space = _BT601 if how.matrix == 6 else how.matrix
    out = frame.reformat(
        format="rgb24",
        src_colorspace=space,
        dst_colorspace=space,
        src_color_range=ColorRange.JPEG if how.full else ColorRange.MPEG,
        dst_color_range=ColorRange.JPEG,
        interpolation=_FLAGS,
        threads=ONE,
    )
    return np.asarray(out.to_ndarray())


def _gray(frame: Any, how: Reading) -> NDArray[Any]:
    deep = how.bits > 8
    bits = how.bits if deep else 8
    wanted = f"gray{bits}le" if deep else "gray"
    whole = frame if frame.format.name == wanted else frame.reformat(format=wanted, threads=ONE)
    values = _plane(whole.planes[0], deep)
    if not deep and how.full:
        return values[..., None].copy()
    scale = 2 ** (bits - 8)
    luma = values / (2**bits - 1) if how.full else (values - 16.0 * scale) / (219 * scale)
    return _quantise(luma, deep)[..., None]


def _rgb_deep(frame: Any, how: Reading) -> NDArray[Any]:
    wanted = f"gbrp{how.bits}le"
    whole = frame if frame.format.name == wanted else frame.reformat(format=wanted, interpolation=_FLAGS, threads=ONE)
    green, blue, red = (_plane(p, True) for p in whole.planes)
    return _quantise(np.stack([red, green, blue], axis=-1) / (2.0**how.bits - 1), deep=True)


def _yuv_deep(frame: Any, how: Reading) -> NDArray[Any]:
    """Chroma enlarged by swscale, to 16 bits (for luma a mere shift): its 10-bit output is biased."""
    _, kr, kb = MATRICES[how.matrix]
    shift = 16 - how.bits
    if how.format.startswith(("yuv444p", "yuva444p")) and how.format.endswith("le"):
        # As it is: swscale would repeat the top bits of full-range values in the lowest instead of shifting.
        planes = [_plane(p, True) << shift for p in frame.planes[:3]]
    else:
        planes = [
            _plane(p, True) for p in frame.reformat(format="yuv444p16le", interpolation=_FLAGS, threads=ONE).planes
        ]
    luma, cb, cr = (p.astype(np.float32) for p in planes)
    peak = float((2**how.bits - 1) << shift)
    span = peak if how.full else 224.0 * 256
    luma -= 0 if how.full else 16 * 256
    luma /= peak if how.full else 219 * 256
    for chroma in (cb, cr):
        chroma -= 128 * 256
        chroma /= span
    out = np.empty((*luma.shape, 3), np.float32)
    out[..., 0] = luma + 2 * (1 - kr) * cr
    out[..., 2] = luma + 2 * (1 - kb) * cb
    out[..., 1] = luma - 2 * kr * (1 - kr) / (1 - kr - kb) * cr - 2 * kb * (1 - kb) / (1 - kr - kb) * cb
    return _quantise(out, deep=True)


def _plane(plane: Any, deep: bool) -> NDArray[Any]:
    dtype = "<u2" if deep else "u1"
    return np.frombuffer(plane, dtype).reshape(plane.height, -1)[:, : plane.width]


def _quantise(values: NDArray[Any], deep: bool) -> NDArray[Any]:
    """Values 0..1 to whole numbers, clipped, rounded half up."""
    peak, dtype = (65535, np.uint16) if deep else (255, np.uint8)
    scaled = values * peak
    scaled += 0.5
    np.clip(scaled, 0, peak, out=scaled)
    return scaled.astype(dtype)  # cuts what is behind the point, which is floor for what is not negative
