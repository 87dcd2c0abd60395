"""The profile of old film: severities, and what its variants measure beside real films."""

from __future__ import annotations

import subprocess

import cv2
import imageio_ffmpeg
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from skimage import data
from torch import Tensor

from degradations.apply import degrade
from degradations.film.statistics import FilmStatistics, compare, measure
from degradations.profile import load_profile
from vbench.builtin import open_builtin

Frames = NDArray[np.uint8]


def gray(name: str, frames: int = 4) -> Tensor:
    """An embedded clip in gray, one plane seen three times."""
    clip = open_builtin(name, frames=frames).read(0, frames)
    luma = [f[..., 0] if f.shape[2] == 1 else cv2.cvtColor(f, cv2.COLOR_RGB2GRAY) for f in clip]
    return torch.from_numpy(np.stack(luma)).float().div(255)[:, None].expand(-1, 3, -1, -1)


def psnr(a: Tensor, b: Tensor) -> float:
    """Mean over frames, in dB."""
    error = (a.clamp(0, 1) - b).square().mean(dim=(1, 2, 3))
    return float((-10 * error.log10()).mean())


@pytest.mark.parametrize("name", ["cat", "coffee", "launch"])
def test_psnr_falls_strictly_with_severity(name: str) -> None:
    clean = gray(name)
    for seed in range(2):
        found = [
            psnr(degrade(clean, "oldfilm", f"severity-{s:g}", seed=seed, clip=name).frames, clean)
            for s in (1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5)
        ]
        assert all(np.diff(found) < 0), found
        assert found[0] - found[-1] > 5


def test_severities_pass_near_the_variants() -> None:
    """1.8 is about light, 3 about medium, 4.2 about heavy: density and contrast of dirt on the print, grain, softness."""
    profile = load_profile("oldfilm")

    def of(variant: str) -> dict[str, float]:
        steps = {step.kind: step for step in profile.build(variant)}
        dirt = [step for step in profile.build(variant) if step.kind == "dirt" and step.dark > 0.5]  # type: ignore[attr-defined]
        return {
            "dirt": sum(d.density for d in dirt),  # type: ignore[attr-defined]
            "grain": steps["grain"].strength,  # type: ignore[attr-defined]
            "softness": steps["softness"].sigma,  # type: ignore[attr-defined]
            "flicker": steps["flicker"].strength,  # type: ignore[attr-defined]
        }

    for severity, variant in ((1.8, "light"), (3, "medium"), (4.2, "heavy")):
        at, wanted = of(f"severity-{severity:g}"), of(variant)
        for name, value in wanted.items():
            assert at[name] == pytest.approx(value, rel=0.3), (severity, name)


def test_black_and_white_has_a_gray_truth_and_colour_has_not() -> None:
    profile = load_profile("oldfilm")
    assert profile.version == 3
    assert {name: v.truth for name, v in profile.variants.items()} == {
        "light": "gray",
        "medium": "gray",
        "heavy": "gray",
        "water-damaged": "gray",
        "colour": "colour",
    }
    assert profile.severities is not None
    assert profile.severities.truth == "gray"


def walk(image: Frames, frames: int) -> Frames:
    """A photograph in 640 x 480, over which a camera moves slowly."""
    picture = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    large = cv2.resize(picture, (720, 540), interpolation=cv2.INTER_LANCZOS4)
    out = []
    for t in range(frames):
        matrix = np.array([[1, 0, 20 + 30 * np.sin(0.03 * t)], [0, 1, 20 + 20 * np.cos(0.02 * t)]])
        out.append(cv2.warpAffine(large, matrix, (640, 480), flags=cv2.INTER_LANCZOS4 | cv2.WARP_INVERSE_MAP))
    return np.stack(out).astype(np.uint8)


def h264(frames: Frames, crf: int = 20) -> Frames:
    """Gray frames through x264 and back, as the real films came through some codec."""
    ffmpeg = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error"]
    count, height, width = frames.shape
    raw = ["-f", "rawvideo", "-pix_fmt", "gray"]
    encode = ["-c:v", "libx264", "-crf", str(crf), "-pix_fmt", "yuv420p", "-threads", "1", "-f", "h264", "-"]
    sent = subprocess.run(
        [*ffmpeg, *raw, "-s", f"{width}x{height}", "-r", "24", "-i", "-", *encode],
        input=frames.tobytes(),
        capture_output=True,
        check=True,
    ).stdout
    back = subprocess.run([*ffmpeg, "-f", "h264", "-i", "-", *raw, "-"], input=sent, capture_output=True, check=True)
    return np.frombuffer(back.stdout, np.uint8).reshape(count, height, width)


def measured(variant: str, frames: int = 16) -> FilmStatistics:
    clean = walk(data.coffee(), frames)
    x = torch.from_numpy(clean).float().div(255)[:, None].expand(-1, 3, -1, -1)
    damaged = degrade(x, "oldfilm", variant, clip="coffee").frames[:, 0]
    film = h264((damaged.clamp(0, 1) * 255 + 0.5).to(torch.uint8).numpy())
    return measure(film, truth=clean, parts=["grain", "dirt", "scratches"])


@pytest.mark.slow
def test_light_lies_within_what_real_films_measure() -> None:
    """Of all that is compared of grain, dirt and scratches, on a short clip: nearly all inside, the rest not far."""
    rows = [row for row in compare(measured("light")) if row.inside is not None]
    assert len(rows) > 30
    # Of so few frames, chance counts: how often specks lie on each other, counts of single frames, streaks.
    solid = [row for row in rows if not any(word in row.name for word in ("repetition", "per_megapixel_p", "variance"))]
    outside = [(row.name, row.value, row.low, row.high) for row in solid if not row.inside]
    assert len(outside) <= 0.25 * len(solid), outside
    for row in solid:
        if not row.inside and row.times is not None:
            assert 0.5 < row.times < 2, row


@pytest.mark.slow
def test_medium_behaves_like_real_films_but_has_more() -> None:
    """Kinds of behaviour within the range: sizes and contrast of specks, polarity, correlation of grain, wandering; the
    number of specks above it, as the variant says."""
    found = {row.name: row for row in compare(measured("medium"))}
    behaviour = [
        "grain.correlation_y.1",
        "grain.correlation_y.2",
        "grain.shadow_ratio",
        "dirt.dark_share",
        "dirt.log_area_mean_dark",
        "dirt.log_area_std_bright",
        "dirt.contrast_p90_dark",
        "dirt.relative_p50_dark",
        "dirt.aspect_p50_dark",
        "dirt.elongated_share",
        "scratches.depth",
        "scratches.width",
    ]
    outside = [(n, found[n].value, found[n].low, found[n].high) for n in behaviour if not found[n].inside]
    assert len(outside) <= 2, outside
    more = found["dirt.per_megapixel"]
    assert more.value is not None
    assert more.value > 1.5 * more.high  # type: ignore[operator]
