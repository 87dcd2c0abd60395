"""Classical rows as honest floors: every task has two, and each does what it is for."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from vbench import models
from vbench.errors import RunError
from vbench.models.back_projection import projected
from vbench.models.identity import enlarged
from vbench.models.skimage_filters import noise_level
from vbench.models.stabilisers import REACH, PhaseStabiliser
from vbench.restore import ClipMeta, from_array, run_array, to_uint8

CPU = torch.device("cpu")


def gain(found: Tensor, given: Tensor, truth: Tensor) -> float:
    """What PSNR gained, in dB."""
    return float(10 * torch.log10((given - truth).square().mean() / (found - truth).square().mean()))


def test_every_task_has_two_classical_rows() -> None:
    """Without weights; in super-resolution, doing nothing is bicubic enlargement and counts."""
    rows = defaultdict(set)
    for name in models.names():
        spec = models.spec(name)
        rows[spec.task] |= {name} if spec.weights is None else set()
    assert models.spec("identity").scales is None
    rows["super-resolution"].add("identity")
    tasks = {"denoising", "deblurring", "old film", "compressed video", "super-resolution", "stabilisation"}
    assert tasks <= rows.keys()
    assert rows.keys() - tasks == {"baseline", "sharpening"}  # which no network is for
    assert all(len(rows[task]) >= 2 for task in tasks), rows


@pytest.mark.parametrize(
    ("name", "sigma", "least"),
    [
        ("dctdnoiz", 15, 3.5),
        ("owdenoise", 15, 3.5),
        *(
            (name, sigma, least)
            for name in ("nlmeans-skimage", "tv-chambolle")
            for sigma, least in ((15, 4), (40, 6.5))
        ),
    ],
)
def test_denoisers_denoise(picture: NDArray[np.uint8], name: str, sigma: int, least: float) -> None:
    """The rows of scikit-image at any level of noise, as they estimate it; the filters at the one they are set for."""
    clean = from_array(picture[None, :96, :128])
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
    noisy = from_array(to_uint8(clean + sigma / 255 * noise))
    restorer = models.spec(name).load(CPU, None)
    assert gain(run_array(restorer, noisy), noisy, clean) > least
    gray = run_array(restorer, noisy[:, :1])
    assert gain(gray, noisy[:, :1], clean[:, :1]) > least - 1.5


def test_the_noise_level_is_estimated(picture: NDArray[np.uint8]) -> None:
    noise = np.random.default_rng(0).normal(0, 1, picture.shape)
    for sigma in (15, 30):
        found = noise_level((picture + sigma * noise).astype(np.float32) / 255)
        assert found * 255 == pytest.approx(sigma, abs=1)
    flat = torch.full((1, 3, 20, 20), 0.25)
    for name in ("nlmeans-skimage", "tv-chambolle"):
        restorer = models.spec(name).load(CPU, None)
        assert torch.equal(run_array(restorer, flat), flat)
        with pytest.raises(RunError, match="frames of 20 x 15 pixels cannot be estimated"):
            run_array(restorer, torch.rand(1, 3, 15, 20))
    with pytest.raises(RunError, match="dctdnoiz.* takes frames of at least 16 x 16 pixels, and these are 20 x 15"):
        run_array(models.spec("dctdnoiz").load(CPU, None), torch.rand(1, 3, 15, 20))


def test_owdenoise_leaves_the_levels_of_gray_clips_where_they_are() -> None:
    """FFmpeg would convert gray to its limited range in front of the filter, which knows no gray."""
    ramp = torch.linspace(0, 1, 256).round(decimals=4).expand(1, 1, 64, 256)
    found = run_array(models.spec("owdenoise").load(CPU, None), ramp)
    assert float((found - ramp)[..., 16:-16].abs().max()) * 255 <= 1.5


def test_wiener_undoes_its_blur(picture: NDArray[np.uint8]) -> None:
    x, truth = from_array(cv2.GaussianBlur(picture, (9, 9), 1.2)[None]), from_array(picture[None])
    assert gain(run_array(models.spec("wiener").load(CPU, None), x), x, truth) > 1.5


@pytest.mark.parametrize("scale", [2, 4])
def test_back_projection_agrees_with_what_it_was_made_from(picture: NDArray[np.uint8], scale: int) -> None:
    from PIL import Image

    height, width = picture.shape[0] // scale, picture.shape[1] // scale
    small = np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.BICUBIC))
    x, truth = from_array(small[None]), from_array(picture[None])
    found = projected(x, scale)
    assert gain(found, enlarged(x, scale, "bicubic"), truth) > 0.4
    again = Image.fromarray(to_uint8(found)[0]).resize((width, height), Image.Resampling.BICUBIC)
    assert np.abs(np.asarray(again, np.int16) - small).mean() < 1.5
    restorer = models.spec("back-projection").load(CPU, None)
    assert torch.equal(run_array(restorer, x, scale=scale), found)
    assert run_array(restorer, x[:, :1], scale=scale).shape == truth[:, :1].shape


# --- stabilisation -------------------------------------------------------------------------------


def window(picture: NDArray[np.uint8], y: float, x: float) -> NDArray[np.uint8]:
    matrix = np.array([[1, 0, -x], [0, 1, -y]])
    return np.asarray(cv2.warpAffine(picture, matrix, (200, 150), flags=cv2.INTER_LINEAR), dtype=np.uint8)


@pytest.fixture(scope="module")
def woven() -> tuple[Tensor, Tensor]:
    """A slow pan over a photograph, 20 frames, and the same shaken by a standard deviation of two pixels."""
    from skimage import data

    picture = data.astronaut()
    shake = np.random.default_rng(0).normal(0, 2, (20, 2))
    steady = [window(picture, 60 + 0.3 * t, 60 + 0.8 * t) for t in range(20)]
    shaken = [window(picture, 60 + 0.3 * t + dy, 60 + 0.8 * t + dx) for t, (dy, dx) in enumerate(shake)]
    return from_array(np.stack(steady)), from_array(np.stack(shaken))


def inside(frames: Tensor) -> Tensor:
    """Without the border, which moving repeats, and the ends, where the path is known on one side."""
    return frames[4:-4, :, 16:-16, 16:-16]


@pytest.mark.parametrize(("name", "least"), [("steady", 4.0), ("vidstab", 2.5)])
def test_weave_is_taken_out(woven: tuple[Tensor, Tensor], name: str, least: float) -> None:
    truth, shaken = woven
    restorer = models.spec(name).load(CPU, None)
    found = run_array(restorer, shaken)
    assert gain(inside(found), inside(shaken), inside(truth)) > least
    # A pan is not weave: what was steady stays, but for the interpolation.
    calm = run_array(restorer, truth)
    assert float((inside(calm) - inside(truth)).abs().mean()) * 255 < 3
    for size in (1, 7):
        assert torch.equal(run_array(restorer, shaken, chunk=size), found)


def test_a_cut_is_no_motion(woven: tuple[Tensor, Tensor]) -> None:
    """Frames of another scene do not move those of this one."""
    _, shaken = woven
    other = torch.rand(8, 3, 150, 200, generator=torch.Generator().manual_seed(0))
    both = run_array(PhaseStabiliser(), torch.cat([shaken[:10], other]))
    assert torch.equal(both[:10], run_array(PhaseStabiliser(), shaken[:10]))


def test_steadying_holds_few_frames(woven: tuple[Tensor, Tensor]) -> None:
    asked = 0

    def chunks() -> Iterator[Tensor]:
        nonlocal asked
        for frame in woven[1]:
            asked += 1
            yield frame[None]

    next(PhaseStabiliser().restore(chunks(), ClipMeta(20, 150, 200, 3, 24.0)))
    assert asked == REACH + 1


@pytest.mark.parametrize("name", ["steady", "vidstab"])
@pytest.mark.parametrize("shape", [(1, 3, 40, 60), (2, 1, 35, 47), (4, 3, 16, 16), (3, 3, 1, 1), (4, 1, 2, 5)])
def test_stabilisers_take_any_clip(name: str, shape: tuple[int, ...]) -> None:
    x = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    if name == "vidstab" and min(shape[2:]) < 16:
        with pytest.raises(RunError, match="it takes 16 x 16 and more"):
            run_array(models.spec(name).load(CPU, None), x)
        return
    out = run_array(models.spec(name).load(CPU, None), x)
    assert out.shape == x.shape


def test_vidstab_leaves_nothing_on_the_disk(
    woven: tuple[Tensor, Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even where its user stops in the middle; and names of folders may be any."""
    room = tmp_path / "a b:c,d'e"
    room.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(room))
    before = os.getcwd()
    meta = ClipMeta(20, 150, 200, 3, 24.0)
    restorer = models.spec("vidstab").load(CPU, None)
    stream = restorer.restore(iter(woven[1].split(4)), meta)
    next(stream)
    assert len(list(room.iterdir())) == 1
    stream.close()  # type: ignore[attr-defined]
    assert list(room.iterdir()) == []
    assert os.getcwd() == before
