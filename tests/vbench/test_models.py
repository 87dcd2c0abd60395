"""Restorers: streams, windows, weights. One frame out for each that went in, whatever the chunks."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from vbench import models, weights
from vbench.errors import InputError, MissingWeights, RunError
from vbench.models.dncnn.net import DnCNN
from vbench.restore import ClipMeta, Framewise, Windowed, checked, from_uint8, reflect, run_array, to_uint8

PLAIN = [name for name in models.names() if models.spec(name).weights is None]
CPU = torch.device("cpu")


def clip(moving: NDArray[np.uint8]) -> Tensor:
    return from_uint8(moving)


@pytest.mark.parametrize("name", PLAIN)
def test_a_model_keeps_count_and_size_and_knows_no_chunks(moving: NDArray[np.uint8], name: str) -> None:
    restorer = models.spec(name).load(CPU, None)
    x = clip(moving)
    whole = run_array(restorer, x, chunk=6)
    assert whole.shape == x.shape
    for size in (1, 4):
        assert torch.equal(run_array(restorer, x, chunk=size), whole)
    assert (to_uint8(whole) != moving).any() == (name != "identity")


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize("shape", [(1, 3, 64, 80), (2, 1, 35, 47), (3, 3, 33, 31)])
def test_a_model_takes_any_size(moving: NDArray[np.uint8], name: str, shape: tuple[int, ...]) -> None:
    x = clip(moving)[: shape[0], : shape[1], : shape[2], : shape[3]]
    out = run_array(models.spec(name).load(CPU, None), x)
    assert out.shape == x.shape
    assert float(out.min()) >= 0
    assert float(out.max()) <= 1


def test_every_model_says_where_it_comes_from() -> None:
    for name in models.names():
        spec = models.spec(name)
        assert spec.name == name
        assert spec.title
        assert spec.source
        assert spec.licence
    with pytest.raises(InputError, match='no model "dncn-s25".*"dncnn-s25"'):
        models.spec("dncn-s25")


def test_temporal_median_is_numpys(moving: NDArray[np.uint8]) -> None:
    out = to_uint8(run_array(models.spec("temporal-median").load(CPU, None), clip(moving)))
    padded = np.concatenate([moving[:1], moving, moving[-1:]])
    wanted = np.median(np.stack([padded[:-2], padded[1:-1], padded[2:]]), axis=0).astype(np.uint8)
    assert (out == wanted).all()


def test_temporal_median_takes_off_what_lives_one_frame(moving: NDArray[np.uint8]) -> None:
    still = clip(np.repeat(moving[:1], 5, axis=0))
    dirty = still.clone()
    dirty[2, :, 10:20, 10:20] = 1.0
    assert torch.equal(run_array(models.spec("temporal-median").load(CPU, None), dirty), still)


def test_deconvolution_undoes_its_blur(picture: NDArray[np.uint8]) -> None:
    import cv2

    blurred = cv2.GaussianBlur(picture, (9, 9), 1.2)
    x, truth = from_uint8(blurred[None]), from_uint8(picture[None])
    out = run_array(models.spec("richardson-lucy").load(CPU, None), x)
    gain = 10 * torch.log10((x - truth).square().mean() / (out - truth).square().mean())
    assert float(gain) > 1.5  # dB


@pytest.mark.parametrize("count", [1, 2, 3, 7])
@pytest.mark.parametrize(("before", "after"), [(1, 1), (2, 2), (0, 3), (3, 0)])
@pytest.mark.parametrize("chunk", [1, 3, 7])
def test_windows_are_reflected(count: int, before: int, after: int, chunk: int) -> None:
    x = torch.arange(float(count)).view(count, 1, 1, 1) / 100
    weight = torch.rand(before + 1 + after, generator=torch.Generator().manual_seed(0))
    restorer = Windowed(lambda w: (w * weight.view(1, -1, 1, 1, 1)).sum(1), before, after)
    out = run_array(restorer, x, chunk=chunk).flatten()
    for i in range(count):
        indices = [reflect(j, count) for j in range(i - before, i + after + 1)]
        assert float(out[i]) == pytest.approx(float((x.flatten()[indices] * weight).sum()), abs=1e-6)


def test_windows_hold_few_frames(moving: NDArray[np.uint8]) -> None:
    """A frame comes out as soon as its window is full: memory does not grow with the clip."""
    asked = 0

    def chunks() -> Iterator[Tensor]:
        nonlocal asked
        for frame in clip(np.tile(moving, (10, 1, 1, 1))):
            asked += 1
            yield frame[None]

    stream = models.spec("temporal-median").load(CPU, None).restore(chunks(), ClipMeta(60, 64, 80, 3, 24.0))
    next(stream)
    assert asked <= 3


def test_broken_promises_are_errors() -> None:
    x = torch.rand(3, 3, 8, 8)
    broken = {
        "gave frames of": Framewise(lambda f: f[..., :-1]),
        "not numbers": Framewise(lambda f: f / 0),
    }
    for message, restorer in broken.items():
        with pytest.raises(RunError, match=message):
            run_array(restorer, x)

    class Loses:
        def restore(self, chunks: Iterator[Tensor], meta: ClipMeta) -> Iterator[Tensor]:
            yield next(chunks)[:1]

    with pytest.raises(RunError, match="gave 1 frames for 3"):
        list(checked(Loses(), "it").restore(iter([x]), ClipMeta(3, 8, 8, 3, 24.0)))


# --- weights -------------------------------------------------------------------------------------


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """A file of the right shape, wrapped as training scripts wrap it, without counters of batches."""
    state = {f"module.{k}": v for k, v in DnCNN(17).state_dict().items() if "num_batches" not in k}
    path = tmp_path / "net.pth"
    torch.save({"state_dict": state}, path)
    return path


def test_without_weights_a_network_never_runs() -> None:
    spec = models.spec("dncnn-s25")
    assert weights.find(spec) is None
    with pytest.raises(MissingWeights, match="vbench weights import FILE --model dncnn-s25"):
        spec.load(CPU, None)


def test_a_checkpoint_is_taken_in(checkpoint: Path, own_assets: Path) -> None:
    with pytest.raises(InputError, match="no file that vbench knows by its hash"):
        weights.import_file(checkpoint)
    taken = weights.import_file(checkpoint, "dncnn-s25")
    assert taken.path == own_assets / "weights" / "dncnn-s25.pth"
    assert not taken.known
    spec = models.spec("dncnn-s25")
    restorer = spec.load(CPU, weights.find(spec))
    x = torch.rand(2, 3, 20, 24)
    out = run_array(restorer, x)
    separate = torch.cat([run_array(restorer, x[:, c : c + 1]) for c in range(3)], dim=1)
    assert torch.allclose(out, separate, atol=1e-6)
    gray = x[:, :1].expand(-1, 3, -1, -1)
    assert torch.allclose(run_array(restorer, gray), run_array(restorer, x[:, :1]).expand_as(gray), atol=1e-6)


def test_what_does_not_fit_is_refused(tmp_path: Path, checkpoint: Path, own_assets: Path) -> None:
    with pytest.raises(InputError, match="not a checkpoint of DnCNN: 15 tensors are missing"):
        weights.import_file(checkpoint, "dncnn-b")
    other = DnCNN(17).state_dict()
    other["dncnn.0.weight"] = torch.zeros(64, 3, 3, 3)
    torch.save(other, tmp_path / "other.pth")
    with pytest.raises(InputError, match=r"dncnn\.0\.weight is \(64, 3, 3, 3\) and should be \(64, 1, 3, 3\)"):
        weights.import_file(tmp_path / "other.pth", "dncnn-s25")
    (tmp_path / "text.pth").write_text("hello")
    with pytest.raises(InputError, match=r"text\.pth"):
        weights.import_file(tmp_path / "text.pth", "dncnn-s25")
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(InputError, match="holds no state dict"):
        weights.import_file(tmp_path / "list.pth", "dncnn-s25")
    with pytest.raises(InputError, match="There is no file"):
        weights.import_file(tmp_path / "nothing.pth")
    assert not own_assets.exists()


class _Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return print, ("code was run",)


def test_a_file_that_wants_to_run_code_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "evil.pth"
    with path.open("wb") as file:
        pickle.dump({"a": _Evil()}, file)
    torch.save({"a": _Evil()}, tmp_path / "evil2.pth")
    for name in ("evil.pth", "evil2.pth"):
        with pytest.raises(InputError, match="refused"):
            weights.import_file(tmp_path / name, "dncnn-s25")
    assert "code was run" not in capsys.readouterr().out


@pytest.mark.shared
def test_published_files_are_known_by_their_hash(shared: Path) -> None:
    for name in ("dncnn-s15", "dncnn-s25", "dncnn-s50", "dncnn-b"):
        file = shared / "data" / "weights" / f"{name.replace('-', '_')}.pth"
        taken = weights.import_file(file)
        assert (taken.model, taken.known) == (name, True)
    with pytest.raises(InputError, match="is the published file of dncnn-s25, not of dncnn-s50"):
        weights.import_file(shared / "data" / "weights" / "dncnn_s25.pth", "dncnn-s50")
