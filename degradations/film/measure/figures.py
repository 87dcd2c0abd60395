"""The figures of a clip as data: what was measured, what each figure means, JSON."""

from __future__ import annotations

import math
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict


def _finite(value: Any) -> Any:
    return None if isinstance(value, float | np.floating) and not math.isfinite(value) else value


Figure = Annotated[float | None, BeforeValidator(_finite)]
"""A number, or None where there was too little to measure it on."""


class _Figures(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Tone(_Figures):
    """Percentiles of luma in the region, levels; median over frames."""

    p1: Figure = None
    p5: Figure = None
    p50: Figure = None
    p95: Figure = None
    p99: Figure = None


class Flicker(_Figures):
    """Log gain between neighbouring frames: the median over flat pixels above level 15, smoothed by sigma 3."""

    step_std: Figure = None
    step_robust_std: Figure = None
    largest_step: Figure = None
    step_autocorrelation: Figure = None
    """At one frame; white noise of the level gives -0.5, a random walk 0."""
    gain_std: Figure = None
    """Of the summed steps minus their slow part (Savitzky-Golay, 9 frames, order 2)."""
    gain_range: Figure = None
    """Of the summed steps."""
    local_robust_std: Figure = None
    """Of the steps of 4 x 4 blocks minus that of the frame."""


class Weave(_Figures):
    """Where the picture lies, pixels, x across and y down. Steps hold the motion of the camera, unless the truth is
    known; positions are known against the truth, or of a camera that stands still."""

    step_std_x: Figure = None
    step_std_y: Figure = None
    fast_std_x: Figure = None
    """Of the position minus its slow part (Savitzky-Golay, 9 frames, order 2)."""
    fast_std_y: Figure = None
    position_std_x: Figure = None
    position_std_y: Figure = None
    autocorrelation_x: Figure = None
    autocorrelation_y: Figure = None
    rotation_robust_std: Figure = None
    """Degrees."""


class GrainFigures(_Figures):
    """What changes between frames where the scene is flat, over the root of 2, without its slow part (sigma 8)."""

    std: Figure = None
    std_by_level: dict[str, Figure] = {}
    """By luma, in bins of 32 levels ("64-95")."""
    shadow_ratio: Figure = None
    """At levels 0 to 31 over the mean of those from 64 to 159."""
    kurtosis: Figure = None
    correlation_x: dict[str, Figure] = {}
    """At 1, 2, 3 pixels across."""
    correlation_y: dict[str, Figure] = {}


class DirtFigures(_Figures):
    """Specks that are in one frame and neither neighbour. Where nothing else is said: strong ones, whose peak differs
    by at least 20 levels from both. Area: pixels at or above half the peak."""

    limit: Figure = None
    """Levels below which nothing is told from grain: the larger of 8 and 4 standard deviations of it."""
    frames: int = 0
    """In which specks were looked for."""
    found: int = 0
    """Strong specks in all of them."""
    per_frame_p10: Figure = None
    per_frame_p50: Figure = None
    per_frame_p90: Figure = None
    per_megapixel: Figure = None
    per_megapixel_p10: Figure = None
    per_megapixel_p50: Figure = None
    per_megapixel_p90: Figure = None
    all_per_megapixel: Figure = None
    """Strong and weak."""
    variance_over_mean: Figure = None
    area_share: Figure = None
    dark_share: Figure = None
    area_p50_dark: Figure = None
    area_p90_dark: Figure = None
    area_p50_bright: Figure = None
    area_p90_bright: Figure = None
    log_area_mean_dark: Figure = None
    log_area_std_dark: Figure = None
    log_area_mean_bright: Figure = None
    log_area_std_bright: Figure = None
    contrast_p50_dark: Figure = None
    contrast_p90_dark: Figure = None
    contrast_p50_bright: Figure = None
    contrast_p90_bright: Figure = None
    relative_p50_dark: Figure = None
    """Contrast over the level around."""
    relative_p90_dark: Figure = None
    aspect_p50_dark: Figure = None
    aspect_p90_dark: Figure = None
    elongated_share: Figure = None
    """With an aspect of 4 and more, of those of 8 pixels and more."""
    repetition: Figure = None
    """Share that has another of its polarity, strong or weak, upon it two frames later."""
    repetition_by_chance: Figure = None
    """The same five and nine frames later."""


class ScratchFigures(_Figures):
    """Lines followed for at least 8 frames, in bands of about 96 rows, after a high-pass (minus 15 columns)."""

    lasting: int | None = None
    """Scratches in the clip."""
    alive: Figure = None
    """Of them, mean number in a frame."""
    life: Figure = None
    """Frames, median; none is longer than the clip."""
    depth: Figure = None
    width: Figure = None
    step_robust_std: Figure = None
    whole_share: Figure = None
    """Of pieces of 10 rows along them, deeper than half the median."""
    dark_share: Figure = None
    streaks: Figure = None
    """Lines of one frame only, at least 3.5 levels deep over 24 rows; mean number per frame and 150 x 24 pixels."""


class FilmStatistics(_Figures):
    """What was measured on one clip, and how; JSON by ``model_dump_json()``."""

    method: str
    """"blind", or "against the truth"."""
    frames: int
    height: int
    width: int
    region: str
    tone: Tone = Tone()
    flicker: Flicker = Flicker()
    weave: Weave = Weave()
    grain: GrainFigures = GrainFigures()
    spectrum: dict[str, Figure] = {}
    """Of the frames, dB over 1/64..1/32 cycles per pixel."""
    dirt: DirtFigures = DirtFigures()
    scratches: ScratchFigures = ScratchFigures()
    notes: tuple[str, ...] = ()
    """What a reader of the figures should know."""

    def flat(self) -> dict[str, float | None]:
        """All figures by dotted name ("grain.correlation_x.1"), as :data:`REAL` names them."""
        out: dict[str, float | None] = {}

        def walk(prefix: str, value: Any) -> None:
            if isinstance(value, dict):
                for key, inner in value.items():
                    walk(f"{prefix}.{key}" if prefix else key, inner)
            else:
                out[prefix] = value

        walk("", self.model_dump(exclude={"method", "frames", "height", "width", "region", "notes"}))
        return out
