"""Every comparison of our metrics with the official code is within its tolerance."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.parity import metric_cases


@pytest.mark.shared
@pytest.mark.parametrize("group", sorted(metric_cases.GROUPS))
def test_metrics_equal_the_official_code(shared: Path, group: str) -> None:
    found = list(metric_cases.GROUPS[group](shared))
    assert len(found) >= 2
    assert [c for c in found if not c.within] == []


@pytest.mark.shared
@pytest.mark.usefixtures("brought_assets")
def test_lpips_and_dists_with_their_networks_give_the_official_figures(shared: Path) -> None:
    found = list(metric_cases.perceptual(shared))
    if len(found) < 2:
        pytest.skip("needs the parameter files alexnet, vgg16 and dists (vbench assets list), which are not here")
    assert [c for c in found if not c.within] == []


@pytest.mark.shared
def test_every_convention_of_the_fixture_is_compared(shared: Path) -> None:
    document = json.loads((shared / "metrics" / "psnr_ssim.json").read_text())
    keys = {key for pair in document["pairs"].values() for key in pair["values"]}
    assert keys == set(metric_cases.CONVENTIONS) & keys | set(metric_cases.NOT_OURS)


@pytest.mark.shared
def test_ssim_of_the_calibration_pairs_is_the_published_one(shared: Path) -> None:
    """Wang's MATLAB code on rgb2gray, four decimals."""
    from vbench.metrics.nss import matlab_gray
    from vbench.metrics.ssim import ssim

    data = shared / "data" / "metrics"
    for pair in json.loads((data / "calibration.json").read_text())["pairs"]:
        import torch

        gray = [
            torch.from_numpy(matlab_gray(metric_cases.read(data / pair[side])))[None]
            for side in ("distorted", "reference")
        ]
        own = ssim(gray[0], gray[1])[0]
        assert own == pytest.approx(pair["official_pair"]["ssim"], abs=5e-5)
        assert own == pytest.approx(pair["measured_pair"]["ssim_official_in_octave"], abs=1e-8)
