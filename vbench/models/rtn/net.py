"""The network of RTN, with the parameter names of the official checkpoints."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from vbench.errors import InputError
from vbench.flow.ops import warp
from vbench.flow.raft.net import RAFT
from vbench.models.rtn.swin import SpatialBlocks

CHANNELS = 16
"""Of the state that is passed from frame to frame."""
ITERATIONS = 24
"""Of RAFT."""
MULTIPLE = 16
"""Height and width are multiples of this: half the size, in windows of 8."""
SMALLEST = 128
"""The least height and width that RAFT takes."""


class Sight(NamedTuple):
    """What flows from and to a frame need; a frame of a clip serves four."""

    features: Tensor
    hidden: Tensor
    context: Tensor


class Flows(NamedTuple):
    """Flows between a frame and the one behind it, both ``(N, 2, H, W)`` in pixels."""

    to_previous: Tensor
    """From the frame behind to the frame."""
    to_next: Tensor
    """From the frame to the frame behind."""


class Step(NamedTuple):
    """What one step of a pass gives."""

    feature: Tensor
    """The state, ``(N, 16, H, W)``."""
    aggregated: Tensor
    """Own features and those of the neighbour, of the same shape."""
    gate: Tensor | None
    """How much is taken from the neighbour, ``(N, 1, H, W)``; None where there is none."""
    indicator: Tensor | None
    """How far the neighbour's frame is from this one, ``(N, 1, H, W)``."""


class RTN(nn.Module):
    """A clip of old film to the restored clip: a pass backward in time, one forward, and their fusion.

    In each pass the state of the neighbouring frame is brought along the flow, and a gate decides at each pixel whether
    it is taken or the frame's own features: so damage that is in one frame alone is left behind. Both passes see the
    whole clip.

    Args:
        num_feat: channels of the state; 16 as published.
        spatial: other numbers of the spatial parts than the published ones, by the names of :class:`SpatialBlocks`.

    Source: Wan et al., "Bringing Old Films Back to Life" (CVPR 2022), class ``Video_Backbone`` of
    raywzy/Bringing-Old-Films-Back-to-Life; names as there.

    Example:
        >>> network = RTN().eval()
        >>> with torch.inference_mode():
        ...     network(torch.zeros(1, 2, 3, 128, 128), iterations=1).shape
        torch.Size([1, 2, 3, 128, 128])
    """

    def __init__(self, num_feat: int = CHANNELS, spatial: Mapping[str, Any] | None = None) -> None:
        super().__init__()
        given = dict(spatial or {})
        self.spynet = RAFT()
        self.Backward_Aggregation = Aggregation(num_feat)
        self.backward_resblocks = SpatialBlocks(num_feat, **given)
        self.Forward_Aggregation = Aggregation(num_feat)
        self.forward_resblocks = SpatialBlocks(num_feat, **given)
        self.concate = nn.Conv2d(2 * num_feat, num_feat, 3, padding=1)
        self.up1 = Upsampling(num_feat)
        self.up2 = Upsampling(num_feat)
        self.conv_hr = nn.Conv2d(num_feat, num_feat, 3, padding=1)
        self.conv_last = nn.Conv2d(num_feat, 3, 3, padding=1)

    def forward(self, x: Tensor, iterations: int = ITERATIONS) -> Tensor:
        """The restored clip.

        Args:
            x: ``(N, T, 3, H, W)``, RGB in [-1, 1]; the official pipeline gives gray frames in three equal channels.
            iterations: of the flow network.

        Returns:
            ``(N, T, 3, H, W)`` in (-1, 1).

        Raises:
            InputError: fewer than two frames; height or width is below 128 or no multiple of 16.
        """
        if x.dim() != 5 or x.shape[2] != 3 or x.shape[1] < 2:
            raise InputError(
                f"RTN was given {tuple(x.shape)}; it takes (batch, time, 3, height, width) of at least two frames."
            )
        frames = x.unbind(dim=1)
        with torch.no_grad():  # as officially: flows are not trained
            sights = [self.look(frame) for frame in frames]
            flows = [self.flows(a, b, iterations) for a, b in pairwise(sights)]
        return torch.stack(self.restore(frames, flows), dim=1)

    def look(self, frame: Tensor) -> Sight:
        """What the flows from and to a frame ``(N, 3, H, W)`` in [-1, 1] need.

        Raises:
            InputError: height or width is below 128 or no multiple of 16.
        """
        height, width = frame.shape[-2:]
        multiple = math.lcm(MULTIPLE // 2, 2 * self.forward_resblocks.window)
        if height % multiple or width % multiple or min(height, width) < SMALLEST:
            raise InputError(
                f"RTN was given frames of {width} x {height} pixels; width and height are to be multiples of "
                f"{multiple}, at least {SMALLEST}. Resize or pad them."
            )
        levels = (frame + 1) / 2 * 255
        return Sight(self.spynet.fnet(2 * (levels / 255) - 1), *self.spynet.start(levels))

    def flows(self, first: Sight, second: Sight, iterations: int = ITERATIONS) -> Flows:
        """Flows between two frames, both directions in one batch."""
        one, two = first.features, second.features
        hidden, context = (torch.cat([b, a]) for a, b in zip(first[1:], second[1:], strict=True))
        # Frame `second` points to `first` in the first half, and the other way round in the second.
        *_, last = self.spynet.between(torch.cat([two, one]), torch.cat([one, two]), hidden, context, iterations)
        back, ahead = self.spynet.enlarge(last).chunk(2)
        return Flows(back, ahead)

    def restore(self, frames: Sequence[Tensor], flows: Sequence[Flows], first: int = 0) -> list[Tensor]:
        """The restored frames of a clip, given the flows between neighbours.

        Args:
            frames: each ``(N, 3, H, W)``, RGB in [-1, 1].
            flows: one entry less.
            first: the frames before this one only serve as the past: they are not given, and the pass backward in time,
                which goes on to them, ends here.
        """
        # Of one pass the states of all frames are held, of the other the latest.
        behind = [step.feature for step in self.backward_pass(frames[first:], flows[first:])]
        ahead = islice(self.forward_pass(frames, flows), first, None)
        return [self.fuse(f, behind.pop(), step.feature) for f, step in zip(frames[first:], ahead, strict=True)]

    def backward_pass(self, frames: Sequence[Tensor], flows: Sequence[Flows]) -> Iterator[Step]:
        """From the last frame to the first, in this order."""
        to_neighbour = [flow.to_next for flow in reversed(flows)]
        return _passed(self.Backward_Aggregation, self.backward_resblocks, frames[::-1], to_neighbour)

    def forward_pass(self, frames: Sequence[Tensor], flows: Sequence[Flows]) -> Iterator[Step]:
        """From the first frame to the last; it knows nothing of the other pass."""
        to_neighbour = [flow.to_previous for flow in flows]
        return _passed(self.Forward_Aggregation, self.forward_resblocks, frames, to_neighbour)

    def fuse(self, frame: Tensor, behind: Tensor, ahead: Tensor) -> Tensor:
        """A frame and its states of both passes to the restored frame."""
        x = functional.leaky_relu(self.concate(torch.cat([behind, ahead], dim=1)), 0.1)
        x = functional.leaky_relu(self.up1(x), 0.1)
        x = functional.leaky_relu(self.up2(x), 0.1)
        out: Tensor = frame + self.conv_last(functional.leaky_relu(self.conv_hr(x), 0.1))
        return out.tanh()


class Aggregation(nn.Module):
    """A frame's own features, and those of its neighbour where a gate prefers them."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv2d_projection_head = nn.Conv2d(3, channels, 3, padding=1)
        self.conv2d_1 = nn.Conv2d(2 * channels + 1, 8, 3, padding=1)
        self.conv2d_2 = nn.Conv2d(8, 1, 3, padding=1)

    def forward(self, frame: Tensor) -> Tensor:
        """A frame's own features, ``(N, 16, H, W)``."""
        out: Tensor = self.conv2d_projection_head(frame)
        return out

    def gate(self, hidden: Tensor, own: Tensor, indicator: Tensor) -> Tensor:
        """How much is taken from the neighbour, ``(N, 1, H, W)`` in (0, 1)."""
        x = functional.leaky_relu(self.conv2d_1(torch.cat([hidden, own, indicator], dim=1)), 0.2)
        out: Tensor = self.conv2d_2(x).sigmoid()
        return out


class Upsampling(nn.Module):
    """A convolution; officially a pixel shuffle by one follows, which does nothing."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.up_conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """``(N, 16, H, W)``, kept."""
        out: Tensor = self.up_conv(x)
        return out


def _passed(
    aggregation: Aggregation, spatial: SpatialBlocks, frames: Sequence[Tensor], flows: Sequence[Tensor]
) -> Iterator[Step]:
    """One pass over frames in its own order; ``flows`` lead from each frame but the first to the one before."""
    feature: Tensor | None = None
    for i, frame in enumerate(frames):
        own = aggregation(frame)
        if feature is None:
            feature = spatial(own)
            yield Step(feature, own, None, None)
            continue
        hidden = warp(feature, flows[i - 1])
        # The first channel alone is compared; all are equal in the official pipeline.
        indicator = (warp(frames[i - 1][:, :1], flows[i - 1]) - frame[:, :1]).abs()
        gate = aggregation.gate(hidden, own, indicator)
        mixed = gate * hidden + (1 - gate) * own
        feature = spatial(mixed)
        yield Step(feature, mixed, gate, indicator)


def build() -> RTN:
    """The network of the published checkpoint."""
    return RTN()
