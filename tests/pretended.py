"""A GPU that is not there: tensors with a shape and a device and no values, as PyTorch's compiler looks at a program.

Every operation looks at its devices as a GPU's would, and what asks for a value raises: code that mixes devices or waits for
a GPU is found out on a machine without one. What is computed, and how fast, only a GPU can tell.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

GPU = torch.device("cuda", 7)
"""A number that no real one has here: what is kept by device is not taken for it."""


@contextmanager
def pretended_gpu(*modules: str) -> Iterator[None]:
    """While this lasts, tensors on :data:`GPU` can be made. What functions of these modules and those in them keep is
    forgotten around it."""
    _forget(modules)
    try:
        with FakeTensorMode(), mock.patch.object(Tensor, "pin_memory", lambda values: values):
            yield
    finally:
        _forget(modules)


def _forget(modules: tuple[str, ...]) -> None:
    for name, module in list(sys.modules.items()):
        if any(name == one or name.startswith(f"{one}.") for one in modules):
            for value in vars(module).values():
                if callable(clear := getattr(value, "cache_clear", None)):
                    clear()


def on_gpu(network: nn.Module) -> nn.Module:
    """``network``, its parameters and buffers replaced by ones that are on :data:`GPU`."""
    for module in network.modules():
        for held in (module._parameters, module._buffers):
            for name, values in held.items():
                if values is not None:
                    there = torch.empty_like(values, device=GPU)
                    held[name] = (
                        nn.Parameter(there, values.requires_grad) if isinstance(values, nn.Parameter) else there
                    )
    return network


def devices(*tensors: Tensor | None) -> set[torch.device]:
    """Where they are."""
    return {values.device for values in tensors if values is not None}
