"""Support vector machines in libsvm's text format, as BRISQUE's model is published."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vbench.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

FEATURES = 36


@dataclass(frozen=True)
class SupportVectors:
    """An RBF support vector machine: ``sum(coefficients * exp(-gamma |vector - x|^2)) - rho``."""

    vectors: Array
    """``(N, 36)``."""
    coefficients: Array
    """``(N,)``."""
    gamma: float
    rho: float


def load_model(path: Path) -> SupportVectors:
    """The machine in the official ``allmodel``, libsvm's text format.

    Raises:
        InputError: the file holds no such model.
    """
    header: dict[str, str] = {}
    try:
        head, body = path.read_text("ascii").split("\nSV\n", maxsplit=1)
        for line in head.splitlines():
            key, _, value = line.partition(" ")
            header[key] = value.strip()
        if header["svm_type"] != "epsilon_svr" or header["kernel_type"] != "rbf":
            raise ValueError(f"it is a {header['svm_type']} with kernel {header['kernel_type']}")
        rows = [line.split() for line in body.splitlines() if line.strip()]
        vectors = np.zeros((len(rows), FEATURES))
        for vector, row in zip(vectors, rows, strict=True):
            for item in row[1:]:
                index, _, value = item.partition(":")
                vector[int(index) - 1] = float(value)
        coefficients = np.array([float(row[0]) for row in rows])
        return SupportVectors(vectors, coefficients, float(header["gamma"]), float(header["rho"]))
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise InputError(
            f'"{path}" holds no BRISQUE model: libsvm\'s text of an epsilon SVR with an RBF kernel was expected ({error}).'
        ) from error


def digest(path: Path) -> str:
    """Digest of a model's vectors and coefficients: the text around them differs from mirror to mirror.

    Raises:
        InputError: the file holds no such model.
    """
    found = load_model(path)
    whole = hashlib.sha256()
    for array in (found.vectors, found.coefficients):
        whole.update(array.astype("<f8").tobytes())
    return whole.hexdigest()
