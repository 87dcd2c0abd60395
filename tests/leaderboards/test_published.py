"""Published figures: each as its source prints it, and files that are no such thing refused."""

from __future__ import annotations

import re

import pytest

from leaderboards.published import KINDS, Published, figures, for_protocol, for_set, parse

GOOD = """
protocol: p
tables:
  - kind: readme
    source: a repository
    rows:
      - {set: s, system: x, values: {psnr: 30.5, ssim: 0.9}}
"""


def value(protocol: str, name: str, system: str, metric: str = "psnr") -> float:
    (one,) = [f for f in for_set(protocol, name) if f.system == system and f.metric == metric]
    return one.value


def test_figures_are_those_of_their_sources() -> None:
    """Read in the texts that the entries name: README of DnCNN-PyTorch and of dvdnet, ModelZoo.md of BasicSR, the stored
    notebook of PVDNet."""
    assert value("denoise-dncnn", "BSD68, sigma 50", "DnCNN-S, PyTorch") == 26.22
    assert value("denoise-dncnn", "Set12, sigma 15", "DnCNN-B, MATLAB") == 32.680
    assert value("denoise-dvdnet", "Set8, sigma 40", "V-BM4D") == 28.48
    assert value("denoise-dvdnet", "DAVIS test, sigma 20", "VNLB") == 35.68
    assert value("sr-edvr-vid4@1", "Vid4, x4", "EDVR, L", "psnr[y]") == 27.35
    assert value("sr-edvr-reds4", "REDS4, blur_comp", "EDVR, L", "ssim") == 0.8567
    assert value("deblur-pvdnet-aligned", "GoPro test, blur_gamma", "PVDNet, large", "ssim_aligned") == 0.9283


def test_figures_of_single_clips_are_given_only_when_asked_for() -> None:
    whole = for_set("deblur-pvdnet-aligned", "DVD test")
    assert {one.clip for one in whole} == {None}
    assert len(whole) == 4
    (psnr, ssim) = for_set("deblur-pvdnet-aligned", "DVD test", clip="IMG_0003")
    assert (psnr.value, ssim.value) == (35.768, 0.9573)


def test_every_figure_says_where_it_stands() -> None:
    for one in figures():
        assert one.kind in KINDS
        assert re.match(r"[\w.-]+/[\w.-]+, ", one.source), one.source  # a repository and a place in it
        assert (one.uncertainty is not None) == (one.kind == "chart")
        bounds = (-1, 1) if one.metric.startswith("ssim") else (20, 45)
        assert bounds[0] < one.value < bounds[1]


def test_a_chart_says_how_well_it_can_be_read() -> None:
    one = next(f for f in for_protocol("denoise-fastdvdnet@1") if f.kind == "chart")
    assert one.words.startswith("read off a chart (± 0.1): m-tassano/fastdvdnet, README")


def test_two_metrics_of_a_row_are_two_figures() -> None:
    first, second = parse(GOOD, "x")
    assert (first.metric, first.value, second.metric, second.value) == ("psnr", 30.5, "ssim", 0.9)
    assert for_protocol("nothing") == ()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("protocol: p", "protocol: ["), '"x" is no YAML'),
        (("protocol: p", "protocol: !!python/object/apply:os.system [true]"), '"x" is no YAML'),
        (("protocol: p\n", ""), "protocol: Field required"),
        (("kind: readme", "kind: hearsay"), "tables.0.kind"),
        (("source: a repository", "source: ''"), "tables.0.source"),
        (("psnr: 30.5", "psnr: .inf"), "tables.0.rows.0.values.psnr"),
        (("psnr: 30.5", "psnr: .nan"), "tables.0.rows.0.values.psnr"),
        (("psnr: 30.5", "psnr: high"), "tables.0.rows.0.values.psnr"),
        (("{psnr: 30.5, ssim: 0.9}", "{}"), "tables.0.rows.0.values"),
        (("system: x", "system: x, rank: 1"), "tables.0.rows.0.rank"),
        (("kind: readme", "kind: readme\n    uncertainty: 0"), "tables.0.uncertainty"),
        (
            ("      - {set: s,", "      - {set: s, system: x, values: {psnr: 31}}\n      - {set: s,"),
            "states psnr of x on s twice from the same source",
        ),
    ],
)
def test_what_holds_no_figures_is_refused_in_words(change: tuple[str, str], words: str) -> None:
    text = GOOD.replace(*change)
    assert text != GOOD
    with pytest.raises(ValueError) as caught:
        parse(text, "x")
    assert words in str(caught.value)


def test_a_figure_needs_a_source() -> None:
    with pytest.raises(ValueError, match="source"):
        Published(protocol="p", set="s", system="x", metric="psnr", value=1.0, kind="readme")  # type: ignore[call-arg]
