"""albumentations, driven by keyed seeds."""

from __future__ import annotations

import inspect
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from pydantic import ValidationError
from torch import Tensor

from degradations.apply import degrade
from degradations.base import ClipShape
from degradations.profile import load_profile
from degradations.rng import Rng
from degradations.spatial import ALLOWED, ERASING, MOVING, REFUSED, TURNING, Albumentations, Spatial, library

SHAPE = ClipShape(3, 48, 48)

CONSTANT = (
    "AutoContrast", "Equalize", "HorizontalFlip", "InvertImg", "Morphological", "Posterize", "Solarize", "ToGray",
    "ToSepia", "Transpose", "VerticalFlip",
)  # fmt: skip
"""Transforms that do the same every time."""

OPTIONS: dict[str, dict[str, Any]] = {
    "Affine": {"rotate": [-20, 20], "scale": [0.8, 1.2]},
    "Blur": {"blur_limit": [3, 9]},
    "CLAHE": {"clip_limit": [1, 9], "tile_grid_size": [2, 2]},
    "CropAndPad": {"percent": [-0.2, 0.2]},
    "Downscale": {"scale_range": [0.2, 0.6]},
    "FancyPCA": {"alpha": 0.5},
    "GridElasticDeform": {"num_grid_xy": [4, 4], "magnitude": 6},
    "ImageCompression": {"quality_range": [5, 60]},
    "MedianBlur": {"blur_limit": [3, 9]},
    "MultiplicativeNoise": {"multiplier": [0.5, 1.5]},
    "RandomGridShuffle": {"grid": [3, 3]},
    "XYMasking": {"num_masks_x": [1, 3], "mask_x_length": [3, 9], "num_masks_y": 0, "mask_y_length": 0},
}
"""Where the defaults do nothing, or next to nothing, or need something."""


def made(transform: str, per: str = "frame") -> Albumentations:
    return Albumentations.model_validate(
        {
            "transform": transform,
            "per": per,
            "options": OPTIONS.get(transform, {}),
            "moves": transform in MOVING,
        }
    )


def still(channels: int = 3, frames: int = 3, size: int = 48) -> Tensor:
    """The same frame again and again: soft, so that any move and any change of values shows."""
    small = torch.rand(1, channels, 7, 7, generator=torch.Generator().manual_seed(0))
    one = torch.nn.functional.interpolate(small, size=(size, size), mode="bilinear")
    return one.expand(frames, -1, -1, -1).contiguous()


def run(step: Albumentations, clip: Tensor, seed: int = 0) -> Tensor:
    return step.apply(clip, step.sample(ClipShape(len(clip), *clip.shape[2:]), Rng.root(seed))).frames


def test_every_transform_of_the_library_has_its_place() -> None:
    found = library()
    from albumentations.core.transforms_interface import BasicTransform

    bases = {"BasicTransform", "DualTransform", "ImageOnlyTransform", "Transform3D"}
    there = {n for n, c in vars(found).items() if inspect.isclass(c) and issubclass(c, BasicTransform)} - bases
    assert sorted((*ALLOWED, *MOVING, *REFUSED)) == sorted(there)
    assert {*ERASING} < {*ALLOWED}
    assert {*TURNING} < {*MOVING}


@pytest.mark.parametrize("transform", [*ALLOWED, *MOVING])
def test_every_transform_runs_and_is_the_same_for_any_chunks(transform: str) -> None:
    step, clip = made(transform), still()
    params = step.sample(SHAPE, Rng.root(0))
    whole = step.apply(clip, params)
    assert whole.frames.shape == clip.shape
    # The libraries' own generators must not matter.
    np.random.seed(1)  # noqa: NPY002
    each = [step.apply(clip[i : i + 1], params, start=i) for i in (2, 0, 1)]
    parts = [each[1], each[2], each[0]]
    assert torch.equal(whole.frames, torch.cat([p.frames for p in parts]))
    assert set(whole.masks) == ({"loss"} if transform in ERASING else set())
    for kind, plane in whole.masks.items():
        assert torch.equal(plane, torch.cat([p.masks[kind] for p in parts]))
    assert 0 <= float(whole.frames.min()) <= float(whole.frames.max()) <= 1


@pytest.mark.parametrize("transform", sorted({*ALLOWED, *MOVING} - {*CONSTANT}))
def test_what_is_random_is_new_in_each_frame_or_holds_for_the_clip(transform: str) -> None:
    size = 200 if transform == "RandomGravel" else 48  # there is no gravel in small frames
    clip = still(frames=12, size=size)  # some have few outcomes to choose from
    by_frame = run(made(transform), clip)
    assert len({f.numpy().tobytes() for f in by_frame}) > 1
    assert not torch.equal(by_frame, clip)
    found = set()
    for seed in range(8):
        by_clip = run(made(transform, "clip"), clip[:2], seed)
        assert torch.equal(by_clip[0], by_clip[1])
        found.add(by_clip.numpy().tobytes())
    assert len(found) > 1


@pytest.mark.parametrize("transform", CONSTANT)
def test_what_is_not_random_is_the_same_in_every_frame(transform: str) -> None:
    out = run(made(transform), still())
    assert torch.equal(out[0], out[2])
    assert not torch.equal(out, still())


def test_options_reach_the_transform_and_gray_stays_gray() -> None:
    def noisy(std: float) -> Tensor:
        return run(Albumentations(transform="GaussNoise", options={"std_range": [std, std]}), still(1))

    weak, strong = noisy(0.02), noisy(0.2)
    assert weak.shape == (3, 1, 48, 48)
    assert float((strong - still(1)).std()) > 3 * float((weak - still(1)).std())


def test_compression_weighs_red_and_blue_as_jpeg_does(picture: NDArray[np.uint8]) -> None:
    """The same as the kind jpeg; with red and blue swapped it would differ."""
    from degradations.catalog import load

    clip = torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1)))[None].float() / 255
    clip[:, 0] = 1 - clip[:, 2]
    shape = ClipShape(1, *clip.shape[2:])
    step = Albumentations(transform="ImageCompression", options={"quality_range": [20, 20]})
    jpeg = load("jpeg").model_validate({"quality": 20})
    a, b = (s.apply(clip, s.sample(shape, Rng.root(0))).frames for s in (step, jpeg))
    assert torch.equal(a, b)


def test_what_is_blanked_out_is_known() -> None:
    for transform in ERASING:
        clip = still() * 0.8 + 0.1  # nothing is black before
        step = made(transform)
        out = step.apply(clip, step.sample(SHAPE, Rng.root(1)))
        lost = out.masks["loss"]
        assert 0 < float(lost.mean()) < 0.7
        kept = lost.expand(-1, 3, -1, -1) == 0
        assert float((out.frames - clip)[kept].abs().max()) <= 0.5 / 255 + 1e-6
        assert float((out.frames - clip).abs().amax(dim=1, keepdim=True)[lost == 1].min()) > 0


def test_masks_move_with_the_picture() -> None:
    clip = torch.zeros(2, 3, 48, 48)
    clip[..., 8:24, 10:30] = 1
    step = Albumentations(transform="Rotate", options={"limit": [40, 40]}, moves=True)
    masks = {"dirt": clip[:, :1].clone(), "hair": torch.zeros(2, 1, 48, 48)}
    out = step.apply(clip, step.sample(ClipShape(2, 48, 48), Rng.root(0)), masks=masks)
    assert float((out.masks["dirt"] - out.frames[:, :1]).abs().mean()) < 0.02
    assert float((out.masks["dirt"] - masks["dirt"]).abs().mean()) > 0.1
    assert float(out.masks["hair"].max()) == 0
    kept = made("GaussNoise").apply(clip, {"key": Rng.root(0).key}, masks=masks).masks
    assert torch.equal(kept["dirt"], masks["dirt"])


def test_facts_have_the_seed_of_every_frame() -> None:
    for per, count in (("frame", 3), ("clip", 1)):
        step = made("ISONoise", per)
        known = step.facts(step.sample(SHAPE, Rng.root(0)), SHAPE)
        assert len(known["transform_seed"]) == 3
        assert len(set(known["transform_seed"])) == count
        assert known["transform"] == ["ISONoise"] * 3


def test_the_older_name_does_the_same() -> None:
    new, old = Albumentations(transform="ISONoise"), Spatial(transform="ISONoise")
    assert (new.kind, old.kind) == ("albumentations", "spatial")
    assert torch.equal(run(new, still()), run(old, still()))


@pytest.mark.parametrize(("variant", "new"), [("fog", False), ("rain", True), ("dirty-lens", False)])
def test_weather_falls_anew_and_haze_and_dirt_stay(variant: str, new: bool) -> None:
    assert load_profile("realworld").variant(variant).truth == "colour"
    out = degrade(still(), "realworld", variant).frames
    assert torch.equal(out[0], out[1]) != new
    assert float((out - still()).abs().mean()) * 255 > 2


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"transform": "ISONoize"}, 'not one that may be named. Did you mean "ISONoise"'),
        ({"transform": "HorizontalFlip"}, "the ground truth does not follow: say moves = true"),
        ({"transform": "Rotate", "per": "clip"}, "the ground truth does not follow: say moves = true"),
        ({"transform": "ISONoise", "moves": True}, "ISONoise does not"),
        ({"transform": "Lambda"}, "needs code"),
        ({"transform": "FDA"}, "needs other pictures"),
        ({"transform": "TextImage"}, "needs a font"),
        ({"transform": "RandomCrop", "options": {"height": 8, "width": 8}}, "changes the size of frames"),
        ({"transform": "MaskDropout"}, "needs boxes or masks"),
        ({"transform": "Normalize"}, "type of the values"),
        ({"transform": "CoarseDropout3D"}, "for volumes"),
        ({"transform": "Compose"}, "not one that may be named"),
        ({"transform": "ISONoise", "options": {"intensty": [0.1, 0.2]}}, 'Did you mean "intensity"'),
        ({"transform": "ISONoise", "options": {"intensity": [-1, 0.2]}}, "intensity"),
        ({"transform": "ISONoise", "options": {"p": 0.5}}, 'no option "p"'),
        ({"transform": "CoarseDropout", "options": {"fill_mask": 1}}, 'no option "fill_mask"'),
        ({"transform": "CropAndPad", "moves": True}, "CropAndPad: "),
    ],
)
def test_what_is_wrong_is_said(settings: dict[str, object], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        Albumentations.model_validate(settings)


def test_transforms_that_turn_need_squares_and_none_may_change_the_size() -> None:
    for transform in TURNING:
        with pytest.raises(ValueError, match=f"{transform} swaps height and width.*64 x 48"):
            made(transform).sample(ClipShape(1, 48, 64), Rng.root(0))
    gray = Albumentations(transform="ToGray", options={"num_output_channels": 1})
    with pytest.raises(ValueError, match=r"ToGray made uint8 of \(48, 48\).*keep their size"):
        run(gray, still())


def test_the_import_asks_no_network() -> None:
    code = """
import socket
def no(*a, **k): raise SystemExit("the network was asked")
socket.socket.connect = no
socket.getaddrinfo = no
socket.create_connection = no
from degradations.spatial import library
library()
print("quiet")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "quiet", done.stderr
