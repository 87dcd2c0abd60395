"""The network of BIMNet, with the parameter names of the official checkpoints."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from vbench.errors import InputError
from vbench.flow.ops import correlation, warp

REACH = 3
"""Displacements of the correlation, along each axis and to either side."""
COSTS = (2 * REACH + 1) ** 2
MULTIPLE = 32
"""Height and width are multiples of this: five halvings."""
SMALLEST = 64
"""The least height and width: below it the coarsest map is one pixel wide, and no warp is defined on it."""
RANGE = 20.0
"""Flow in pixels of the input, for one unit of the network's own."""


class Level(NamedTuple):
    """What is peculiar to one level of the decoder."""

    features: int
    """Channels of the feature pyramid."""
    kernel: int
    """Side of the last convolution, and of the window in which the flow is regularised."""
    scale: float
    """Pixels of the level's maps, for one unit of the network's own."""
    stride: int
    """Of the correlation."""


LEVELS = (
    Level(32, 7, 10.0, 2),
    Level(64, 5, 5.0, 2),
    Level(96, 5, 2.5, 1),
    Level(128, 3, 1.25, 1),
    Level(192, 3, 0.625, 1),
)
"""Levels 2 (half size) to 6 (1/32)."""
COARSEST = len(LEVELS) - 1


class Pyramid(NamedTuple):
    """One frame at six sizes, from full to 1/32; neighbouring pairs of a clip share it."""

    images: tuple[Tensor, ...]
    features: tuple[Tensor, ...]


class BIMNet(nn.Module):
    """Two blurred frames to the flow from the first to the second: ``second(p + flow(p))`` shows ``first(p)``.

    A LiteFlowNet: at each of five levels, from coarse to fine, the flow is corrected by matching features, refined
    below the pixel, and smoothed along the image. Trained so that blur does not change the flow. Training and
    evaluation mode compute the same.

    Source: Son et al., "Recurrent Video Deblurring with Blur-Invariant Motion Estimation and Pixel Volumes" (TOG 2021),
    after Hui et al., "LiteFlowNet" (CVPR 2018); names as in codeslake/PVDNet.

    Example:
        >>> with torch.inference_mode():
        ...     BIMNet().eval()(torch.zeros(1, 3, 64, 96), torch.zeros(1, 3, 64, 96)).shape
        torch.Size([1, 2, 32, 48])
    """

    def __init__(self) -> None:
        super().__init__()
        self.moduleFeatures = Features()
        self.moduleMatching = nn.ModuleList(Matching(i) for i in range(len(LEVELS)))
        self.moduleSubpixel = nn.ModuleList(Subpixel(i) for i in range(len(LEVELS)))
        self.moduleRegularization = nn.ModuleList(Regularization(i) for i in range(len(LEVELS)))

    def forward(self, tensorFirst: Tensor, tensorSecond: Tensor) -> Tensor:
        """The flow at half size, in pixels of the full size.

        Args:
            tensorFirst: ``(B, 3, H, W)``, RGB in [0, 1], the frame on whose grid the flow lies.
            tensorSecond: the frame that it points into, of the same shape.

        Returns:
            ``(B, 2, H / 2, W / 2)``; channel 0 to the right, channel 1 down; float32 at least.

        Raises:
            InputError: other shapes; height or width is below 64 or no multiple of 32.
        """
        if tensorFirst.shape != tensorSecond.shape:
            raise InputError(
                f"BIMNet was given frames of {tuple(tensorFirst.shape)} and {tuple(tensorSecond.shape)}; it takes two "
                "of one shape."
            )
        both = self.pyramid(torch.cat([tensorFirst, tensorSecond]))
        split = [[half.chunk(2) for half in part] for part in both]
        first, second = (Pyramid(*(tuple(pair[i] for pair in part) for part in split)) for i in (0, 1))
        return self.between(first, second)

    def pyramid(self, frames: Tensor) -> Pyramid:
        """What the flow needs of frames ``(B, 3, H, W)``, RGB in [0, 1].

        Raises:
            InputError: as :meth:`forward`.
        """
        _check(frames)
        features: tuple[Tensor, ...] = self.moduleFeatures(frames)
        images = [frames]
        for level in features[1:]:
            images.append(
                functional.interpolate(images[-1], size=level.shape[2:], mode="bilinear", align_corners=False)
            )
        return Pyramid(tuple(images), features)

    def between(self, first: Pyramid, second: Pyramid) -> Tensor:
        """The flow from one frame to another, as :meth:`forward` returns it."""
        flow: Tensor | None = None
        for i in reversed(range(len(LEVELS))):
            a, b = first.features[i + 1], second.features[i + 1]
            flow = self.moduleMatching[i](a, b, flow)
            flow = self.moduleSubpixel[i](a, b, flow)
            flow = self.moduleRegularization[i](first.images[i + 1], second.images[i + 1], a, flow)
        assert flow is not None  # noqa: S101 - there are five levels
        return RANGE * flow


def _check(frames: Tensor) -> None:
    if frames.dim() != 4 or frames.shape[1] != 3:
        raise InputError(f"BIMNet was given {tuple(frames.shape)}; it takes (batch, 3, height, width).")
    height, width = frames.shape[2:]
    if height % MULTIPLE or width % MULTIPLE or min(height, width) < SMALLEST:
        raise InputError(
            f"BIMNet was given frames of {width} x {height} pixels; width and height are to be multiples of "
            f"{MULTIPLE}, at least {SMALLEST}. Crop them, as `whole_flow` does."
        )


class Features(nn.Module):
    """A frame ``(B, 3, H, W)`` to its features at six sizes: 32, 32, 64, 96, 128, 192 channels."""

    def __init__(self) -> None:
        super().__init__()
        self.moduleOne = nn.Sequential(*_layer(3, 32, 7))
        self.moduleTwo = nn.Sequential(*_layer(32, 32, 3, stride=2), *_layer(32, 32, 3), *_layer(32, 32, 3))
        self.moduleThr = nn.Sequential(*_layer(32, 64, 3, stride=2), *_layer(64, 64, 3))
        self.moduleFou = nn.Sequential(*_layer(64, 96, 3, stride=2), *_layer(96, 96, 3))
        self.moduleFiv = nn.Sequential(*_layer(96, 128, 3, stride=2))
        self.moduleSix = nn.Sequential(*_layer(128, 192, 3, stride=2))

    def forward(self, frames: Tensor) -> tuple[Tensor, ...]:
        """From full size to 1/32."""
        out = []
        x = frames
        for halve in (self.moduleOne, self.moduleTwo, self.moduleThr, self.moduleFou, self.moduleFiv, self.moduleSix):
            x = halve(x)
            out.append(x)
        return tuple(out)


class Correlation(nn.Module):
    """The cost volume of two maps; see :func:`vbench.flow.ops.correlation`."""

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """``(B, 49, H / stride, W / stride)``."""
        return correlation(first, second, REACH, self.stride)


class Matching(nn.Module):
    """Corrects the flow of the coarser level by the best match of features nearby.

    Args:
        index: the level, from 0 (half size) to 4.
    """

    def __init__(self, index: int) -> None:
        super().__init__()
        level = LEVELS[index]
        self.scale = level.scale
        self.moduleFeat = _own_features(index)
        self.moduleUpflow = None if index == COARSEST else _doubled(2)
        self.correlation = Correlation(level.stride)
        self.moduleUpcorr = _doubled(COSTS) if level.stride == 2 else None
        self.moduleMain = _estimator(COSTS, level.kernel)

    def forward(self, first: Tensor, second: Tensor, flow: Tensor | None) -> Tensor:
        """``flow``: of the coarser level, at half the size of the features; None at the coarsest."""
        first, second = self.moduleFeat(first), self.moduleFeat(second)
        if self.moduleUpflow is not None:
            assert flow is not None  # noqa: S101 - only the coarsest level has none
            flow = _precise(self.moduleUpflow(flow.to(first.dtype)))
            second = warp(second, flow * self.scale)
        cost = functional.leaky_relu(self.correlation(first, second), 0.1)
        if self.moduleUpcorr is not None:
            cost = self.moduleUpcorr(cost)
        correction = _precise(self.moduleMain(cost))
        return correction if flow is None else flow + correction


class Subpixel(nn.Module):
    """Refines the flow below the pixel, from the features that it brings together.

    Args:
        index: the level, from 0 (half size) to 4.
    """

    def __init__(self, index: int) -> None:
        super().__init__()
        level = LEVELS[index]
        self.scale = level.scale
        self.moduleFeat = _own_features(index)
        self.moduleMain = _estimator(2 * max(level.features, 64) + 2, level.kernel)

    def forward(self, first: Tensor, second: Tensor, flow: Tensor) -> Tensor:
        """The flow, refined."""
        first, second = self.moduleFeat(first), self.moduleFeat(second)
        second = warp(second, flow * self.scale)
        return flow + _precise(self.moduleMain(torch.cat([first, second, flow.to(first.dtype)], dim=1)))


class Regularization(nn.Module):
    """Smooths the flow by a mean around each pixel, whose weights follow from the image and from how well it fits.

    Args:
        index: the level, from 0 (half size) to 4.
    """

    def __init__(self, index: int) -> None:
        super().__init__()
        level = LEVELS[index]
        fine = index <= 2
        side, count = level.kernel, level.kernel**2
        self.scale = level.scale
        self.side = side
        self.moduleFeat = nn.Sequential(*_layer(level.features, 128, 1)) if fine else nn.Sequential()
        given = 1 + 2 + (128 if fine else level.features)
        sizes = (given, 128, 128, 64, 64, 32, 32)
        self.moduleMain = nn.Sequential(
            *(module for inputs, outputs in pairwise(sizes) for module in _layer(inputs, outputs, 3))
        )
        if fine:
            down = nn.Conv2d(32, count, (side, 1), padding=(side // 2, 0))
            across = nn.Conv2d(count, count, (1, side), padding=(0, side // 2))
            self.moduleDist = nn.Sequential(down, across)
        else:
            self.moduleDist = nn.Sequential(nn.Conv2d(32, count, side, padding=side // 2))
        self.moduleScaleX = nn.Conv2d(count, 1, 1)
        self.moduleScaleY = nn.Conv2d(count, 1, 1)

    def forward(self, image: Tensor, other: Tensor, features: Tensor, flow: Tensor) -> Tensor:
        """The flow, smoothed; ``image``, ``other``: the two frames at this level's size."""
        misfit = _misfit(image.detach(), warp(other.detach(), flow.detach() * self.scale))
        centred = flow - flow.mean(dim=(2, 3), keepdim=True)
        features = self.moduleFeat(features)
        given = torch.cat([misfit.to(features.dtype), centred.to(features.dtype), features], dim=1)
        energy = -_precise(self.moduleDist(self.moduleMain(given))).square()
        weights = (energy - energy.amax(dim=1, keepdim=True)).exp()
        total = weights.sum(dim=1, keepdim=True)
        kind = features.dtype
        moved = [
            _precise(scale((weights * self._around(component)).to(kind))) / total
            for scale, component in zip((self.moduleScaleX, self.moduleScaleY), flow.split(1, dim=1), strict=True)
        ]
        return torch.cat(moved, dim=1)

    def _around(self, component: Tensor) -> Tensor:
        """``(B, 1, H, W)`` to the values around each pixel, ``(B, side * side, H, W)``, by rows; zero outside."""
        height, width = component.shape[2:]
        around = functional.unfold(component, self.side, padding=self.side // 2)
        return around.reshape(component.shape[0], -1, height, width)


def _misfit(first: Tensor, second: Tensor) -> Tensor:
    """How far two images are apart at each pixel: ``(B, 1, H, W)``."""
    return (first - second).square().sum(dim=1, keepdim=True).sqrt()


def _layer(inputs: int, outputs: int, side: int, stride: int = 1) -> tuple[nn.Module, nn.Module]:
    return nn.Conv2d(inputs, outputs, side, stride, side // 2), nn.LeakyReLU(0.1)


def _own_features(index: int) -> nn.Sequential:
    """At the finest level the pyramid has too few channels."""
    return nn.Sequential(*_layer(LEVELS[0].features, 64, 1)) if index == 0 else nn.Sequential()


def _doubled(channels: int) -> nn.ConvTranspose2d:
    """Each channel at twice the size, with a kernel of its own."""
    return nn.ConvTranspose2d(channels, channels, 4, stride=2, padding=1, groups=channels, bias=False)


def _estimator(inputs: int, side: int) -> nn.Sequential:
    layers = (*_layer(inputs, 128, 3), *_layer(128, 64, 3), *_layer(64, 32, 3))
    return nn.Sequential(*layers, nn.Conv2d(32, 2, side, padding=side // 2))


def _precise(values: Tensor) -> Tensor:
    """In float32 at least: the flow is a sum over five levels, and bfloat16 holds 8 bits of it."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


def crop(frames: Tensor) -> Tensor:
    """``(B, C, H, W)`` without the rows at the bottom and columns at the right beyond multiples of 32."""
    height, width = frames.shape[2:]
    return frames[..., : height - height % MULTIPLE, : width - width % MULTIPLE]


def whole_flow(low: Tensor, height: int, width: int) -> Tensor:
    """The flow of cropped frames on the whole frame, as PVDNet uses it.

    Args:
        low: ``(B, 2, h / 2, w / 2)`` as :class:`BIMNet` gives it for frames cropped to ``h x w`` by :func:`crop`.
        height, width: of the whole frame, in pixels.

    Returns:
        ``(B, 2, height, width)``, resized bilinearly with values as they are; zero where the crop ends.

    Example:
        >>> whole_flow(torch.ones(1, 2, 32, 32), 70, 66).sum().item()
        8192.0
    """
    inner = functional.interpolate(low, size=(2 * low.shape[2], 2 * low.shape[3]), mode="bilinear", align_corners=False)
    return functional.pad(inner, (0, width - inner.shape[3], 0, height - inner.shape[2]))
