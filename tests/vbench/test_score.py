"""One pass over clips, all metrics: what it needs, what it refuses, what it leaves out and says."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

from vbench import score as scoring
from vbench.cli import app
from vbench.clip import ClipInfo
from vbench.errors import InputError, UsageError
from vbench.metrics.spec import Figures
from vbench.score import Scene, measure_clips, reason_against, score
from vbench.sources import open_clip

MakeClip = Callable[..., Path]


def noisy(frames: NDArray[np.uint8], sigma: float = 8) -> NDArray[np.uint8]:
    noise = np.random.default_rng(0).normal(0, sigma, frames.shape)
    return np.clip(frames + noise + 0.5, 0, 255).astype(np.uint8)


@pytest.fixture
def pair(moving: NDArray[np.uint8], clip_folder: MakeClip) -> tuple[Path, Path]:
    return clip_folder(moving, "truth"), clip_folder(noisy(moving), "result")


EVERY = ("psnr", "ssim", "psnr_aligned", "warp_error", "warp_error_long", "warp_error_ratio", "tof", "flicker", "l_st")


@pytest.mark.parametrize("chunk", [1, 2, 5, 64])
def test_the_size_of_chunks_changes_nothing(
    pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    whole = score(*pair, EVERY)["metrics"]
    monkeypatch.setattr(scoring, "CHUNK", chunk)
    parts = score(*pair, EVERY)["metrics"]
    for name in EVERY:
        assert parts[name]["frames"] == pytest.approx(whole[name]["frames"], rel=1e-12, abs=1e-15), name
        assert parts[name]["value"] == pytest.approx(whole[name]["value"], rel=1e-12), name
        if "columns" in whole[name]:
            assert parts[name]["columns"] == whole[name]["columns"]
    assert len(whole["psnr"]["frames"]) == 6
    assert len(whole["warp_error"]["frames"]) == len(whole["warp_error_long"]["frames"]) == 5
    assert len(whole["flicker"]["frames"]) == 4


def test_several_clips_at_once_give_what_each_gives(
    pair: tuple[Path, Path], moving: NDArray[np.uint8], clip_folder: MakeClip
) -> None:
    other = clip_folder(noisy(moving, 20), "other")
    scene = Scene(truth=open_clip(pair[0]))
    clips = {"a": open_clip(pair[1]), "b": open_clip(other)}
    together = measure_clips(scene, clips, {"a": EVERY, "b": EVERY[:4]})
    alone = measure_clips(scene, {"b": clips["b"]}, {"b": EVERY[:4]})
    assert {k: v.values for k, v in together.items() if k[0] == "b"} == {k: v.values for k, v in alone.items()}
    assert ("b", "tof") not in together


def test_the_ground_truth_against_itself(pair: tuple[Path, Path]) -> None:
    found = score(pair[0], pair[0], EVERY)["metrics"]
    assert found["psnr"]["value"] == found["psnr_aligned"]["value"] == float("inf")
    assert found["ssim"]["value"] == pytest.approx(1, abs=1e-12)
    assert found["warp_error_ratio"]["value"] == 1.0
    assert found["tof"]["value"] == 0.0


@pytest.mark.skipif(os.name != "posix", reason="pipes that another process inherits are needed")
def test_vmaf_through_pipes_is_that_of_files(
    pair: tuple[Path, Path], moving: NDArray[np.uint8], tmp_path: Path
) -> None:
    """Frames written as YUV by the same conversion, and read by libvmaf from files."""
    import subprocess

    from vbench.ffmpeg_pipe import ffmpeg_exe
    from vbench.metrics.vmaf import RawVideo, of_raw

    scale = "scale=out_color_matrix=bt709:out_range=limited:flags=bicubic+accurate_rnd+full_chroma_int+bitexact"
    raw = []
    for folder in pair:
        target = tmp_path / f"{folder.name}.yuv"
        command = [ffmpeg_exe(), "-loglevel", "error", "-i", str(folder / "%05d.png"), "-vf",
                   f"format=rgb24,{scale},format=yuv444p", "-f", "rawvideo", str(target)]  # fmt: skip
        subprocess.run(command, check=True)
        raw.append(RawVideo(target, 80, 64, "yuv444p"))
    own = score(*pair, ["vmaf", "vmaf_neg"])["metrics"]
    wanted = of_raw(raw[1], raw[0], ["vmaf", "vmaf_neg"])
    for name in ("vmaf", "vmaf_neg"):
        assert own[name]["frames"] == pytest.approx(wanted[name], abs=1e-4)
    assert own["vmaf_neg"]["value"] <= own["vmaf"]["value"]


@pytest.mark.skipif(os.name != "posix", reason="pipes that another process inherits are needed")
def test_the_smallest_frames_that_vmaf_takes(clip_folder: MakeClip) -> None:
    """A side of 16 pixels was let through, and FFmpeg came down with a segmentation fault, and with it all other metrics."""
    for height, width in ((17, 17), (40, 17)):
        frames = np.random.default_rng(0).integers(0, 256, (1, height, width, 3), dtype=np.uint8)
        small = clip_folder(frames, f"small{height}")
        assert 0 <= score(small, small, ["vmaf"])["metrics"]["vmaf"]["value"] <= 100
    smaller = clip_folder(np.zeros((1, 16, 40, 3), np.uint8), "smaller")
    found = score(smaller, smaller, ["psnr", "vmaf"], skip=True)
    assert list(found["metrics"]) == ["psnr"]
    assert found["skipped"] == {"vmaf": "VMAF needs frames of at least 17 x 17 pixels, and these are 40 x 16."}


@pytest.mark.skipif(os.name != "posix", reason="pipes that another process inherits are needed")
def test_vmaf_of_a_clip_whose_frame_rate_is_no_rate_to_ffmpeg(moving: NDArray[np.uint8]) -> None:
    """A frame in 100 days: FFmpeg was given 0 frames per second, and failed."""
    import torch

    from vbench.metrics.spec import Chunk, View
    from vbench.metrics.vmaf import VmafSession

    frames = torch.from_numpy(moving[:2].transpose(0, 3, 1, 2).copy())
    count, channels, height, width = frames.shape
    found = []
    for fps in (1e-7, 25.0):
        session = VmafSession(ClipInfo("slow", count, height, width, channels, fps, 8, "", ""), ["vmaf"])
        session.feed(View(Chunk(frames), Chunk(frames)))
        found.append(session.end()["vmaf"].values)
    assert found[0] == found[1]


@pytest.mark.skipif(os.name != "posix", reason="pipes that another process inherits are needed")
def test_both_vmafs_come_from_one_pass_bit_by_bit(pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    from vbench.metrics import vmaf

    opened: list[tuple[str, ...]] = []
    plain = vmaf.VmafSession

    def session(info: ClipInfo, names: Sequence[str]) -> vmaf.VmafSession:
        opened.append(tuple(names))
        return plain(info, names)

    monkeypatch.setattr(vmaf, "VmafSession", session)
    together = score(*pair, ["vmaf_neg", "psnr", "vmaf"])["metrics"]
    assert opened == [("vmaf_neg", "vmaf")]
    for name in ("vmaf", "vmaf_neg"):
        assert together[name]["frames"] == score(*pair, [name])["metrics"][name]["frames"]
    assert len(opened) == 3
    assert together["vmaf"]["frames"] != together["vmaf_neg"]["frames"]


def test_vmaf_leaves_nothing_behind_when_the_pass_fails(
    pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import tempfile

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def broken(*_: object) -> Figures:
        raise InputError("broken on purpose")

    monkeypatch.setattr(scoring, "figures_of", broken)
    with pytest.raises(InputError, match="broken on purpose"):
        score(*pair, ["vmaf", "psnr"])
    assert [p for p in tmp_path.iterdir() if "vmaf" in p.name] == []


def test_damage_is_measured_apart(moving: NDArray[np.uint8], clip_folder: MakeClip) -> None:
    mask = np.zeros((*moving.shape[:3], 1), np.uint8)
    mask[2:, 10:20, 10:30] = 255
    lq = np.where(mask > 0, 255 - moving, moving)
    half = np.where(mask > 0, (moving.astype(int) + lq) // 2, moving).astype(np.uint8)
    folders = {"gt": moving, "in": lq, "out": half, "mask": mask}
    paths = {name: clip_folder(frames, name) for name, frames in folders.items()}
    names = ["psnr_damaged", "psnr_intact", "damage_left"]
    found = score(
        paths["gt"], paths["out"], names, degraded=paths["in"], masks={"any": paths["mask"], "dirt": paths["mask"]}
    )["metrics"]
    assert found["psnr_intact"]["value"] == float("inf")
    difference = (half.astype(float) - moving)[2:, 10:20, 10:30]
    wanted = 10 * np.log10(255**2 / np.square(difference).mean(axis=(1, 2, 3)))
    assert found["psnr_damaged"]["frames"][2:] == pytest.approx(wanted.tolist(), abs=1e-9)
    assert np.isnan(found["psnr_damaged"]["frames"][:2]).all()  # nothing is damaged there
    assert found["psnr_damaged"]["value"] == pytest.approx(wanted.mean(), abs=1e-9)
    assert found["damage_left"]["value"] == pytest.approx(0.25, abs=0.01)
    nothing = score(
        paths["gt"], paths["in"], names, degraded=paths["in"], masks={"any": paths["mask"], "dirt": paths["mask"]}
    )["metrics"]
    assert nothing["damage_left"]["value"] == 1.0
    command = ["score", "--gt", paths["gt"], "--pred", paths["out"], "--input", paths["in"]]
    command += ["--metrics", "damage_left[dirt]"]
    result = CliRunner().invoke(app, [*map(str, command), "--json", "--mask", f"dirt={paths['mask']}"])
    assert result.exit_code == 0, result.exception
    by_kind = json.loads(result.stdout)["metrics"]["damage_left[dirt]"]
    assert by_kind["value"] == found["damage_left"]["value"]
    result = CliRunner().invoke(app, [*map(str, command), "--mask", str(paths["mask"])])
    assert "there is no mask of dirt" in str(result.exception)
    result = CliRunner().invoke(app, [*map(str, command), "--mask", "hair=a", "--mask", "hair=b"])
    assert isinstance(result.exception, UsageError)
    assert 'twice for the mask of hair: "a" and "b"' in str(result.exception)


def test_a_mask_of_zeros_and_ones_is_told_from_one_without_damage(
    tmp_path: Path, moving: NDArray[np.uint8], clip_folder: MakeClip
) -> None:
    masks: dict[str, Path] = {}
    for name, level in (("one", 1), ("none", 0), ("two", 2)):
        mask = np.zeros((*moving.shape[:3], 1), np.uint8)
        mask[2:, 10:20, 10:30] = level
        masks[name] = clip_folder(mask, name)
    clean = clip_folder(moving, "gt")
    for name in ("none", "two"):
        figures = score(clean, clean, ["psnr_intact"], masks={"any": masks[name]})
        assert figures["metrics"]["psnr_intact"]["value"] == float("inf")
    with pytest.raises(InputError, match=r"holds the values 0 and 1 only.* its 8 bits: store 255"):
        score(clean, clean, ["psnr_intact"], masks={"any": masks["one"]})


def test_a_clip_alone_and_a_data_set_of_it_say_the_same_of_their_statistics(clip_folder: MakeClip) -> None:
    """NIQE against the ground truth depends on all clips of a data set: the signature says on which."""
    from leaderboards.schema import pristine_of
    from vbench.datasets import ClipFacts, Pair
    from vbench.media import FrameHasher

    frames = np.random.default_rng(0).integers(0, 256, (11, 192, 192, 1), dtype=np.uint8)
    truth, worse = clip_folder(frames, "truth"), clip_folder(noisy(frames), "worse")
    found = score(truth, worse, ["niqe_gt", "psnr"])["metrics"]
    hasher = FrameHasher()
    hasher.update(frames)
    facts = ClipFacts.model_construct(gt_sha256=hasher.hexdigest())
    wanted = pristine_of(Pair("d", truth, facts, (facts,)).siblings_sha256)
    assert found["niqe_gt"]["options"]["pristine"] == wanted
    assert found["niqe_gt"]["signature"] == f"niqe_gt@2|form=live|flat=snapped|pristine={wanted}"
    assert found["psnr"]["signature"] == "psnr@1|colour=rgb|crop_border=0"
    fewer = score(truth, worse, ["niqe_gt"], stop=10)["metrics"]["niqe_gt"]
    assert fewer["signature"] != found["niqe_gt"]["signature"]


def test_what_is_missing_is_said(pair: tuple[Path, Path]) -> None:
    with pytest.raises(InputError, match="psnr cannot be measured: it compares with a ground truth"):
        score(None, pair[1], ["psnr"])
    with pytest.raises(InputError, match="psnr_damaged cannot be measured: there is no damage mask"):
        score(*pair, ["psnr_damaged"])
    found = score(None, pair[1], ["psnr", "flicker"], skip=True)
    assert list(found["metrics"]) == ["flicker"]
    assert "ground truth" in found["skipped"]["psnr"]


def test_a_reason_is_known_without_opening_a_clip(pair: tuple[Path, Path]) -> None:
    info = open_clip(pair[0]).info
    rooms = frozenset({"truth"})
    assert reason_against("psnr", info, rooms) is None
    assert "at least 176 x 176 pixels" in (reason_against("ms_ssim", info, rooms) or "")
    assert "vbench assets fetch alexnet" in (reason_against("lpips", info, rooms) or "")
    assert "there is no damage mask" in (reason_against("psnr_intact", info, rooms) or "")


def test_the_command_prints_signatures_and_reasons(pair: tuple[Path, Path]) -> None:
    out = CliRunner().invoke(app, ["score", "--gt", str(pair[0]), "--pred", str(pair[1])]).output
    assert "psnr@1|colour=rgb|crop_border=0" in out
    assert "not measured: psnr_damaged, psnr_intact: there is no damage mask" in out
    assert max(len(line) for line in out.split("not measured")[0].splitlines() if "/" not in line) <= 80
    result = CliRunner().invoke(
        app, ["score", "--gt", str(pair[0]), "--pred", str(pair[1]), "--metrics", "psnr[y,crop=4],ssim", "--json"]
    )
    document = json.loads(result.output)
    assert set(document["metrics"]) == {"psnr[y,crop=4]", "ssim"}
    assert document["metrics"]["ssim"]["signature"] == "ssim@2|colour=rgb|crop_border=0|window=gaussian11"
    for two in (["--metrics", "psnr", "--protocol", "default"], ["--json", "--csv"]):
        both = CliRunner().invoke(app, ["score", "--pred", str(pair[1]), *two])
        assert isinstance(both.exception, UsageError)
        assert "give one of them" in str(both.exception)


def test_a_command_that_can_measure_nothing_fails(clip_folder: MakeClip) -> None:
    small = clip_folder(np.zeros((2, 8, 8, 3), np.uint8), "small")
    result = CliRunner().invoke(app, ["score", "--pred", str(small)])
    assert result.exit_code == 1
    assert "Nothing that was asked for can be measured" in str(result.exception)
    assert "brisque: BRISQUE needs" in str(result.exception)


def test_clips_that_do_not_match_are_called_by_their_names(
    pair: tuple[Path, Path], moving: NDArray[np.uint8], clip_folder: MakeClip
) -> None:
    small = clip_folder(moving[:, :-2], "small")
    with pytest.raises(InputError, match=r'ground truth "truth" is .*, "[^"]*small" is '):
        score(pair[0], small, ["psnr"])
    with pytest.raises(InputError, match=r'restored clip "result" is .*, "[^"]*small" is '):
        score(*pair, ["psnr"], degraded=small)


def test_a_protocol_measures_some_frames_and_compares_all(
    pair: tuple[Path, Path], moving: NDArray[np.uint8], clip_folder: MakeClip, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Frames that it leaves out make no two clips of different length comparable."""
    from vbench import protocols

    names = ("psnr", "warp_error")
    short = protocols.load("default").model_copy(
        update={"scored": protocols.Scored(skip_first=1, skip_last=2), "metrics": names}
    )
    monkeypatch.setattr(protocols, "load", lambda name: short)
    whole = score(*pair, names)["metrics"]
    command = ["score", "--gt", str(pair[0]), "--pred", str(pair[1])]
    found = json.loads(CliRunner().invoke(app, [*command, "--json"]).stdout)
    assert found["frames"] == 3
    assert found["metrics"]["psnr"]["frames"] == whole["psnr"]["frames"][1:4]
    assert found["metrics"]["warp_error"]["frames"] == pytest.approx(whole["warp_error"]["frames"][1:3], rel=1e-12)
    text = CliRunner().invoke(app, command).output
    assert "protocol default@" in text
    assert "frames 1 to 3" in text
    # Frames have the numbers that they have in the clip, and a pair that of its second frame; in the table too.
    lines = [line.split(",") for line in CliRunner().invoke(app, [*command, "--csv"]).stdout.splitlines()]
    numbers = {name: [line[1] for line in lines if line[0] == name and line[1]] for name in names}
    assert numbers == {"psnr": ["1", "2", "3"], "warp_error": ["2", "3"]}
    for name, worst in (("psnr", np.argmin), ("warp_error", np.argmax)):
        (row,) = [line for line in text.splitlines() if line.strip().startswith(f"{name} ")]
        assert row.split()[-1] == numbers[name][int(worst(found["metrics"][name]["frames"]))]
    other = clip_folder(moving[:4], "short")
    result = CliRunner().invoke(app, ["score", "--gt", str(pair[0]), "--pred", str(other)])
    assert "Frame counts differ" in str(result.exception)


@pytest.mark.shared
def test_the_netflix_pair_gives_the_published_figures(shared: Path) -> None:
    data = shared / "data" / "metrics" / "vmaf"
    names = [str(data / f"src01_hrc0{i}_576x324.yuv420p10le.yuv") for i in (0, 1)]
    command = ["score", "--gt", names[0], "--pred", names[1], "--raw", "576x324:yuv420p10le", "--json"]
    found = json.loads(CliRunner().invoke(app, command).output)["metrics"]
    assert found["vmaf"]["value"] == pytest.approx(82.56422466666668, abs=1e-3)
    assert found["psnr_y"]["value"] == pytest.approx(32.57145231892744, abs=1e-6)
    assert found["float_ssim"]["value"] == pytest.approx(0.8978630000000001, abs=1e-5)


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("576x324", "takes WIDTHxHEIGHT:FORMAT"),
        ("0x64:yuv420p", "takes WIDTHxHEIGHT:FORMAT"),
        ("64x64:no_such_format", 'There is no pixel format "no_such_format"'),
        ("64x64:gray", 'planar YUV, and "gray" is not that'),
        ("64x64:yuv420p", "4101 bytes, which are no whole frames of 64 x 64 in yuv420p (6144 bytes each)"),
    ],
)
def test_raw_video_that_cannot_be_read_is_said(tmp_path: Path, raw: str, text: str) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(bytes(64 * 64 + 5))
    command = ["score", "--gt", str(tmp_path / "a"), "--pred", str(tmp_path / "b"), "--raw", raw]
    result = CliRunner().invoke(app, command)
    assert text in str(result.exception)


@pytest.mark.parametrize(
    ("metric", "frame"),
    [
        ("flicker", 3),  # brighter by 40, a second difference of -80, which is worse than +40
        ("flicker[deviation]", 3),
        ("flicker[generation]", 3),  # more is better of the clip's figure, and worse of a frame's
    ],
)
def test_the_worst_frame_is_the_worst_on_either_side(
    metric: str, frame: int, moving: NDArray[np.uint8], clip_folder: MakeClip
) -> None:
    frames = np.full((6, *moving.shape[1:]), 100, np.uint8)
    frames[1] -= 20
    frames[3] += 40
    folder = clip_folder(frames, "uneasy")
    text = CliRunner().invoke(app, ["score", "--pred", str(folder), "--metrics", metric], catch_exceptions=False).output
    row = next(line for line in text.splitlines() if line.strip().startswith("flicker"))
    # A second difference is that of the frame in the middle: the flash itself is named.
    assert int(row.split()[-1]) == frame


def test_without_ground_truth_it_is_the_protocol_that_needs_none(pair: tuple[Path, Path]) -> None:
    """As `vbench run` does; of `default` a machine without parameter files could measure nothing."""
    result = CliRunner().invoke(app, ["score", "--pred", str(pair[1]), "--input", str(pair[0])])
    assert result.exit_code == 0
    assert "protocol no-reference@" in result.output
    assert "flicker@1" in result.output
    assert "flow_from=the degraded clip" in result.output
