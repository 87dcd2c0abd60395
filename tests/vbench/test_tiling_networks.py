"""Networks that see far, in tiles that are faded into each other: of the right size, in the right place, near the whole."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from vbench import models
from vbench.models.cdvd_tsp.restorer import CDVDTSPRestorer
from vbench.models.edvr.net import EDVR
from vbench.models.edvr.restorer import EDVRRestorer
from vbench.models.pvdnet.restorer import PVDNetRestorer
from vbench.models.rtn.net import RTN
from vbench.models.rtn.restorer import RTNRestorer
from vbench.models.verify import build
from vbench.models.votes.net import VOTES
from vbench.models.votes.restorer import VOTESRestorer
from vbench.restore import ClipMeta, Restorer, checked, run_array
from vbench.tiling import Tile, restored

PARITY = Path(__file__).resolve().parents[1] / "parity"


def official(name: str) -> torch.nn.Module:
    return build(name, PARITY / name / "manifest.json", {}, "float32")


def small_edvr() -> Restorer:
    torch.manual_seed(0)
    return EDVRRestorer(EDVR(num_feat=16, num_reconstruct_block=1).eval())


def small_votes() -> Restorer:
    torch.manual_seed(0)
    return VOTESRestorer(VOTES(num_feat=16, num_reconstruct_block=1, num_modulation_blocks=1).eval())


def photograph(count: int, height: int, width: int) -> Tensor:
    """A photograph that moves by three pixels a frame, ``(T, 3, H, W)``."""
    import cv2
    from skimage import data

    large = torch.from_numpy(cv2.resize(data.astronaut(), (width + 32, height + 32))).permute(2, 0, 1) / 255
    return torch.stack([large[:, t : t + height, 3 * t : 3 * t + width] for t in range(count)])


@pytest.mark.parametrize(
    ("model", "make", "size", "tile", "least"),
    [
        ("edvr-m-x4", small_edvr, (1, 30, 133), Tile(68, 64), 100),
        ("votes-x2-qp28", small_votes, (5, 30, 133), Tile(68, 64), 80),
        ("pvdnet-gopro", lambda: PVDNetRestorer(official("pvdnet")), (2, 64, 192), Tile(96, 64), 32),  # type: ignore[arg-type]
        ("cdvd-tsp-gopro", lambda: CDVDTSPRestorer(official("cdvd_tsp")), (2, 64, 192), Tile(64, 64), 28),  # type: ignore[arg-type]
        ("rtn", lambda: RTNRestorer(official("rtn")), (2, 128, 250), Tile(144, 128), 50),  # type: ignore[arg-type]
    ],
)
def test_tiles_are_near_whole_frames(
    model: str,
    make: Callable[[], Restorer],
    size: tuple[int, int, int],
    tile: Tile,
    least: float,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """PSNR of one against the other, with a few dB to spare of what was measured. The recipe's weights estimate flows that
    mean nothing, which is the worst that can happen to tiles. The error is less than that of a picture one column off."""
    flows = RTN.flows
    # Two iterations in place of 24, for speed.
    monkeypatch.setattr(RTN, "flows", lambda self, a, b, iterations=2: flows(self, a, b, iterations))
    restorer, clip = make(), photograph(*size)
    spec = models.spec(model)
    scale = (spec.scales or (1,))[0]
    whole = run_array(restorer, clip, scale=scale)
    meta = ClipMeta(*size, 3, 24.0, scale)
    with torch.inference_mode():
        parts = restored(
            checked(restorer, model), lambda: iter(clip.split(1)), meta, "cpu", tile, spec.tiles, tmp_path / "waiting"
        )
        found = torch.cat(list(parts))
    assert found.shape == whole.shape
    error = float((found - whole).square().mean())
    assert -10 * math.log10(error + 1e-20) > least
    moved = (whole - whole.roll(1, dims=3)).square().mean()
    assert error < float(moved)
