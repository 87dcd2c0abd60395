"""Ground truths in other tones: luma as Pillow makes it, and the sharpened target of RTN."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from degradations.apply import degrade, stored
from degradations.profile import load_profile
from degradations.training import DamagedCrops
from degradations.truth import TONES, begun, to_gray, toned

FRAMES = hnp.arrays(np.uint8, st.tuples(st.integers(1, 2), st.integers(1, 9), st.integers(1, 9), st.just(3)))


def target(luma: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The target of RTN in levels, restated in double precision from what is known of its code: 51 x 51, sigma 8,
    differences beyond 10 levels, half of them added, a mask that is as soft."""

    def soft(image: NDArray[np.float64]) -> NDArray[np.float64]:
        taps = np.exp(-0.5 * (np.arange(-25, 26) / 8.0) ** 2)
        taps /= taps.sum()
        across = ndimage.correlate1d(image, taps, axis=0, mode="mirror")
        return np.asarray(ndimage.correlate1d(across, taps, axis=1, mode="mirror"))

    image = luma / 255.0
    residual = image - soft(image)
    mask = soft((np.abs(residual) * 255 > 10).astype(float))
    return np.asarray(255 * (mask * np.clip(image + 0.5 * residual, 0, 1) + (1 - mask) * image))


@given(FRAMES)
def test_gray_is_pillows_luma_in_equal_channels(frames: NDArray[np.uint8]) -> None:
    gray = to_gray(frames)
    assert gray.shape == frames.shape
    assert gray.dtype == np.uint8
    for frame, made in zip(frames, gray, strict=True):
        assert np.array_equal(made[..., 0], np.asarray(Image.fromarray(frame).convert("L")))
    assert np.array_equal(gray[..., 0], gray[..., 1])
    assert np.array_equal(gray[..., 0], gray[..., 2])
    assert np.array_equal(to_gray(gray), gray)


def test_the_target_of_rtn_is_sharpened_luma_truncated_to_levels(picture: NDArray[np.uint8]) -> None:
    """Truncated, not rounded: RTN's validation generator and RRTN's script store it so (in training it is real)."""
    made = toned(picture[None], "gray-sharp")[0]
    wanted = target(to_gray(picture[None])[0, :, :, 0])
    assert np.array_equal(made[..., 0], made[..., 2])
    # Single precision moves a level only where the exact value lies at one.
    clear = np.abs(wanted - np.round(wanted)) > 1e-3
    assert clear.mean() > 0.8
    assert np.array_equal(made[..., 0][clear], np.floor(wanted)[clear])
    assert np.abs(made[..., 0] - wanted).max() <= 1 + 1e-3
    rounded = np.floor(wanted + 0.5)
    assert 0.3 < float((rounded - made[..., 0]).mean()) < 0.6


def test_flat_and_faint_parts_keep_every_level() -> None:
    """Where nothing differs by more than 10 levels from its surroundings, the target is the source."""
    levels = np.repeat(np.arange(256, dtype=np.uint8)[:, None, None, None], 3, axis=3)
    flat = np.broadcast_to(levels, (256, 4, 5, 3)).copy()
    assert np.array_equal(toned(flat, "gray-sharp"), flat)
    faint = (100 + np.random.default_rng(0).integers(0, 8, (1, 60, 60, 1))).astype(np.uint8)
    assert np.array_equal(toned(faint, "gray-sharp"), faint)


def test_an_edge_overshoots_by_half_of_what_it_differs_from_its_blur() -> None:
    step = np.full((1, 160, 160, 3), 60, np.uint8)
    step[:, :, 80:] = 180
    made = toned(step, "gray-sharp")[0, 80, :, 0].astype(int)
    assert made[40] == 60
    assert made[120] == 180
    # At the edge the blur is half-way: a difference of nearly 60, half of it, by the softened mask.
    assert 20 < 60 - made[79] < 30
    assert 20 < made[80] - 180 < 30
    assert (np.diff(made[81:94]) <= 0).all()


def test_colours_are_sharpened_by_channel_and_rounded(picture: NDArray[np.uint8]) -> None:
    made = toned(picture[None], "sharp")[0]
    for c in range(3):
        wanted = target(picture[..., c])
        clear = np.abs(wanted - np.floor(wanted) - 0.5) > 1e-3
        assert np.array_equal(made[..., c][clear], np.floor(wanted + 0.5)[clear])


@pytest.mark.parametrize("tone", TONES)
@pytest.mark.parametrize("channels", [1, 3])
def test_tones_keep_shape_and_source(tone: str, channels: int) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (2, 21, 33, channels), dtype=np.uint8)
    before = frames.copy()
    made = toned(frames, tone)
    assert made.shape == frames.shape
    assert made.dtype == np.uint8
    assert np.array_equal(frames, before)
    each = np.concatenate([toned(frames[i : i + 1], tone) for i in range(2)])
    assert np.array_equal(each, made)


def test_an_unknown_tone_is_told() -> None:
    with pytest.raises(ValueError, match=r'no tone "sepia"; known: colour, gray, sharp, gray-sharp'):
        toned(np.zeros((1, 2, 2, 3), np.uint8), "sepia")


@pytest.mark.parametrize(
    ("profile", "variant"), [("oldfilm", "medium"), ("oldfilm-rtn", "code"), ("realworld", "realbasicvsr")]
)
def test_a_clip_begins_as_data_sets_have_it(profile: str, variant: str) -> None:
    """`DamagedCrops` holds what a data set would: `begun` and `degrade` by hand give the same."""
    clean = np.random.default_rng(0).integers(0, 256, (2, 40, 48, 3), dtype=np.uint8)
    crops = DamagedCrops({"a": clean}, profile, [variant], frames=2, crop=None, length=1)
    frames = torch.from_numpy(clean).permute(0, 3, 1, 2).float() / 255
    truth, start = begun(frames, load_profile(profile).variant(variant))
    assert torch.equal(truth, crops[0]["gt"])
    recipe = crops.recipe(0)
    made = degrade(start, profile, variant, seed=recipe.seed, clip=recipe.clip)
    assert torch.equal(stored(made.frames), crops[0]["lq"])
    assert torch.equal(truth[:, 0], truth[:, 1]) == (profile != "realworld")
