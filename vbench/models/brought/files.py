"""Model files that carry their own network: TorchScript, ONNX, and what spandrel recognises. All frame by frame.

An ONNX file and what spandrel recognises say how many channels they take. One of three channels is shown gray frames in
three equal ones, and their mean is given; one of a single channel is given those of a colour frame one by one. A
TorchScript archive does not say it, and is given frames as they are.
"""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vbench.errors import InputError, RunError, unforeseen
from vbench.models.spec import PRECISIONS, ModelSpec, Tiles

if TYPE_CHECKING:
    import torch

    from vbench.restore import Restorer

Load = Callable[[Path, "torch.device"], "Restorer"]
Function = Callable[["torch.Tensor"], "torch.Tensor"]

TILES = Tiles(halo=64, multiple=64, blend=16, alone=True)
"""How far such a network sees is not known; what takes a whole frame takes what is cut from it at multiples of 64."""


CHANNELS = {
    "gray": "shown in three equal channels, their mean given, where the network takes three",
    "colour": "each channel as a gray frame, where the network takes one",
}


def torchscript(what: str, label: str | None) -> ModelSpec:
    """A TorchScript archive that maps frames ``(B, C, H, W)``, float32 in [0, 1], to restored ones.

    Raises:
        InputError: there is no such file, or it is no TorchScript archive.
    """
    from vbench.models.brought import existing

    path = existing(what, "TorchScript file")
    if not _is_torchscript(path):
        raise InputError(
            f'"{path}" is no TorchScript archive. A checkpoint alone does not say which network it is of: save the '
            "network with torch.jit.trace(...).save(FILE), name a Python file that builds it (my_file.py:build), or use "
            "spandrel:FILE."
        )
    return _spec(path, label, "TorchScript", _load_torchscript)


def onnx(what: str, label: str | None) -> ModelSpec:
    """An ONNX file whose first input is frames ``(B, C, H, W)``, float32 in [0, 1], and first output restored ones.

    Raises:
        InputError: there is no such file.
    """
    from vbench.models.brought import existing

    return _spec(existing(what, "ONNX file"), label, "ONNX", _load_onnx)


def spandrel(what: str, label: str | None) -> ModelSpec:
    """A checkpoint whose network the package spandrel recognises.

    Raises:
        InputError: there is no such file.
    """
    from vbench.models.brought import existing

    path = existing(what.removeprefix("spandrel:"), "checkpoint")
    return _spec(path, label, "spandrel", _load_spandrel)


def _spec(path: Path, label: str | None, kind: str, make: Load) -> ModelSpec:
    from vbench.models.brought import label_of
    from vbench.provenance import file_sha256

    def load(device: torch.device, weights: Path | None) -> Restorer:
        return make(path, device)

    channels = {} if kind == "TorchScript" else CHANNELS
    return ModelSpec(
        name=label or label_of(path.stem),
        version=1,
        title=f"{path.name} ({kind})",
        task="brought",
        source=f"the user's file {path.name}",
        licence="the user's",
        load=load,
        settings={"file": path.name, "kind": kind, "frames": "one by one", "sha256": file_sha256(path), **channels},
        scales=None,
        tiles=TILES,
        precisions=("fp32",) if kind == "ONNX" else PRECISIONS,
    )


def _is_torchscript(path: Path) -> bool:
    """Whether a file is an archive that holds code; a checkpoint holds a pickle alone."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any("/code/" in name for name in archive.namelist())


def _load_torchscript(path: Path, device: torch.device) -> Restorer:
    import torch

    from vbench.devices import out_of_memory
    from vbench.restore import Framewise

    try:
        with warnings.catch_warnings():
            # PyTorch would rather have other formats; people have these files.
            warnings.simplefilter("ignore", FutureWarning)
            module: Any = torch.jit.load(str(path), map_location=device)
    except RuntimeError as error:
        raise InputError(f'The TorchScript archive "{path}" cannot be loaded: {str(error).splitlines()[0]}') from error
    module.eval()

    def run(frames: torch.Tensor) -> torch.Tensor:
        try:
            found: torch.Tensor = module(frames)
        except RuntimeError as error:
            if out_of_memory(error):
                raise
            # Its interpreter has a page to say.
            raise RunError(
                f"The network of {path.name} does not take frames of {tuple(frames.shape)} (B, C, H, W): {unforeseen(error)}"
            ) from error
        return found

    return Framewise(_one_by_one(run))


def _load_onnx(path: Path, device: torch.device) -> Restorer:
    import torch

    from vbench.restore import Framewise

    try:
        import onnxruntime
    except ImportError as error:
        raise InputError(f'"{path.name}" needs the package onnxruntime: pip install "vbench[onnx]"') from error
    wanted = ["CUDAExecutionProvider"] if device.type == "cuda" else []
    providers = [p for p in (*wanted, "CPUExecutionProvider") if p in onnxruntime.get_available_providers()]
    try:
        session = onnxruntime.InferenceSession(str(path), providers=providers)
    # Its errors have no common class that is public.
    except Exception as error:
        raise InputError(f'The ONNX file "{path}" cannot be loaded: {str(error).splitlines()[0]}') from error
    (entrance, *others) = session.get_inputs()
    if others or entrance.type not in _ONNX_TYPES:
        raise InputError(
            f'The network of the ONNX file "{path}" takes {", ".join(f"{i.name} ({i.type})" for i in (entrance, *others))}; '
            "one input of floating point, frames (B, C, H, W), is expected. Wrap it in a Python file (my_file.py:build)."
        )
    kind = getattr(torch, _ONNX_TYPES[entrance.type])
    # A size that may be any is a name, or None.
    sizes = [size if isinstance(size, int) else None for size in entrance.shape or (None,) * 4]
    if len(sizes) != 4:
        raise InputError(
            f'The network of the ONNX file "{path}" takes {len(sizes)} dimensions ({entrance.shape}); frames (B, C, H, W) '
            "are expected. Wrap it in a Python file (my_file.py:build)."
        )

    def run(frames: torch.Tensor) -> torch.Tensor:
        height, width = (
            own if asked is None else asked for own, asked in zip(frames.shape[2:], sizes[2:], strict=True)
        )
        if (height, width) != tuple(frames.shape[2:]):
            raise InputError(
                f"The network of {path.name} was exported for frames of {width} x {height} pixels alone, and these are "
                f"{frames.shape[3]} x {frames.shape[2]}. Export it for any size (dynamic_axes of torch.onnx.export)."
            )
        (out, *_) = session.run(None, {entrance.name: frames.cpu().to(kind).numpy()})
        return torch.from_numpy(out).to(frames.device)

    return Framewise(_one_by_one(_fitting(run, sizes[1])))


def _load_spandrel(path: Path, device: torch.device) -> Restorer:
    from vbench.restore import Framewise

    try:
        import spandrel as package
    except ImportError as error:
        raise InputError(f'"{path.name}" needs the package spandrel: pip install "vbench[spandrel]"') from error
    try:
        found = package.ModelLoader(device=device).load_from_file(path)
    # Its readers fail in many ways on a file of another kind.
    except Exception as error:
        said = f"{type(error).__name__}: {error}".strip().removesuffix(":")
        raise InputError(f'spandrel does not recognise "{path}": {said}') from error
    if not isinstance(found, package.ImageModelDescriptor):
        raise InputError(f'"{path}" is of {found.architecture.name}, which does not map one image to another.')
    found.eval()
    return Framewise(_one_by_one(_fitting(found, found.input_channels)))


_ONNX_TYPES = {"tensor(float)": "float32", "tensor(float16)": "float16", "tensor(double)": "float64"}
"""What the input of an ONNX file may be, and PyTorch's name of it."""


def _fitting(function: Function, channels: int | None) -> Function:
    """A network of three channels for gray frames too, and one of a single channel for colour, see :data:`CHANNELS`."""

    def run(frames: torch.Tensor) -> torch.Tensor:
        import torch

        if channels == 3 and frames.shape[1] == 1:
            return function(frames.expand(-1, 3, -1, -1)).mean(dim=1, keepdim=True)
        if channels == 1 and frames.shape[1] == 3:
            return torch.cat([function(plane) for plane in frames.split(1, dim=1)], dim=1)
        return function(frames)

    return run


def _one_by_one(function: Function) -> Function:
    """A file may have been made for a batch of one."""

    def run(frames: torch.Tensor) -> torch.Tensor:
        import torch

        made = [function(frame) for frame in frames.split(1)]
        for one in made:
            if not isinstance(one, torch.Tensor):
                raise RunError(
                    f"The network gives {type(one).__name__}; one tensor of frames (1, C, H, W) is expected."
                )
        return torch.cat(made)

    return run
