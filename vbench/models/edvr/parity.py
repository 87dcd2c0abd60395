"""How the cases of EDVR's parity fixture go through the network, with all stages that are stored."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from vbench.models.edvr.align import act
from vbench.models.edvr.fusion import TSAFusion
from vbench.models.edvr.net import EDVR, Backbone

OFFSETS = [126, 127, 142, 143]
MASKS = [63, 71]
"""Channels that are stored of offsets and masks below the coarsest level: the last group's first and last tap."""


def build(manifest: dict[str, Any], meta: dict[str, Any]) -> EDVR:
    """The network with the fixture's options."""
    return EDVR(**(meta.get("options") or manifest.get("constructor") or {}))


def outputs(network: EDVR, inputs: dict[str, NDArray[np.uint8]], meta: dict[str, Any]) -> dict[str, Tensor]:
    """The restored frame, and what led to it.

    Args:
        inputs: ``frames``, ``(T, H, W, 3)`` or ``(B, T, H, W, 3)``.
    """
    x = frames_of(inputs["frames"], next(network.parameters()))
    with watched(network, len(x), network.frames, network.centre) as seen:
        seen["out"] = network(x)
        _watch_fusion(network, seen)
    return seen


def frames_of(stored: NDArray[Any], like: Tensor) -> Tensor:
    """Stored frames, of 8 bits or in [0, 1], as ``(B, T, 3, H, W)`` in [0, 1]."""
    x = torch.from_numpy(stored).to(like)
    x = x / 255 if stored.dtype == np.uint8 else x
    return (x[None] if x.dim() == 4 else x).movedim(-1, 2)


@contextmanager
def watched(network: Backbone, batch: int, count: int, centre: int) -> Iterator[dict[str, Tensor]]:
    """Within the block, what the parts shared by EDVR and VOTES give, by the names of the fixtures."""
    seen: dict[str, Tensor] = {}
    hooks = []

    def window(x: Tensor) -> Tensor:
        return x.unflatten(0, (batch, count))

    def keep(path: str, *found: tuple[str, Callable[[Tensor], Tensor]]) -> None:
        def after(module: nn.Module, given: tuple[Tensor, ...], out: Tensor) -> None:
            seen.update({name: choose(out) for name, choose in found})

        hooks.append(network.get_submodule(path).register_forward_hook(after))

    def first(channels: int | slice | list[int]) -> Callable[[Tensor], Tensor]:
        return lambda x: window(x)[:, 0, slice(channels) if isinstance(channels, int) else channels]

    def middle(channels: int) -> Callable[[Tensor], Tensor]:
        return lambda x: window(x)[:, centre, :channels]

    if getattr(network, "predeblur", None) is not None:
        keep("predeblur", ("predeblur", first(2)))

    def before(module: nn.Module, given: tuple[Tensor, ...]) -> None:
        seen["feat_in"] = middle(2)(given[0])

    hooks.append(network.feature_extraction.register_forward_pre_hook(before))
    keep("feature_extraction", ("feat_l1", middle(2)))
    keep("conv_l2_2", ("feat_l2", lambda x: middle(4)(act(x))))
    keep("conv_l3_2", ("feat_l3", lambda x: middle(8)(act(x))))
    for level, path in {"l3": "dcn_pack.l3", "l2": "dcn_pack.l2", "l1": "dcn_pack.l1", "cas": "cas_dcnpack"}.items():
        part = network.get_submodule(f"pcd_align.{path}")
        ends = int(getattr(part, "offsets"))  # noqa: B009 - of a DeformableConv
        all_, offsets, masks = level == "l3", OFFSETS, [ends + i for i in MASKS]
        keep(
            f"pcd_align.{path}.conv_offset",
            (f"offset_{level}", first(slice(0, ends) if all_ else offsets)),
            (f"mask_{level}", lambda x, of=slice(ends, None) if all_ else masks: first(of)(x).sigmoid()),
        )
    keep("pcd_align.dcn_pack.l3", ("pcd_l3_dcn", first(8)))
    keep("pcd_align.feat_conv.l2", ("pcd_l2_feat", first(4)))
    keep("pcd_align.feat_conv.l1", ("pcd_l1_feat", first(2)))
    keep("pcd_align", ("aligned", lambda x: window(x)[:, :, :2]), ("all_aligned", window))
    keep("reconstruction", ("recon", lambda x: x[:, :2]))
    parts = {
        "tsa_feat": ("feat_fusion", 2, act),
        "tsa_attn1": ("spatial_attn2", 4, act),
        "tsa_level": ("spatial_attn_l3", 4, act),
        "tsa_attn": ("spatial_attn5", 2, None),
        "tsa_add": ("spatial_attn_add2", 2, None),
        "fusion_in": ("feat_fusion", 2, act),
        "mod_first": ("mask_modulation_first", 2, None),
    }
    for name, (path, channels, behind) in parts.items():
        if hasattr(network.get_submodule("fusion"), path):
            keep(f"fusion.{path}", (name, lambda x, c=channels, b=behind: x[:, :c] if b is None else b(x[:, :c])))
    keep("fusion", ("fused", lambda x: x[:, :2]))
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


def _watch_fusion(network: EDVR, seen: dict[str, Tensor]) -> None:
    if isinstance(network.fusion, TSAFusion):
        seen["tsa_corr"] = network.fusion.agreement(seen["all_aligned"])
