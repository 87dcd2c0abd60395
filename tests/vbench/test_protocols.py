"""Protocols as they are written: every line with its source, metrics that load, data sets that are recognised."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from types import SimpleNamespace
from typing import cast

import pytest

from degradations.profile import load_profile
from leaderboards.published import figures
from vbench import metrics, models, protocols
from vbench.datasets import DatasetFacts
from vbench.errors import InputError
from vbench.protocols import Data, Protocol, PublishedSet, Scored

ALL = [protocols.load(name) for name in protocols.names()]
TOPICS = [
    "data", "frames given", "frames measured", "input", "output", "colour", "border crop", "PSNR", "SSIM", "other metrics",
    "alignment", "average", "models",
]  # fmt: skip
DVD = (
    "720p_240fps_2", "IMG_0003", "IMG_0021", "IMG_0030", "IMG_0031", "IMG_0032", "IMG_0033", "IMG_0037", "IMG_0039",
    "IMG_0049",
)  # fmt: skip


@dataclass(frozen=True)
class Clip:
    name: str
    frames: int = 100
    channels: int = 3
    gt_sha256: str | None = "x"


def dataset(*clips: Clip, profile: str = "adopted", variant: str = "input") -> DatasetFacts:
    """What protocols look at of a data set."""
    return cast("DatasetFacts", SimpleNamespace(name="d", clips=clips, profile=profile, variant=variant))


def named(names: tuple[str, ...], frames: int = 100, channels: int = 3) -> list[Clip]:
    return [Clip(name, frames, channels) for name in names]


# --- what is written -----------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", ALL, ids=lambda p: p.name)
def test_every_protocol_says_the_same_topics_in_the_same_order_with_sources(protocol: Protocol) -> None:
    assert [line.topic for line in protocol.lines] == TOPICS
    texts = [protocol.description, protocol.source, *(s for line in protocol.lines for s in (line.how, line.source))]
    texts += [found.source for found in (protocol.data.sets.values() if protocol.data else ())]
    for text in texts:
        assert text.strip()
        assert "shared/" not in text  # the originals are cited, not our notes


@pytest.mark.parametrize("protocol", ALL, ids=lambda p: p.name)
def test_metrics_load_under_the_names_that_are_written(protocol: Protocol) -> None:
    assert protocol.metrics
    assert [metrics.load(name).name for name in protocol.metrics] == list(protocol.metrics)


@pytest.mark.parametrize("protocol", ALL, ids=lambda p: p.name)
def test_damage_is_made_by_profiles_that_there_are(protocol: Protocol) -> None:
    for profile, variants in (protocol.data.profiles if protocol.data else {}).items():
        found = load_profile(profile)
        for variant in variants:
            assert found.build(variant)
    for name, found in (protocol.data.sets if protocol.data else {}).items():
        assert len(set(found.clips)) == len(found.clips), name


@pytest.mark.parametrize("protocol", ALL, ids=lambda p: p.name)
def test_words_say_what_the_settings_do(protocol: Protocol) -> None:
    """Equal settings have equal words and different ones different words, or `diff` would not tell the truth."""
    how = {line.topic: line.how for line in protocol.lines}
    measured = {
        (0, 0): "All frames that a model was given.",
        (1, 0): "All but the first frame of a clip.",
        (2, 2): "All but the first two and the last two frames of a clip.",
        (3, 3): "Only the middle one of seven frames.",
    }
    assert how["frames measured"] == measured[protocol.scored.skip_first, protocol.scored.skip_last]
    assert how["output"].startswith("Floating point" if protocol.depth == 16 else "Rounded to 8 bits.")
    average = {
        "clips": "Mean over the frames of a clip, then over clips.",
        "frames": "Mean over all frames of all clips.",
    }
    assert how["average"] == average[protocol.average]
    most = protocol.data.most_frames if protocol.data else None
    if most not in (None, 7):
        assert how["frames given"] == f"A model gets the first {most} frames of a clip."
    for name in protocol.metrics:
        options = metrics.load(name).options
        if name.startswith(("psnr", "ssim")) and options.get("crop_border") and protocol.name != "default":
            assert how["border crop"].startswith(f"{options['crop_border']} pixels at each side")


def test_published_figures_belong_to_sets_metrics_and_models_that_there_are() -> None:
    assert len(figures()) > 100
    for one in figures():
        protocol = protocols.load(one.protocol)
        assert protocol.data is not None
        assert one.set in protocol.data.names(), one
        assert one.metric in protocol.metrics, one
        assert one.model is None or one.model in models.CATALOG, one
        assert one.clip is None or any(one.clip in found.clips for found in protocol.data.sets.values()), one


def test_published_sets_have_names_of_their_own() -> None:
    for protocol in ALL:
        names = protocol.data.names() if protocol.data else ()
        assert len(set(names)) == len(names), protocol.name


# --- data sets -----------------------------------------------------------------------------------


def test_the_test_set_of_dvd_is_recognised_in_both_layouts_and_no_other_damage_of_its_clips() -> None:
    aligned = protocols.load("deblur-pvdnet-aligned")
    assert aligned.data is not None
    for version in ("input", "blur"):
        found = dataset(*named(DVD), variant=version)
        assert aligned.data.published(found) == "DVD test"
        assert aligned.about(found)
        assert aligned.departures(found) == ()
    made = dataset(*named(DVD), profile="codec", variant="h264-qp28")
    assert aligned.data.published(made) is None
    assert not aligned.about(made)
    assert aligned.departures(made)[-1] == 'The damage is not the protocol\'s: profile "codec".'


def test_blur_and_blur_gamma_are_two_sets() -> None:
    clips = [Clip(name, 100) for name in protocols.load("deblur-cdvd").data.sets["GoPro test"].clips]  # type: ignore[union-attr]
    clips[4], clips[6] = Clip(clips[4].name, 134), Clip(clips[6].name, 77)
    gamma = dataset(*clips, variant="blur_gamma")
    plain = protocols.load("deblur-pvdnet")
    assert plain.data is not None
    assert plain.data.published(gamma) == "GoPro test, blur_gamma"
    other = protocols.load("deblur-cdvd")
    assert other.data is not None
    assert other.data.published(gamma) is None
    assert not other.about(gamma)
    (text,) = other.departures(gamma)
    assert text.endswith('Beside GoPro test: its degraded side is "blur", and this one "blur_gamma".')


@pytest.mark.parametrize(
    ("clips", "words"),
    [
        (named(DVD[1:]), "Beside DVD test: 720p_240fps_2 is missing."),
        ([*named(DVD), Clip("x"), Clip("y")], "Beside DVD test: x, y are not of it."),
        (named(DVD, 30), "Beside DVD test: it has 1000 frames and these are 300."),
        (named(("a", "b")), "These clips are others."),
    ],
)
def test_what_is_amiss_with_a_data_set_is_said_in_words(clips: list[Clip], words: str) -> None:
    (text,) = protocols.load("deblur-pvdnet-aligned").departures(dataset(*clips))
    assert text == f"The protocol is about the test sets of DVD and of GoPro in its version blur_gamma. {words}"


def test_noise_sets_are_named_by_their_sigma_and_only_if_gray_and_not_clipped() -> None:
    protocol = protocols.load("denoise-dncnn")
    data = protocol.data
    assert data is not None
    twelve = named(tuple(f"{i:02d}" for i in range(1, 13)), frames=1, channels=1)
    assert data.published(dataset(*twelve, profile="noise", variant="awgn25")) == "Set12, sigma 25"
    assert data.published(dataset(*twelve, profile="noise", variant="gaussian25")) is None
    assert not protocol.about(dataset(*twelve, profile="noise", variant="gaussian25"))
    colour = dataset(*named(tuple(f"{i:02d}" for i in range(1, 13)), frames=1), profile="noise", variant="awgn25")
    assert data.published(colour) is None
    assert protocol.departures(colour)[-1] == "The protocol is about gray clips; 01, 02, 03 and 9 more are not."
    wrong = protocol.departures(dataset(*twelve, profile="noise", variant="gaussian25"))
    assert wrong[-1] == 'The damage is not the protocol\'s: "gaussian25" of noise, not awgn15, awgn25 or awgn50.'


def test_clips_that_were_cut_short_or_are_too_long_are_not_the_published_set() -> None:
    protocol = protocols.load("denoise-fastdvdnet")
    data = protocol.data
    assert data is not None
    eight = data.sets["Set8"].clips
    whole = dataset(*named(eight, 25), profile="noise", variant="awgn50")
    assert data.published(whole) == "Set8, sigma 50"
    assert protocol.departures(whole) == ()
    short = dataset(*named(eight, 5), profile="noise", variant="awgn50")
    assert data.published(short) is None
    assert "tractor, touchdown, park_joy and 5 more have fewer than 25 frames." in protocol.departures(short)[0]
    long = dataset(*named(eight, 85), profile="noise", variant="awgn50")
    assert data.published(long) is None
    assert "takes the first 25 frames of a clip" in protocol.departures(long)[-1]
    longer = protocols.load("denoise-dvdnet").data
    assert longer is not None
    assert longer.published(long) == "Set8, sigma 50"


def test_the_same_degraded_side_by_two_names() -> None:
    data = protocols.load("codec-votes").data
    assert data is not None
    thirty = named(tuple(str(i) for i in range(240, 270)))
    for profile, variant in (("codec", "reds-x2-qp28"), ("adopted", "LQ_frames_qp28_x2")):
        assert data.published(dataset(*thirty, profile=profile, variant=variant)) == "REDS 240..269, x2, QP 28"


def test_sets_without_a_list_of_clips_are_never_recognised() -> None:
    data = Data(words="w", sets={"x": PublishedSet(source="s")})
    assert data.published(dataset()) is None
    assert data.published(dataset(Clip("a"))) is None
    protocol = Protocol(name="p", version=1, title="t", description="d", source="s", data=data, metrics=("psnr",))
    assert protocol.departures(dataset(Clip("a")))[0].endswith("so whether these are they cannot be told.")
    assert not protocol.about(dataset(Clip("a")))


def test_real_films_are_those_without_ground_truth() -> None:
    protocol = protocols.load("oldfilm-rtn-real")
    real, pair = dataset(Clip("film", gt_sha256=None)), dataset(Clip("film"))
    assert protocol.about(real)
    assert not protocol.about(pair)
    assert not protocols.load("oldfilm-rtn").about(real)
    assert protocol.departures(pair)[-1] == "The protocol is about clips without ground truth, and these have one."
    assert len(protocol.departures(real)) == 1  # nobody published which films


@pytest.mark.parametrize(("first", "last", "frames"), list(itertools.product((0, 1, 3), (0, 2), (0, 1, 2, 4, 7))))
def test_scored_frames_lie_within_the_clip(first: int, last: int, frames: int) -> None:
    start, stop = Scored(skip_first=first, skip_last=last).of(frames)
    assert 0 <= start <= stop <= frames
    assert stop - start == max(frames - first - last, 0)


# --- hostile -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name: [", '"x" is no YAML'),
        ("!!python/object/apply:os.system [true]", '"x" is no YAML'),
        ("just words", '"x" is no protocol: the whole'),
        ("", '"x" is no protocol: the whole'),
        ("name: a\nversion: many", "version: "),
        ("name: a\nversion: 1\ntitle: t\ndescription: d\nsource: s\nmetrics: [psnr]\nrun: rm", "run: Extra inputs"),
        ("name: a\nversion: 1\ntitle: t\ndescription: d\nsource: s\nmetrics: [psnr]\ndepth: 12", "depth: "),
        (
            "name: a\nversion: 1\ntitle: t\ndescription: d\nsource: s\nmetrics: [psnr]\nscored: {skip_first: -1}",
            "scored.skip_first: ",
        ),
    ],
)
def test_what_is_no_protocol_is_refused_in_words(text: str, words: str) -> None:
    with pytest.raises(InputError) as caught:
        protocols.parse(text, "x")
    assert words in str(caught.value)


@pytest.mark.parametrize("name", ["denoise-dncn", "../default", "", "default.yaml", "a" * 5000])
def test_a_protocol_that_is_not_there(name: str) -> None:
    with pytest.raises(InputError, match="There is no protocol"):
        protocols.load(name)
