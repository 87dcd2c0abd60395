"""Parity fixtures as files: cases and manifests read as data, a network's options in them, and inputs as tensors."""

from __future__ import annotations

import inspect
import json
import zipfile
import zlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from vbench.errors import InputError, nearest

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

Network = TypeVar("Network")

LARGEST_OPTION = 4096
"""Numbers of layers, channels or frames beyond this are refused: to build such a network would take all memory."""


class Inputs(dict[str, Any]):
    """Inputs of a case by name; one that is asked for and not there is an error in words."""

    def __missing__(self, name: str) -> Any:
        raise InputError(f'The case has no input "in/{name}"; it has {", ".join(f"in/{own}" for own in sorted(self))}.')


class Meta(dict[str, Any]):
    """What a case says of itself; what it should say and does not is an error in words."""

    def __missing__(self, name: str) -> Any:
        raise InputError(f'The meta of the case does not say "{name}"; it says {", ".join(sorted(self)) or "nothing"}.')


@dataclass(frozen=True)
class Case:
    """One case of a fixture: inputs and outputs by name, and what is said of them."""

    path: Path
    inputs: dict[str, NDArray[Any]]
    outputs: dict[str, NDArray[Any]]
    meta: dict[str, Any]


def read_case(path: Path) -> Case:
    """A ``case_*.npz``: arrays ``in/<name>`` and ``out/<name>``, and ``meta``, a JSON text.

    Raises:
        InputError: the file is no such case, or is damaged, or holds objects, which are programs.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            data = {key: stored[key] for key in stored.files}
        meta = json.loads(_text(data["meta"]))
    except FileNotFoundError as error:
        raise InputError(f'There is no fixture "{path}".') from error
    # A single array gives a TypeError (it is no archive), an empty file an EOFError.
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error, MemoryError) as error:
        raise InputError(
            f'"{path}" is no case of a parity fixture: an .npz with arrays in/…, out/… and a JSON text "meta" was '
            f"expected ({_reason(error)})."
        ) from error
    if not isinstance(meta, dict):
        raise InputError(f'The meta of "{path}" is a {type(meta).__name__}; a JSON object was expected.')
    inputs = {key.removeprefix("in/"): value for key, value in data.items() if key.startswith("in/")}
    outputs = {key.removeprefix("out/"): value for key, value in data.items() if key.startswith("out/")}
    if not inputs or not outputs:
        raise InputError(f'"{path}" has no arrays named in/… or none named out/…; a case of a fixture has both.')
    for key, value in data.items():
        if key != "meta" and value.dtype.kind not in "biuf":
            raise InputError(f'"{key}" of "{path}" is of type {value.dtype}; real numbers were expected.')
    return Case(path, Inputs(inputs), outputs, Meta(meta))


def _text(stored: NDArray[Any]) -> str:
    """A text as NumPy stores it: a string, bytes, or the bytes one by one."""
    if stored.dtype == np.uint8:
        return stored.tobytes().decode()
    one = stored.item()
    return one.decode() if isinstance(one, bytes) else str(one)


def _reason(error: Exception) -> str:
    said = str(error)
    if "pickle" in said:
        return "it holds Python objects, which are never loaded: to read them is to run them"
    if isinstance(error, KeyError):
        return f"it has no {said}"
    if isinstance(error, TypeError | EOFError):
        return "it is no archive of arrays" if isinstance(error, TypeError) else "it is empty"
    return said


def read_manifest(path: Path) -> dict[str, Any]:
    """A manifest: ``tensors`` (name to shape, dtype, kind, gain) and what its authors say of network and checkpoint.

    Raises:
        InputError: there is no such file, or it is no manifest.
    """
    try:
        document = json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise InputError(f'There is no manifest "{path}".') from error
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f'"{path}" is no manifest: a JSON object was expected ({error}).') from error
    if not isinstance(document, dict):
        raise InputError(f'"{path}" is no manifest: it holds a {type(document).__name__}; an object was expected.')
    tensors = document.setdefault("tensors", {})
    if not isinstance(tensors, dict):
        raise InputError(
            f'"tensors" of "{path}" is a {type(tensors).__name__}; an object, name to shape, was expected.'
        )
    for name, entry in tensors.items():
        fault = _fault(entry)
        if fault:
            raise InputError(f'Tensor "{name}" of "{path}" {fault}.')
    if not _is_number(document.get("gain", 1.0)):
        raise InputError(f'"gain" of "{path}" is {document["gain"]!r}; a number was expected.')
    return document


def _fault(entry: Any) -> str:
    """What is wrong with what a manifest says of a tensor, in words; empty if nothing."""
    if not isinstance(entry, dict):
        return f"is {entry!r}; an object with shape and kind was expected"
    shape = entry.get("shape")
    if not isinstance(shape, list) or not all(type(side) is int and side >= 0 for side in shape):
        return f"has the shape {shape!r}; a list of whole numbers was expected"
    if not isinstance(entry.get("kind"), str):
        return f"has the kind {entry.get('kind')!r}; its name was expected"
    if not _is_number(entry.get("gain", 1.0)):
        return f"has the gain {entry['gain']!r}; a number was expected"
    return ""


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def options(manifest: Mapping[str, Any], meta: Mapping[str, Any]) -> dict[str, Any]:
    """What a network is built with: what its manifest says, over it what the case says.

    Fixtures write it under ``constructor`` or ``options``, some of them under ``arguments`` in that.

    Example:
        >>> options({"options": {"module": "RECONS_VIDEO", "arguments": {"n_feat": 32, "n_resblock": 3}}}, {})
        {'n_feat': 32, 'n_resblock': 3}
        >>> options({"constructor": {"ksize": 5}}, {"options": {"ksize": 3}})
        {'ksize': 3}
    """
    out: dict[str, Any] = {}
    for document in (manifest, meta):
        for key in ("options", "constructor"):
            given = document.get(key)
            given = given.get("arguments", given) if isinstance(given, Mapping) else given
            if isinstance(given, Mapping):
                out |= given
            elif given not in (None, "none"):
                raise InputError(f'"{key}" of the fixture is {given!r}; an object, option to value, was expected.')
    return out


def make(
    network: Callable[..., Network], given: Mapping[str, Any], *, said: Collection[str] = (), **names: str
) -> Network:
    """A network with the options of a fixture.

    Args:
        network: its class.
        given: see :func:`options`.
        said: options that say what is so anyway, and are left out.
        names: the official name of an option of ours, where it is another.

    Raises:
        InputError: a number or a truth value that the network does not have as an option, or a value that it does not take.

    Example:
        >>> class Net:
        ...     def __init__(self, layers: int = 17) -> None: ...
        >>> make(Net, {"num_of_layer": 20}, layers="num_of_layers")
        Traceback (most recent call last):
            ...
        vbench.errors.InputError: The fixture gives Net the option "num_of_layer". Did you mean "num_of_layers"?
    """
    title = getattr(network, "__name__", "the network")
    known = {names.get(own, own): own for own in inspect.signature(network).parameters}
    values: dict[str, Any] = {}
    for name, value in given.items():
        if name in said:
            continue
        if name not in known and isinstance(value, str | Mapping | None):
            continue  # words that describe
        if name not in known:
            raise InputError(f'The fixture gives {title} the option "{name}". {nearest(name, [*known, *said])}')
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, int) and abs(value) > LARGEST_OPTION:
            raise InputError(f'The fixture gives {title} {value:,} as "{name}"; {LARGEST_OPTION:,} is the most.')
        values[known[name]] = value
    for official, own in known.items():
        if own not in values and inspect.signature(network).parameters[own].default is inspect.Parameter.empty:
            raise InputError(f'The fixture does not say "{official}" of {title}. Is it one of another network?')
    try:
        return network(**values)
    except (TypeError, ValueError, RuntimeError, ZeroDivisionError, IndexError) as error:
        raise InputError(
            f"{title} cannot be built as the fixture says, with {dict(given)}: {_first_line(error)}."
        ) from error


def fixed(given: Mapping[str, Any], title: str, **wanted: Any) -> None:
    """Refuse options that exist officially and of which a network has one value only.

    Raises:
        InputError: another value.
    """
    for name, value in wanted.items():
        if given.get(name, value) != value:
            raise InputError(f'The fixture gives {title} {given[name]!r} as "{name}"; it exists with {value!r} only.')


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")


def tensor(values: NDArray[Any], like: Tensor) -> Tensor:
    """Stored values as a tensor: of 8 bits on the scale of 0 to 1, others as they are.

    Args:
        like: of the type and on the device of the result.
    """
    import torch

    found = torch.from_numpy(np.ascontiguousarray(values)).to(like)
    return found / 255 if values.dtype == np.uint8 else found
