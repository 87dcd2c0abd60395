"""The REDS variants against the commands of VOTES, run as they stand."""

from __future__ import annotations

import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from degradations.apply import degrade, draw, shape_behind
from degradations.base import ClipShape
from degradations.codec.process import ffmpeg_exe
from degradations.profile import load_profile
from tests.degradations.codecs import texture
from vbench.builtin import open_builtin


def after_votes(clip: Tensor, folder: Path, qp: int, size: tuple[int, int]) -> Tensor:
    """Numbered PNG files to MP4 and back by the command lines of the README, with one thread."""
    (folder / "in").mkdir(parents=True)
    (folder / "out").mkdir()
    for i, frame in enumerate((clip * 255 + 0.5).byte().permute(0, 2, 3, 1).numpy()):
        cv2.imwrite(str(folder / "in" / f"{i:08d}.png"), np.ascontiguousarray(frame[..., ::-1]))
    height, width = size
    start = [ffmpeg_exe(), "-loglevel", "error", "-i"]
    video = ["-vcodec", "libx264", "-r", "25", "-qp", str(qp), "-s", f"{width}x{height}", "-pix_fmt", "yuv420p"]
    clip_file = str(folder / "clip.mp4")
    for command in (
        [*start, str(folder / "in" / "%08d.png"), *video, "-threads", "1", clip_file],
        [*start, clip_file, "-start_number", "0", str(folder / "out" / "%08d.png")],
    ):
        subprocess.run(command, check=True, capture_output=True)
    files = sorted((folder / "out").glob("*.png"))
    frames = np.stack([cv2.imread(str(file))[..., ::-1] for file in files])
    return torch.from_numpy(np.ascontiguousarray(frames.transpose(0, 3, 1, 2))).float() / 255


def natural(frames: int) -> Tensor:
    """The embedded photographs in motion, cut to sizes that divide by 8."""
    clip = open_builtin("coffee", frames=frames)
    shown = np.concatenate(list(clip.chunks()))
    side = [s // 8 * 8 for s in shown.shape[1:3]]
    return torch.from_numpy(np.ascontiguousarray(shown[:, : side[0], : side[1]].transpose(0, 3, 1, 2))).float() / 255


@pytest.mark.parametrize("qp", [28, 33])
@pytest.mark.parametrize("factor", [2, 4])
def test_it_is_the_command_of_votes_bit_for_bit(factor: int, qp: int, tmp_path: Path) -> None:
    for name, clip in (("texture", texture(9, 96, 144)), ("natural", natural(5))):
        size = (clip.shape[2] // factor, clip.shape[3] // factor)
        wanted = after_votes(clip, tmp_path / name, qp, size)
        found = degrade(clip, "codec", f"reds-x{factor}-qp{qp}").frames
        assert found.shape == wanted.shape == (len(clip), 3, *size)
        assert torch.equal(found, wanted), name


def test_the_options_are_those_of_votes() -> None:
    recipe = draw(load_profile("codec"), "reds-x2-qp33", ClipShape(100, 720, 1280))
    options = "-c:v libx264 -r 25 -qp 33 -s 640x360 -pix_fmt yuv420p -threads 1"
    assert recipe.steps[0].params["options"] == options
    behind = shape_behind(recipe)
    assert (behind.frames, behind.height, behind.width, behind.scale) == (100, 360, 640, 2)
    behind = shape_behind(draw(load_profile("codec"), "reds-x4-qp33", ClipShape(100, 720, 1280)))
    assert (behind.height, behind.width, behind.scale) == (180, 320, 4)


def test_it_is_another_picture_than_imresize_and_the_exact_scaler_give() -> None:
    clip = natural(2)
    votes = degrade(clip, "codec", "reds-x2-qp28").frames
    matlab = degrade(clip, "codec", "h264-qp28-x2").frames
    assert votes.shape == matlab.shape
    assert 0.2 < float((votes - matlab).abs().mean()) * 255 < 5


@pytest.mark.parametrize("size", [(47, 61), (46, 62), (1, 1)])
def test_sizes_that_do_not_divide_are_padded_and_cut(size: tuple[int, int]) -> None:
    """As if the clip went on with its last row and column: the result has its half, rounded up."""
    clip = texture(3, *size)
    found = degrade(clip, "codec", "reds-x2-qp28").frames
    assert found.shape == (3, 3, -(-size[0] // 2), -(-size[1] // 2))
    padded = [max(-(-side // 4) * 4, 32) for side in size]
    rows = torch.arange(padded[0]).clamp(max=size[0] - 1)
    columns = torch.arange(padded[1]).clamp(max=size[1] - 1)
    whole = degrade(clip[:, :, rows][..., columns].contiguous(), "codec", "reds-x2-qp28").frames
    assert torch.equal(found, whole[:, :, : found.shape[2], : found.shape[3]])
