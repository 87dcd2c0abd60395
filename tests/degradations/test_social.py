"""What platforms do to a clip: the steps beside the encoder, and the profile as a whole."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from pydantic import ValidationError

from degradations.apply import degrade, draw, facts, replay, shrunk
from degradations.base import ClipShape, Damage, joined
from degradations.platform import Resize, Sharpen
from degradations.profile import load_profile, severity_name
from degradations.rng import Rng
from tests.degradations.codecs import psnr, texture
from vbench.builtin import open_builtin


def test_resizing_is_that_of_pillow() -> None:
    clip = texture(2, 36, 52)
    step = Resize(size=0.75)
    params = step.sample(ClipShape(2, 36, 52), Rng.root(0))
    assert params == {"height": 27, "width": 39}
    out = step.apply(clip, params).frames
    for frame, found in zip(clip, out, strict=True):
        for plane, result in zip(frame, found, strict=True):
            small = Image.fromarray(plane.numpy()).resize((39, 27), Image.Resampling.BICUBIC)
            back = np.asarray(small.resize((52, 36), Image.Resampling.BICUBIC)).clip(0, 1)
            assert np.array_equal(result.numpy(), back)


@pytest.mark.parametrize("size", [(36, 52), (35, 51), (1, 1)])
def test_left_small_every_pixel_stands_for_a_square(size: tuple[int, int]) -> None:
    clip = texture(1, *size)
    step = Resize(size=0.5, back=False, filter="area")
    out = step.apply(clip, {}, masks={"dirt": torch.ones(1, 1, *size)})
    after = step.shape_after(ClipShape(1, *size), {})
    assert out.frames.shape == (1, 3, after.height, after.width)
    assert after.scale == 2
    assert out.mask is None
    whole = torch.nn.functional.pad(clip, (0, size[1] % 2, 0, size[0] % 2), mode="replicate")
    assert torch.allclose(out.frames, torch.nn.functional.avg_pool2d(whole, 2), atol=1e-6)


def test_sharpening_adds_the_difference_from_a_blur() -> None:
    clip = texture(2, 24, 30)
    out = Sharpen(amount=0.7, sigma=1.3).apply(clip, {}).frames
    for frame, found in zip(clip, out, strict=True):
        image = frame.permute(1, 2, 0).numpy()
        soft = cv2.GaussianBlur(image, (0, 0), 1.3)
        assert np.allclose(found.permute(1, 2, 0).numpy(), (image + 0.7 * (image - soft)).clip(0, 1), atol=1e-6)
    flat = torch.full((1, 3, 1, 1), 0.4)
    assert torch.allclose(Sharpen(amount=2).apply(flat, {}).frames, flat)


def test_steps_of_the_platform_are_made_frame_by_frame() -> None:
    clip = texture(5, 24, 30)
    for step in (Resize(size=0.6, filter="lanczos"), Sharpen(amount=1)):
        params = step.sample(ClipShape(5, 24, 30), Rng.root(0))
        whole = joined(step.stream([Damage(clip)], params, ClipShape(5, 24, 30))).frames
        alone = torch.cat([step.apply(clip[i : i + 1], params, start=i).frames for i in range(5)])
        assert whole.equal(alone)
        assert step.frame_by_frame


@pytest.mark.parametrize(
    ("step", "settings", "says"),
    [
        (Resize, {"size": 0.4, "back": False}, "no whole part"),
        (Resize, {"size": 1.0}, "less than 1"),
        (Resize, {"size": 0.5, "filter": "cubic"}, "bicubic"),
        (Sharpen, {"amount": 0}, "greater than 0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(step: type[Resize], settings: dict[str, object], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        step.model_validate(settings)


def natural(name: str, frames: int = 6) -> torch.Tensor:
    shown = open_builtin(name, frames=frames).read(0, frames)
    if shown.shape[3] == 1:
        shown = np.repeat(shown, 3, axis=3)
    return torch.from_numpy(np.ascontiguousarray(shown[:, ::2, ::2].transpose(0, 3, 1, 2))).float() / 255


def test_variants_keep_the_size_or_halve_it_and_say_where_their_numbers_come_from() -> None:
    profile = load_profile("social")
    for name, variant in profile.variants.items():
        recipe = draw(profile, name, ClipShape(4, 47, 61))
        assert shrunk(recipe) == (2 if name.endswith("-x2") else 1)
        platform = name.split("-", maxsplit=1)[0]
        own = {"twitter": "2176|832", "youtube": "1600|520|1505", "bilibili": "2484|391|525"}.get(platform)
        if own:
            assert any(number in variant.description for number in own.split("|"))
            assert any(number in profile.source for number in own.split("|"))
        else:
            assert "our assumption" in variant.description or name == "wechat-x2"
    assert "unknown" in profile.description
    assert {p.split("-")[0] for p in profile.variants} >= {"wechat", "twitter", "bilibili", "youtube"}


def test_the_ladder_of_platforms_gets_worse() -> None:
    """The variants with a number of severity, in its order, on natural video."""
    profile = load_profile("social")
    order = [name for name, v in sorted(profile.variants.items(), key=lambda i: i[1].severity or 0) if v.severity]
    clip = natural("coffee")
    found = [psnr(degrade(clip, profile, name).frames, clip) for name in order]
    assert all(a > b + 0.1 for a, b in pairwise(found)), [round(v, 2) for v in found]


@pytest.mark.parametrize("profile", ["codec", "social"])
def test_severities_between_the_rungs_are_monotone_too(profile: str) -> None:
    clip = natural("portrait", 5)
    found = [psnr(degrade(clip, profile, severity_name(s)).frames, clip) for s in (1, 1.5, 2.5, 3, 3.5, 4.5, 5)]
    assert all(a > b for a, b in pairwise(found)), [round(v, 2) for v in found]


def test_every_encoding_of_a_chain_is_measured() -> None:
    clip = texture(5)
    measured: list[dict[str, object]] = []
    recipe = draw(load_profile("social"), "repost", ClipShape(5, 48, 64))
    list(replay(recipe, clip.split(2), None, measured))
    known = facts(recipe, measured)
    assert [step["kind"] for step in known] == ["rate", "resize", "sharpen", "rate"]
    for step in (known[0], known[3]):
        assert len(step["qp"]) == len(step["bits"]) == len(step["frame_type"]) == 5
        assert step["bits_total"] == sum(step["bits"])
    low = facts(draw(load_profile("social"), "messenger-12fps", ClipShape(5, 48, 64, fps=24)))
    assert low[0]["source_frame"] == [0, 0, 2, 2, 4]
