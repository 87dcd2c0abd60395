"""How the cases of the patch search's parity fixture are computed: one search, or a clip's stacks of neighbours."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vbench.errors import InputError
from vbench.models.vnlnet.neighbours import Ends, Neighbourhood, gray, pad, sources
from vbench.models.vnlnet.search import Matches, PatchSearch, Window, centres, gather

PADDINGS: dict[str, Ends] = {"vnlnet": "published", "rfr": "repaired"}
"""Whose padding the outputs of a clip are of, by the first part of their names."""

CLEAR = 1e-5
"""A match is clear if the second best distance exceeds the best by more than this fraction."""


def build(manifest: dict[str, Any], meta: dict[str, Any]) -> PatchSearch:
    """The search with the settings of a case, else those of the manifest.

    Raises:
        InputError: queries on a grid coarser than one pixel.
    """
    options = manifest["defaults"] | meta
    if options.get("step", 1) != 1:
        raise InputError(f"The case searches for every {options['step']}th pixel; every pixel is searched for here.")
    window = Window(int(options["patch_search_width"]), int(options["search_width"]))
    return PatchSearch(window, int(options["past_frames"]), int(options["future_frames"]))


def outputs(
    network: PatchSearch, inputs: dict[str, NDArray[np.uint8]], meta: dict[str, Any]
) -> dict[str, NDArray[Any]]:
    """One search (``video`` ``(T, h, w)``, whole numbers), or several of a clip (``video`` ``(T, H, W, C)``)."""
    video = inputs["video"]
    if video.ndim == 3:
        return _one(network, torch.from_numpy(video).to(network.precision), meta)
    clip = (torch.from_numpy(video).to(network.precision.device).permute(0, 3, 1, 2) / 255).contiguous()
    out: dict[str, NDArray[Any]] = {}
    for name, ends in PADDINGS.items():
        for index, found in _clip(network, clip, ends, meta["frames"]).items():
            out |= {f"{name}/{index}/{key}": value for key, value in found.items()}
    return out


def _one(network: PatchSearch, video: Tensor, meta: dict[str, Any]) -> dict[str, NDArray[Any]]:
    centre, width = int(meta["num_frame"]), int(meta.get("patch_data_width", 1))
    found = network(video, centre)
    shape = (video.shape[1], video.shape[2])
    at = centres(found.dy, found.dx, shape, network.window.patch, width)
    first = centre - network.past
    frames = torch.arange(first, first + len(at), device=at.device)
    window = video[first : first + len(at), None]
    return _displacements(found) | {
        "index": _last(frames[:, None, None] * shape[0] * shape[1] + at).astype(np.uint32),
        "distance": _last(found.distance).round().astype(np.int64),
        "stack": _last(gather(window, at)[:, 0]).round().astype(np.uint8),
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
    return {"dy": _last(found.dy).astype(np.int8), "dx": _last(found.dx).astype(np.int8)}


def _last(values: Tensor) -> NDArray[Any]:
    """Neighbours first to neighbours last, as the fixture has them."""
    return np.asarray(values.permute(1, 2, 0).cpu().numpy())


assert set(PADDINGS.values()) == set(get_args(Ends))  # noqa: S101 - none is forgotten
