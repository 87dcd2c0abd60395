"""Packet loss: how much is lost and where, what a decoder shows, what the mask and the counts say."""

from __future__ import annotations

from itertools import groupby
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import Tensor

from degradations.codec.loss import Line, PacketLoss, split
from degradations.codec.quantiser import Codec
from degradations.rng import Rng
from tests.degradations.codecs import psnr, run, shape_of, texture


def lost(step: PacketLoss, clip: Tensor, seed: int = 0, chunk: int = 100) -> tuple[Tensor, Tensor, dict[str, Any]]:
    measured: dict[str, Any] = {}
    params = step.sample(shape_of(clip), Rng.root(seed))
    out = run(step, clip, chunk, params=params, measured=measured)
    return out.frames, out.masks["loss"], measured


@pytest.mark.parametrize(("rate", "burst"), [(0.01, 1.5), (0.05, 2.0), (0.1, 1.2), (0.3, 8.0)])
def test_losses_have_the_rate_and_the_bursts_of_the_settings(rate: float, burst: float) -> None:
    """Gilbert's model: geometric bursts, of which the mean is ``burst``; the share of lost packets is ``rate``."""
    line = Line(PacketLoss(rate=rate, burst=burst), Rng.root(1), 10**9)
    line.arrives(1)
    whole = np.array([a for _ in range(4000) for a in line.arrives(100)])
    runs = [len(list(group)) for arrived, group in groupby(whole) if not arrived]
    # The deviation of a mean of correlated draws: bursts are nearly independent of each other.
    assert abs((~whole).mean() - rate) < 5 * rate * np.sqrt(2 / len(runs))
    assert abs(np.mean(runs) - burst) < 5 * burst / np.sqrt(len(runs))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 60), st.floats(0.001, 0.5), st.integers(1, 4))
def test_the_first_frame_is_spared_and_something_is_lost(seed: int, frames: int, rate: float, packets: int) -> None:
    step = PacketLoss(rate=rate, burst=1 / (1 - rate))
    line = Line(step, Rng.root(seed), frames)
    fate = [line.arrives(packets) for _ in range(frames)]
    assert all(fate[0])
    assert not all(a for frame in fate for a in frame)
    again = Line(step, Rng.root(seed), frames)
    assert [again.arrives(packets) for _ in range(frames)] == fate


@pytest.mark.parametrize("name", ["h264", "mpeg2"])
@pytest.mark.parametrize("bframes", [0, 2])
def test_the_same_bytes_for_any_chunks_and_others_for_another_seed(name: str, bframes: int) -> None:
    clip = texture(14, 64, 96)
    step = PacketLoss.model_validate({"codec": name, "qp": 8, "rate": 0.2, "packet": 200, "bframes": bframes})
    frames, mask, measured = lost(step, clip)
    assert frames.shape == clip.shape
    assert mask.shape == (14, 1, 64, 96)
    for chunk in (1, 5):
        again = lost(step, clip, chunk=chunk)
        assert again[0].equal(frames)
        assert again[1].equal(mask)
        assert again[2] == measured
    assert not lost(step, clip, seed=1)[0].equal(frames)


@pytest.mark.parametrize("name", ["h264", "mpeg2"])
def test_the_mask_is_where_the_whole_stream_would_have_given_something_else(name: str) -> None:
    clip = texture(12, 64, 96)
    step = PacketLoss.model_validate({"codec": name, "qp": 6, "rate": 0.1, "packet": 300, "gop": 4})
    frames, mask, measured = lost(step, clip, seed=2)

    class Whole:
        def arrives(self, packets: int) -> list[bool]:
            return [True] * packets

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("degradations.codec.loss.Line", lambda *a: Whole())
        whole, none, counts = lost(step, clip)
    assert not bool(none.any())
    assert counts["loss_rate"] == 0
    assert counts["packets"] == measured["packets"]
    assert psnr(whole, clip) > 30
    assert torch.equal(mask[:, 0].bool(), (frames != whole).any(dim=1))
    assert 0 < float(mask.mean()) < 0.9
    assert psnr(frames, clip) < psnr(whole, clip) - 1
    # Damage lasts until the next key frame: a frame is whole only if nothing was lost since, itself included.
    for start in range(0, 12, 4):
        group = slice(start, start + 4)
        hurt = np.cumsum(measured["packets_lost"][group]) > 0
        found = [bool(plane.any()) for plane in mask[group]]
        assert not any(seen for seen, bad in zip(found, hurt, strict=True) if not bad)
        if name == "h264":  # what MPEG-2 guesses can be right
            assert found == hurt.tolist()


def test_without_loss_it_is_a_codec(monkeypatch: pytest.MonkeyPatch) -> None:
    """MPEG-2 with the same GOP: slices are in it anyway."""
    clip = texture(6)
    monkeypatch.setattr(Line, "arrives", lambda self, packets: [True] * packets)
    frames, mask, measured = lost(PacketLoss(codec="mpeg2", qp=5, rate=0.1, gop=12), clip)
    plain = run(Codec(codec="mpeg2", qp=5), clip).frames
    assert frames.equal(plain)
    assert not bool(mask.any())
    assert measured["qp"] == [5] * 6


@pytest.mark.parametrize("bframes", [0, 2])
def test_frames_of_which_nothing_arrives_repeat_the_one_before(monkeypatch: pytest.MonkeyPatch, bframes: int) -> None:
    """Seven frames in a row in coding order never arrive."""
    clip = texture(16)
    seen = iter(range(100))
    monkeypatch.setattr(Line, "arrives", lambda self, packets: [not 5 <= next(seen) < 12] * packets)
    frames, mask, measured = lost(PacketLoss(rate=0.3, qp=20, bframes=bframes), clip)
    assert len(frames) == 16
    assert sum(measured["repeated"]) == 7
    for i, repeated in enumerate(measured["repeated"]):
        assert repeated == (measured["packets_lost"][i] == measured["packets"][i])
        if repeated:
            assert frames[i].equal(frames[i - 1])
            assert bool(mask[i].any())


def test_earlier_losses_stay_in_the_mask() -> None:
    clip = texture(5)
    before = torch.zeros(5, 1, 48, 64)
    before[:, :, 3, 4] = 0.5
    step = PacketLoss(rate=0.01)
    params = step.sample(shape_of(clip), Rng.root(0))
    out = run(step, clip, 2, before, params)
    assert out.masks["dirt"].equal(before)
    assert set(out.masks) == {"dirt", "loss"}


@pytest.mark.parametrize("name", ["h264", "mpeg2"])
@pytest.mark.parametrize("size", [(1, 1), (17, 33)])
def test_small_odd_gray_and_single_frames(name: str, size: tuple[int, int]) -> None:
    for frames in (1, 3):
        clip = texture(frames, *size, channels=1)
        found, mask, measured = lost(PacketLoss.model_validate({"codec": name, "qp": 8, "rate": 0.4}), clip)
        assert found.shape == clip.shape
        assert mask.shape == clip.shape
        assert measured["packets_lost"][0] == 0
        assert sum(measured["packets_lost"]) > 0 or frames == 1


def test_units_of_a_packet_are_the_slices() -> None:
    mpeg = b"\x00\x00\x01\xb3head" + b"".join(b"\x00\x00\x01" + bytes([n]) + b"x" * 16 for n in range(1, 8))
    head, units = split(mpeg, "mpeg2", 45)
    assert head == b"\x00\x00\x01\xb3head"
    assert [len(unit) for unit in units] == [40, 40, 40, 20]
    assert head + b"".join(units) == mpeg
    assert split(b"\x00\x00\x01\x00", "mpeg2", 45) == (b"\x00\x00\x01\x00", [])


def test_slices_fill_packets_and_are_no_longer() -> None:
    """More packets where they are smaller; the bits of a frame fit into its packets."""
    clip = texture(4, 96, 128)
    measured = [lost(PacketLoss(rate=0.01, qp=15, packet=size), clip)[2] for size in (200, 1400)]
    assert sum(measured[0]["packets"]) > 2 * sum(measured[1]["packets"])
    for found, size in zip(measured, (200, 1400), strict=True):
        for bits, packets in zip(found["bits"][1:], found["packets"][1:], strict=True):
            assert packets >= bits / 8 / (size + 8)


@pytest.mark.parametrize(
    ("given_settings", "says"),
    [
        ({"rate": 0.6}, "less than or equal to 0.5"),
        ({"rate": 0}, "greater than 0"),
        ({"rate": 0.1, "burst": 0.5}, "greater than or equal to 1"),
        ({"rate": 0.1, "codec": "mpeg2", "qp": 40}, "1..31"),
        ({"rate": 0.1, "codec": "hevc"}, "h264"),
    ],
)
def test_settings_that_make_no_sense_are_refused(given_settings: dict[str, object], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        PacketLoss.model_validate(given_settings)
