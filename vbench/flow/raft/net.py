"""The network of RAFT ("large"), with the parameter names of the official checkpoints."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from vbench.errors import InputError

HIDDEN = 128
LEVELS = 4
RADIUS = 4
STRIDE = 8
SMALLEST = 128
"""Below this side the coarsest level of correlation is one pixel wide, and the official network gives no numbers."""


class ResidualBlock(nn.Module):
    """Two convolutions of 3 x 3 and a shortcut, each with its norm; the activation comes before and after the sum."""

    def __init__(self, inputs: int, outputs: int, norm: type[nn.Module], stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.norm1 = norm(outputs)
        self.norm2 = norm(outputs)
        self.downsample: nn.Sequential | None = None
        if stride != 1:
            # One norm under two names, as the checkpoints have it.
            self.norm3 = norm(outputs)
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride=stride), self.norm3)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, inputs, H, W)`` to ``(B, outputs, H / stride, W / stride)``."""
        y = functional.relu(self.norm1(self.conv1(x)))
        y = functional.relu(self.norm2(self.conv2(y)))
        return functional.relu((x if self.downsample is None else self.downsample(x)) + y)


class Encoder(nn.Module):
    """Frames ``(B, 3, H, W)`` in [-1, 1] to 256 features at an eighth of the size."""

    def __init__(self, norm: type[nn.Module]) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3)
        self.norm1 = norm(64)
        self.layer1 = nn.Sequential(ResidualBlock(64, 64, norm, 1), ResidualBlock(64, 64, norm, 1))
        self.layer2 = nn.Sequential(ResidualBlock(64, 96, norm, 2), ResidualBlock(96, 96, norm, 1))
        self.layer3 = nn.Sequential(ResidualBlock(96, 128, norm, 2), ResidualBlock(128, 128, norm, 1))
        self.conv2 = nn.Conv2d(128, 2 * HIDDEN, 1)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        x = functional.relu(self.norm1(self.conv1(x)))
        features: Tensor = self.conv2(self.layer3(self.layer2(self.layer1(x))))
        return features


class MotionEncoder(nn.Module):
    """Correlation and flow to 126 features, with the flow itself 128."""

    def __init__(self) -> None:
        super().__init__()
        self.convc1 = nn.Conv2d(LEVELS * (2 * RADIUS + 1) ** 2, 256, 1)
        self.convc2 = nn.Conv2d(256, 192, 3, padding=1)
        self.convf1 = nn.Conv2d(2, 128, 7, padding=3)
        self.convf2 = nn.Conv2d(128, 64, 3, padding=1)
        self.conv = nn.Conv2d(192 + 64, 126, 3, padding=1)

    def forward(self, flow: Tensor, correlation: Tensor) -> Tensor:
        """See the class."""
        c = functional.relu(self.convc2(functional.relu(self.convc1(correlation))))
        f = functional.relu(self.convf2(functional.relu(self.convf1(flow))))
        return torch.cat((functional.relu(self.conv(torch.cat((c, f), dim=1))), flow), dim=1)


class SeparableGru(nn.Module):
    """A gated recurrent unit along rows, then one along columns."""

    def __init__(self) -> None:
        super().__init__()
        for number, kernel, padding in ((1, (1, 5), (0, 2)), (2, (5, 1), (2, 0))):
            for gate in "zrq":
                convolution = nn.Conv2d(HIDDEN + 256, HIDDEN, kernel, padding=padding)
                self.add_module(f"conv{gate}{number}", convolution)

    def forward(self, hidden: Tensor, x: Tensor) -> Tensor:
        """The next hidden state."""
        for number in (1, 2):
            z, r, q = (self.get_submodule(f"conv{gate}{number}") for gate in "zrq")
            both = torch.cat((hidden, x), dim=1)
            keep, reset = torch.sigmoid(z(both)), torch.sigmoid(r(both))
            proposed = torch.tanh(q(torch.cat((reset * hidden, x), dim=1)))
            hidden = (1 - keep) * hidden + keep * proposed
        return hidden


class FlowHead(nn.Module):
    """Hidden state to a step of the flow."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(HIDDEN, 256, 3, padding=1)
        self.conv2 = nn.Conv2d(256, 2, 3, padding=1)

    def forward(self, hidden: Tensor) -> Tensor:
        """See the class."""
        step: Tensor = self.conv2(functional.relu(self.conv1(hidden)))
        return step


class UpdateBlock(nn.Module):
    """One iteration's networks."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = MotionEncoder()
        self.gru = SeparableGru()
        self.flow_head = FlowHead()
        self.mask = nn.Sequential(
            nn.Conv2d(HIDDEN, 256, 3, padding=1), nn.ReLU(inplace=True), nn.Conv2d(256, 9 * STRIDE**2, 1)
        )


class Correlation:
    """Products of all pairs of features, at four scales, looked up around where the flow points."""

    def __init__(self, first: Tensor, second: Tensor) -> None:
        batch, channels, height, width = first.shape
        product = torch.einsum("bcp,bcq->bpq", first.flatten(2), second.flatten(2)) / channels**0.5
        level = product.reshape(batch * height * width, 1, height, width)
        self._levels = [level]
        for _ in range(LEVELS - 1):
            level = functional.avg_pool2d(level, 2, stride=2)
            self._levels.append(level)
        offsets = torch.arange(-RADIUS, RADIUS + 1, dtype=first.dtype, device=first.device)
        self._sizes: list[Tensor] = []
        # Along x slowly, along y fast.
        self._window = torch.stack(torch.meshgrid(offsets, offsets, indexing="ij"), dim=-1)[None]

    def around(self, points: Tensor) -> Tensor:
        """Bilinear samples around ``points (B, 2, h, w)`` (x, y): ``(B, 324, h, w)``, zeros outside."""
        batch, _, height, width = points.shape
        centres = points.permute(0, 2, 3, 1).reshape(-1, 1, 1, 2)
        out = []
        if not self._sizes:
            # Filled in on the device: a copy from the processor's memory could not be recorded (`vbench.models.replay`).
            sides = ([level.shape[-1] - 1, level.shape[-2] - 1] for level in self._levels)
            self._sizes = [torch.stack([points.new_full((), side) for side in pair]) for pair in sides]
        for scale, (level, size) in enumerate(zip(self._levels, self._sizes, strict=True)):
            grid = (centres / 2**scale + self._window) * (2 / size) - 1
            out.append(functional.grid_sample(level, grid, align_corners=True).reshape(batch, height, width, -1))
        return torch.cat(out, dim=-1).permute(0, 3, 1, 2)


@dataclass
class State:
    """Where the refinement stands after an iteration."""

    hidden: Tensor
    context: Tensor
    flow: Tensor
    """``(B, 2, h, w)`` in pixels of an eighth of the size."""
    correlation: Tensor
    step: Tensor


class RAFT(nn.Module):
    """Pairs of frames to the flow between them.

    Frames ``(B, 3, H, W)``, RGB, 0 to 255, sides multiples of 8 and at least 128. The flow ``(B, 2, H, W)``, x then
    y, in pixels: what is at p in the first frame is at p + flow in the second.

    Source: Teed and Deng, "RAFT: Recurrent All-Pairs Field Transforms for Optical Flow" (ECCV 2020); names as in
    princeton-vl/RAFT.
    """

    def __init__(self) -> None:
        super().__init__()
        self.fnet = Encoder(nn.InstanceNorm2d)
        self.cnet = Encoder(nn.BatchNorm2d)
        self.update_block = UpdateBlock()

    def forward(self, first: Tensor, second: Tensor, iterations: int = 24) -> Tensor:
        """The flow after so many iterations.

        Raises:
            InputError: sizes that the network cannot take.
        """
        if iterations < 1:
            raise InputError(f"RAFT was asked for {iterations} iterations; at least one is expected.")
        *_, last = self.refine(first, second, iterations)
        return self.enlarge(last)

    def features(self, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        """Features of both frames for the correlation."""
        a, b = self.fnet(torch.cat((_unit(first), _unit(second)))).chunk(2)
        return a, b

    def start(self, first: Tensor) -> tuple[Tensor, Tensor]:
        """The hidden state and the context, of the first frame."""
        hidden, context = self.cnet(_unit(first)).chunk(2, dim=1)
        return torch.tanh(hidden), functional.relu(context)

    def refine(self, first: Tensor, second: Tensor, iterations: int) -> Iterator[State]:
        """The state after each iteration."""
        _check(first, second)
        yield from self.between(*self.features(first, second), *self.start(first), iterations)

    def between(
        self, first: Tensor, second: Tensor, hidden: Tensor, context: Tensor, iterations: int
    ) -> Iterator[State]:
        """The state after each iteration, from what is known of the frames: those of a clip serve several pairs.

        Args:
            first, second: features of both frames, as :meth:`features` gives them.
            hidden, context: of the first, as :meth:`start` gives them.
            iterations: how many.
        """
        correlation = Correlation(first, second)
        batch, _, height, width = hidden.shape
        x = torch.arange(width, dtype=hidden.dtype, device=hidden.device).expand(height, width)
        y = torch.arange(height, dtype=hidden.dtype, device=hidden.device)[:, None].expand(height, width)
        points = torch.stack((x, y)).expand(batch, -1, -1, -1)
        flow = torch.zeros_like(points)
        for _ in range(iterations):
            seen = correlation.around(points + flow)
            motion = self.update_block.encoder(flow, seen)
            hidden = self.update_block.gru(hidden, torch.cat((context, motion), dim=1))
            step = self.update_block.flow_head(hidden)
            flow = flow + step
            yield State(hidden, context, flow, seen, step)

    def mask(self, state: State) -> Tensor:
        """Weights of the enlargement, before they are normalised."""
        weights: Tensor = 0.25 * self.update_block.mask(state.hidden)
        return weights

    def enlarge(self, state: State) -> Tensor:
        """The flow at full size: each pixel a convex combination of nine neighbours."""
        batch, _, height, width = state.flow.shape
        weights = self.mask(state).view(batch, 1, 9, STRIDE, STRIDE, height, width).softmax(dim=2)
        around = functional.unfold(STRIDE * state.flow, 3, padding=1).view(batch, 2, 9, 1, 1, height, width)
        fine = (weights * around).sum(dim=2)
        return fine.permute(0, 1, 4, 2, 5, 3).reshape(batch, 2, STRIDE * height, STRIDE * width)


def _unit(frames: Tensor) -> Tensor:
    return 2 * (frames / 255) - 1


def _check(first: Tensor, second: Tensor) -> None:
    height, width = first.shape[-2:]
    if first.shape != second.shape or first.ndim != 4 or first.shape[1] != 3:
        raise InputError(
            f"RAFT was given frames of shape {tuple(first.shape)} and {tuple(second.shape)}; it takes two of (batch, 3, "
            "height, width)."
        )
    if height % STRIDE or width % STRIDE or min(height, width) < SMALLEST:
        raise InputError(
            f"RAFT was given frames of {width} x {height} pixels; it takes sides that are multiples of {STRIDE}, and at "
            f"least {SMALLEST}. Pad them first."
        )


def build() -> RAFT:
    """RAFT, large."""
    return RAFT()
