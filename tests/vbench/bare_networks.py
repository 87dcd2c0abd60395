"""Networks without their restorers: called on each window by itself, as the official scripts do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from vbench import models
from vbench.models.cdvd_tsp import sequence as cdvd_tsp
from vbench.models.dncnn import net as dncnn
from vbench.models.edvr import sequence as edvr
from vbench.models.fastdvdnet import sequence as fastdvdnet
from vbench.models.rtn import restorer as rtn
from vbench.models.rtn.net import ITERATIONS
from vbench.models.vnlnet.neighbours import gray, pad, sources
from vbench.models.vnlnet.search import PatchSearch, centres, gather, match
from vbench.restore import ClipMeta

Run = Callable[[Any, Tensor], Iterator[Tensor]]
"""A network and a clip ``(T, C, H, W)`` in [0, 1] to what the network gives for each frame of it."""


def dncnn_alone(network: dncnn.DnCNN, clip: Tensor) -> Iterator[Tensor]:
    """Each channel of each frame as a gray frame."""
    for frame in clip:
        yield torch.cat([plane - network(plane) for plane in frame[:, None].split(1)], dim=1)


def fastdvdnet_alone(network: Any, clip: Tensor) -> Iterator[Tensor]:
    """Five frames side by side, and a map of sigma 25."""
    for window in fastdvdnet.windows(len(clip)):
        yield network(clip[list(window)].flatten(0, 1)[None], torch.full_like(clip[:1, :1], 25 / 255))


def vnlnet_alone(network: Any, clip: Tensor, search: PatchSearch | None = None) -> Iterator[Tensor]:
    """Each frame's neighbours searched in the 14 frames around it, and the network on their stack.

    The gray network takes each channel as a clip. Ends as in the published script.
    """
    search = search or PatchSearch()
    for t in range(len(clip)):
        planes = clip.split(1, dim=1) if network.colours == 1 else [clip]
        stacks = [_searched(plane, t, search) for plane in planes]
        yield torch.cat([network.centre(stack) - network(stack) for stack in stacks], dim=1)


def _searched(clip: Tensor, t: int, search: PatchSearch) -> Tensor:
    window = sources(len(clip), "published", search.past)[t : t + 2 * search.past + 1]
    slots = [i for i, s in enumerate(window) if s is not None and i != search.past]
    padded = pad(clip[[window[i] for i in slots]], search.window)
    own = pad(clip[t : t + 1], search.window)
    found = match(gray(own).to(search.precision.dtype), gray(padded).to(search.precision.dtype), search.window)
    stack = clip.new_zeros(len(window), *clip.shape[1:])
    stack[slots] = gather(padded, centres(found.dy, found.dx, (own.shape[2], own.shape[3]), search.window.patch))
    stack[search.past] = clip[t]
    return stack.flatten(0, 1)[None]


def pvdnet_alone(network: Any, clip: Tensor) -> Iterator[Tensor]:
    """The loop forward in time."""
    x = clip * 2 - 1
    state = x[:1]
    for t in range(len(x)):
        before, after = max(t - 1, 0), min(t + 1, len(x) - 1)
        state = network(x[before : before + 1], x[t : t + 1], x[after : after + 1], state)
        yield (state + 1) / 2


def cdvd_tsp_alone(network: Any, clip: Tensor) -> Iterator[Tensor]:
    """Five frames at once."""
    for window in cdvd_tsp.windows(len(clip)):
        yield network(clip[list(window)][None]).out


def edvr_alone(network: Any, clip: Tensor, ends: edvr.Ends, frames: int = 5) -> Iterator[Tensor]:
    """EDVR and VOTES: a window at once."""
    for window in edvr.windows(len(clip), frames, ends):
        yield network(clip[list(window)][None])


def rtn_alone(network: Any, clip: Tensor, iterations: int = ITERATIONS) -> Iterator[Tensor]:
    """Each part of the clip at once; what overlaps with the part before is dropped. The clip is gray."""
    x = (clip * 2 - 1).expand(-1, 3, -1, -1)
    for start, end, first in rtn.parts(len(x)):
        yield (network(x[None, start:end], iterations)[0, first - start :] + 1) / 2


ALONE: dict[str, Run] = {
    "dncnn-s25": dncnn_alone,
    "fastdvdnet-s25": fastdvdnet_alone,
    "vnlnet-gray-s25": vnlnet_alone,
    "vnlnet-color-s25": vnlnet_alone,
    "pvdnet-dvd": pvdnet_alone,
    "cdvd-tsp-gopro": cdvd_tsp_alone,
    "edvr-l-deblur": partial(edvr_alone, ends="replicate"),
    "edvr-m-x4": partial(edvr_alone, ends="reflection_circle"),
    "edvr-m-x4-wotsa": partial(edvr_alone, ends="reflection_circle"),
    "edvr-l-x4-vimeo": partial(edvr_alone, ends="reflection_circle", frames=7),
    "edvr-l-x4-blur": partial(edvr_alone, ends="replicate"),
    "votes-x2-qp28": partial(edvr_alone, ends="reflection_circle"),
    "rtn": rtn_alone,
}
"""By a model that stands for all with its network and its way of showing clips."""
LARGER = {"dncnn-b": "dncnn-s25", "pvdnet-large-gopro": "pvdnet-dvd", "edvr-l-x4": "edvr-m-x4"}
"""Models that only have more layers or channels than one of these."""


@dataclass(frozen=True)
class Alone:
    """A network as a restorer without any of a restorer's work."""

    network: Any
    run: Run

    def restore(self, chunks: Iterator[Tensor], meta: ClipMeta) -> Iterator[Tensor]:
        """The whole clip at once."""
        yield from self.run(self.network, torch.cat(list(chunks)))


def bare(model: str) -> Any:
    """The network of a model, in evaluation mode, on random numbers."""
    import importlib

    module, _, function = str(models.spec(model).network).partition(":")
    return getattr(importlib.import_module(module), function)().eval()
