"""What ``vbench score`` refuses, leaves out or remarks on: options that contradict, masks of colours, folders with gaps."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

from vbench.cli import app
from vbench.errors import InputError, RunError, UsageError
from vbench.score import score

MakeClip = Callable[..., Path]
Frames = NDArray[np.uint8]


def run(*options: object) -> tuple[int, str, BaseException | None]:
    result = CliRunner().invoke(app, ["score", *map(str, options)])
    return result.exit_code, result.stdout, result.exception


def refused(error: type[Exception], text: str, *options: object) -> None:
    _, _, exception = run(*options)
    assert isinstance(exception, error), exception
    assert text in str(exception)


@pytest.fixture
def pair(moving: Frames, clip_folder: MakeClip) -> tuple[Path, Path]:
    return clip_folder(moving, "truth"), clip_folder(moving // 2 + 60, "result")


def both(pair: Sequence[Path]) -> list[object]:
    return ["--gt", pair[0], "--pred", pair[1]]


@pytest.mark.parametrize(
    ("metric", "error", "text"),
    [
        ("", UsageError, "No metric was named"),
        (" , ", UsageError, "No metric was named"),
        ("psnr[y", UsageError, 'In "psnr[y" a bracket stands alone'),
        ("psnr]", UsageError, "a bracket stands alone"),
        ("psnr[y,rgb]", InputError, 'says two things of one option, "y" and "rgb"'),
        ("psnr[crop=2,crop=4]", InputError, 'says two things of one option, "2" and "4". It takes one of: crop=N'),
        ("psnr[tecogan,crop=4]", InputError, '"tecogan" crops frames in a way of its own'),
        ("ssim[tecogan,crop=4]", InputError, '"tecogan" crops frames in a way of its own'),
        ("ssim[tecogan,uniform21]", InputError, 'has the window "uniform7", and "uniform21" is another'),
        ("psnr[crop=40]", InputError, "PSNR needs frames of at least 81 x 81 pixels"),
    ],
)
def test_names_that_contradict_themselves_are_refused(
    pair: tuple[Path, Path], metric: str, error: type[Exception], text: str
) -> None:
    """None of them may be measured as something else than it says."""
    refused(error, text, *both(pair), "--metrics", metric)


def test_a_metric_with_a_crop_of_its_own_tells_what_is_too_small(moving: Frames, clip_folder: MakeClip) -> None:
    small = clip_folder(moving[:, :40], "small")
    found = score(small, small, ["psnr[tecogan]", "ssim[tecogan]", "psnr"], skip=True)
    assert list(found["metrics"]) == ["psnr"]
    assert "at least 48 x 48 pixels" in found["skipped"]["psnr[tecogan]"]
    assert "at least 48 x 48 pixels" in found["skipped"]["ssim[tecogan]"]


def test_a_clip_with_a_figure_and_no_figure_of_any_frame(moving: Frames, clip_folder: MakeClip) -> None:
    """A still clip has no warping error, and so none of its pairs a ratio to it; rounding is none either."""
    still = clip_folder(np.repeat(moving[:1], 4, axis=0), "still")
    uneasy = clip_folder(moving[:4], "uneasy")
    code, out, _ = run("--gt", still, "--pred", still, "--metrics", "warp_error_ratio")
    assert code == 0
    (row,) = [line for line in out.splitlines() if line.strip().startswith("warp_error_ratio [")]
    assert row.split()[-1] == "1.000"
    found = score(still, uneasy, ["warp_error_ratio"])["metrics"]["warp_error_ratio"]
    assert found["value"] == float("inf")
    assert np.isnan(found["frames"]).all()


def test_frames_without_a_figure_take_no_other_metric_along(clip_folder: MakeClip) -> None:
    """That no block of a black frame has a gain is told beside the others' figures, also where it was asked for by name."""
    black = clip_folder(np.zeros((2, 64, 64, 3), np.uint8), "black")
    for metrics in ("psnr,gain_shift", "all,gain_shift"):
        code, out, _ = run("--gt", black, "--pred", black, "--metrics", metrics)
        assert code == 0
        assert "psnr@1" in out
        assert "gain_shift has no figure for any frame" in out


def test_masks_are_gray(pair: tuple[Path, Path], moving: Frames, clip_folder: MakeClip) -> None:
    """One that is stored as RGB counts each pixel once (it was counted three times: 4.8 dB too much); colours are refused."""
    mask = np.zeros((*moving.shape[:3], 1), np.uint8)
    mask[:, 10:30, 20:50] = 255
    wide = np.repeat(mask, 3, axis=3)
    names = ["psnr_damaged", "psnr_intact"]
    gray, rgb = (
        score(*pair, names, masks={"any": clip_folder(m, name)})["metrics"]
        for m, name in ((mask, "gray"), (wide, "rgb"))
    )
    assert {n: rgb[n]["frames"] for n in names} == {n: gray[n]["frames"] for n in names}
    wide[4, 0, 0, 1] = 7
    refused(
        InputError,
        "frame 4 of the mask that was given has colours",
        *[*both(pair), "--mask", clip_folder(wide, "tint"), "--metrics", "psnr_damaged"],
    )


def test_kinds_of_damage_are_named_rightly(pair: tuple[Path, Path], moving: Frames, clip_folder: MakeClip) -> None:
    mask = clip_folder(np.full((*moving.shape[:3], 1), 255, np.uint8), "mask")
    refused(UsageError, 'no kind of damage "drit"', *both(pair), "--mask", f"drit={mask}", "--metrics", "psnr")
    command = [*both(pair), "--input", pair[1], "--mask", f"dirt={mask}"]
    code, out, _ = run(*command, "--metrics", "damage_left[*],psnr")
    assert code == 0  # the star is of those kinds that there are
    assert "damage_left[dirt]" in out
    assert "there is no mask of hair" in out
    refused(InputError, "there is no mask of hair", *command, "--metrics", "damage_left[*],psnr_damaged[hair]")


def test_frames_that_seem_to_be_missing_are_told(pair: tuple[Path, Path]) -> None:
    for folder in pair:
        next(iter(sorted(folder.iterdir())[2:3])).unlink()
    code, out, _ = run(*both(pair), "--metrics", "psnr")
    assert code == 0
    assert out.count("seem to be missing") == 2
    _, out, _ = run(*both(pair), "--metrics", "psnr", "--json")
    assert len(json.loads(out)["remarks"]) == 2
    _, out, _ = run(*both(pair), "--metrics", "psnr", "--csv")
    assert out.startswith("metric,frame,value")


@pytest.mark.parametrize(
    ("levels", "factor", "said"),
    [
        (256, 4, "samples of 10 bits that were stored as they are"),
        (256, 16, "samples of 12 bits that were stored as they are"),
        (256, 257, ""),
        (16, 257, ""),  # dark, of 8 bits
        (16, 256, ""),  # dark, of 10 bits
    ],
)
def test_samples_that_do_not_fill_their_range_are_told(
    moving: Frames, clip_folder: MakeClip, levels: int, factor: int, said: str
) -> None:
    """10 bits in files of 16: a PSNR of some 36 dB too much, and nobody would know."""
    wide = clip_folder((moving // (256 // levels)).astype(np.uint16) * np.uint16(factor), "wide")
    _, out, _ = run(*both([wide, wide]), "--metrics", "psnr")
    assert out.count("stored as they are") == bool(said)
    assert said in out


def test_every_frame_is_decoded_once(moving: Frames, clip_folder: MakeClip, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also those that are needed again with the next chunk, for metrics that compare neighbours."""
    from vbench import frames_io

    long = np.concatenate([moving] * 4)
    paths = clip_folder(long, "truth"), clip_folder(long // 2 + 60, "result")
    wanted = score(*paths, ["psnr"])["metrics"]["psnr"]["frames"]
    read: Counter[str] = Counter()
    decode = frames_io.read_image

    def counting(path: Path) -> tuple[NDArray[np.uint8], bool]:
        read[f"{path.parent.name}/{path.name}"] += 1
        return decode(path)

    monkeypatch.setattr(frames_io, "read_image", counting)
    found = score(*paths, ["psnr", "ssim", "warp_error", "warp_error_long", "flicker"])["metrics"]
    assert len(read) == 2 * len(long)
    # The first of a folder is read before, for its size.
    firsts = {min(f"{folder.name}/{file.name}" for file in folder.iterdir()) for folder in paths}
    assert {name for name, times in read.items() if times > 1} == firsts
    assert found["psnr"]["frames"] == wanted


def test_json_tells_which_frame_is_the_first(pair: tuple[Path, Path]) -> None:
    _, out, _ = run(*both(pair), "--metrics", "psnr", "--json", "--frames", "2:5")
    assert json.loads(out)["first_frame"] == 2


@pytest.mark.parametrize(
    "option", [("--frames", "0:1"), ("--protocol", "default"), ("--mask", "m"), ("--device", "auto")]
)
def test_raw_video_takes_no_options_that_it_does_not_heed(tmp_path: Path, option: tuple[str, str]) -> None:
    refused(UsageError, option[0], "--gt", tmp_path / "a", "--pred", tmp_path / "b", "--raw", "64x64:yuv420p", *option)


@pytest.mark.parametrize("form", ["yuv420p9le", "yuv444p14be", "yuv444p10msble"])
def test_raw_video_that_would_be_converted_on_the_way_is_refused(tmp_path: Path, form: str) -> None:
    (tmp_path / "a").write_bytes(bytes(2 * 3 * 16 * 16))
    refused(InputError, f'"{form}" would be converted first', *both([tmp_path / "a"] * 2), "--raw", f"16x16:{form}")


def test_raw_video_too_small_for_libvmaf_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(bytes(3 * 16 * 40))
    words = "libvmaf needs frames of at least 17 x 17 pixels, and these are 40 x 16"
    refused(InputError, words, *both([tmp_path / "a"] * 2), "--raw", "40x16:yuv444p")


def test_raw_video_too_small_for_one_figure_has_the_others(tmp_path: Path) -> None:
    """PSNR of luma by hand: planes of 100 and 105."""
    for name, level in (("a", 100), ("b", 105)):
        (tmp_path / name).write_bytes(bytes([level] * (64 * 48 * 3 // 2)) * 2)
    command = [*both([tmp_path / "a", tmp_path / "b"]), "--raw", "64x48:yuv420p"]
    code, out, _ = run(*command)
    assert code == 0
    assert "not measured: float_ms_ssim: it needs frames of at least 176 x 176 pixels" in out
    out_words = "".join(out.split())
    _, out, _ = run(*command, "--json")
    found = json.loads(out)["metrics"]
    assert list(found) == ["vmaf", "vmaf_neg", "psnr_y", "float_ssim"]
    for name, start in (("vmaf", "vmaf|model=vmaf_v0.6.1|libvmaf|ffmpeg="), ("psnr_y", "psnr_y|libvmaf|ffmpeg=")):
        assert found[name]["signature"].startswith(start), "which model, as without --raw"
        assert found[name]["signature"].replace(" ", "") in out_words
    assert found["psnr_y"]["frames"] == pytest.approx([20 * np.log10(255 / 5)] * 2, abs=1e-5)


def test_a_log_that_the_disk_cut_is_told(tmp_path: Path) -> None:
    from vbench.metrics.vmaf import _read_log

    (tmp_path / "log.json").write_text('{"frames": [{"metrics": {"vmaf": 9')
    with pytest.raises(RunError, match=r"log\.json\" is cut .* room on the disk of temporary files"):
        _read_log(tmp_path / "log.json", ["vmaf"])


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for a process in /proc")
def test_nothing_goes_on_when_vbench_is_killed(tmp_path: Path) -> None:
    """FFmpeg ends with the process that feeds it, also if it was killed before the first frame."""
    program = """if True:
        import time
        from vbench.clip import ClipInfo
        from vbench.metrics.vmaf import VmafSession
        session = VmafSession(ClipInfo("a", 9, 64, 64, 3, 24.0, 8, "s", "c"), ["vmaf"])
        print(session._process.pid, flush=True)
        time.sleep(60)
    """
    running = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, env={**os.environ, "TMPDIR": str(tmp_path)}
    )
    assert running.stdout is not None
    ffmpeg = Path("/proc") / running.stdout.readline().decode().strip()
    assert (ffmpeg / "stat").exists()
    running.kill()
    running.communicate()
    until = time.monotonic() + 20
    # Whoever takes on orphans may leave it as a zombie.
    while (ffmpeg / "stat").exists() and (ffmpeg / "stat").read_text().rpartition(")")[2].split()[0] != "Z":
        assert time.monotonic() < until, "FFmpeg still runs"
        time.sleep(0.05)
