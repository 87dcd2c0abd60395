"""How the cases of EDVR's parity fixture go through the network, with all stages that are stored."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from vbench.fixtures import make, options, tensor
from vbench.models.edvr.align import DeformableConv, act
from vbench.models.edvr.deform import TAPS
from vbench.models.edvr.fusion import TSAFusion
from vbench.models.edvr.net import EDVR, Backbone

FUSION = {
    "tsa_feat": ("feat_fusion", 2, True),
    "tsa_attn1": ("spatial_attn2", 4, True),
    "tsa_level": ("spatial_attn_l3", 4, True),
    "tsa_attn": ("spatial_attn5", 2, False),
    "tsa_add": ("spatial_attn_add2", 2, False),
    "fusion_in": ("feat_fusion", 2, True),
    "mod_first": ("mask_modulation_first", 2, False),
}
"""Part of the fusion, stored channels, and whether behind the activation, for each stage."""

Choice = Callable[[Tensor], Tensor]


def build(manifest: dict[str, Any], meta: dict[str, Any]) -> EDVR:
    """The network with the fixture's options."""
    return make(EDVR, options(manifest, meta))


def outputs(network: EDVR, inputs: dict[str, NDArray[Any]], meta: dict[str, Any]) -> dict[str, Tensor]:
    """The restored frame, and what led to it.

    Args:
        inputs: ``frames``, ``(T, H, W, 3)`` or ``(B, T, H, W, 3)``.
    """
    x = frames_of(inputs["frames"], next(network.parameters()))
    watch = Watch(network, len(x), network.frames, network.centre)
    out = network(x)
    watch.close()
    seen = watch.seen | {"out": out}
    if isinstance(network.fusion, TSAFusion):
        seen["tsa_corr"] = network.fusion.agreement(seen["all_aligned"])
    return seen


def frames_of(stored: NDArray[Any], like: Tensor) -> Tensor:
    """Stored frames, of 8 bits or in [0, 1], as ``(B, T, 3, H, W)`` in [0, 1]."""
    x = tensor(stored, like)
    return (x[None] if x.dim() == 4 else x).movedim(-1, 2)


class Watch:
    """Keeps what the parts shared by EDVR and VOTES give, by the names of the fixtures, until it is closed."""

    def __init__(self, network: Backbone, batch: int, count: int, centre: int) -> None:
        """``batch`` windows of ``count`` frames come, of which frame ``centre`` is restored."""
        self.seen: dict[str, Tensor] = {}
        self._network = network
        self._window = (batch, count)
        self._centre = centre
        network.together = count  # so that each part is called once
        self._hooks: list[torch.utils.hooks.RemovableHandle] = []
        self._watch_features()
        self._watch_alignment()
        self._watch_fusion()

    def close(self) -> None:
        """Watch no more."""
        for hook in self._hooks:
            hook.remove()

    def _keep(self, path: str, name: str, choose: Choice) -> None:
        def after(module: nn.Module, given: tuple[Tensor, ...], out: Tensor) -> None:
            self.seen[name] = choose(out)

        self._hooks.append(self._network.get_submodule(path).register_forward_hook(after))

    def _frame(self, index: int, channels: slice | list[int], then: Choice | None = None) -> Choice:
        """Some channels of one frame of each window."""

        def choose(x: Tensor) -> Tensor:
            found = x.unflatten(0, self._window)[:, index, channels]
            return found if then is None else then(found)

        return choose

    def _watch_features(self) -> None:
        if getattr(self._network, "predeblur", None) is not None:
            self._keep("predeblur", "predeblur", self._frame(0, slice(2)))
        middle = self._centre
        given = self._frame(middle, slice(2))

        def before(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            self.seen["feat_in"] = given(inputs[0])

        self._hooks.append(self._network.feature_extraction.register_forward_pre_hook(before))
        self._keep("feature_extraction", "feat_l1", given)
        self._keep("conv_l2_2", "feat_l2", self._frame(middle, slice(4), act))
        self._keep("conv_l3_2", "feat_l3", self._frame(middle, slice(8), act))

    def _watch_alignment(self) -> None:
        paths = {"l3": "dcn_pack.l3", "l2": "dcn_pack.l2", "l1": "dcn_pack.l1", "cas": "cas_dcnpack"}
        for level, path in paths.items():
            part = self._network.pcd_align.get_submodule(path)
            assert isinstance(part, DeformableConv)  # noqa: S101 - as the constructor makes it
            ends, whole = part.offsets, level == "l3"
            # Of the last group; fixtures of fewer groups have fewer channels.
            last = ends - 2 * TAPS
            offsets: slice | list[int] = slice(ends) if whole else [last, last + 1, ends - 2, ends - 1]
            masks: slice | list[int] = slice(ends, None) if whole else [ends + last // 2, ends + ends // 2 - 1]
            self._keep(f"pcd_align.{path}.conv_offset", f"offset_{level}", self._frame(0, offsets))
            self._keep(f"pcd_align.{path}.conv_offset", f"mask_{level}", self._frame(0, masks, torch.sigmoid))
        self._keep("pcd_align.dcn_pack.l3", "pcd_l3_dcn", self._frame(0, slice(8)))
        self._keep("pcd_align.feat_conv.l2", "pcd_l2_feat", self._frame(0, slice(4)))
        self._keep("pcd_align.feat_conv.l1", "pcd_l1_feat", self._frame(0, slice(2)))
        self._keep("pcd_align", "all_aligned", lambda x: x.unflatten(0, self._window))
        self._keep("pcd_align", "aligned", lambda x: x.unflatten(0, self._window)[:, :, :2])

    def _watch_fusion(self) -> None:
        for name, (path, channels, activated) in FUSION.items():
            if path in dict(self._network.get_submodule("fusion").named_children()):
                choose = _channels(channels, activated)
                self._keep(f"fusion.{path}", name, choose)
        self._keep("fusion", "fused", _channels(2))
        self._keep("reconstruction", "recon", _channels(2))


def _channels(count: int, activated: bool = False) -> Choice:
    """The first channels."""
    return lambda x: act(x[:, :count]) if activated else x[:, :count]
