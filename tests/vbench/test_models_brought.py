"""Models that users bring: each way as the documentation shows it, and what can be wrong with each."""

from __future__ import annotations

import importlib.metadata
import json
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from typer.testing import CliRunner

from leaderboards.store import read_cells
from vbench import models
from vbench.cli import app
from vbench.errors import InputError, RunError, unforeseen
from vbench.frames_io import write_png
from vbench.models.brought import label_of, python_file
from vbench.models.brought.frames import Ready, find
from vbench.models.spec import ModelSpec
from vbench.restore import ClipMeta, Framewise, checked, from_array, run_array, to_uint8

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "bring-your-model.md").read_text("utf-8")
CPU = torch.device("cpu")
MEAN = torch.nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)
COPY = f'{sys.executable} -c "import shutil, sys; shutil.copytree(sys.argv[1], sys.argv[2], dirs_exist_ok=True)"'


def example(name: str) -> str:
    """The Python code of the page that begins with this file's name."""
    found = re.search(rf"```python\n# {re.escape(name)}\n(.*?)```", PAGE, re.DOTALL)
    assert found
    return found[1]


def clip(frames: int = 3, channels: int = 3) -> torch.Tensor:
    pixels = np.random.default_rng(0).integers(0, 256, (frames, 12, 16, channels), dtype=np.uint8)
    return from_array(pixels)


def load(text: str) -> Any:
    return models.spec(text).load(CPU, None)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_python_files_of_the_page(here: Path) -> None:
    for name in ("my_model.py", "recurrent.py"):
        (here / name).write_text(example(name))
    x = clip()
    assert torch.allclose(run_array(load("my_model.py:build"), x), MEAN(x))
    smooth = models.spec("smooth=recurrent.py:Smooth")
    assert smooth.name == "smooth"
    found = run_array(smooth.load(CPU, None), x)
    assert torch.allclose(found[1], 0.7 * x[0] + 0.3 * x[1])
    for line in ("my_model.py:build", "smooth=recurrent.py:Smooth", "denoiser.ts,exported=denoiser.onnx"):
        assert f"vbench run --models {line}\n" in PAGE


def test_a_whole_run_of_a_users_file(here: Path) -> None:
    """Named with a space and HTML; run again only when it has changed. Identity runs along, unasked."""
    file = here / "my <b>model.py"
    file.write_text(example("my_model.py"))
    run, root = CliRunner(), ["--root", str(here / "runs")]
    synth = ["synth", "--profile", "noise", "--variant", "gaussian25", "--clip", "cat", "--max-frames", "2"]
    assert run.invoke(app, [*synth, *root]).exit_code == 0
    wanted = ["run", "--models", f"{file}:build", "--metrics", "psnr", *root]
    done = run.invoke(app, wanted)
    assert done.exit_code == 0, done.output
    cells = {cell.model: cell for cell in read_cells(here / "runs")}
    assert set(cells) == {"identity", "my-b-model.build"}
    assert cells["my-b-model.build"].value > cells["identity"].value  # type: ignore[operator]
    assert "2 were there already" in run.invoke(app, wanted).output
    file.write_text(example("my_model.py").replace("AvgPool2d(3", "AvgPool2d(5").replace("padding=1", "padding=2"))
    again = run.invoke(app, wanted)
    assert "1 clip restored" in again.output
    page = run.invoke(app, ["report", "html", *root])
    assert page.exit_code == 0, page.output


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("def other(): pass", r'has no "build"\. Known: other'),
        ("1 / 0", "fails when it is loaded: ZeroDivisionError: division by zero"),
        ("def build(): raise KeyError('x')", "fails when it is loaded: KeyError"),
        ("def build(): return 5", "gives int; a torch.nn.Module"),
        ("import nothing_of_that_name", "ModuleNotFoundError"),
        ("def bild(): pass\ndef other(): pass", 'has no "build". Did you mean "bild"'),
        ("import sys\ndef build(): sys.exit(0)", "fails when it is loaded: SystemExit: 0"),
        ("def build(x): return x", r"asks for x, and it is called without arguments .*: def build\(\): return build"),
        ("class build:\n    def __init__(self, width): pass", r"asks for width, .* return build\(\.\.\.\)"),
        ("build = 3", "gives int; a torch.nn.Module"),
    ],
)
def test_python_files_that_cannot_be(here: Path, code: str, says: str) -> None:
    (here / "mine.py").write_text(code)
    with pytest.raises(InputError, match=says):
        load("mine.py:build")


def test_a_file_may_import_what_lies_beside_it(here: Path) -> None:
    """Two models may each have a ``network.py``; one of them has a dataclass, and imports only when it runs."""
    code = (
        "from __future__ import annotations\nfrom dataclasses import dataclass\nfrom network import FACTOR\n"
        "@dataclass\nclass Net:\n    shift: float = 0.0\n    def restore(self, chunks, meta):\n"
        "        import late\n        for chunk in chunks:\n            yield chunk * FACTOR * late.FACTOR\n"
    )
    for folder, factor in (("a", 0.5), ("b", 0.25)):
        (here / folder).mkdir()
        (here / folder / "mine.py").write_text(code)
        (here / folder / "network.py").write_text(f"FACTOR = {factor}")
        (here / folder / "late.py").write_text(f"FACTOR = {factor}")
    for folder, factor in (("a", 0.25), ("b", 0.0625), ("a", 0.25)):
        assert torch.allclose(run_array(load(f"{folder}/mine.py:Net"), clip()), factor * clip())
        assert [place for place in sys.path if place.startswith(str(here))] == [str(here / folder)]


def test_a_file_that_is_not_there(here: Path) -> None:
    for text in ("mine.py:build", "model.ts", "model.onnx", "spandrel:model.pth"):
        with pytest.raises(InputError, match="There is no .*file|There is no checkpoint"):
            models.spec(text)
    with pytest.raises(InputError, match="There is no folder"):
        models.spec("frames:nowhere")
    with pytest.raises(InputError, match="Did you mean"):
        models.spec("identiti")


def test_a_model_of_another_size_is_told(here: Path) -> None:
    (here / "mine.py").write_text("def build():\n    return lambda x: x[..., 1:]")
    with pytest.raises(RunError, match=r"gave frames of \(3, 12, 15\)"):
        run_array(load("mine.py:build"), clip())


def test_names_that_are_taken(here: Path) -> None:
    (here / "mine.py").write_text(example("my_model.py"))
    with pytest.raises(InputError, match=r'called "identity", as a model of vbench is\..*: LABEL=mine\.py:build$'):
        models.spec("identity=mine.py:build")
    from vbench.run import ready_models

    with pytest.raises(InputError, match='Two models would be called "a"'):
        ready_models(["a=mine.py:build", "a=mine.py:build_other"])
    assert label_of("<>") == "model"
    assert len(label_of("a" * 300)) == 100
    with pytest.raises(InputError, match="A label of 300 characters is too long"):
        models.spec(f"{'a' * 300}=mine.py:build")
    with pytest.raises(InputError, match=r'"my model" cannot be a label: .* like my-model=mine\.py:build$'):
        models.spec("my model=mine.py:build")
    with pytest.raises(InputError, match=r"is a Python file: name the function or class .* like mine\.py:build$"):
        models.spec("a=mine.py")
    assert models.spec(f"cmd:{COPY} --weights=net.pt {{input}} {{output}} --more=net.pt").name.startswith("cmd-")


@pytest.mark.filterwarnings("ignore:.*deprecated:FutureWarning")
def test_the_two_files_of_the_page_have_two_names(here: Path) -> None:
    """TorchScript and ONNX of one network have one stem."""
    from vbench.run import ready_models

    torch.jit.save(torch.jit.script(MEAN), "denoiser.ts")
    Path("denoiser.onnx").write_bytes(b"not read before it runs")
    ready, _, _ = ready_models(["denoiser.ts", "exported=denoiser.onnx"])
    assert [model.name for model in ready] == ["denoiser", "exported"]


@pytest.mark.filterwarnings("ignore:.*deprecated:FutureWarning")
def test_torchscript(here: Path) -> None:
    torch.jit.save(torch.jit.trace(MEAN, torch.rand(1, 3, 8, 8)), "denoiser.ts")
    x = clip()
    assert torch.allclose(run_array(load("denoiser.ts"), x), MEAN(x), atol=1e-6)
    torch.save({"a.weight": torch.zeros(3)}, "only.pt")
    with pytest.raises(InputError, match="no TorchScript archive. A checkpoint alone does not say"):
        models.spec("only.pt")
    Path("text.pt").write_text("nothing")
    with pytest.raises(InputError, match="no TorchScript archive"):
        models.spec("text.pt")


def test_onnx(here: Path) -> None:
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    shape = ["n", "c", "h", "w"]
    node = onnx.helper.make_node(
        "AveragePool", ["x"], ["y"], kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[1, 1], count_include_pad=0
    )
    values = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape) for name in "xy"]
    graph = onnx.helper.make_graph([node], "mean", values[:1], values[1:])
    onnx.save(
        onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8), "mean.onnx"
    )
    x = clip()
    assert torch.allclose(run_array(load("mean.onnx"), x), MEAN(x), atol=1e-6)
    Path("broken.onnx").write_bytes(b"nothing")
    with pytest.raises(InputError, match="cannot be loaded"):
        load("broken.onnx")


def exported(
    path: str, kind: str = "FLOAT", channels: int | str = "c", height: int | str = "h", inputs: int = 1
) -> str:
    """An ONNX file that adds its input to itself: twice as bright."""
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    node = onnx.helper.make_node("Add", ["x0", f"x{inputs - 1}"], ["y"])
    shape = ["n", channels, height, "w"]
    values = [
        onnx.helper.make_tensor_value_info(name, getattr(onnx.TensorProto, kind), shape)
        for name in (*(f"x{i}" for i in range(inputs)), "y")
    ]
    graph = onnx.helper.make_graph([node], "twice", values[:-1], values[-1:])
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8), path)
    return path


@pytest.mark.parametrize("takes", [1, 3])
@pytest.mark.parametrize("channels", [1, 3])
def test_onnx_of_gray_and_of_colour_takes_both(here: Path, takes: int, channels: int) -> None:
    x = clip(channels=channels)
    name = exported("net.onnx", channels=takes)
    assert torch.allclose(run_array(load(name), x), 2 * x)
    assert "three equal channels" in models.spec(name).settings["gray"]


@pytest.mark.parametrize("kind", ["FLOAT16", "DOUBLE"])
def test_onnx_of_another_precision(here: Path, kind: str) -> None:
    x = clip()
    assert torch.allclose(run_array(load(exported("net.onnx", kind)), x), 2 * x, atol=2e-3)


def test_onnx_that_does_not_take_frames_is_told(here: Path) -> None:
    with pytest.raises(
        InputError, match=r"was exported for frames of 16 x 8 pixels alone, and these are 16 x 12\. Export"
    ):
        run_array(load(exported("small.onnx", height=8)), clip())
    with pytest.raises(InputError, match=r"takes x0 \(tensor\(float\)\), x1 \(tensor\(float\)\); one input"):
        load(exported("two.onnx", inputs=2))
    with pytest.raises(InputError, match=r"takes x0 \(tensor\(int32\)\); one input of floating point"):
        load(exported("whole.onnx", "INT32"))


def test_spandrel_of_colour_takes_gray(here: Path) -> None:
    """In three equal channels, as one would do by hand."""
    pytest.importorskip("spandrel")
    from spandrel.architectures.Compact.__arch.SRVGG import SRVGGNetCompact

    torch.manual_seed(0)
    network = SRVGGNetCompact(num_feat=8, num_conv=2, upscale=2).eval()
    torch.save({"params": network.state_dict()}, "2x-small.pth")
    x = clip(channels=1)
    with torch.inference_mode():
        by_hand = network(x.expand(-1, 3, -1, -1)).clamp(0, 1).mean(dim=1, keepdim=True)
    assert torch.allclose(run_array(load("spandrel:2x-small.pth"), x, scale=2), by_hand, atol=1e-4)


@pytest.mark.filterwarnings("ignore:.*deprecated:FutureWarning")
def test_what_a_torchscript_network_says_is_one_line(here: Path) -> None:
    """PyTorch's interpreter says it on twenty, the cause last."""
    network = torch.nn.Conv2d(3, 3, 1)
    torch.jit.save(torch.jit.trace(network, torch.rand(1, 3, 8, 8)), "colour.ts")
    with pytest.raises(RunError) as caught:
        run_array(load("colour.ts"), clip(channels=1))
    said = str(caught.value)
    assert said.startswith(
        "The network of colour.ts does not take frames of (1, 1, 12, 16) (B, C, H, W): RuntimeError: Given"
    )
    assert said.endswith("to have 3 channels, but got 1 channels instead")
    assert "\n" in str(caught.value.__cause__)
    assert "\n" not in said


def test_an_error_says_where_in_the_users_file(here: Path) -> None:
    (here / "mine.py").write_text("def build():\n    return lambda x: x + unknown\n\n\nmade = 1 / 0 if False else 1\n")
    with pytest.raises(NameError) as caught:
        run_array(load("mine.py:build"), clip())
    assert unforeseen(caught.value) == "NameError: name 'unknown' is not defined (mine.py, line 2)"
    (here / "worse.py").write_text("\n\nmade = 1 / 0\n")
    with pytest.raises(
        InputError, match=r"fails when it is loaded: ZeroDivisionError: division by zero \(worse.py, line 3\)"
    ):
        load("worse.py:build")


def test_spandrel(here: Path) -> None:
    """A small network for super-resolution, as its authors save it; frames come out twice as large."""
    pytest.importorskip("spandrel")
    from spandrel.architectures.Compact.__arch.SRVGG import SRVGGNetCompact

    torch.manual_seed(0)
    network = SRVGGNetCompact(num_feat=8, num_conv=2, upscale=2).eval()
    torch.save({"params": network.state_dict()}, "2x-small.pth")
    x = clip()
    found = run_array(load("spandrel:2x-small.pth"), x, scale=2)
    with torch.inference_mode():
        assert torch.allclose(found, network(x).clamp(0, 1), atol=1e-4)
    torch.save({"a.weight": torch.zeros(3)}, "other.pth")
    with pytest.raises(InputError, match="spandrel does not recognise .*: UnsupportedModelError$"):
        load("spandrel:other.pth")


@pytest.mark.parametrize("module", ["onnxruntime", "spandrel"])
def test_packages_that_are_not_installed(here: Path, module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    Path("model.onnx").write_bytes(b"x")
    Path("model.pth").write_bytes(b"x")
    text = "model.onnx" if module == "onnxruntime" else "spandrel:model.pth"
    with pytest.raises(InputError, match=r'pip install "vbench\[(onnx|spandrel)\]"'):
        load(text)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_command_that_copies(channels: int) -> None:
    x = clip(channels=channels)
    text = f"copy=cmd:{COPY} {{input}} {{output}}"
    assert models.spec(text).name == "copy"
    assert torch.equal(run_array(load(text), x), x)
    assert models.spec(text.removeprefix("copy=")).name.startswith("cmd-")
    assert "cmd:python infer.py --in {input} --out {output}" in PAGE


SCRIPTS: dict[str, tuple[str, str]] = {
    "fails": ("import sys; print('no such layer'); sys.exit(3)", r"ended with status 3. It wrote: no such layer"),
    "colours": (
        r"import sys; print('\x1b[31mno\x1b[0m \x07memory'); sys.exit(3)",
        r"ended with status 3. It wrote: no memory$",
    ),
    "dies": (
        "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)",
        "was ended by the signal SIGSEGV. It wrote: nothing",
    ),
    "nothing": ("pass", "ended well and wrote nothing"),
    "fewer": (
        "import shutil, sys, os; shutil.copy(os.path.join(sys.argv[1], '00000000.png'), sys.argv[2])",
        r'what it wrote cannot be used: "\{output\}" holds 1 frames of 16 x 12 pixels; 3 of 16 x 12 are expected',
    ),
    "removes": ("import shutil, sys; shutil.rmtree(sys.argv[2])", "ended well and wrote nothing"),
    "half a file": (
        "import shutil, sys, os; shutil.copytree(sys.argv[1], sys.argv[2], dirs_exist_ok=True);"
        "os.truncate(os.path.join(sys.argv[2], '00000001.png'), 60)",
        r'what it wrote cannot be used: The frame "\{output\}/00000001.png"',
    ),
    "hangs": ("import time; time.sleep(60)", "took longer than 1 seconds"),
    "text": ("import sys, pathlib; pathlib.Path(sys.argv[2], 'a.png').write_text('x')", "cannot be used"),
}


@pytest.mark.parametrize("kind", SCRIPTS)
def test_commands_that_go_wrong(here: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    code, says = SCRIPTS[kind]
    (here / "in fer.py").write_text(code)
    monkeypatch.setenv("VBENCH_COMMAND_TIMEOUT", "1" if kind == "hangs" else "60")
    restorer = load(f"cmd:{sys.executable} '{here / 'in fer.py'}' {{input}} {{output}}")
    with pytest.raises(RunError, match=says):
        run_array(restorer, clip())


def test_a_command_of_another_kind_of_png(here: Path) -> None:
    """16 bits and gray are read as what they are."""
    code = (
        "import sys, cv2, glob, os, numpy as np\n"
        "for p in sorted(glob.glob(sys.argv[1] + '/*.png')):\n"
        "    gray = cv2.imread(p, cv2.IMREAD_GRAYSCALE).astype(np.uint16) * 257\n"
        "    cv2.imwrite(os.path.join(sys.argv[2], os.path.basename(p)), gray)\n"
    )
    (here / "infer.py").write_text(code)
    found = run_array(load(f"cmd:{sys.executable} {here / 'infer.py'} {{input}} {{output}}"), clip())
    assert torch.equal(found[:, 0], found[:, 2])
    assert float((found.mean(dim=1) - clip().mean(dim=1)).abs().mean()) < 0.1


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("cmd:python infer.py", "has no {input} and no {output}: that is"),
        ("cmd:python infer.py {input}", "has no {output}: that is"),
        ("cmd:python 'infer.py {input} {output}", "cannot be split into words"),
        ("cmd:no-such-program {input} {output}", 'There is no program "no-such-program"'),
    ],
)
def test_commands_that_cannot_be(text: str, says: str) -> None:
    with pytest.raises(InputError, match=re.escape(says)):
        models.spec(text)


def test_a_limit_that_is_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VBENCH_COMMAND_TIMEOUT", "soon")
    with pytest.raises(InputError, match="a number of seconds above 0"):
        models.spec(f"cmd:{COPY} {{input}} {{output}}")


def write(folder: Path, frames: NDArray[np.uint8]) -> None:
    folder.mkdir(parents=True)
    for i, frame in enumerate(frames):
        write_png(folder / f"frame {i}.png", frame)


@pytest.mark.parametrize("way", ["function", "restorer", "command", "frames"])
def test_what_is_larger_than_a_ground_truth_of_an_odd_size_is_cut_off(here: Path, way: str) -> None:
    """Of 45 x 61 pixels a quarter is 12 x 16 pixels, and four times that 48 x 64."""
    small = clip()
    meta = ClipMeta(3, 12, 16, 3, 24.0, 4, "cat", "sr", (45, 61))
    large = small.repeat_interleave(4, dim=2).repeat_interleave(4, dim=3)
    (here / "large").mkdir()
    for t, frame in enumerate(to_uint8(large)):
        write_png(here / "large" / f"{t:03d}.png", frame)
    (here / "mine.py").write_text(
        "def build():\n    return lambda x: x.repeat_interleave(4, dim=2).repeat_interleave(4, dim=3)\n\n\n"
        "class Whole:\n    def restore(self, chunks, meta):\n        for x in chunks:\n            yield build()(x)\n"
    )
    copy = COPY.replace("sys.argv[1]", f"'{here / 'large'}'")
    text = {
        "function": "mine.py:build",
        "restorer": "mine.py:Whole",
        "command": f"cmd:{copy} {{input}} {{output}}",
        "frames": "frames:.",
    }[way]
    (here / "cat").symlink_to(here / "large", target_is_directory=True)
    found = torch.cat(list(checked(load(text), "mine").restore(iter(small.split(2)), meta)))
    assert torch.allclose(found, large[..., :45, :61])
    with pytest.raises(RunError, match=r"asked for|are expected"):
        list(checked(load(text), "mine").restore(iter(small.split(2)), replace(meta, scale=3, target=None)))


def test_frames_that_are_there(here: Path) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (3, 12, 16, 3), dtype=np.uint8)
    write(here / "results" / "noise" / "cat", pixels)
    write(here / "results" / "dog", pixels[..., :1])
    entry = models.spec("frames:results")
    restorer = entry.load(CPU, None)
    meta = ClipMeta(3, 12, 16, 3, 24.0, name="cat", dataset="noise")
    found = torch.cat(list(restorer.restore(iter(clip().split(2)), meta)))
    assert torch.equal(found, from_array(pixels))
    gray = ClipMeta(3, 12, 16, 3, 24.0, name="dog", dataset="noise")
    assert torch.cat(list(restorer.restore(iter(clip().split(2)), gray))).shape == (3, 3, 12, 16)
    (here / "results" / "dog" / "frame 1.png").unlink()
    assert models.spec("frames:results").settings["files"] != entry.settings["files"]
    with pytest.raises(RunError, match=r"holds 2 frames|frame 1"):
        list(restorer.restore(iter(clip().split(2)), gray))
    odd = ClipMeta(3, 12, 16, 3, 24.0, name="[1]", dataset="noise")
    (here / "results" / "1.mkv").write_bytes(b"the video of another clip")
    with pytest.raises(RunError, match=r'nothing for the clip "\[1\]"'):
        find(here / "results", odd)
    (here / "results" / "[1].mkv").write_bytes(b"its own")
    assert find(here / "results", odd).name == "[1].mkv"
    missing = ClipMeta(3, 12, 16, 3, 24.0, name="bird", dataset="noise")
    with pytest.raises(RunError, match='There is nothing for the clip "bird" of "noise"'):
        list(Ready(here / "results", CPU).restore(iter(clip().split(2)), missing))


def package(found: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if a package were installed that gives one model."""

    class Point:
        name, value, dist = "my-denoiser", "my_package.models:SPEC", None

        def load(self) -> Any:
            if isinstance(found, Exception):
                raise found
            return found

    def points(group: str, name: str | None = None) -> list[Point]:
        return [Point()] if group == "vbench.models" and name in (None, "my-denoiser") else []

    monkeypatch.setattr(importlib.metadata, "entry_points", points)


def entry(name: str = "my-denoiser") -> ModelSpec:
    return ModelSpec(name, 1, "Mine", "denoising", "mine", "mine", lambda device, weights: Framewise(lambda x: x))


@pytest.mark.parametrize("found", [entry(), entry])
def test_a_package(found: ModelSpec | Callable[[], ModelSpec], monkeypatch: pytest.MonkeyPatch) -> None:
    package(found, monkeypatch)
    assert "my-denoiser" in models.names()
    assert torch.equal(run_array(load("my-denoiser"), clip()), clip())
    assert '[project.entry-points."vbench.models"]\nmy-denoiser = "my_package.models:SPEC"' in PAGE


def test_the_package_of_the_page(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it lies on the disk when it is installed; beside it one that cannot be loaded, which stops nothing else."""
    from vbench import weights
    from vbench.run import ready_models

    folder = here / "my_package"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "models.py").write_text(example("my_package/models.py"))
    (folder / "network.py").write_text("import torch\n\n\ndef build():\n    return torch.nn.Identity()\n")
    facts = here / "my_package-1.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1.0\n")
    points = "[vbench.models]\nmy-denoiser = my_package.models:SPEC\nworse = my_package.nothing:SPEC\n"
    (facts / "entry_points.txt").write_text(points)
    monkeypatch.syspath_prepend(str(here))
    assert torch.equal(run_array(load("my-denoiser"), clip()), clip())
    ready, skipped, _ = ready_models(["all"])
    assert "my-denoiser" in [model.name for model in ready]
    assert skipped["worse"].startswith(
        'The model "worse" of the package my-package cannot be loaded: ModuleNotFoundError'
    )
    assert "dncnn-s25" in weights.takers()
    shown = CliRunner().invoke(app, ["models", "list"], env={"COLUMNS": "80"})
    assert re.search(r"worse +– +no, see below", shown.output)
    assert 'The model "worse" of the package' in shown.output
    with pytest.raises(InputError, match="cannot be loaded"):
        ready_models(["worse"])


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (ImportError("no such thing"), "cannot be loaded: ImportError: no such thing"),
        (5, "gives 5"),
        (entry("x"), "gives"),
    ],
)
def test_packages_that_cannot_be(found: Any, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    package(found, monkeypatch)
    with pytest.raises(InputError, match=says):
        models.spec("my-denoiser")


def test_what_is_recorded_is_json(here: Path) -> None:
    (here / "mine.py").write_text(example("my_model.py"))
    for text in ("mine.py:build", f"cmd:{COPY} {{input}} {{output}}"):
        assert json.loads(json.dumps(dict(models.spec(text).settings)))
    assert python_file.spec("mine.py:build", None).scales is None


def test_what_takes_hours_is_left_out_of_all_and_runs_by_name(own_assets: Path, tmp_path: Path) -> None:
    """RFR trains on every frame: on a CPU "all" names it, and does not start it."""
    from vbench import weights
    from vbench.models.dncnn.net import DnCNN
    from vbench.run import ready_models

    path = tmp_path / "net.pth"
    torch.save(DnCNN(17).state_dict(), path)
    weights.import_file(path, "dncnn-s25")
    ready, _, left_out = ready_models(["all"])
    assert left_out == ("rfr-dncnn-online-s25", "rfr-dncnn-offline-s25")
    assert "dncnn-s25" in [model.name for model in ready]
    named, _, none = ready_models(["all", "rfr-dncnn-online-s25"])
    assert "rfr-dncnn-online-s25" in [model.name for model in named]
    assert none == ("rfr-dncnn-offline-s25",)
    on_gpu, _, none = ready_models(["all"], "cuda")
    assert none == ()
    assert len(on_gpu) == len(ready) + 2
