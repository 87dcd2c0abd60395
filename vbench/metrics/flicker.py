"""Flicker: how restless the brightness is. There is no single standard; each figure here says what it is."""

from __future__ import annotations

import itertools
import math
from functools import partial
from typing import TYPE_CHECKING

from vbench.metrics.planes import luma
from vbench.metrics.spec import Figures, Metric, View, mean, on_255

if TYPE_CHECKING:
    from torch import Tensor


def mean_luma(frames: Tensor) -> list[float]:
    """Mean of 0.299 R + 0.587 G + 0.114 B of each frame ``(T, C, H, W)``, on 0..255."""
    # The luma of the channels' means is the mean of the lumas.
    means = on_255(frames).mean(dim=(2, 3), keepdim=True) / 255.0
    out: list[float] = luma(means).flatten().tolist()
    return out


def _lumas(view: View) -> list[float]:
    chunk = view.restored
    return chunk.once("mean luma", lambda: mean_luma(chunk.frames))


def second_difference(view: View) -> list[float]:
    """``m[t+1] - 2 m[t] + m[t-1]`` of the frames' mean lumas: slow fades do not count."""
    m = _lumas(view)
    return [m[t + 1] - 2 * m[t] + m[t - 1] for t in range(1, len(m) - 1)]


def first_difference(view: View) -> list[float]:
    """``|m[t] - m[t-1]|`` of the frames' mean lumas."""
    m = _lumas(view)
    return [abs(b - a) for a, b in itertools.pairwise(m)]


def neighbour_difference(view: View) -> list[float]:
    """Mean absolute difference of neighbouring frames over all samples, on 0..255: motion counts as flicker."""
    x = on_255(view.restored.frames)
    out: list[float] = (x[1:] - x[:-1]).abs_().mean(dim=(1, 2, 3)).tolist()
    return out


def root_mean_square(figures: Figures) -> float:
    """Square root of the mean square.

    Example:
        >>> root_mean_square(Figures([3.0, -4.0]))
        3.5355...
    """
    return math.sqrt(mean(Figures([x * x for x in figures.values])))


def deviation(figures: Figures) -> float:
    """Standard deviation over frames (of the population)."""
    centre = mean(figures)
    return math.sqrt(mean(Figures([(x - centre) ** 2 for x in figures.values])))


def vbench_score(figures: Figures) -> float:
    """``(255 - mean) / 255`` of neighbour differences: "temporal flickering" of the generation benchmark."""
    return (255.0 - mean(figures)) / 255.0


_FORMS = {
    "second": (second_difference, root_mean_square, 2, "root mean square of the second difference in time"),
    "first": (first_difference, mean, 1, "mean absolute difference between neighbours"),
    "deviation": (_lumas, deviation, 0, "standard deviation over the clip"),
}


def make(form: str = "second") -> Metric:
    """Flicker of the frames' mean luma.

    Args:
        form: "second", "first", "deviation", or "generation" (VBench's score for generated video).
    """
    if form == "generation":
        return Metric(
            name="flicker",
            version=1,
            unit="",
            direction="higher",
            convention="(255 - mean absolute difference of neighbouring frames) / 255; motion counts as flicker",
            source='"temporal flickering" of VBench, the benchmark of generated video (Huang et al., CVPR 2024)',
            options={"form": form},
            measure=neighbour_difference,
            combine=vbench_score,
            overlap=1,
            needs=frozenset(),
            values="0 to 1",
        )
    function, combine, overlap, words = _FORMS[form]
    return Metric(
        name="flicker",
        version=1,
        unit="levels",
        direction="lower",
        convention=f"{words} of the frames' mean luma (0.299 R + 0.587 G + 0.114 B, 0 to 255)",
        source="defined here; the field has no standard",
        options={"form": form},
        measure=partial(_run, function),
        combine=combine,
        overlap=overlap,
        needs=frozenset(),
        values="0 to 255",
    )


def _run(function: object, view: View) -> list[float]:
    assert callable(function)  # noqa: S101 - one of those above
    figures: list[float] = function(view)
    return figures


METRIC = make()
