"""What the parts of a network give on the way, kept while it runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.utils.hooks import RemovableHandle


def watch(
    part: nn.Module, name: str, seen: dict[str, Tensor], choose: Callable[[Any], Tensor] = lambda out: out
) -> RemovableHandle:
    """Keep what ``part`` gives under ``name``, or of it what is chosen, at every call until the handle is removed.

    Example:
        >>> import torch
        >>> seen, layer = {}, torch.nn.Identity()
        >>> handle = watch(layer, "first", seen, lambda out: out[:1])
        >>> _ = layer(torch.tensor([3.0, 4.0]))
        >>> handle.remove()
        >>> seen
        {'first': tensor([3.])}
    """

    def keep(module: nn.Module, given: tuple[Any, ...], out: Any) -> None:
        seen[name] = choose(out)

    return part.register_forward_hook(keep)
