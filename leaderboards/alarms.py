"""Alarms: what a reader should know before quoting a figure, each with its numbers, clips and reason.

"Surely" always means that the whole 95 % interval over clips says so (:mod:`leaderboards.stats`); with fewer than three clips
there is none, and all clips have to say so. Thresholds are the constants below; none of them changes a figure or a rank.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from leaderboards.board import BASELINE, Board, Entry, Row
from leaderboards.numbers import number, signed
from leaderboards.schema import Cell, MetricFacts
from leaderboards.stats import Interval, mean_interval

KINDS = {
    "below-identity": "The result is worse than the degraded clip itself.",
    "beyond-truth": "A metric that sees no ground truth rates the result above the ground truth: it rewards something else "
    "than fidelity.",
    "vmaf-enhancement": "VMAF rewards sharpening and contrast; VMAF-NEG does not. A wide gap between them is enhancement, not "
    "restoration.",
    "warp-below-truth": "The result changes less along the motion than the ground truth does: detail was smoothed away in time.",
    "colour-shift": "The mean colour is not that of the ground truth.",
    "gain-shift": "The contrast is not that of the ground truth.",
    "alignment-limit": "Aligned metrics moved the result further than a restoration moves anything: most likely the match is "
    "false, and the figure with it.",
    "fewer-clips": "The figure is missing on clips on which others have one.",
    "mixed-devices": "Rows were computed on different devices: times do not compare, and last digits may differ.",
    "mixed-precisions": "Rows were computed in different precisions: last digits may differ.",
    "mixed-versions": "Rows were measured with different versions of packages: figures that rest on optical flow or on VMAF may "
    "differ with them, others in their last digits.",
}
"""What each kind of alarm is about, in a sentence."""

VMAF_ENHANCEMENT = 6.0
"""Points of VMAF above VMAF-NEG, beyond what they are apart for identity: six points are taken as one just noticeable difference
(Ozer, "Finding the just noticeable difference with Netflix VMAF", 2017), so enhancement then makes up a visible part."""
WARP_BELOW = 0.8
"""Times the ground truth's own warping error. That error is aliasing, noise and errors of the flow, which any low pass lowers by
some per cent; a fifth is more than that."""
STILL = 1e-24
"""Mean square below which a warping error is what rounding left of a clip that stands still (as the metric itself has it)."""
COLOUR_SHIFT = 2.0
"""Levels of 255, of one channel's mean. Near gray, two levels are a CIE 1976 colour difference of about one, which is where
side by side a tint is just seen; rounding to 8 bits and to limited-range YUV stays below one level."""
GAIN_SHIFT = 2.0
"""Per cent of contrast: at the ends of the range, 127 levels from the middle, that is the two levels of :data:`COLOUR_SHIFT`."""
MEASURING = ("torch", "numpy", "scipy", "opencv-python-headless", "imageio-ffmpeg", "scikit-image")
"""Packages, as cells name them, that metrics are computed with."""
ALIGNMENT_SHIFT = 16
"""Pixels, where the metric does not say how many it crops: the border that PVDNet's evaluation crops before it aligns. A restored
clip is moved by less than the width of the blur; a peak further out is most often one of a repeating texture or of a ramp."""


@dataclass(frozen=True)
class Alarm:
    """Something that a reader of a board should know."""

    kind: str
    """One of :data:`KINDS`."""
    level: Literal["alarm", "note"]
    """"alarm": the clips say so surely; "note": on average only, or a fact that moves last digits at most."""
    dataset: str
    protocol: str
    model: str | None
    """None for the board as a whole."""
    metric: str | None
    clips: tuple[str, ...]
    """Those that show it, the worst first."""
    text: str
    """One sentence with the numbers."""


def alarms(boards: Iterable[Board]) -> list[Alarm]:
    """The alarms of all boards: by board, then by row, those that are sure first."""
    out = []
    for board in boards:
        found = [alarm for check in CHECKS for alarm in check(board)]
        order = {row.model.name: i for i, row in enumerate(board.rows)}
        found.sort(key=lambda alarm: (alarm.level != "alarm", order.get(alarm.model or "", -1)))
        out += found
    return out


def _alarm(
    board: Board, kind: str, sure: bool, row: Row | None, metric: str | None, clips: Iterable[str], text: str
) -> Alarm:
    model = None if row is None else row.model.name
    return Alarm(kind, "alarm" if sure else "note", board.dataset, board.protocol, model, metric, tuple(clips), text)


def _columns(board: Board) -> Iterator[tuple[Row, MetricFacts, Entry]]:
    for row in board.rows:
        for metric in board.metrics:
            yield row, metric, row.entries[metric.name]


def _cells(board: Board) -> dict[tuple[str, str], dict[str, Cell]]:
    """By model and metric: the cells by clip that have a figure."""
    out: dict[tuple[str, str], dict[str, Cell]] = {}
    for cell in board.cells:
        if cell.status == "ok" and cell.value is not None:
            out.setdefault((cell.model, cell.metric.name), {})[cell.clip] = cell
    return out


def _base(metric: str) -> str:
    return metric.split("[", maxsplit=1)[0]


def _some(clips: Iterable[str], most: int = 3) -> str:
    names = list(clips)
    return ", ".join(f'"{name}"' for name in names[:most]) + (
        f" and {len(names) - most} more" if len(names) > most else ""
    )


def _unit(metric: MetricFacts) -> str:
    return f" {metric.unit}" if metric.unit else ""


def _range(interval: Interval | None, metric: str, what: str) -> str:
    if interval is None or interval.low is None or interval.high is None:
        return ""
    return f" (95 % interval of the {what} {signed(interval.low, metric)} to {signed(interval.high, metric)})"


def _surely_below(values: Mapping[str, float], limit: float = 0.0) -> tuple[bool, Interval | None]:
    """Whether clips say surely that a mean is below ``limit``, and the interval of the mean."""
    figures = np.array(list(values.values()))
    if len(figures) < 3:
        return bool(len(figures)) and bool((figures < limit).all()), None
    interval = mean_interval(figures)
    return interval.high is not None and interval.high < limit, interval


def below_identity(board: Board) -> Iterator[Alarm]:
    """A figure worse than that of the degraded clips."""
    base = board.row(BASELINE)
    for row, metric, entry in _columns(board):
        if not entry.harm or entry.gain is None or base is None:
            continue
        name, unit = metric.name, _unit(metric)
        towards = 1.0 if metric.direction == "higher" else -1.0
        gains = {clip: towards * (value - base.entries[name].by_clip[clip]) for clip, value in entry.by_clip.items()}
        clips = sorted((clip for clip, gain in gains.items() if gain < 0), key=lambda clip: gains[clip])
        sure = entry.harm_sure or (entry.clips < 3 and entry.clips_worse == entry.clips)
        worst = entry.worst_clip
        text = (
            f"{row.model.name} made {name} worse by {number(abs(entry.gain), name)}{unit} than doing nothing"
            f"{_range(entry.gain_interval, name, 'gain')}: "
            f"{number(entry.mean, name)} against {number(base.entries[name].mean, name)}, worse on {entry.clips_worse} of "
            f"{entry.clips} clips"
        )
        if worst is not None and entry.clips > 1:
            text += f', most on "{worst.clip}" ({signed(worst.gain, name)}{unit})'
        yield _alarm(board, "below-identity", sure, row, name, clips, text + ".")


def beyond_truth(board: Board) -> Iterator[Alarm]:
    """A figure without reference that is better than the ground truth's own."""
    cells = _cells(board)
    for row, metric, entry in _columns(board):
        own = cells.get((row.model.name, metric.name), {})
        if entry.mean is None or not all("truth" in cell.columns for cell in own.values()) or not own:
            continue
        if _base(metric.name).startswith("warp"):
            continue  # has a truth of its own, and an alarm
        truth = {clip: _nanmean(cell.columns["truth"]) for clip, cell in own.items()}
        towards = 1.0 if metric.direction == "lower" else -1.0
        # Below 0 where the result is rated better.
        apart = {
            clip: towards * (entry.by_clip[clip] - truth[clip]) for clip in entry.by_clip if math.isfinite(truth[clip])
        }
        if not apart or not np.mean(list(apart.values())) < 0:
            continue
        sure, interval = _surely_below(apart)
        clips = sorted((clip for clip, value in apart.items() if value < 0), key=lambda clip: apart[clip])
        name = metric.name
        text = (
            f"{name} rates {row.model.name} better than the ground truth: {number(entry.mean, name)} against "
            f"{number(float(np.mean([truth[clip] for clip in apart])), name)}, on {len(clips)} of {len(apart)} clips"
            f"{_range(_turned(interval, towards), name, 'difference')}; a restoration cannot be "
            "closer to the truth than the truth."
        )
        yield _alarm(board, "beyond-truth", sure, row, name, clips, text)


def _turned(interval: Interval | None, towards: float) -> Interval | None:
    if interval is None or interval.low is None or interval.high is None or towards > 0:
        return interval
    return Interval(-interval.high, -interval.low, interval.method)


def _nanmean(values: Iterable[float]) -> float:
    there = [value for value in values if not math.isnan(value)]
    return math.fsum(there) / len(there) if there else math.nan


def vmaf_enhancement(board: Board) -> Iterator[Alarm]:
    """VMAF far above VMAF-NEG, further than for identity."""
    if board.metric("vmaf") is None or board.metric("vmaf_neg") is None:
        return

    def gaps(row: Row) -> dict[str, float]:
        plain, neg = row.entries["vmaf"], row.entries["vmaf_neg"]
        if plain.mean is None or neg.mean is None:
            return {}
        return {clip: value - neg.by_clip[clip] for clip, value in plain.by_clip.items() if clip in neg.by_clip}

    base_row = board.row(BASELINE)
    base = gaps(base_row) if base_row else {}
    for row in board.rows:
        own = gaps(row)
        if not own or row.model.name == BASELINE:
            continue
        excess = {clip: VMAF_ENHANCEMENT - (gap - base.get(clip, 0.0)) for clip, gap in own.items()}
        if not np.mean(list(excess.values())) < 0:
            continue
        sure, _ = _surely_below(excess)
        clips = sorted((clip for clip, value in excess.items() if value < 0), key=lambda clip: excess[clip])
        beside = f" (identity: {signed(float(np.mean(list(base.values()))), 'vmaf')})" if base else ""
        text = (
            f"{row.model.name} has {number(row.entries['vmaf'].mean, 'vmaf')} by VMAF and "
            f"{number(row.entries['vmaf_neg'].mean, 'vmaf')} by VMAF-NEG, {signed(float(np.mean(list(own.values()))), 'vmaf')} "
            f"points apart{beside}: more than {VMAF_ENHANCEMENT:g} points of its VMAF are enhancement of contrast or sharpness."
        )
        yield _alarm(board, "vmaf-enhancement", sure, row, "vmaf", clips, text)


def warp_below_truth(board: Board) -> Iterator[Alarm]:
    """A warping error clearly below that of the ground truth, and below that of identity."""
    cells = _cells(board)
    for name in (m.name for m in board.metrics if _base(m.name) == "warp_error_ratio"):
        base = _warp_ratios(cells.get((BASELINE, name), {}))
        for row in board.rows:
            if row.entries[name].hole is not None:
                continue
            found = {
                clip: ratio for clip, ratio in _warp_ratios(cells.get((row.model.name, name), {})).items() if ratio > 0
            }
            if not found:
                continue
            logs = {clip: math.log(ratio) for clip, ratio in found.items()}
            times = math.exp(float(np.mean(list(logs.values()))))
            if times >= WARP_BELOW:
                continue
            sure, _ = _surely_below(logs)
            clips = sorted((clip for clip, ratio in found.items() if ratio < 1), key=lambda clip: found[clip])
            beside, smoother = "", row.model.name != BASELINE
            if base and smoother and all(base.get(clip, 0) > 0 for clip in found):
                # What the degraded clip has already lost is not the model's doing.
                further = {clip: value - math.log(base[clip]) for clip, value in logs.items()}
                theirs = math.exp(float(np.mean([math.log(base[clip]) for clip in found])))
                beside, smoother = f" (identity: {theirs:.2f} times)", _surely_below(further)[0]
            text = (
                f"The warping error of {row.model.name} is {times:.2f} times that of the ground truth{beside}, below it on "
                f"{len(clips)} of {len(found)} clips: it changes less from frame to frame than the scene does."
            )
            # What the degraded clip has already lost is not the model's doing.
            yield _alarm(
                board, "warp-below-truth", sure and smoother and row.model.name != BASELINE, row, name, clips, text
            )


def _warp_ratios(cells: Mapping[str, Cell]) -> dict[str, float]:
    out = {}
    for clip, cell in cells.items():
        if "error" in cell.columns and "truth" in cell.columns:
            truth = _nanmean(cell.columns["truth"])
            if truth > STILL:
                out[clip] = _nanmean(cell.columns["error"]) / truth
    return out


def tone_shift(board: Board) -> Iterator[Alarm]:
    """A tint, or another contrast than the ground truth's."""
    cells = _cells(board)
    for row, metric, entry in _columns(board):
        kind = {"colour_shift": "colour-shift", "gain_shift": "gain-shift"}.get(_base(metric.name))
        if kind is None or entry.mean is None:
            continue
        limit = COLOUR_SHIFT if kind == "colour-shift" else GAIN_SHIFT
        own = cells.get((row.model.name, metric.name), {})
        base_row = board.row(BASELINE)
        before = base_row.entries[metric.name].by_clip if base_row else {}
        clips = sorted(
            (clip for clip, value in entry.by_clip.items() if value > limit), key=lambda clip: -entry.by_clip[clip]
        )
        if not clips:
            continue
        # What the degraded clip has already is damage that was left, not done.
        left = [c for c in clips if row.model.name == BASELINE or entry.by_clip[c] - before.get(c, 0.0) <= limit]
        cell = own[clips[0]]
        if kind == "colour-shift":
            words = ", ".join(
                f"{channel} {_nanmean(cell.columns[channel]):+.1f}".replace("-", "−")
                for channel in ("red", "green", "blue")
                if channel in cell.columns
            )
            what = f"is off in colour by {entry.by_clip[clips[0]]:.1f} levels of 255" + (f" ({words})" if words else "")
        else:
            gain = _nanmean(cell.columns["gain"]) if "gain" in cell.columns else math.nan
            what = f"has another contrast by {entry.by_clip[clips[0]]:.1f} %" + (
                "" if math.isnan(gain) else f" (gain {gain:.3f})"
            )
        text = (
            f'{row.model.name} {what} on "{clips[0]}", and by more than {limit:g} on {len(clips)} of {entry.clips} clips'
            + (
                f"; on {len(left)} of these the degraded clip is about as far off"
                if left and row.model.name != BASELINE
                else ""
            )
            + "."
        )
        yield _alarm(board, kind, len(left) < len(clips), row, metric.name, clips, text)


def alignment_limit(board: Board) -> Iterator[Alarm]:
    """Frames that aligned metrics moved by more than the border that they crop."""
    cells = _cells(board)
    done = set()
    for row, metric, _ in _columns(board):
        if _base(metric.name) not in ("psnr_aligned", "ssim_aligned", "alignment_shift"):
            continue
        own = cells.get((row.model.name, metric.name), {})
        limit = int(metric.options.get("crop_border", 0)) or ALIGNMENT_SHIFT
        beyond: dict[str, list[float]] = {}
        frames = 0
        for clip, cell in own.items():
            rows, cols = cell.columns.get("shift_rows", []), cell.columns.get("shift_cols", [])
            far = [max(abs(a), abs(b)) for a, b in zip(rows, cols, strict=True)]
            frames += len(far)
            if any(shift > limit for shift in far):
                beyond[clip] = [shift for shift in far if shift > limit]
        # PSNR, SSIM and the shift itself share one alignment: said once.
        if not beyond or (row.model.name, limit) in done:
            continue
        done.add((row.model.name, limit))
        clips = sorted(beyond, key=lambda clip: -max(beyond[clip]))
        count = sum(map(len, beyond.values()))
        text = (
            f"To align {row.model.name} with the ground truth, {count} of {frames} frames were moved by more than {limit} "
            f'pixels, the furthest by {max(beyond[clips[0]]):g} on "{clips[0]}": their match is most likely false, and '
            f"{metric.name} with it."
        )
        yield _alarm(board, "alignment-limit", True, row, metric.name, clips, text)


def fewer_clips(board: Board) -> Iterator[Alarm]:
    """A row with fewer clips than another has under the same metric."""
    for metric in board.metrics:
        most = max((row.entries[metric.name].clips for row in board.rows), default=0)
        full = next((r for r in board.rows if r.entries[metric.name].clips == most), None)
        for row in board.rows:
            entry = row.entries[metric.name]
            if entry.clips >= most or full is None:
                continue
            missing = [clip for clip in full.entries[metric.name].by_clip if clip not in entry.by_clip]
            text = (
                f"{row.model.name} has {metric.name} on {entry.clips} clips and {full.model.name} on {most}; "
                f"{_some(missing)} {'is' if len(missing) == 1 else 'are'} missing, so it has no mean and no rank."
            )
            yield _alarm(board, "fewer-clips", True, row, metric.name, missing, text)


def mixed(board: Board) -> Iterator[Alarm]:
    """Rows of different devices or precisions."""
    devices = _values(board, "device")
    if len(devices) > 1:
        text = (
            f"Rows come from different devices ({_parts(devices)}): times and memory compare within a device only, and "
        )
        yield _alarm(board, "mixed-devices", False, None, None, (), text + "figures may differ in their last digits.")
    precisions = _values(board, "precision")
    if len(precisions) > 1:
        text = f"Rows come from different precisions ({_parts(precisions)}): times and memory do not compare, and figures may "
        text += "differ in their last digits."
        far = [(row.model.name, row.fp32_difference) for row in board.rows if row.fp32_difference is not None]
        if far:
            name, apart = min(far, key=lambda item: item[1].psnr)
            text = (
                text[:-1]
                + f"; the largest difference to fp32 that was measured is {apart.levels:.2g} levels of 255, of {name}"
            )
            text += f' on "{apart.clip}" (PSNR {number(apart.psnr, "psnr")} dB).'
        yield _alarm(board, "mixed-precisions", False, None, None, (), text)


def mixed_versions(board: Board) -> Iterator[Alarm]:
    """Rows measured with different versions of the packages that figures rest on."""
    found: dict[str, dict[str, dict[str, None]]] = {}
    for cell in board.cells:
        for package in MEASURING if cell.status == "ok" else ():
            if package in cell.versions:
                found.setdefault(package, {}).setdefault(cell.versions[package], {})[cell.model] = None
    parts = [
        f"{package} {_parts({version: sorted(models) for version, models in versions.items()})}"
        for package, versions in found.items()
        if len(versions) > 1
    ]
    if parts:
        text = f"Figures were measured with different versions of packages ({'; '.join(parts)}): those that rest on optical "
        text += "flow or on VMAF may differ with them, others in their last digits."
        yield _alarm(board, "mixed-versions", False, None, None, (), text)


def _values(board: Board, field: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for row in board.rows:
        found.setdefault(getattr(row, field), []).append(row.model.name)
    return found


def _parts(found: Mapping[str, list[str]]) -> str:
    return "; ".join(f"{value}: {_names(models)}" for value, models in sorted(found.items()))


def _names(models: list[str], most: int = 4) -> str:
    return ", ".join(models[:most]) + (f" and {len(models) - most} more" if len(models) > most else "")


CHECKS: tuple[Callable[[Board], Iterator[Alarm]], ...] = (
    below_identity, beyond_truth, vmaf_enhancement, warp_below_truth, tone_shift, alignment_limit, fewer_clips, mixed,
    mixed_versions,
)  # fmt: skip
