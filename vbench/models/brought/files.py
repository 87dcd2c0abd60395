"""Model files that carry their own network: TorchScript, ONNX, and what spandrel recognises. All frame by frame."""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vbench.errors import InputError, RunError
from vbench.models.spec import PRECISIONS, ModelSpec, Tiles

if TYPE_CHECKING:
    import torch

    from vbench.restore import Restorer

Load = Callable[[Path, "torch.device"], "Restorer"]

TILES = Tiles(halo=64, multiple=64, blend=16, alone=True)
"""How far such a network sees is not known; what takes a whole frame takes what is cut from it at multiples of 64."""


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

    return ModelSpec(
        name=label or label_of(path.stem),
        version=1,
        title=f"{path.name} ({kind})",
        task="brought",
        source=f"the user's file {path.name}",
        licence="the user's",
        load=load,
        settings={"file": path.name, "kind": kind, "frames": "one by one", "sha256": file_sha256(path)},
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

    from vbench.restore import Framewise

    try:
        with warnings.catch_warnings():
            # PyTorch would rather have other formats; people have these files.
            warnings.simplefilter("ignore", FutureWarning)
            module: Any = torch.jit.load(str(path), map_location=device)
    except RuntimeError as error:
        raise InputError(f'The TorchScript archive "{path}" cannot be loaded: {str(error).splitlines()[0]}') from error
    module.eval()
    return Framewise(_one_by_one(module))


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
    given = session.get_inputs()[0].name

    def run(frames: torch.Tensor) -> torch.Tensor:
        (out, *_) = session.run(None, {given: frames.cpu().float().numpy()})
        return torch.from_numpy(out).to(frames.device)

    return Framewise(_one_by_one(run))


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
    return Framewise(_one_by_one(found))


def _one_by_one(function: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[torch.Tensor], torch.Tensor]:
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
