"""Read a checkpoint as data, and load it into a network with every name and shape checked."""

from __future__ import annotations

import pickle
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


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """The state dict in a file, loaded as data only, on the CPU.

    Raises:
        InputError: unreadable, or a file that wants to run code.
    """
    import torch

    if path.suffix == ".safetensors":
        raise InputError(f'"{path}": safetensors files are not read yet; take the authors\' .pth file.')
    try:
        document = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise InputError(
            f'"{path}" is refused: loading it would need more than tensors, that is, running what the file says '
            f"({str(error).splitlines()[0]})."
        ) from error
    except (OSError, RuntimeError, EOFError, ValueError, KeyError) as error:
        raise InputError(f'"{path}" cannot be read as a PyTorch checkpoint: {error}') from error
    return strip_wrappers(document)


def load_checkpoint(network: nn.Module, path: Path) -> None:
    """Load a checkpoint into ``network``, every name and shape checked.

    Raises:
        InputError: names or shapes differ (``num_batches_tracked`` alone may be missing: files of before
            PyTorch 0.4.1 have none, and inference does not use it).
    """
    state = read_checkpoint(path)
    own = network.state_dict()
    for name, tensor in own.items():
        if name.endswith("num_batches_tracked"):
            state.setdefault(name, tensor)
    missing = sorted(own.keys() - state.keys())
    extra = sorted(state.keys() - own.keys())
    wrong = [
        f"{k} is {tuple(state[k].shape)} and should be {tuple(own[k].shape)}"
        for k in sorted(own.keys() & state.keys())
        if state[k].shape != own[k].shape
    ]
    if missing or extra or wrong:
        parts = []
        if missing:
            parts.append(f"{len(missing)} tensors are missing (first: {missing[0]})")
        if extra:
            parts.append(f"{len(extra)} do not belong to it (first: {extra[0]})")
        if wrong:
            parts.append(wrong[0])
        raise InputError(f'"{path}" is not a checkpoint of {type(network).__name__}: {"; ".join(parts)}.')
    network.load_state_dict(state, strict=True, assign=own[next(iter(own))].is_meta)
