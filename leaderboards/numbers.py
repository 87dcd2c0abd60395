"""How figures are printed: digits by metric, signs, units, arrows."""

from __future__ import annotations

import math

from leaderboards.schema import MetricFacts

DECIMALS = {
    "psnr": 2, "psnr_aligned": 2, "psnr_damaged": 2, "psnr_intact": 2, "vmaf": 2, "vmaf_neg": 2, "brisque": 2, "niqe": 3,
    "niqe_gt": 3, "warp_error": 6, "warp_error_long": 6, "warp_error_ratio": 3, "l_st": 0, "flicker": 3, "tof": 3,
    "tlp": 3, "alignment_shift": 2, "damage_left": 3, "colour_shift": 2, "gain_shift": 2,
}  # fmt: skip
"""Digits after the point; 4 for others."""
ARROWS = {"higher": "↑", "lower": "↓"}


def number(value: float | None, metric: str) -> str:
    """A figure as its metric is usually printed, with a true minus, and none before a zero.

    Example:
        >>> number(31.4159, "psnr"), number(math.inf, "psnr"), number(0.00123, "warp_error"), number(None, "ssim")
        ('31.42', '∞', '0.001230', '–')
        >>> number(-0.25, "ssim"), number(-7.8e-8, "dists")
        ('−0.2500', '0.0000')
    """
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    text = f"{abs(value):.{DECIMALS.get(metric.split('[', maxsplit=1)[0], 4)}f}"
    # What rounding left below 0 (DISTS of equal frames is -8e-8) is 0.
    return f"−{text}" if value < 0 and any(c in "123456789" for c in text) else text


def signed(value: float | None, metric: str) -> str:
    """A difference with its sign, a true minus.

    Example:
        >>> signed(-1.234, "psnr"), signed(0.5, "psnr"), signed(0.0, "psnr")
        ('−1.23', '+0.50', '0.00')
    """
    if value is None or math.isnan(value):
        return "–"
    text = number(abs(value), metric)
    if not any(c in "123456789∞" for c in text):
        return text
    return ("+" if value > 0 else "−") + text


def heading(metric: MetricFacts) -> str:
    """Name, unit and direction: "psnr [dB] ↑"."""
    unit = f" [{metric.unit}]" if metric.unit else ""
    return f"{metric.name}{unit} {ARROWS[metric.direction]}"


def signature(metric: MetricFacts) -> str:
    """Name, version and options in one line: what a paper should quote beside the figures.

    Example:
        >>> signature(MetricFacts(name="psnr[y]", version=2, unit="dB", direction="higher", options={"crop": 4}, convention="c"))
        'psnr@2|crop=4'
    """
    base = metric.name.split("[", maxsplit=1)[0]
    return "|".join([f"{base}@{metric.version}", *(f"{k}={v}" for k, v in metric.options.items())])


def three_digits(value: float) -> str:
    """A cost with three digits that count, never in powers of ten.

    Example:
        >>> [three_digits(v) for v in (0.0012345, 1.2345, 12345.6, 0.0)]
        ['0.00123', '1.23', '12346', '0']
    """
    if value == 0 or not math.isfinite(value):
        return "0" if value == 0 else number(value, "")
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:.{digits}f}"


_TURNING = {code: f"\\u{code:04x}" for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))}


def upright(text: str) -> str:
    r"""Text with the signs that turn the direction of writing round shown by their numbers: a name may leave one open.

    Example:
        >>> upright("a" + chr(0x202E) + "b")
        'a\\u202eb'
    """
    return text.translate(_TURNING)
