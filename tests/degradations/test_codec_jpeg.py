"""JPEG of each frame."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import torch
from PIL import Image

from degradations.base import ClipShape
from degradations.codec.jpeg import Jpeg
from degradations.rng import Rng
from tests.degradations.codecs import psnr, texture


def test_jpeg_is_that_of_another_encoder() -> None:
    clip = texture(2, 64, 64)
    clip[:, 0] = 1 - clip[:, 2]  # strong colours: swapped channels would show
    out = Jpeg(quality=30).apply(clip, {"quality": 30, "key": Rng.root(0).key}).frames
    store = BytesIO()
    picture = np.floor(clip[0].permute(1, 2, 0).numpy() * 255 + 0.5).astype(np.uint8)
    Image.fromarray(picture).save(store, "JPEG", quality=30, subsampling=2)
    other = torch.from_numpy(np.array(Image.open(store))).permute(2, 0, 1) / 255
    assert float((out[0] - other).abs().mean()) * 255 < 1.0
    assert psnr(out, clip) < 40


def test_jpeg_quality_is_drawn_for_the_clip_and_varies_by_frame() -> None:
    clip = texture(1, 48, 64).expand(6, -1, -1, -1).contiguous()
    step = Jpeg(quality=[20, 60], spread=10)  # type: ignore[arg-type]
    drawn = [step.sample(ClipShape(6, 48, 64), Rng.root(s))["quality"] for s in range(8)]
    assert len(set(drawn)) > 3
    assert all(20 <= q <= 60 for q in drawn)
    params = {"quality": 40, "key": Rng.root(0).key}
    out = step.apply(clip, params).frames
    assert len({f.numpy().tobytes() for f in out}) > 2
    assert out.equal(torch.cat([step.apply(clip[i : i + 1], params, start=i).frames for i in range(6)]))
    gray = clip[:, :1]
    assert step.apply(gray, params).frames.shape == gray.shape
