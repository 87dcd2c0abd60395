"""The network of PWC-Net, with the parameter names of the official checkpoints."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from vbench.errors import InputError
from vbench.flow.ops import correlation, warp

REACH = 4
"""Displacements of the correlation, along each axis and to either side."""
COSTS = (2 * REACH + 1) ** 2
MULTIPLE = 64
"""Height and width are multiples of this: six halvings."""
RANGE = 20.0
"""Flow in pixels of the input, for one unit of the network's own, at every level."""
VALID = 0.999
"""Of what a warp of ones gives: below it a position is taken to lie outside."""
PYRAMID = (16, 32, 64, 96, 128, 196)
"""Channels of the feature pyramid, from half the size to 1/64."""
DENSE = (128, 128, 96, 64, 32)
"""Channels that the five convolutions of a level add."""
LEVELS = ("One", "Two", "Thr", "Fou", "Fiv", "Six")
"""Names of levels and of the convolutions within one, in the official order."""

Pyramid = tuple[Tensor, ...]
"""Features of a frame at a quarter of its size to 1/64; neighbouring pairs of a clip share them."""


class PWCNet(nn.Module):
    """Two frames to the flow from the first to the second: ``second(p + flow(p))`` shows ``first(p)``.

    At each of five levels, from coarse to fine, features are matched with those that the coarser flow brings near,
    and the flow is estimated anew; the finest is refined by dilated convolutions.

    Source: Sun et al., "PWC-Net" (CVPR 2018); names and conventions as in csbhr/CDVD-TSP.

    Example:
        >>> with torch.inference_mode():
        ...     PWCNet().eval()(torch.zeros(1, 3, 64, 128), torch.zeros(1, 3, 64, 128)).shape
        torch.Size([1, 2, 16, 32])
    """

    def __init__(self) -> None:
        super().__init__()
        self.moduleExtractor = Extractor()
        self.moduleTwo = Decoder(2)
        self.moduleThr = Decoder(3)
        self.moduleFou = Decoder(4)
        self.moduleFiv = Decoder(5)
        self.moduleSix = Decoder(6)
        self.moduleRefiner = Refiner()

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """The flow at a quarter of the size, in units of 20 pixels of the full size.

        Args:
            first: ``(B, 3, H, W)``, RGB in [0, 1], the frame on whose grid the flow lies.
            second: the frame that it points into, of the same shape.

        Returns:
            ``(B, 2, H / 4, W / 4)``; channel 0 to the right, channel 1 down.

        Raises:
            InputError: other shapes; height or width is no multiple of 64.
        """
        if first.shape != second.shape:
            raise InputError(
                f"PWC-Net was given frames of {tuple(first.shape)} and {tuple(second.shape)}; it takes two of one "
                "shape."
            )
        halves = [level.chunk(2) for level in self.pyramid(torch.cat([first, second]))]
        return self.between(tuple(a for a, _ in halves), tuple(b for _, b in halves))

    def pyramid(self, frames: Tensor) -> Pyramid:
        """What the flow needs of frames ``(B, 3, H, W)``, RGB in [0, 1].

        Raises:
            InputError: as :meth:`forward`.
        """
        if frames.dim() != 4 or frames.shape[1] != 3:
            raise InputError(f"PWC-Net was given {tuple(frames.shape)}; it takes (batch, 3, height, width).")
        height, width = frames.shape[2:]
        if height % MULTIPLE or width % MULTIPLE or not frames.numel():
            raise InputError(
                f"PWC-Net was given frames of {width} x {height} pixels; width and height are to be multiples of "
                f"{MULTIPLE}. Resize them, as FlowPWC does."
            )
        found: Pyramid = self.moduleExtractor(frames)[1:]
        return found

    def between(self, first: Pyramid, second: Pyramid) -> Tensor:
        """The flow from one frame to another, as :meth:`forward` returns it."""
        flow, dense = self.moduleSix(first[4], second[4], None, None)
        flow, dense = self.moduleFiv(first[3], second[3], flow, dense)
        flow, dense = self.moduleFou(first[2], second[2], flow, dense)
        flow, dense = self.moduleThr(first[1], second[1], flow, dense)
        flow, dense = self.moduleTwo(first[0], second[0], flow, dense)
        refined: Tensor = flow + self.moduleRefiner(dense)
        return refined


class Extractor(nn.Module):
    """A frame ``(B, 3, H, W)`` to its features at six sizes; see :data:`PYRAMID`."""

    def __init__(self) -> None:
        super().__init__()
        inputs = 3
        for name, channels in zip(LEVELS, PYRAMID, strict=True):
            layers = (_layer(inputs, channels, stride=2), _layer(channels, channels), _layer(channels, channels))
            self.add_module(f"module{name}", nn.Sequential(*(module for layer in layers for module in layer)))
            inputs = channels

    def forward(self, frames: Tensor) -> tuple[Tensor, ...]:
        """From half the size to 1/64."""
        out = []
        x = frames
        for halve in self.children():
            x = halve(x)
            out.append(x)
        return tuple(out)


class Correlation(nn.Module):
    """The cost volume of two maps; see :func:`vbench.flow.ops.correlation`."""

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """``(B, 81, H, W)``."""
        return correlation(first, second, REACH)


class Backward(nn.Module):
    """Features warped by a flow, with zeros where they come from outside."""

    def forward(self, maps: Tensor, flow: Tensor) -> Tensor:
        """``maps``: ``(B, C, H, W)``; ``flow``: ``(B, 2, H, W)`` in pixels of the maps."""
        return backward(maps, flow)[0]


def backward(maps: Tensor, flow: Tensor) -> tuple[Tensor, Tensor]:
    """Features warped by a flow, zero where less than 0.999 of a position lies inside; and how much does.

    Args:
        maps: ``(B, C, H, W)``, at least 2 x 2 pixels.
        flow: ``(B, 2, H, W)`` in pixels of the maps.

    Returns:
        The warped maps, and ``(B, 1, H, W)``: a warp of ones.

    Example:
        >>> row = torch.ones(1, 1, 2, 3)
        >>> backward(row, torch.tensor([0.5, 0.0]).view(1, 2, 1, 1).expand(1, 2, 2, 3))[0][0, 0, 0].tolist()
        [1.0, 1.0, 0.0]
    """
    # In single precision at least: half precision rounds 0.998 to 1.
    precise = maps.to(torch.promote_types(maps.dtype, torch.float32))
    both = warp(torch.cat([precise, torch.ones_like(precise[:, :1])], dim=1), flow)
    ones = both[:, -1:]
    return (both[:, :-1] * (ones > VALID)).to(maps.dtype), ones


class Decoder(nn.Module):
    """One level: the flow from the features of both frames and, but at the coarsest, from the coarser level.

    Args:
        level: from 6 (1/64 of the size) to 2 (a quarter).
    """

    def __init__(self, level: int) -> None:
        super().__init__()
        self.moduleUpflow: nn.Module | None = None
        self.moduleUpfeat: nn.Module | None = None
        self.scale = RANGE / 2**level
        inputs = COSTS
        if level < len(LEVELS):
            coarser = entering(level + 1) + sum(DENSE)
            inputs = entering(level)
            self.moduleUpflow = nn.ConvTranspose2d(2, 2, 4, stride=2, padding=1)
            self.moduleUpfeat = nn.ConvTranspose2d(coarser, 2, 4, stride=2, padding=1)
            self.backward_warp = Backward()
        self.correlation = Correlation()
        steps = []
        for name, outputs in zip(LEVELS[:-1], DENSE, strict=True):
            step = nn.Sequential(*_layer(inputs, outputs))
            self.add_module(f"module{name}", step)
            steps.append(step)
            inputs += outputs
        self._steps = tuple(steps)
        self.moduleSix = nn.Sequential(nn.Conv2d(inputs, 2, 3, padding=1))

    def forward(
        self, first: Tensor, second: Tensor, flow: Tensor | None, dense: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """The flow of this level, and all features that led to it.

        Args:
            first, second: features of the two frames.
            flow, dense: what the coarser level gave; None at the coarsest.
        """
        if self.moduleUpflow is None or self.moduleUpfeat is None:
            features = _activated(self.correlation(first, second))
        else:
            up, context = self.moduleUpflow(flow), self.moduleUpfeat(dense)
            second = self.backward_warp(second, up * self.scale)
            features = torch.cat([_activated(self.correlation(first, second)), first, up, context], dim=1)
        for step in self._steps:
            features = torch.cat([step(features), features], dim=1)
        return self.moduleSix(features), features


def entering(level: int) -> int:
    """Channels that enter the convolutions of a level.

    Example:
        >>> [entering(level) for level in (6, 5, 2)]
        [81, 213, 117]
    """
    return COSTS if level == len(LEVELS) else COSTS + PYRAMID[level - 1] + 2 + 2


class Refiner(nn.Module):
    """What is added to the finest flow, from the features of its level and their wider surroundings."""

    def __init__(self) -> None:
        super().__init__()
        inputs = entering(2) + sum(DENSE)
        layers: list[nn.Module] = []
        for outputs, spread in ((128, 1), (128, 2), (128, 4), (96, 8), (64, 16), (32, 1)):
            layers += [nn.Conv2d(inputs, outputs, 3, padding=spread, dilation=spread), nn.LeakyReLU(0.1)]
            inputs = outputs
        self.moduleMain = nn.Sequential(*layers, nn.Conv2d(inputs, 2, 3, padding=1))

    def forward(self, dense: Tensor) -> Tensor:
        """``(B, 565, H, W)`` to ``(B, 2, H, W)``."""
        found: Tensor = self.moduleMain(dense)
        return found


def _activated(volume: Tensor) -> Tensor:
    return functional.leaky_relu(volume, 0.1)


def _layer(inputs: int, outputs: int, stride: int = 1) -> tuple[nn.Module, nn.Module]:
    return nn.Conv2d(inputs, outputs, 3, stride, 1), nn.LeakyReLU(0.1)
