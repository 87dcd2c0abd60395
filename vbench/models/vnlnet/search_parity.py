"""How the cases of the patch search's parity fixture are computed: one search, or a clip's stacks of neighbours."""

from __future__ import annotations

import math
from typing import Any, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vbench.errors import InputError
from vbench.fixtures import options, tensor
from vbench.models.vnlnet.neighbours import Ends, Neighbourhood, gray, pad, sources
from vbench.models.vnlnet.search import Matches, PatchSearch, Window, centres, gather

SUMS = frozenset({"distance"})
"""Outputs that are sums of whole numbers, which float32 holds up to 2**24 and rounds beyond."""

PADDINGS: dict[str, Ends] = {"vnlnet": "published", "rfr": "repaired"}
"""Whose padding the outputs of a clip are of, by the first part of their names."""

DEFAULTS: dict[str, Any] = {
    "patch_search_width": 41,
    "patch_data_width": 1,
    "search_width": 41,
    "past_frames": 7,
    "future_frames": 7,
    "step": 1,
}
"""The published settings, where neither case nor manifest says otherwise."""

CLEAR = 1e-5
"""A match is clear if the second best distance exceeds the best by more than this fraction."""


def build(manifest: dict[str, Any], meta: dict[str, Any]) -> PatchSearch:
    """The search with the settings of a case, else those of the manifest.

    Raises:
        InputError: queries on a grid coarser than one pixel.
    """
    defaults = manifest.get("defaults")
    given = DEFAULTS | (defaults if isinstance(defaults, dict) else {}) | options(manifest, meta) | meta
    if given["step"] != 1:
        raise InputError(f"The case searches for every {given['step']}th pixel; every pixel is searched for here.")
    numbers = {name: given[name] for name in DEFAULTS}
    strange = {name: value for name, value in numbers.items() if type(value) is not int}
    if strange:
        raise InputError(f"The case gives {strange}; whole numbers were expected.")
    window = Window(numbers["patch_search_width"], numbers["search_width"])
    return PatchSearch(window, numbers["past_frames"], numbers["future_frames"])


def where(output: str, stored: dict[str, NDArray[Any]], meta: dict[str, Any]) -> NDArray[np.bool_] | None:
    """Where an output is compared: everywhere (None), or, if the fixture says so, where its matches are clear.

    Elsewhere two patches are as good but for rounding, and the order of additions decides. What says where that is, is no
    output itself: its places are an empty array.
    """
    stated = meta.get("tolerance")
    if not isinstance(stated, dict) or stated.get("where") != "clear":
        return None
    path, _, name = output.rpartition("/")
    if name == "clear":
        return np.zeros(0, np.bool_)
    bits, shape = stored.get(f"{path}/clear"), stored[output].shape
    if bits is None or len(shape) != 3:
        return None
    neighbours = next((stored[key].shape[-1] for key in (f"{path}/dy", f"{path}/dx") if key in stored), shape[-1])
    size = (*shape[1:], neighbours) if name == "stack" else shape
    clear = np.unpackbits(bits, count=math.prod(size)).astype(np.bool_).reshape(size)
    # A stack has the neighbours first, each with its colours.
    return np.repeat(np.moveaxis(clear, -1, 0), shape[0] // neighbours, axis=0) if name == "stack" else clear


def outputs(network: PatchSearch, inputs: dict[str, NDArray[Any]], meta: dict[str, Any]) -> dict[str, NDArray[Any]]:
    """One search (``video`` ``(T, h, w)``, whole numbers), or several of a clip (``video`` ``(T, H, W, C)``)."""
    video = inputs["video"]
    if video.ndim == 3:
        return _one(network, torch.from_numpy(video).to(network.precision), meta, video.dtype)
    # In float32 whatever the search sums in, as officially.
    clip = tensor(video, network.precision.float()).permute(0, 3, 1, 2).contiguous()
    out: dict[str, NDArray[Any]] = {}
    for name, ends in PADDINGS.items():
        for index, found in _clip(network, clip, ends, meta["frames"]).items():
            out |= {f"{name}/{index}/{key}": value for key, value in found.items()}
    return out


def _one(network: PatchSearch, video: Tensor, meta: dict[str, Any], kind: np.dtype[Any]) -> dict[str, NDArray[Any]]:
    centre, width = int(meta["num_frame"]), int(meta.get("patch_data_width", 1))
    found = network(video, centre)
    shape = (video.shape[1], video.shape[2])
    at = centres(found.dy, found.dx, shape, network.window.patch, width)
    first = centre - network.past
    frames = torch.arange(first, first + len(at), device=at.device)
    window = video[first : first + len(at), None]
    return _displacements(found) | {
        "index": _last(frames[:, None, None] * shape[0] * shape[1] + at).astype(np.uint32),
        "distance": _last(found.distance),
        "stack": _last(gather(window, at)[:, 0]).astype(kind),
    }


def _clip(network: PatchSearch, clip: Tensor, ends: Ends, wanted: list[int]) -> dict[int, dict[str, NDArray[Any]]]:
    neighbourhood = Neighbourhood(len(clip), network, ends)
    stacks = {index: stack for frame in clip for index, stack in neighbourhood.feed(frame[None])}
    padded = sources(len(clip), ends, network.past)
    black = torch.zeros_like(clip[0])
    out = {}
    for index in wanted:
        places = padded[index : index + network.past + 1 + network.future]
        window = torch.stack([black if place is None else clip[place] for place in places])
        found = network(gray(pad(window, network.window)), network.past, second=True)
        assert found.second is not None  # noqa: S101 - asked for
        clear = _last(found.second > found.distance * (1 + CLEAR))
        out[index] = _displacements(found) | {
            "clear": np.packbits(clear),
            "stack": (stacks[index][0].cpu() * 255).round().to(torch.uint8).numpy(),
        }
    return out


def _displacements(found: Matches) -> dict[str, NDArray[Any]]:
    return {"dy": _last(found.dy), "dx": _last(found.dx)}


def _last(values: Tensor) -> NDArray[Any]:
    """Neighbours first to neighbours last, as the fixture has them."""
    return np.asarray(values.permute(1, 2, 0).cpu().numpy())


assert set(PADDINGS.values()) == set(get_args(Ends))  # noqa: S101 - none is forgotten
