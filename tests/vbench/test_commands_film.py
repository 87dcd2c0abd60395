"""``vbench film statistics``: clips and data sets as columns beside the real films."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from skimage import data
from typer.testing import CliRunner

from vbench.cli import app
from vbench.commands_film import film_statistics_command
from vbench.errors import InputError, UsageError

PROFILE = """
name: mine
version: 1
title: Mine
description: A test.
source: None.
default: [still, nervous]
variants:
  still: {title: Still, description: A little flicker., severity: 1, steps: [flicker: {strength: 0.01, local: 0.0}]}
  nervous: {title: Nervous, description: Much flicker., severity: 2, steps: [flicker: {strength: 0.1, local: 0.0}]}
  small: {title: Small, description: Half the size., steps: [shrink: {factor: 2}]}
"""


@pytest.fixture
def panned() -> NDArray[np.uint8]:
    """Nine frames ``(9, 96, 128, 3)`` of a window that moves over a photograph."""
    photo = data.chelsea()
    return np.stack([photo[100:196, 150 + t : 278 + t] for t in range(9)])


@pytest.fixture
def root(tmp_path: Path, clip_folder: Callable[..., Path], panned: NDArray[np.uint8]) -> Path:
    """A root with two data sets of two clips each."""
    profile = tmp_path / "mine.yaml"
    profile.write_text(PROFILE)
    sources = [clip_folder(panned, "one").parent, clip_folder(panned[:, ::-1], "two").parent]
    assert sources[0] == sources[1]
    arguments = ["synth", "-p", str(profile), "-s", str(sources[0]), "--root", str(tmp_path / "runs"), "--workers", "1"]
    done = CliRunner().invoke(app, [*arguments, "--variant", "still,nervous,small"])
    assert done.exit_code == 0, done.output
    return tmp_path / "runs"


def _json(capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, object]]:
    found: dict[str, dict[str, object]] = json.loads(capsys.readouterr().out)
    return found


def test_data_sets_are_measured_against_their_ground_truth(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sets = [root / "datasets" / f"mine-{variant}" for variant in ("still", "nervous")]
    film_statistics_command(sets, as_json=True)
    found = _json(capsys)
    assert found["real"]["ranges"]["flicker.step_std"] == [0.016, 0.03]
    assert "three transfers" in found["real"]["source"]
    assert [column["name"] for column in found["measured"]] == ["mine-still", "mine-nervous"]
    steps = []
    for column in found["measured"]:
        assert list(column["clips"]) == ["one", "two"]
        assert {clip["method"] for clip in column["clips"].values()} == {"against the truth"}
        each = [clip["flicker"]["step_std"] for clip in column["clips"].values()]
        assert column["figures"]["flicker.step_std"]["value"] == pytest.approx(np.median(each))
        steps.append(column["figures"]["flicker.step_std"])
    assert [step["inside"] for step in steps] == [False, False]
    # The settings are 0.01 and 0.1; of 8 steps a standard deviation is known to a quarter.
    assert steps[0]["value"] == pytest.approx(0.01, rel=0.6)
    assert steps[1]["value"] == pytest.approx(0.1, rel=0.6)


def test_the_table_fits_into_80_columns(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "datasets" / "mine-small" / "dataset.json").unlink()
    film_statistics_command([root], as_json=False)
    text = capsys.readouterr().out
    table = text[: text.index("Real films:")].splitlines()
    assert max(len(line) for line in table) <= 80
    assert "…" not in "".join(table)
    head = next(line for line in table if "real films" in line)
    assert head.split()[-2:] == ["still", "nervous"]  # by severity, without the profile's name
    step = next(line for line in table if "step of log gain" in line)
    assert "0.016..0.03" in step
    assert step.rstrip().endswith("↑")
    assert "↓" in step
    assert "three transfers of real old films, measured by the same methods" in text
    assert "nervous: median of 2 clips, against the truth" in text
    assert "96 lines: sizes in pixels" in text


def test_a_clip_alone_and_beside_its_truth(
    root: Path, capsys: pytest.CaptureFixture[str], clip_folder: Callable[..., Path], panned: NDArray[np.uint8]
) -> None:
    film = root / "datasets" / "mine-nervous" / "lq" / "one"
    film_statistics_command([film], as_json=True, frames="1:8", region="8:88,8:120")
    (alone,) = _json(capsys)["measured"]
    assert alone["name"] == "one"
    assert (alone["clips"]["one"]["method"], alone["clips"]["one"]["frames"]) == ("blind", 7)
    assert alone["clips"]["one"]["region"] == "8:88,8:120"
    film_statistics_command([film], as_json=True, truth=root.parent / "sources" / "one", frames="1:8")
    (beside,) = _json(capsys)["measured"]
    assert beside["clips"]["one"]["method"] == "against the truth"
    assert beside["figures"]["flicker.step_std"]["value"] == pytest.approx(
        alone["figures"]["flicker.step_std"]["value"], rel=0.1
    )


def test_data_sets_that_are_no_film_are_passed_over_among_others(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    film_statistics_command([root], as_json=True)
    said = capsys.readouterr()
    assert [one["name"] for one in json.loads(said.out)["measured"]] == ["still", "nervous"]
    assert 'Passed over: The degraded frames of "mine-small" are 2 times smaller' in said.err


def test_what_cannot_be_measured_is_refused_in_words(root: Path, tmp_path: Path) -> None:
    film = root / "datasets" / "mine-still" / "lq" / "one"
    with pytest.raises(UsageError, match="Name a clip or a data set"):
        film_statistics_command([], as_json=False)
    with pytest.raises(UsageError, match="2 films are given"):
        film_statistics_command([film, film], as_json=False, truth=film)
    with pytest.raises(UsageError, match="its own ground truth"):
        film_statistics_command([root / "datasets" / "mine-still"], as_json=False, truth=film)
    with pytest.raises(UsageError, match="is a data set"):
        film_statistics_command([root / "datasets" / "mine-still"], as_json=False, frames="0:3")
    with pytest.raises(UsageError, match='"10:20" is no region'):
        film_statistics_command([film], as_json=False, region="10:20")
    with pytest.raises(InputError, match="does not lie in frames of 96 rows and 128 columns"):
        film_statistics_command([film], as_json=False, region="0:97,0:128")
    with pytest.raises(InputError, match="2 times smaller"):
        film_statistics_command([root / "datasets" / "mine-small"], as_json=False)
    with pytest.raises(InputError, match="does not exist"):
        film_statistics_command([tmp_path / "nothing"], as_json=False)
    with pytest.raises(InputError, match=r'one": The clip has 2 frame\(s\)'):
        film_statistics_command([film], as_json=False, frames="0:2")
