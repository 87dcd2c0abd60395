"""What three transfers of real old films measure, and how a clip's figures compare with them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

SOURCE = "three transfers of real old films, measured by the same methods"
"""Two test clips of 640x480 and one of 579x340 (8-bit frames decoded from compressed web video: grain and fine dirt are
weaker than on a scan, so that those figures are a floor); 24, 40 and 200 frames."""

ALONE = 0.3
"""Where a single film gave a figure, so much of it either way counts as inside: about twice the sampling error of a
standard deviation over some dozens of correlated frames."""


ROUNDED = 0.025
"""So far beyond an end of the range, as a share of it, a figure still counts as inside: the ends are rounded."""
SCENE, LENGTH, WEB, ONE = "of the scene too", "depends on the length of the clip", "after web compression", "one film"


class Statistic(NamedTuple):
    """A figure that is compared: its name in :meth:`FilmStatistics.flat`, words, and the ends of the real range."""

    name: str
    title: str
    unit: str
    low: float | None = None
    high: float | None = None
    note: str = ""


class Row(NamedTuple):
    """One figure beside the real films' range; ``inside`` is None where one of the two is not known."""

    name: str
    title: str
    unit: str
    low: float | None
    high: float | None
    value: float | None
    inside: bool | None
    note: str

    @property
    def times(self) -> float | None:
        """How many times the nearer end of the range the figure is; 1.0 inside; None where that means nothing."""
        if self.inside is None or self.value is None or self.low is None or self.high is None:
            return None
        if self.inside:
            return 1.0
        end = self.low if self.value < self.low else self.high
        return self.value / end if end * self.value > 0 else None


STATISTICS: tuple[Statistic, ...] = (
    Statistic("tone.p1", "percentile 1 of luma", "levels", 6, 26, SCENE),
    Statistic("tone.p5", "percentile 5", "levels", 9, 42, SCENE),
    Statistic("tone.p50", "median", "levels", 47, 126, SCENE),
    Statistic("tone.p95", "percentile 95", "levels", 136, 229, SCENE),
    Statistic("tone.p99", "percentile 99", "levels", 141, 235, SCENE),
    Statistic("flicker.step_std", "step of log gain, std", "", 0.016, 0.030),
    Statistic("flicker.step_robust_std", "step, robust std", "", 0.008, 0.027),
    Statistic("flicker.largest_step", "largest step", "", 0.057, 0.107, LENGTH),
    Statistic("flicker.step_autocorrelation", "step, autocorrelation", "", -0.06, 0.37),
    Statistic("flicker.gain_std", "gain, fast part, std", "", 0.008, 0.020),
    Statistic("flicker.gain_range", "gain, range", "", 0.13, 0.28, LENGTH),
    Statistic("flicker.local_robust_std", "step of blocks - frame", "", 0.006, 0.015, "two films"),
    Statistic("weave.position_std_x", "position across, std", "px", 0.29, 0.29, ONE),
    Statistic("weave.position_std_y", "position down, std", "px", 0.42, 0.42, ONE),
    Statistic("weave.autocorrelation_x", "autocorrelation across", "", 0.68, 0.68, f"{ONE}; short clips read low"),
    Statistic("weave.autocorrelation_y", "autocorrelation down", "", 0.66, 0.66, f"{ONE}; short clips read low"),
    Statistic("weave.step_std_x", "step across, std", "px", 0.23, 0.35, "two films"),
    Statistic("weave.step_std_y", "step down, std", "px", 0.34, 0.34, ONE),
    Statistic("weave.fast_std_x", "fast part across, std", "px", 0.12, 0.20, "two films"),
    Statistic("weave.fast_std_y", "fast part down, std", "px", 0.20, 0.20, ONE),
    Statistic("weave.rotation_robust_std", "rotation, robust std", "deg", 0.028, 0.028, ONE),
    Statistic("grain.std", "robust std", "levels", 0.8, 2.3, WEB),
    Statistic("grain.std_by_level.0-31", "at levels 0 to 31", "levels", 0.4, 0.5, WEB),
    Statistic("grain.std_by_level.32-63", "at 32 to 63", "levels", 0.8, 1.1, WEB),
    Statistic("grain.std_by_level.64-95", "at 64 to 95", "levels", 0.8, 2.3, WEB),
    Statistic("grain.std_by_level.96-127", "at 96 to 127", "levels", 0.8, 2.3, WEB),
    Statistic("grain.std_by_level.128-159", "at 128 to 159", "levels", 0.8, 2.4, WEB),
    Statistic("grain.shadow_ratio", "0 to 31 over 64 to 159", "", 0.21, 0.50, "two films"),
    Statistic("grain.kurtosis", "kurtosis", "", 3.7, 3.9),
    Statistic("grain.correlation_x.1", "correlation 1 px across", "", 0.67, 0.75),
    Statistic("grain.correlation_x.2", "2 px across", "", 0.43, 0.57),
    Statistic("grain.correlation_x.3", "3 px across", "", 0.26, 0.45),
    Statistic("grain.correlation_y.1", "1 px down", "", 0.65, 0.80),
    Statistic("grain.correlation_y.2", "2 px down", "", 0.39, 0.60),
    Statistic("grain.correlation_y.3", "3 px down", "", 0.21, 0.44),
    Statistic("spectrum.1/32-1/16", "1/32 to 1/16 cycles/px", "dB", -10, -8, SCENE),
    Statistic("spectrum.1/16-1/8", "1/16 to 1/8", "dB", -19, -18, SCENE),
    Statistic("spectrum.1/8-1/4", "1/8 to 1/4", "dB", -30, -28, SCENE),
    Statistic("spectrum.1/4-3/8", "1/4 to 3/8", "dB", -44, -39, SCENE),
    Statistic("spectrum.3/8-1/2", "3/8 to 1/2", "dB", -52, -45, SCENE),
    Statistic("dirt.per_megapixel", "strong specks, mean", "/Mpx", 10, 121),
    Statistic("dirt.per_megapixel_p10", "frames' percentile 10", "/Mpx", 0, 71),
    Statistic("dirt.per_megapixel_p50", "frames' median", "/Mpx", 3.5, 110),
    Statistic("dirt.per_megapixel_p90", "frames' percentile 90", "/Mpx", 25, 161),
    Statistic("dirt.all_per_megapixel", "with weak ones, mean", "/Mpx", 348, 484, "two films; uncertain by a third"),
    Statistic("dirt.variance_over_mean", "variance over mean", "", 4.6, 7.9, "of the counts"),
    Statistic("dirt.area_share", "share of the frame", "", 0.0001, 0.0013),
    Statistic("dirt.dark_share", "dark share", "", 0.37, 0.82),
    Statistic("dirt.log_area_mean_dark", "ln(area) dark, mean", "", 2.08, 2.21),
    Statistic("dirt.log_area_std_dark", "ln(area) dark, std", "", 0.75, 0.81),
    Statistic("dirt.log_area_mean_bright", "ln(area) bright, mean", "", 1.76, 2.08),
    Statistic("dirt.log_area_std_bright", "ln(area) bright, std", "", 0.65, 0.87),
    Statistic("dirt.contrast_p50_dark", "contrast dark, median", "levels", 25, 31),
    Statistic("dirt.contrast_p90_dark", "percentile 90", "levels", 38, 73),
    Statistic("dirt.contrast_p50_bright", "contrast bright, median", "levels", 25, 31),
    Statistic("dirt.contrast_p90_bright", "percentile 90", "levels", 37, 67),
    Statistic("dirt.relative_p50_dark", "over level dark, median", "", 0.22, 0.28),
    Statistic("dirt.relative_p90_dark", "percentile 90", "", 0.36, 0.62),
    Statistic("dirt.aspect_p50_dark", "aspect dark, median", "", 1.5, 1.9),
    Statistic("dirt.aspect_p90_dark", "percentile 90", "", 2.6, 4.5),
    Statistic(
        "dirt.elongated_share", "elongated share", "", 0.08, 0.15, "aspect of 4 and more, of those of 8 px and more"
    ),
    Statistic("dirt.repetition", "again 2 frames later", "", 0.021, 0.027),
    Statistic("dirt.repetition_by_chance", "the same by chance", "", 0.011, 0.025, "five and nine frames later"),
    Statistic("scratches.alive", "alive in a frame", "", note="not counted on the real films"),
    Statistic("scratches.life", "life, median", "frames", 8, 40, LENGTH),
    Statistic("scratches.depth", "depth, median", "levels", 2, 7),
    Statistic("scratches.width", "width, median", "px", 2.0, 3.2),
    Statistic("scratches.step_robust_std", "step, robust std", "px", 0.6, 1.0),
    Statistic("scratches.whole_share", "whole share of length", "", 0.72, 0.72, ONE),
    Statistic("scratches.streaks", "streaks per 150x24 px", "", 0.3, 0.9, "in one frame only; one film"),
)
"""What is compared, in order. The figures are those of the three transfers; that of streaks begins at what this
detector finds on the film that has them most (0.35), where the first one found 0.5 to 0.9."""

REAL: dict[str, tuple[float, float]] = {
    s.name: (s.low, s.high) for s in STATISTICS if s.low is not None and s.high is not None
}
"""Smallest and largest figure of the real films (see :data:`SOURCE`), by name."""


def compare_flat(figures: Mapping[str, float | None], unsure: Collection[str] = ()) -> list[Row]:
    """Figures, by name, beside the real films'; those that were not measured have no value.

    Args:
        unsure: figures that are shown and not judged.

    Example:
        >>> row = next(r for r in compare_flat({"flicker.step_std": 0.06}) if r.name == "flicker.step_std")
        >>> row.low, row.high, row.inside, row.times
        (0.016, 0.03, False, 2.0)
    """
    rows = []
    for s in STATISTICS:
        value = figures.get(s.name)
        inside = None
        if value is not None and s.low is not None and s.high is not None and s.name not in unsure:
            slack = ALONE if s.low == s.high else ROUNDED
            inside = s.low - slack * abs(s.low) <= value <= s.high + slack * abs(s.high)
        rows.append(Row(s.name, s.title, s.unit, s.low, s.high, value, inside, s.note))
    return rows
