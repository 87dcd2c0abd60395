"""Data sets whose ground truth is larger than what a model is given: made, run, measured, shown."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from leaderboards.store import read_cells
from leaderboards.table import boards
from vbench.cli import app
from vbench.models import spec
from vbench.models.identity import enlarged
from vbench.restore import run_array


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The profile on two embedded clips, and all that needs no weights run on it."""
    folder = tmp_path_factory.mktemp("sr") / "runs"
    run = CliRunner()
    clips = ["--clip", "cat", "--clip", "coffee", "--max-frames", "2"]
    made = run.invoke(app, ["synth", "--profile", "sr", *clips, "--root", str(folder)])
    assert made.exit_code == 0, made.output
    done = run.invoke(app, ["run", "--models", "all", "--metrics", "psnr,ssim,warp_error", "--root", str(folder)])
    assert done.exit_code == 0, done.output
    assert "not run on sr-bicubic-x4: " in done.output
    assert "temporal-median" in done.output.split("not run on sr-bicubic-x4: ")[1].split("(another size")[0]
    return folder


def test_the_data_set_says_both_sizes(root: Path) -> None:
    facts = json.loads((root / "datasets" / "sr-bicubic-x4" / "dataset.json").read_text("utf-8"))
    for clip in facts["clips"]:
        assert clip["scale"] == 4
        assert clip["lq_height"] == -(-clip["height"] // 4)
        assert clip["lq_width"] == -(-clip["width"] // 4)
        first = next((root / "datasets" / "sr-bicubic-x4" / "lq" / clip["name"]).glob("*.png"))
        with Image.open(first) as image:
            assert image.size == (clip["lq_width"], clip["lq_height"])


def test_rows_are_those_that_enlarge(root: Path) -> None:
    (board,) = boards(read_cells(root))
    means = {row.model.name: row.entries["psnr"].mean for row in board.rows}
    assert set(means) == {"identity", "lanczos", "back-projection"}
    assert all(value is not None and 20 < value < 50 for value in means.values())
    assert means["lanczos"] > means["identity"]  # type: ignore[operator]


def test_what_is_measured_is_what_pillow_makes(root: Path) -> None:
    folder = root / "datasets" / "sr-bicubic-x4"
    clip = sorted(p.name for p in (folder / "lq").iterdir())[0]
    first = sorted((folder / "lq" / clip).glob("*.png"))[0]
    with Image.open(first) as image:
        given = np.asarray(image.convert("RGB"), dtype=np.float32)
    planes = [
        np.asarray(
            Image.fromarray(given[..., i]).resize((given.shape[1] * 4, given.shape[0] * 4), Image.Resampling.BICUBIC)
        )
        for i in range(3)
    ]
    wanted = np.floor(np.stack(planes, axis=-1).clip(0, 255) + 0.5)
    with Image.open(sorted((root / "restored" / "sr-bicubic-x4" / "identity" / clip).glob("*.png"))[0]) as image:
        found = np.asarray(image, dtype=np.float32)
    assert np.abs(found - wanted).max() <= 1
    assert (found != wanted).mean() < 0.01


def test_nothing_is_done_twice(root: Path) -> None:
    again = CliRunner().invoke(
        app, ["run", "--models", "all", "--metrics", "psnr,ssim,warp_error", "--root", str(root)]
    )
    assert again.exit_code == 0
    assert "0 clips restored, 0 results measured, 18 were there already" in again.output


def test_the_report_shows_what_doing_nothing_gives(root: Path) -> None:
    made = CliRunner().invoke(app, ["report", "html", "--root", str(root)])
    assert made.exit_code == 0, made.output
    pages = [p.read_text("utf-8") for p in sorted((root / "report" / "clips").rglob("*.html"))]
    assert pages
    assert all("Input, enlarged" in page for page in pages)


def test_a_degraded_clip_that_lost_its_size_is_found(root: Path, tmp_path: Path) -> None:
    from vbench.datasets import open_dataset
    from vbench.errors import InputError

    pair = open_dataset(root / "datasets" / "sr-bicubic-x4").pairs()[0]
    assert pair.facts.scale == 4
    assert "degraded" not in pair.rooms
    wrong = pair.facts.model_copy(update={"lq_height": pair.facts.height, "lq_width": pair.facts.width})
    with pytest.raises(InputError, match="holds 2 frames of"):
        type(pair)(pair.dataset, pair.folder, wrong).degraded()


@pytest.mark.parametrize("kind", ["bicubic", "lanczos"])
@pytest.mark.parametrize("scale", [2, 3])
def test_enlarging_keeps_places(kind: str, scale: int) -> None:
    """A ramp stays a ramp of the same slope, its centre where it was; gray and colour."""
    ramp = (torch.arange(20.0) / 40 + 0.2).expand(2, 3, 8, 20)
    large = enlarged(ramp, scale, kind)
    assert large.shape == (2, 3, 8 * scale, 20 * scale)
    wanted = ((torch.arange(20.0 * scale) + 0.5) / scale - 0.5) / 40 + 0.2
    # Lanczos does not keep straight lines exactly.
    assert torch.allclose(large[0, 0, 0, 8:-8], wanted[8:-8], atol=1e-5 if kind == "bicubic" else 2e-3)


def test_doing_nothing_does_nothing_at_the_same_size() -> None:
    clip = torch.rand(2, 1, 5, 7)
    assert torch.equal(run_array(spec("identity").load(torch.device("cpu"), None), clip), clip)


def test_a_source_of_any_size(tmp_path: Path) -> None:
    """Neither side a multiple of four: what reaches beyond the ground truth is cut off."""
    folder = tmp_path / "odd clip"
    folder.mkdir()
    for i in range(2):
        pixels = np.random.default_rng(i).integers(0, 256, (37, 50, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{i:03d}.png")
    root = ["--root", str(tmp_path / "runs")]
    run = CliRunner()
    made = run.invoke(app, ["synth", "--profile", "sr", "--source", str(folder), *root])
    assert made.exit_code == 0, made.output
    done = run.invoke(app, ["run", "--models", "identity,lanczos", "--metrics", "psnr", *root])
    assert done.exit_code == 0, done.output
    files = sorted((tmp_path / "runs" / "restored" / "sr-bicubic-x4" / "lanczos").glob("*/*.png"))
    assert len(files) == 2
    with Image.open(files[0]) as image:
        assert image.size == (50, 37)
