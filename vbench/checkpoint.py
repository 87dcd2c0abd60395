"""Read a checkpoint as data, and load it into a network with every name and shape checked."""

from __future__ import annotations

import argparse
import pickle
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vbench.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor, nn

WRAPPERS = ("state_dict", "model_state_dict", "params_ema", "params", "netG", "model")
"""Keys under which authors wrap a state dict."""


def strip_wrappers(document: Any) -> dict[str, Tensor]:
    """The bare state dict of a checkpoint: out of the dicts and prefixes that training scripts add.

    Raises:
        InputError: there is no state dict in it.

    Example:
        >>> import torch
        >>> list(strip_wrappers({"params": {"module.a.weight": torch.zeros(1)}}))
        ['a.weight']
    """
    import torch

    while isinstance(document, Mapping):
        inner = [k for k in WRAPPERS if isinstance(document.get(k), Mapping)]
        if not inner:
            break
        document = document[inner[0]]
    if (
        not isinstance(document, Mapping)
        or not document
        or not all(isinstance(v, torch.Tensor) for v in document.values())
    ):
        kind = type(document).__name__
        raise InputError(
            f"The file holds no state dict (named tensors), but a {kind}. Is it a checkpoint of this network?"
        )
    state = {str(k): v for k, v in document.items()}
    while all(k.startswith("module.") for k in state):
        state = {k.removeprefix("module."): v for k, v in state.items()}
    return state


def is_safetensors(path: Path) -> bool:
    """Whether a file begins like a safetensors file: the length of a header, then a JSON object."""
    with path.open("rb") as file:
        start = file.read(9)
    return len(start) == 9 and start[8:] == b"{" and int.from_bytes(start[:8], "little") <= 100_000_000


def is_web_page(path: Path) -> bool:
    """Whether a file begins as HTML does, which no checkpoint does."""
    with path.open("rb") as file:
        return file.read(256).lstrip().startswith(b"<")


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file by name, on the CPU.

    Raises:
        InputError: the file is damaged.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except SafetensorError as error:
        raise InputError(f'"{path}" is a damaged safetensors file ({error}). Get it again from its authors.') from error


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """The state dict in a file (PyTorch's or safetensors), loaded as data only, on the CPU.

    Raises:
        InputError: unreadable, or a file that wants to run code.
    """
    import torch

    try:
        if is_safetensors(path):
            return strip_wrappers(read_safetensors(path))
        if is_web_page(path):
            raise InputError(
                f'"{path}" is a web page and no checkpoint: a browser saved the page in place of the file. Open the page '
                "again and take the file that it offers."
            )
        # Some authors keep the settings of the training beside the weights, in this class: names and values only.
        with warnings.catch_warnings(), torch.serialization.safe_globals([argparse.Namespace]):
            warnings.simplefilter("ignore")  # remarks of PyTorch's on how the file was written
            document = torch.load(path, map_location="cpu", weights_only=True)
    except InputError:
        raise
    except OSError as error:
        raise InputError(f'"{path}" cannot be read: {error.strerror or error}.') from error
    # A file of bytes that are anything makes the reader fail in any way.
    except Exception as error:
        raise InputError(_unreadable(path, error)) from error
    return strip_wrappers(document)


def _unreadable(path: Path, error: Exception) -> str:
    said = str(error)
    if "TorchScript" in said:
        wants = "it is a TorchScript archive, which is a program"
    elif isinstance(error, pickle.UnpicklingError) and (match := re.search(r"GLOBAL:? (\S+)", said)):
        wants = f"it calls {match[1]}"
    elif isinstance(error, pickle.UnpicklingError) and "Unsupported" in said:
        wants = "it holds instructions that tensors do not need"
    else:
        return (
            f'"{path}" cannot be read as a checkpoint of PyTorch ({type(error).__name__}): it is damaged, cut, or '
            "something else. Get it again from its authors."
        )
    return (
        f'"{path}" is refused: loading it would run what the file says ({wants}), and vbench loads tensors only. '
        "Take the file that the authors publish, or save its state dict alone (torch.save(model.state_dict(), FILE)) "
        "where you trust it."
    )


def load_checkpoint(network: nn.Module, path: Path) -> None:
    """Load a checkpoint into ``network``, every name and shape checked; on the meta device it is checked only.

    Raises:
        InputError: names or shapes differ (``num_batches_tracked`` alone may be missing: files of before
            PyTorch 0.4.1 have none, and inference does not use it), or a value is not a finite number.
    """
    state = read_checkpoint(path)
    own = network.state_dict()
    for name, tensor in own.items():
        if name.endswith("num_batches_tracked"):
            state.setdefault(name, tensor)
    problems = _misfits(state, own)
    if problems:
        raise InputError(f'"{path}" is not a checkpoint of {type(network).__name__}: {"; ".join(problems)}.')
    if not next(iter(own.values())).is_meta:
        network.load_state_dict(state, strict=True)


def _misfits(state: dict[str, Tensor], own: dict[str, Tensor]) -> list[str]:
    """Why ``state`` cannot be loaded into a network whose state dict is ``own``, in words; empty if it can."""
    import torch

    missing = sorted(own.keys() - state.keys())
    extra = sorted(state.keys() - own.keys())
    both = sorted(own.keys() & state.keys())
    out = []
    if missing:
        out.append(f"it lacks {len(missing)} of {len(own)} tensors (first: {missing[0]})")
    if extra:
        out.append(f"{len(extra)} of its {len(state)} tensors do not belong there (first: {extra[0]})")
    for name in both:
        given, wanted = state[name], own[name]
        if given.shape != wanted.shape:
            return [*out, f"{name} is {tuple(given.shape)} and should be {tuple(wanted.shape)}"]
        if given.layout != torch.strided or given.is_floating_point() != wanted.is_floating_point():
            return [*out, f"{name} is of type {given.dtype} ({given.layout}) and should be {wanted.dtype}"]
        if not given.is_meta and not bool(torch.isfinite(given).all()):
            return [*out, f"{name} holds values that are not finite numbers"]
    return out
