"""Batch norms folded into the convolutions before them: the same function in eval mode, with fewer passes."""

from __future__ import annotations

from torch import nn


def fold_norms(network: nn.Module) -> None:
    """Fold, in place, every batch norm that follows a convolution in a Sequential, at any depth.

    The network is in eval mode. Its state dict has other names afterwards: load the weights before.

    Example:
        >>> stack = nn.Sequential(nn.Conv2d(1, 2, 3, bias=False), nn.BatchNorm2d(2), nn.ReLU()).eval()
        >>> fold_norms(stack)
        >>> [type(layer).__name__ for layer in stack]
        ['Conv2d', 'Identity', 'ReLU']
    """
    for stack in [module for module in network.modules() if isinstance(module, nn.Sequential)]:
        for i in range(len(stack) - 1):
            convolution, norm = stack[i], stack[i + 1]
            if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                stack[i] = nn.utils.fuse_conv_bn_eval(convolution, norm)
                stack[i + 1] = nn.Identity()
