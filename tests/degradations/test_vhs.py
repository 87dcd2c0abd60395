"""The tape against closed forms: what its filters, its time base and its faults do to pictures that are known."""

from __future__ import annotations

import json
import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import ValidationError
from torch import Tensor

from degradations.apply import degrade, facts
from degradations.base import ClipShape, Damage, joined
from degradations.rng import Rng
from degradations.vhs import Tape
from degradations.vhs.faults import Band, Dropout, drop_out
from degradations.vhs.signal import SYSTEMS, YUV, Lines, butterworth, to_rgb, to_yuv
from degradations.vhs.timebase import Wander, field_shifts

NOTHING: dict[str, Any] = {
    "luma_snr_db": 80,
    "chroma_snr_db": 80,
    "saturation": 1,
    "hue_deg": 0,
    "cast": 0,
    "chroma_delay_us": 0,
    "peaking_db": 0,
    "jitter_us": 0,
    "line_jitter_us": 0,
    "flagging_us": 0,
    "skew_us": 0,
    "switching_lines": 0,
    "dropouts": 0,
}
"""A tape that does nothing but filter (its noise is 80 dB down: 0.03 of 255)."""


def played(clip: Tensor, seed: int = 0, **changes: Any) -> Damage:
    tape = Tape.model_validate({**NOTHING, **changes})
    params = tape.sample(ClipShape(len(clip), clip.shape[2], clip.shape[3], clip.shape[1]), Rng.root(seed))
    return tape.apply(clip, params)


def yuv(frames: Tensor) -> NDArray[np.float64]:
    """``(T, 3, H, W)`` of RGB frames, by the matrix of BT.601 and BT.470 written out."""
    r, g, b = frames.double().numpy().transpose(1, 0, 2, 3)
    y = 0.299 * r + 0.587 * g + 0.114 * b
    return np.stack([y, 0.492 * (b - y), 0.877 * (r - y)], axis=1)


def coloured(y: NDArray[np.float64], u: NDArray[np.float64], v: NDArray[np.float64]) -> Tensor:
    """An RGB frame ``(1, 3, H, W)`` of luma and colour differences."""
    b, r = y + u / 0.492, y + v / 0.877
    g = (y - 0.299 * r - 0.114 * b) / 0.587
    return torch.from_numpy(np.stack([r, g, b])[None].astype(np.float32))


def amplitude(line: NDArray[np.float64], cycles_a_pixel: float) -> float:
    """Of the wave of this frequency in a line, from its middle."""
    x = np.arange(len(line), dtype=np.float64)
    part = slice(len(line) // 4, 3 * len(line) // 4)
    waves = np.stack([np.ones_like(x), np.cos(2 * np.pi * cycles_a_pixel * x), np.sin(2 * np.pi * cycles_a_pixel * x)])
    _, c, s = np.linalg.lstsq(waves[:, part].T, line[part], rcond=None)[0]
    return math.hypot(c, s)


# --- the channel ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("system", "active_us"), [("ntsc", 52.6), ("pal", 51.95)])
@pytest.mark.parametrize("width", [640, 854])
@pytest.mark.parametrize("mhz", [0.5, 1.0, 2.0, 3.0, 4.0])
def test_luma_passes_as_the_low_pass_and_the_sharpness_control_say(
    system: str, active_us: float, width: int, mhz: float
) -> None:
    """A Butterworth low pass of order 5 and an aperture correction whose most is at 2 MHz, in any size of picture."""
    cycles = mhz * active_us / width
    wave = 0.5 + 0.2 * np.sin(2 * np.pi * cycles * np.arange(width))
    clip = torch.from_numpy(np.tile(wave, (1, 3, 8, 1)).astype(np.float32))
    for cut, peak in ((3.0, 0.0), (2.4, 0.0), (3.0, 6.0)):
        out = played(clip, system=system, luma_mhz=cut, peaking_db=peak).frames
        want = 1 / math.sqrt(1 + (mhz / cut) ** 10)
        want *= 1 + (10 ** (peak / 20) - 1) / 2 * (1 - math.cos(math.pi * mhz / 2))
        assert amplitude(out[0, 0, 4].double().numpy(), cycles) / 0.2 == pytest.approx(want, abs=0.01)
        assert float((out - out[:, :, :1, :]).abs().max()) < 0.004, "lines of gray do not mix"


def test_three_megahertz_are_the_lines_that_vhs_is_sold_with() -> None:
    """JVC specifies 230 lines, others 240: twice the cycles of a line over the height (3/4 of the width)."""
    assert 2 * 3.0 * SYSTEMS["ntsc"].active_us * 3 / 4 == pytest.approx(237, abs=1)


@pytest.mark.parametrize("mhz", [0.1, 0.2, 0.4, 0.8])
def test_colour_has_a_bandwidth_of_its_own(mhz: float) -> None:
    width = 720
    cycles = mhz * 52.6 / width
    wave = 0.1 * np.sin(2 * np.pi * cycles * np.arange(width))[None].repeat(12, axis=0)
    flat = np.full_like(wave, 0.5)
    for clip, plane in ((coloured(flat, wave, 0 * wave), 1), (coloured(flat, 0 * wave, wave), 2)):
        out = yuv(played(clip, chroma_mhz=0.4).frames)
        assert amplitude(out[0, plane, 6], cycles) / 0.1 == pytest.approx(1 / math.sqrt(1 + (mhz / 0.4) ** 4), abs=0.02)
        assert np.abs(out[0, 0] - 0.5).max() < 0.003, "luma knows nothing of it"
        assert np.abs(out[0, 3 - plane]).max() < 0.003


def test_colour_comes_later_than_luma() -> None:
    width = 526  # a pixel is a tenth of a microsecond
    edge = np.where(np.arange(width) < 200, -0.1, 0.1)[None].repeat(8, axis=0)
    clip = coloured(np.where(edge > 0, 0.6, 0.4), edge, edge)
    late, even = (yuv(played(clip, chroma_delay_us=d).frames)[0] for d in (0.7, 0.0))
    assert np.abs(late[1:, :, 57:] - even[1:, :, 50:-7]).max() < 0.002
    assert np.abs(late[0] - even[0]).max() < 0.001
    crossing = np.flatnonzero(np.diff(np.sign(even[1, 4])))
    assert abs(int(crossing[0]) - 199) <= 1, "without that delay colour stands where luma does"


@pytest.mark.parametrize(("system", "lags"), [("ntsc", 2), ("pal", 4)])
def test_colour_is_a_mean_of_lines_of_its_field(system: str, lags: int) -> None:
    v = np.zeros((40, 64))
    v[20] = 0.1
    out = yuv(played(coloured(np.full_like(v, 0.5), 0 * v, v), system=system).frames)[0, 2, :, 32]
    want = np.zeros(40)
    want[20 : 20 + 2 * lags : 2] = 0.1 / lags  # below it, every other row
    assert np.abs(out - want).max() < 0.002


def test_an_edge_rings_behind_it_and_what_is_even_stays() -> None:
    edge = torch.full((1, 3, 8, 600), 0.3)
    edge[..., 300:] = 0.7
    out = played(edge, peaking_db=4).frames[0, 1, 4].double().numpy()
    behind, before = out[300:330].max() - 0.7, 0.3 - out[270:300].min()
    assert behind > 0.06
    assert behind > 1.5 * before, "an analogue filter rings behind an edge"
    assert np.abs(out[:240] - 0.3).max() < 0.002
    assert np.abs(out[360:] - 0.7).max() < 0.002
    flat = torch.rand(1, 3, 1, 1).expand(1, 3, 20, 50).contiguous()
    assert float((played(flat).frames - flat).abs().max()) < 0.002


def test_the_phase_of_the_low_pass_is_that_of_the_analogue_filter() -> None:
    """SciPy's own design, its delay at low frequencies taken off."""
    from scipy import signal

    mhz = np.linspace(0, 8, 50)
    for order, cut in ((5, 3.0), (2, 0.4)):
        _, want = signal.freqs(*signal.butter(order, 2 * np.pi * cut, analog=True), worN=2 * np.pi * mhz)
        _, low = signal.freqs(*signal.butter(order, 2 * np.pi * cut, analog=True), worN=[2 * np.pi * cut * 1e-4])
        delay = -np.angle(low[0]) / (2 * np.pi * cut * 1e-4)
        assert np.abs(butterworth(mhz, cut, order) - want * np.exp(2j * np.pi * mhz * delay)).max() < 1e-5


@settings(max_examples=20, deadline=None)
@given(st.floats(24, 50), st.floats(24, 50), st.sampled_from(["ntsc", "pal"]), st.integers(0, 100))
def test_noise_is_as_strong_as_its_ratio_says(luma_db: float, chroma_db: float, system: str, seed: int) -> None:
    clip = torch.full((3, 3, 120, 256), 0.5)
    out = yuv(played(clip, seed, luma_snr_db=luma_db, chroma_snr_db=chroma_db, system=system).frames)
    inner = out[:, :, 8:] - np.array([0.5, 0, 0]).reshape(1, 3, 1, 1)
    assert inner[:, 0].std() == pytest.approx(10 ** (-luma_db / 20), rel=0.06)
    assert inner[:, 1:].std() == pytest.approx(10 ** (-chroma_db / 20), rel=0.12)


def test_noise_went_through_the_channel_and_is_new_in_every_frame() -> None:
    clip = torch.full((4, 3, 240, 720), 0.5)
    out = yuv(played(clip, luma_snr_db=30, chroma_snr_db=26).frames)
    noise = out - np.array([0.5, 0, 0]).reshape(1, 3, 1, 1)
    power = (np.abs(np.fft.rfft(noise, axis=3)) ** 2).mean(axis=(0, 2))
    mhz = np.arange(power.shape[1]) / 52.6
    assert power[0, mhz > 5].sum() < 0.02 * power[0].sum()
    assert power[0, (mhz > 1) & (mhz < 2.5)].mean() == pytest.approx(power[0, (mhz > 0.1) & (mhz < 1)].mean(), rel=0.1)
    assert power[1, mhz > 0.8].sum() < 0.08 * power[1].sum()
    flat = noise[:, 0].reshape(4, -1)
    correlations = np.corrcoef(flat) - np.eye(4)
    assert np.abs(correlations).max() < 0.02
    rows = noise[0, 0]
    assert abs(np.corrcoef(rows[:-1].ravel(), rows[1:].ravel())[0, 1]) < 0.02, "lines have nothing in common"


@pytest.mark.parametrize("hue", [0.0, 40.0])
def test_an_error_of_phase_turns_the_hue_in_ntsc_and_weakens_it_in_pal(hue: float) -> None:
    flat = np.full((12, 64), 0.5)
    clip = coloured(flat, 0 * flat + 0.1, 0 * flat + 0.02)
    for system in ("ntsc", "pal"):
        tape = Tape.model_validate({**NOTHING, "system": system, "saturation": 0.8})
        params = tape.sample(ClipShape(1, 12, 64), Rng.root(0))
        params["generations"][0].update(hue=hue, cast=[0.01, -0.02])
        _, u, v = yuv(tape.apply(clip, params).frames)[0, :, 6, 32]
        c, s = math.cos(math.radians(hue)), math.sin(math.radians(hue))
        turned = (0.1 * c - 0.02 * s, 0.1 * s + 0.02 * c) if system == "ntsc" else (0.1 * c, 0.02 * c)
        assert u == pytest.approx(0.8 * turned[0] + 0.01, abs=0.002)
        assert v == pytest.approx(0.8 * turned[1] - 0.02, abs=0.002)


def test_hue_and_cast_are_the_clips_own_and_hold_through_it() -> None:
    tape = Tape(hue_deg=5, cast=0.02)
    drawn = [tape.sample(ClipShape(9, 8, 8), Rng.root(seed))["generations"][0] for seed in range(300)]
    assert np.std([d["hue"] for d in drawn]) == pytest.approx(5, rel=0.12)
    assert np.std([d["cast"] for d in drawn]) == pytest.approx(0.02, rel=0.12)
    clip = torch.full((5, 3, 24, 64), 0.4)
    out = played(clip, cast=0.05).frames
    means = out.mean(dim=(2, 3))
    assert float((means - means[0]).abs().max()) < 0.001
    assert float((means - 0.4).abs().max()) > 0.005


def test_a_copy_of_a_tape_is_the_tape_played_twice() -> None:
    clip = torch.rand(1, 3, 24, 200, generator=torch.Generator().manual_seed(0))
    how: dict[str, Any] = {"peaking_db": 3, "chroma_delay_us": 0.2, "saturation": 0.9}
    twice = played(played(clip, **how).frames, **how).frames
    # RGB is left and entered again between the two players, and the noise of 80 dB is not the same.
    assert float((played(clip, generations=2, **how).frames - twice).abs().max()) < 0.004
    noisy = yuv(played(torch.full((2, 3, 120, 300), 0.5), generations=3, luma_snr_db=30, luma_mhz=9.9).frames)[:, 0]
    assert noisy.std() == pytest.approx(math.sqrt(3) * 10 ** (-30 / 20), rel=0.1), "noises add up"


def test_colours_go_there_and_back() -> None:
    frame = np.random.default_rng(0).random((3, 5, 7)).astype(np.float32)
    assert np.abs(to_rgb(to_yuv(frame)) - frame).max() < 1e-5
    assert np.abs(yuv(torch.from_numpy(frame)[None])[0] - to_yuv(frame)).max() < 2e-3, "the matrix has three digits"
    assert YUV.sum(axis=1) == pytest.approx([1, 0, 0], abs=1e-12), "gray has no colour"


# --- the time base --------------------------------------------------------------------------------


def ramp(frames: int, height: int, width: int) -> Tensor:
    """Gray that rises evenly to the right: a line that is displaced is darker or brighter all along."""
    line = torch.linspace(0.1, 0.9, width).expand(frames, 3, height, width)
    return line.contiguous()


def displaced(out: Tensor, width: int) -> NDArray[np.float64]:
    """How far each row of a played ramp stands to the right, in pixels, ``(T, H)``."""
    part = slice(width // 4, 3 * width // 4)
    clean = np.linspace(0.1, 0.9, width)[part]
    slope = 0.8 / (width - 1)
    return np.asarray((clean - out[:, 1, :, part].double().numpy()).mean(axis=2) / slope)


def test_lines_are_displaced_as_the_time_base_says() -> None:
    height, width = 120, 526
    tape = Tape.model_validate({**NOTHING, "jitter_us": 0.3, "line_jitter_us": 0.1, "flagging_us": 0.5})
    shape = ClipShape(3, height, width)
    params = tape.sample(shape, Rng.root(2))
    out = tape.apply(ramp(3, height, width), params).frames
    found = displaced(out, width) * 0.1
    for t in range(3):
        want = tape.shifts(params, params["generations"][0], t, height)
        assert np.abs(found[t] - want).max() < 0.01
    rms = np.sqrt((found**2).mean(axis=1))
    assert tape.facts(params, shape)["timebase_rms_us"] == pytest.approx(rms, abs=0.01)
    assert np.abs(np.diff(found, axis=0)).max() > 0.1, "every frame has its own"


@settings(max_examples=15, deadline=None)
@given(st.floats(0.01, 0.5), st.floats(3, 30), st.floats(0, 0.3), st.integers(0, 1000))
def test_jitter_has_the_size_and_the_memory_it_says(slow: float, memory: float, fast: float, seed: int) -> None:
    wander = Wander(slow=slow, memory=memory, fast=fast)
    fields = np.stack([field_shifts(wander, 240, np.random.default_rng([seed, n])) for n in range(300)])
    variance = slow**2 + fast**2
    assert fields.var() == pytest.approx(variance, rel=0.15)
    assert fields[:, 0].var() == pytest.approx(variance, rel=0.35), "the first line is like any other"
    lag = max(1, round(memory))
    covariance = (fields[:, lag:] * fields[:, :-lag]).mean()
    assert covariance == pytest.approx(slow**2 * math.exp(-lag / memory), abs=0.12 * variance)


def test_the_two_fields_have_their_own_time_base() -> None:
    tape = Tape.model_validate({**NOTHING, "jitter_us": 0.2, "jitter_lines": 40})
    params = tape.sample(ClipShape(1, 480, 720), Rng.root(0))
    fields = [
        np.stack([tape.shifts(params, params["generations"][0], t, 480)[k::2] for t in range(60)]) for k in (0, 1)
    ]
    assert abs(np.corrcoef(fields[0].ravel(), fields[1].ravel())[0, 1]) < 0.1
    assert np.corrcoef(fields[0][:, 1:].ravel(), fields[0][:, :-1].ravel())[0, 1] == pytest.approx(
        math.exp(-1 / 40), abs=0.02
    )


def test_the_top_is_bent_and_the_bottom_jumps() -> None:
    """Within the top fifth (questronix.com.au), and behind the head switch, 3.5 lines of 240 a field seen."""
    shape = ClipShape(120, 480, 526)
    tape = Tape.model_validate({**NOTHING, "flagging_us": 1.0, "skew_us": 3.0, "switching_lines": 3.5})
    params = tape.sample(shape, Rng.root(0))
    shifts = np.stack([tape.shifts(params, params["generations"][0], t, 480) for t in range(120)])
    assert shifts[:, 0].std() == pytest.approx(1.0, rel=0.4)
    assert np.corrcoef(shifts[1:, 0], shifts[:-1, 0])[0, 1] > 0.7, "it changes slowly"
    assert np.abs(shifts[:, 96:472]).max() < 0.05 * np.abs(shifts[:, 0]).max()
    assert np.array_equal(np.abs(shifts).max(axis=0)[440:] > 1, np.arange(440, 480) >= 472)
    assert shifts[:, 472].mean() == pytest.approx(3.0, rel=0.1)
    out = tape.apply(ramp(1, 480, 526), params)
    rows = out.masks["head-switching"][0, 0].amax(dim=1)
    assert torch.equal(rows > 0, torch.arange(480) >= 472)
    left = out.frames[0, :, 472:474, :20]
    assert float(left.abs().max()) < 0.3, "beyond the picture it is black, but for noise"


def test_earlier_damage_is_displaced_with_its_line() -> None:
    height, width = 48, 526
    mask = torch.zeros(1, 1, height, width)
    mask[..., 200:210] = 1
    tape = Tape.model_validate({**NOTHING, "line_jitter_us": 0.4})
    params = tape.sample(ClipShape(1, height, width), Rng.root(1))
    out = tape.apply(ramp(1, height, width), params, masks={"dirt": mask})
    x = torch.arange(width, dtype=torch.float64)
    centres = (out.masks["dirt"][0, 0] * x).sum(dim=1) / out.masks["dirt"][0, 0].sum(dim=1)
    want = 204.5 + tape.shifts(params, params["generations"][0], 0, height) / 0.1
    assert np.abs(centres.numpy() - want).max() < 0.1
    assert float(mask.sum()) == height * 10, "the mask that came in is not written into"


# --- faults ---------------------------------------------------------------------------------------


def test_dropouts_are_as_many_as_they_say_and_cover_what_they_change() -> None:
    shape = ClipShape(400, 60, 120)
    tape = Tape.model_validate({**NOTHING, "dropouts": 6, "dropout_us": 3})
    params = tape.sample(shape, Rng.root(0))
    counts = np.array(tape.facts(params, shape)["dropouts"])
    assert counts.mean() == pytest.approx(6, rel=0.1)
    assert counts.var() / counts.mean() == pytest.approx(3, rel=0.25), "in bursts"
    clip = torch.rand(3, 3, 60, 120, generator=torch.Generator().manual_seed(0))
    with_, without = (played(clip, dropouts=n, dropout_us=3, compensated=0.5) for n in (20, 0))
    assert "dropout" not in without.masks
    changed = ((with_.frames - without.frames).abs().amax(dim=1, keepdim=True) > 1e-6).float()
    mask = with_.masks["dropout"]
    assert bool((changed <= mask).all()), "nothing changes outside the mask"
    assert float((changed * mask).sum()) > 0.85 * float(mask.sum())
    assert set(mask.unique().tolist()) == {0.0, 1.0}


def test_the_lengths_of_dropouts() -> None:
    tape = Tape.model_validate({**NOTHING, "dropouts": 200, "dropout_us": 3, "compensated": 0.7})
    params = tape.sample(ClipShape(20, 480, 526), Rng.root(0))
    gaps = [g for t in range(20) for g in tape._gaps(params["generations"][0], t, (480, 526), 0.1)]
    lengths = np.array([g.length for g in gaps]) * 0.1
    assert np.median(lengths) == pytest.approx(3, rel=0.08)
    assert lengths.min() >= 0.5
    assert lengths.max() <= 3 * 52.6 + 0.1
    assert np.mean([g.filled for g in gaps]) == pytest.approx(0.7, abs=0.03)
    assert np.mean([g.row for g in gaps]) == pytest.approx(240, rel=0.05)


def test_a_dropout_is_filled_by_the_line_above_in_its_field_or_is_a_streak() -> None:
    rng = np.random.default_rng(0)
    before = rng.random((3, 12, 100)).astype(np.float32)
    planes, mask = before.copy(), np.zeros((12, 100), np.float32)
    drop_out(planes, mask, [Dropout(row=6, x=90, length=25, filled=True, level=1.0)], 0.5, rng)
    assert np.array_equal(planes[:, 6, 91:], before[:, 4, 91:]), "two rows up; the first pixel is the switch"
    assert np.array_equal(planes[:, 8, :15], planes[:, 6, :15]), "it goes on in the next line of the field"
    assert mask[6, 90:].all()
    assert mask[8, :15].all()
    assert mask.sum() == 25
    assert np.array_equal(planes[:, mask == 0], before[:, mask == 0])
    planes, mask = np.full((3, 12, 100), 0.3, np.float32), np.zeros((12, 100), np.float32)
    drop_out(planes, mask, [Dropout(row=0, x=20, length=40, filled=True, level=1.0)], 0.25, rng)
    assert planes[0, 0, 22:35].mean() > 0.75, "the first line has none above, so it is a streak"
    assert np.abs(planes[1:, 0, 24:30]).max() < 0.02, "and has no colour"
    assert planes[0, 0, 59] < 0.5, "it goes more slowly than it comes"


def test_bands_drift_and_are_where_the_facts_say() -> None:
    shape = ClipShape(400, 240, 200)
    tape = Tape.model_validate({**NOTHING, "bands": 1, "band_lines": 60, "band_speed": 4, "band_strength": 1})
    params = tape.sample(shape, Rng.root(3))
    speed = params["generations"][0]["bands"][0]["speed"]
    assert 0.6 * 2 <= speed <= 1.4 * 2, "rows of 240, half of those of 480"
    places = tape.facts(params, shape)["tracking_y_px"]
    assert {len(p) for p in places} == {0, 1} or all(places)
    steps = [b[0] - a[0] for a, b in pairwise(places) if a and b]
    assert np.mean(np.isclose(steps, speed, atol=0.02)) > 0.9, "else it came in again at the top"
    flat = np.full((240, 200), 0.5)
    clip = coloured(flat, 0 * flat + 0.1, 0 * flat).expand(6, -1, -1, -1).contiguous()
    out = tape.apply(clip, params)
    for t in range(6):
        rows = Band(places[t][0], 30).envelope(240) > 0 if places[t] else np.zeros(240, bool)
        covered = out.masks["tracking"][t, 0].amax(dim=1).numpy() > 0
        assert not (covered & ~rows).any()
        if rows.sum() > 20:
            colour = yuv(out.frames[t : t + 1])[0, 1]
            assert np.abs(colour[rows].mean()) < 0.06
            assert colour[~rows].mean() == pytest.approx(0.1, abs=0.005)


def test_a_step_emits_the_masks_of_what_it_can_make() -> None:
    clip = torch.full((2, 3, 16, 32), 0.5)
    tape = Tape(bands=1, dropouts=0.01)
    params = tape.sample(ClipShape(2, 16, 32), Rng.root(0))
    assert set(tape.apply(clip, params).masks) == {"dropout", "tracking"}, "16 rows have no line behind the switch"
    assert played(clip).masks == {}


# --- the whole ------------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(
    st.tuples(st.integers(1, 3), st.sampled_from([1, 3]), st.integers(1, 40), st.integers(1, 40)),
    st.sampled_from(["ntsc", "pal"]),
    st.integers(0, 99),
)
def test_any_size_and_any_chunks(size: tuple[int, int, int, int], system: str, seed: int) -> None:
    clip = torch.rand(size, generator=torch.Generator().manual_seed(seed))
    before = clip.clone()
    tape = Tape.model_validate({"system": system, "dropouts": 4, "compensated": 0.5, "bands": 1, "generations": 2})
    shape = ClipShape(size[0], *size[2:], size[1])
    params = json.loads(json.dumps(tape.sample(shape, Rng.root(seed))))
    whole = joined(tape.stream([Damage(clip)], params, shape))
    single = joined(tape.stream([Damage(frame[None]) for frame in clip], params, shape))
    assert torch.equal(clip, before)
    assert whole.frames.shape == clip.shape
    assert whole.frames.dtype == torch.float32
    assert bool(torch.isfinite(whole.frames).all())
    assert torch.equal(single.frames, whole.frames)
    for kind, plane in whole.masks.items():
        assert torch.equal(single.masks[kind], plane)
        assert 0 <= float(plane.min()) <= float(plane.max()) <= 1
    alone = tape.apply(clip[-1:], params, start=size[0] - 1)
    assert torch.equal(alone.frames[0], whole.frames[-1]), "a frame can be made alone"
    known = tape.facts(params, shape)
    assert all(len(values) == size[0] for values in known.values())
    json.dumps(known)


def test_gray_is_luma_alone() -> None:
    gray = torch.rand(1, 1, 20, 120, generator=torch.Generator().manual_seed(0))
    out = played(gray, peaking_db=3).frames
    three = played(gray.expand(-1, 3, -1, -1).contiguous(), peaking_db=3).frames
    assert float((out[:, 0] - three[:, 0]).abs().max()) < 0.003


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"system": "secam"}, "ntsc"),
        ({"luma_mhz": 0.1}, r"0\.3"),
        ({"generations": 0}, "greater than or equal to 1"),
        ({"compensated": 1.5}, "less than or equal to 1"),
        ({"wobble": 1}, "Extra inputs"),
    ],
)
def test_bad_settings_are_told(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        Tape.model_validate(changes)


def test_severities_are_worse_and_worse() -> None:
    from vbench.builtin import open_builtin

    for name, seed in (("cat", 0), ("portrait", 1)):
        stored = np.concatenate(list(open_builtin(name, frames=3).chunks(3)))
        clip = torch.from_numpy(np.ascontiguousarray(stored.transpose(0, 3, 1, 2))).float() / 255
        found = []
        for severity in range(1, 6):
            out = degrade(clip, "vhs", f"severity-{severity}", seed=seed).frames.clamp(0, 1)
            found.append(-10 * math.log10(float((out - clip).square().mean())))
        assert all(a > b + 0.3 for a, b in pairwise(found)), found


def test_the_facts_of_a_variant_are_those_of_its_frames() -> None:
    clip = torch.rand(3, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    made = degrade(clip, "vhs", "worn", seed=1)
    known = {step["kind"]: step for step in facts(made.recipe)}
    assert known["interlace"]["second_field_frames"] == [1.0, 1.0, 0.0]
    assert len(known["tape"]["dropouts"]) == 3
    assert set(made.masks) == {"dropout", "tracking", "head-switching"}
    assert Lines(SYSTEMS["pal"], 96).us == pytest.approx(51.95 / 96)
