"""Multiply-adds: against counts by hand, and against what is called when the network really runs."""

from __future__ import annotations

import math
import resource
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from tests.slow import SLOW
from vbench import models
from vbench import multiply_adds as counting
from vbench.models.edvr.align import DeformableConv
from vbench.models.loading import unloaded
from vbench.models.rtn.prepare import luma, luma_of
from vbench.multiply_adds import costs, count, of_model
from vbench.restore import ClipMeta, Framewise, Restorer, run_array
from vbench.workspace import Workspace, read_json

CPU = torch.device("cpu")
META = ClipMeta(8, 64, 96, 3, 24.0)


def test_dncnn_is_its_convolutions() -> None:
    """17 layers of 3 x 3: 1 to 64, fifteen of 64 to 64, 64 to 1, on each channel by itself; norms do not count."""
    per_pixel = 9 * 64 + 15 * 9 * 64 * 64 + 9 * 64
    assert of_model(models.spec("dncnn-s25"), META) == 3 * per_pixel * 64 * 96
    assert of_model(models.spec("dncnn-s25"), ClipMeta(8, 33, 31, 1, 24.0)) == per_pixel * 33 * 31


def fastdvdnet_block() -> float:
    """Of a denoising block, per pixel; the layers as the paper's figure 2 and the official names have them."""
    first = 9 * 4 * 30 * 3 + 9 * 90 * 32  # three frames and their maps, each by itself, then together
    half = (9 * 32 * 64 + 2 * 9 * 64 * 64) / 4
    quarter = (9 * 64 * 128 + 4 * 9 * 128 * 128 + 9 * 128 * 256) / 16
    up = (2 * 9 * 64 * 64 + 9 * 64 * 128) / 4
    last = 9 * 32 * 32 + 9 * 32 * 3
    return first + half + quarter + up + last


def test_fastdvdnet_computes_each_inner_triple_once() -> None:
    """A frame costs two blocks: one triple of stage 1 is new for each, and stage 2. At either end one more triple is
    turned around by the reflection."""
    for frames in (8, 100):
        found = of_model(models.spec("fastdvdnet-s25"), ClipMeta(frames, 64, 96, 3, 24.0))
        assert found is not None
        assert found / (fastdvdnet_block() * 64 * 96) == pytest.approx(2 + 2 / frames, abs=1e-6)


def test_a_deformable_convolution_counts_as_a_convolution() -> None:
    """The convolution that tells where to look (to 3 x 9 numbers in each of 8 groups) and the one that looks."""
    layer = DeformableConv(16, 8)
    maps = ClipMeta(1, 20, 24, 16, 24.0)
    found = count(lambda: Framewise(lambda x: layer.to("meta")(x, x)), maps).total
    assert found == 20 * 24 * 9 * (16 * 27 * 8 + 16 * 16)


def really(restorer: Restorer, meta: ClipMeta) -> int:
    """What PyTorch's counter sees while the restorer runs on numbers."""
    import torchvision  # noqa: F401 - registers its operation

    def deformable(x: tuple[int, ...], weight: tuple[int, ...], *_: object, out_shape: tuple[int, ...]) -> int:
        return 2 * math.prod(out_shape) * math.prod(weight[1:])

    def attention(q: tuple[int, ...], k: tuple[int, ...], v: tuple[int, ...], *_: object, **__: object) -> int:
        return 4 * math.prod(q) * k[2]

    def added(held: tuple[int, ...], a: tuple[int, ...], b: tuple[int, ...], *_: object, **__: object) -> int:
        return 2 * math.prod(a) * b[-1]

    extra = {
        torch.ops.aten.addmm_: added,  # one tap of a deformable convolution on a CPU
        torch.ops.torchvision.deform_conv2d: deformable,
        torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: attention,
    }
    x = torch.rand(meta.frames, meta.channels, meta.height, meta.width, generator=torch.Generator().manual_seed(0))
    counter = FlopCounterMode(display=False, custom_mapping=extra)
    with torch.no_grad(), counter:
        frames = sum(len(out) for out in restorer.restore(iter(x.split(2)), meta))
    assert frames == meta.frames
    return counter.get_total_flops() // 2


@pytest.mark.parametrize(
    ("name", "meta"),
    [
        ("dncnn-b", ClipMeta(2, 17, 20, 3, 24.0)),
        ("dncnn-b", ClipMeta(2, 17, 20, 1, 24.0)),
        ("fastdvdnet-s25", ClipMeta(4, 18, 21, 3, 24.0)),
        ("vnlnet-gray-s25", ClipMeta(8, 6, 7, 3, 24.0)),
        ("vnlnet-gray-s25", ClipMeta(8, 6, 7, 1, 24.0)),
        ("pvdnet-dvd", ClipMeta(2, 64, 66, 3, 24.0)),
        ("cdvd-tsp-gopro", ClipMeta(3, 64, 68, 3, 24.0)),
        ("edvr-m-x4", ClipMeta(5, 16, 20, 3, 24.0, 4)),
        ("rtn", ClipMeta(2, 128, 130, 3, 24.0)),
        ("rfr-dncnn-online-s25", ClipMeta(2, 12, 9, 3, 24.0)),
        ("rfr-fastdvdnet-online-s25", ClipMeta(3, 12, 12, 3, 24.0)),
    ],
    ids=lambda value: value if isinstance(value, str) else f"{value.width}x{value.height}x{value.channels}",
)
def test_what_is_counted_is_what_is_called_when_it_runs(
    name: str, meta: ClipMeta, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = models.spec(name)
    with unloaded():
        torch.manual_seed(0)
        wanted = really(spec.load(CPU, None), meta)
    found = of_model(spec, meta)
    assert found == round(wanted / meta.frames)
    assert found > 0


def test_the_large_networks_are_counted_on_shapes() -> None:
    """Of 1080p, in less memory than one map of their features takes (1 GiB)."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for name in ("edvr-l-deblur", "votes-x2-qp28"):
        found = of_model(models.spec(name), ClipMeta(5, 1080, 1920, 3, 24.0, models.spec(name).scales[0]))  # type: ignore[index]
        assert found is not None
        assert found > 3e12  # more than a million a pixel
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300 * 1024  # KiB


def test_every_network_can_be_counted() -> None:
    """On a small clip; each variant of a network by one entry."""
    networks = {}
    for name in models.names():
        spec = models.spec(name)
        # RTN and RFR have a test of their own, and many operations.
        if spec.network is not None and not name.startswith(("rtn", "rfr")):
            networks.setdefault((spec.network, spec.load.__module__), spec)
    assert len(networks) > 12
    for spec in networks.values():
        frames = 8 if spec.name.startswith(("vnlnet", "edvr-l-x4-vimeo")) else 5
        found = of_model(spec, ClipMeta(frames, 64, 64, 3, 24.0, (spec.scales or (1,))[0]))
        assert found is not None
        assert found > 64 * 64 * 100_000, spec.name


@pytest.mark.parametrize(
    "name",
    [
        "fastdvdnet-s25",
        "edvr-l-deblur",
        "vnlnet-gray-s25",
        pytest.param("cdvd-tsp-dvd", marks=SLOW),
        pytest.param("pvdnet-dvd", marks=SLOW),
    ],
)
def test_two_short_clips_stand_for_a_long_one(name: str) -> None:
    """At the ends windows show frames twice, and cost less or more; what each frame in between adds is the same."""
    spec = models.spec(name)
    frames = 13
    meta = ClipMeta(frames, 64, 64, 3, 24.0)
    with unloaded():
        wanted = count(lambda: spec.load(torch.device("meta"), None), meta)
    assert wanted.frames == frames
    assert of_model(spec, meta) == wanted.per_frame
    assert of_model(spec, ClipMeta(9, 64, 64, 3, 24.0)) != 0


def test_rtn_restores_most_frames_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """A long clip costs more a frame than one of a single part: parts of 20 frames begin every 10."""
    asked = []

    def seen(make: object, meta: ClipMeta) -> counting.Count:
        asked.append(meta.frames)
        return counting.Count({12: 12, 20: 20, 30: 40}[meta.frames], meta.frames)

    monkeypatch.setattr(counting, "count", seen)
    found = [of_model(models.spec("rtn"), ClipMeta(frames, 128, 128, 3, 24.0)) for frames in (12, 30, 10_000)]
    assert asked == [12, 20, 30, 20, 30]
    assert found == [1, round(40 / 30), 2]


def test_what_is_no_network_has_none(tmp_path: Path) -> None:
    for name in ("identity", "hqdn3d", "lanczos"):
        assert of_model(models.spec(name), META) is None
        assert costs(models.spec(name), META, Workspace(tmp_path)) == {"multiply_adds": None, "iterations": None}
    assert list(tmp_path.iterdir()) == []


def test_the_weights_and_the_way_networks_are_loaded_do_not_change() -> None:
    from vbench.errors import MissingWeights

    of_model(models.spec("dncnn-s25"), META)
    with pytest.raises(MissingWeights):
        models.spec("dncnn-s25").load(CPU, None)


# --- as shipped ---------------------------------------------------------------------------------


def test_what_is_shipped_is_of_every_network_in_its_version() -> None:
    stored = read_json(counting.COUNTED)
    assert (
        stored["clip"]
        == {"width": 1280, "height": 720, "frames": 60, "channels": 3}
        == {
            **dict(zip(("width", "height", "frames"), counting.SHOWN, strict=True)),
            "channels": 3,
        }
    )
    specs = [models.spec(name) for name in models.CATALOG]
    wanted = {spec.name: spec.version for spec in specs if spec.network is not None}
    assert {name: entry["version"] for name, entry in stored["models"].items()} == wanted, "run `nox -s docs`"
    width, height, frames = counting.SHOWN
    for spec in specs:
        if spec.network is not None:
            steps = spec.iterations(ClipMeta(frames, height, width, 3, 24.0)) if spec.iterations else None
            assert stored["models"][spec.name]["iterations"] == steps


@pytest.mark.parametrize("name", ["dncnn-b", "fastdvdnet-clipped-s25", "vnlnet-color-s25"])
def test_what_is_shipped_is_what_is_counted(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = models.spec(name)
    found = counting.counted(spec)
    assert counting.shown(spec) == found, "run `nox -s docs`"
    other = replace(spec, version=spec.version + 1)
    assert counting.shown(other) == replace(found, version=other.version)  # counted anew
    monkeypatch.setattr(counting, "count", lambda *_: pytest.fail("counted again"))
    counting.shown(spec)


@SLOW
def test_multiply_adds_are_as_shipped() -> None:
    specs = [models.spec(name) for name in models.CATALOG]
    other = [spec.name for spec in specs if spec.network is not None and counting.shown(spec) != counting.counted(spec)]
    assert not other, "run `nox -s docs`"


# --- beside the results --------------------------------------------------------------------------


def test_a_count_is_kept_in_the_workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec, workspace = models.spec("dncnn-s25"), Workspace(tmp_path)
    meta = ClipMeta(20, 64, 96, 3, 24.0)
    first = costs(spec, meta, workspace)
    assert first["multiply_adds"] == of_model(spec, meta)
    monkeypatch.setattr(counting, "count", lambda *_: pytest.fail("counted again"))
    longer = ClipMeta(99, 64, 96, 3, 30.0, name="another")
    assert costs(spec, longer, workspace) == first
    for other in (ClipMeta(20, 64, 95, 3, 24.0), ClipMeta(20, 64, 96, 1, 24.0), ClipMeta(3, 64, 96, 3, 24.0)):
        with pytest.raises(pytest.fail.Exception):
            costs(spec, other, workspace)


def test_a_model_that_cannot_be_counted_is_told_and_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> int:
        raise RuntimeError("no such kernel")

    monkeypatch.setattr(counting, "count", broken)
    assert costs(models.spec("dncnn-s25"), META, Workspace(tmp_path))["multiply_adds"] is None
    assert "dncnn-s25: multiply-adds are not counted: RuntimeError: no such kernel" in capsys.readouterr().err


@pytest.mark.parametrize(("mode", "channels", "steps"), [("online", 3, 9), ("online", 1, 3), ("offline", 1, 30)])
def test_iterations_of_rfr_are_those_that_it_makes(
    monkeypatch: pytest.MonkeyPatch, mode: str, channels: int, steps: int
) -> None:
    from vbench.models.rfr.adapt import Tuner

    made = []
    before = Tuner.step

    def step(self: Tuner, *given: object) -> float:
        made.append(1)
        return before(self, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(Tuner, "step", step)
    spec = models.spec(f"rfr-dncnn-{mode}-s25")
    with unloaded():
        run_array(spec.load(CPU, None), torch.rand(3, channels, 8, 8))
    assert spec.iterations is not None
    assert spec.iterations(ClipMeta(3, 8, 8, channels, 24.0)) == len(made) == steps
    assert models.spec("dncnn-s25").iterations is None


def test_luma_in_torch_is_that_of_pillow() -> None:
    x = torch.randint(0, 256, (2, 3, 40, 50), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    wanted = luma(x.permute(0, 2, 3, 1).numpy())
    assert (luma_of(x)[:, 0].numpy() == wanted).all()


class Asking(nn.Module):
    """Asks its input what a network of ours asks."""

    def restore(self, chunks: Iterator[Tensor], meta: ClipMeta) -> Iterator[Tensor]:
        for chunk in chunks:
            assert not bool((chunk == chunk[:, :1]).all())
            assert bool((chunk != chunk[:, :1]).any())
            assert float(chunk.abs().amax()) == 1
            yield chunk


def test_questions_are_answered_as_of_a_coloured_clip() -> None:
    assert count(Asking, META).total == 0
