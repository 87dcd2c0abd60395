"""Each alarm once where it has to sound and once where it must not."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from leaderboards.alarms import COLOUR_SHIFT, KINDS, VMAF_ENHANCEMENT, WARP_BELOW, Alarm, alarms
from leaderboards.schema import Cell, Cost, PrecisionDifference
from leaderboards.table import boards

MakeCell = Callable[..., Cell]
MakeTable = Callable[..., list[Cell]]
CLIPS = [f"clip{i}" for i in range(6)]
JITTER = [0.1, -0.2, 0.3, 0.0, -0.1, 0.15]


def of(cells: list[Cell], kind: str) -> list[Alarm]:
    assert kind in KINDS
    found = alarms(boards(cells))
    assert all(alarm.kind in KINDS and alarm.text.endswith(".") for alarm in found)
    return [alarm for alarm in found if alarm.kind == kind]


def spread(value: float, scale: float = 1.0) -> list[float]:
    return [value + scale * j for j in JITTER]


def with_columns(
    make_cell: MakeCell, model: str, metric: str, values: list[float], columns: dict[str, list[float]], **rest: Any
) -> list[Cell]:
    """One frame per clip; columns by clip."""
    return [
        make_cell(
            model, clip, values[i], metric, frames=[values[i]], columns={k: [v[i]] for k, v in columns.items()}, **rest
        )
        for i, clip in enumerate(CLIPS[: len(values)])
    ]


def test_below_identity(make_table: MakeTable) -> None:
    base = {"identity": spread(25.0)}
    (alarm,) = of(
        make_table({**base, "a": [x - 1 - j for x, j in zip(spread(25.0), JITTER, strict=True)]}), "below-identity"
    )
    assert (alarm.level, alarm.model, alarm.metric, len(alarm.clips)) == ("alarm", "a", "psnr", 6)
    assert alarm.clips[0] == "clip2"
    assert alarm.text.startswith("a made psnr worse by 1.04 dB than doing nothing (95 % interval of the gain −1.")
    assert alarm.text.endswith('24.00 against 25.04, worse on 6 of 6 clips, most on "clip2" (−1.30 dB).')
    (mean,) = of(make_table({**base, "a": [20.0, *spread(25.3)[1:]]}), "below-identity")
    assert mean.level == "note"
    assert mean.clips == ("clip0",)
    assert of(make_table({**base, "a": spread(26.0)}), "below-identity") == []
    assert of(make_table({"a": spread(26.0)}), "below-identity") == []


def test_below_identity_where_less_is_better_and_with_two_clips(make_table: MakeTable) -> None:
    (alarm,) = of(make_table({"identity": [0.1, 0.2], "a": [0.2, 0.3]}, "warp_error"), "below-identity")
    assert alarm.level == "alarm"
    assert alarm.text.startswith("a made warp_error worse by 0.100000 than doing nothing: 0.250000 against 0.150000")
    (one,) = of(make_table({"identity": [0.1, 0.2], "a": [0.05, 0.3]}, "warp_error"), "below-identity")
    assert one.level == "note"


@pytest.mark.parametrize(("value", "level"), [(3.0, "alarm"), (4.95, "note"), (5.5, None)])
def test_better_than_the_ground_truth(make_cell: MakeCell, value: float, level: str | None) -> None:
    values = spread(value) if value != 4.95 else [3.0, 5.3, 5.2, 5.4, 5.35, 5.3]
    cells = with_columns(make_cell, "a", "niqe", values, {"truth": spread(5.0)})
    found = of(cells, "beyond-truth")
    assert [alarm.level for alarm in found] == ([level] if level else [])
    if level == "alarm":
        assert found[0].text.startswith(
            "niqe rates a better than the ground truth: 3.042 against 5.042, on 6 of 6 clips"
        )
    assert of(with_columns(make_cell, "a", "niqe", values, {}), "beyond-truth") == []


def test_the_interval_is_of_the_difference_as_it_is(make_cell: MakeCell) -> None:
    """For a metric of which more is better, better than the truth is above it."""
    values = [x + 0.5 + j for x, j in zip(spread(5.0), JITTER, strict=True)]
    (alarm,) = of(with_columns(make_cell, "a", "maniqa", values, {"truth": spread(5.0)}), "beyond-truth")
    assert "interval of the difference +0." in alarm.text
    assert alarm.level == "alarm"


@pytest.mark.parametrize(("gap", "base", "sounds"), [(8.0, 1.0, True), (8.0, 3.0, False), (5.0, 0.0, False)])
def test_vmaf_far_above_neg(make_table: MakeTable, gap: float, base: float, sounds: bool) -> None:
    assert VMAF_ENHANCEMENT == 6
    cells = make_table({"identity": spread(60.0), "a": spread(80.0)}, "vmaf")
    cells += make_table({"identity": spread(60 - base), "a": spread(80 - gap)}, "vmaf_neg")
    found = of(cells, "vmaf-enhancement")
    assert len(found) == sounds
    if sounds:
        assert found[0].level == "alarm"
        assert found[0].model == "a"
        assert "80.04 by VMAF and 72.04 by VMAF-NEG, +8.00 points apart (identity: +1.00)" in found[0].text
    assert of(make_table({"a": spread(80.0)}, "vmaf"), "vmaf-enhancement") == []


def ratios(make_cell: MakeCell, model: str, times: list[float]) -> list[Cell]:
    values = [max(t, 1 / t) for t in times]
    return with_columns(
        make_cell, model, "warp_error_ratio", values, {"error": [0.01 * t for t in times], "truth": [0.01] * 6}
    )


def test_warp_error_below_the_ground_truth(make_cell: MakeCell) -> None:
    assert WARP_BELOW == 0.8
    smooth = [0.5, 0.55, 0.45, 0.6, 0.5, 0.4]
    base = ratios(make_cell, "identity", [1.1, 1.2, 1.0, 0.95, 1.3, 1.05])
    (alarm,) = of(base + ratios(make_cell, "a", smooth), "warp-below-truth")
    assert (alarm.level, alarm.model, alarm.clips[0]) == ("alarm", "a", "clip5")
    assert "is 0.50 times that of the ground truth (identity: 1.09 times), below it on 6 of 6 clips" in alarm.text
    assert of(base + ratios(make_cell, "a", [0.9, 0.95, 0.85, 0.9, 1.0, 0.85]), "warp-below-truth") == []
    # A ratio far above 1 gives the same figure as one below, and is no alarm.
    assert of(base + ratios(make_cell, "a", [1 / t for t in smooth]), "warp-below-truth") == []


def test_a_clip_that_stands_still_is_no_measure_of_motion(make_cell: MakeCell) -> None:
    """Of its ground truth and of a perfect result there is rounding alone, of which one may well be half of the other."""
    columns = {"error": [1e-34] * 6, "truth": [2e-34] * 6}
    cells = with_columns(make_cell, "a", "warp_error_ratio", [1.0] * 6, columns)
    assert of(cells, "warp-below-truth") == []


def test_what_the_degraded_clip_has_lost_already_is_a_note(make_cell: MakeCell) -> None:
    smooth = [0.5, 0.55, 0.45, 0.6, 0.5, 0.4]
    found = of(ratios(make_cell, "identity", smooth) + ratios(make_cell, "a", smooth), "warp-below-truth")
    assert {alarm.model: alarm.level for alarm in found} == {"a": "note", "identity": "note"}


def test_colour_and_gain_shift(make_cell: MakeCell) -> None:
    shift = {"red": [-3.5, 0, 0, 0, 0, 0], "green": [0.2] * 6, "blue": [0.0] * 6, "gain": [0.95] + [1.0] * 5}
    values = [3.5, 0.2, 0.2, 0.2, 0.2, 0.2]
    zero = {key: [0.0] * 6 for key in shift}
    base = with_columns(make_cell, "identity", "colour_shift", [0.0] * 6, zero)
    (alarm,) = of(base + with_columns(make_cell, "a", "colour_shift", values, shift), "colour-shift")
    assert (alarm.level, alarm.clips) == ("alarm", ("clip0",))
    assert alarm.text == (
        'a is off in colour by 3.5 levels of 255 (red −3.5, green +0.2, blue +0.0) on "clip0", and by more than 2 on 1 of 6 '
        "clips."
    )
    assert of(base + with_columns(make_cell, "a", "colour_shift", [COLOUR_SHIFT] * 6, shift), "colour-shift") == []
    gains = with_columns(make_cell, "a", "gain_shift", [5.0, *[0.0] * 5], {"gain": shift["gain"]})
    (gain,) = of(gains, "gain-shift")
    assert gain.text == 'a has another contrast by 5.0 % (gain 0.950) on "clip0", and by more than 2 on 1 of 6 clips.'
    assert of(with_columns(make_cell, "a", "gain_shift", [1.0] * 6, {"gain": [0.99] * 6}), "gain-shift") == []


def test_a_tint_that_was_there_before_is_a_note(make_cell: MakeCell) -> None:
    tint = {"red": [4.0] * 6, "green": [0.0] * 6, "blue": [0.0] * 6, "gain": [1.0] * 6}
    cells = with_columns(make_cell, "identity", "colour_shift", [4.0] * 6, tint)
    found = of(cells + with_columns(make_cell, "a", "colour_shift", [4.2] * 6, tint), "colour-shift")
    assert {alarm.model: alarm.level for alarm in found} == {"identity": "note", "a": "note"}
    assert "on 6 of these the degraded clip is about as far off" in next(a.text for a in found if a.model == "a")


def test_alignment_at_its_limit(make_cell: MakeCell) -> None:
    def cells(shift: float, metric: str = "psnr_aligned", crop: int = 16) -> list[Cell]:
        columns = {"scale": [1.0] * 6, "shift_rows": [0.0, -shift, 0, 0, 0, 0], "shift_cols": [1.0] * 6}
        return with_columns(make_cell, "a", metric, [30.0] * 6, columns, options={"crop_border": crop})

    (alarm,) = of(cells(40.0) + cells(40.0, "ssim_aligned"), "alignment-limit")
    assert alarm.clips == ("clip1",)
    assert "1 of 6 frames were moved by more than 16 pixels, the furthest by 40" in alarm.text
    assert of(cells(16.0), "alignment-limit") == []
    assert len(of(cells(17.0, crop=0), "alignment-limit")) == 1
    assert of(cells(40.0, "psnr"), "alignment-limit") == []


def test_fewer_clips(make_table: MakeTable) -> None:
    (alarm,) = of(make_table({"identity": [20, 21, 22], "a": [25, None, 27]}), "fewer-clips")
    assert alarm.text == 'a has psnr on 2 clips and identity on 3; "clip1" is missing, so it has no mean and no rank.'
    assert alarm.clips == ("clip1",)
    assert of(make_table({"identity": [20, 21], "a": [25, 26]}), "fewer-clips") == []


def test_mixed_devices_and_precisions(make_table: MakeTable) -> None:
    cells = make_table({"identity": [20, 21]}) + make_table({"a": [25, 26]}, device="cuda:0", precision="fp16")
    (devices,) = of(cells, "mixed-devices")
    assert (devices.level, devices.model) == ("note", None)
    assert devices.text.startswith("Rows come from different devices (cpu: identity; cuda:0: a):")
    assert len(of(cells, "mixed-precisions")) == 1
    apart = PrecisionDifference(clip="clip0", frames=4, psnr=61.5, levels=1.25)
    cost = Cost(frames=2, seconds=1.0, threads=1, device="cuda:0", fp32_difference=apart)
    measured = make_table({"identity": [20, 21]}) + make_table({"a": [25, 26]}, precision="fp16", cost=cost)
    (precisions,) = of(measured, "mixed-precisions")
    assert precisions.text.endswith('is 1.2 levels of 255, of a on "clip0" (PSNR 61.50 dB).')
    same = make_table({"identity": [20, 21], "a": [25, 26]})
    assert of(same, "mixed-devices") == of(same, "mixed-precisions") == []


def test_mixed_versions(make_table: MakeTable) -> None:
    """Of what figures are computed with; of pandas or vbench nothing depends that the metric's own version would not say."""
    versions = [{"numpy": "2.0", "imageio-ffmpeg": v, "pandas": v} for v in ("0.6.0", "0.8.1")]
    old, new = (
        make_table({"identity": [20, 21]}, versions=versions[0]),
        make_table({"a": [25, 26]}, versions=versions[1]),
    )
    (alarm,) = of(old + new, "mixed-versions")
    assert (alarm.level, alarm.model) == ("note", None)
    assert "(imageio-ffmpeg 0.6.0: identity; 0.8.1: a): those that" in alarm.text
    assert of(make_table({"identity": [20, 21], "a": [25, 26]}, versions=versions[0]), "mixed-versions") == []


def test_holes_infinite_figures_and_missing_columns_raise_nothing(make_table: MakeTable, make_cell: MakeCell) -> None:
    cells = make_table({"identity": [math.inf, 20], "a": [math.inf, None], "b": [30, 19]})
    for metric in ("niqe", "vmaf", "vmaf_neg", "warp_error_ratio", "colour_shift", "gain_shift", "psnr_aligned"):
        cells += make_table({"identity": [1.5, 2.5], "a": [None, 3.0], "b": [4.0, math.inf]}, metric)
    cells += [make_cell("c", "clip0", None)]
    found = alarms(boards(cells))
    assert all("nan" not in alarm.text for alarm in found)
