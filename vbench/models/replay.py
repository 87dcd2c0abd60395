"""Functions of a network, recorded once on a GPU and replayed: what the processor does for each kernel is done once.

A network of many small layers keeps a fast GPU waiting for the processor, which takes some microseconds for each kernel.
A CUDA graph holds all kernels of a call and starts them together. The kernels are the same, and so is what comes out.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

ALIKE = 1e-3
"""Root of the mean square of a replay's difference from the call itself, at most, as a share of that of what it gives."""


def replayed(network: nn.Module, *names: str) -> None:
    """From the third call on, methods of a network replay what they did, on a GPU and without gradients.

    Each is to be a function of the tensors and numbers it is given, in tuples and lists or not, and of the weights; its
    result must not be asked for values on the way. Calls of other shapes, types or precision are recorded each by
    itself. Where one cannot be recorded, or the memory that is left is short, it runs as before. On the CPU nothing
    changes. Weights must stay where they are (they may change in place).

    Args:
        names: of methods, below the network where they hold a dot: ``"merge"``, ``"flow.between"``.

    Example:
        >>> network = nn.Sequential(nn.Conv2d(1, 1, 1))
        >>> replayed(network, "0.forward")
        >>> network(torch.zeros(1, 1, 2, 2)).shape
        torch.Size([1, 1, 2, 2])
    """
    if not all(held.is_cuda for held in (*network.parameters(), *network.buffers())):
        return
    pool = _Pool()
    for name in names:
        place, _, method = name.rpartition(".")
        owner = network.get_submodule(place)
        setattr(owner, method, Replayed(owner, method, pool))


class _Pool:
    """Memory that the recordings of one network share: what a replay needs meanwhile is nobody's behind it."""

    def __init__(self) -> None:
        self.handle: Any = None

    def __deepcopy__(self, memo: dict[int, Any]) -> _Pool:
        made = memo[id(self)] = _Pool()
        return made


class _Recording:
    """One recorded call."""

    def __init__(self, function: Callable[..., Any], given: list[Any], tree: Any, pool: _Pool) -> None:
        if pool.handle is None:
            pool.handle = torch.cuda.graph_pool_handle()
        # Nothing is computed while it is recorded; zeros, so that what is not recorded shows (see `_same`).
        self._given = [torch.zeros_like(x) if isinstance(x, Tensor) else x for x in given]
        self._graph = torch.cuda.CUDAGraph()
        torch.cuda.synchronize()
        with torch.cuda.graph(self._graph, pool=pool.handle):
            out = function(*pytree.tree_unflatten(self._given, tree))
        self._out, self._tree = pytree.tree_flatten(out)

    def __call__(self, given: list[Any]) -> Any:
        for place, x in zip(self._given, given, strict=True):
            if isinstance(x, Tensor):
                place.copy_(x)
        self._graph.replay()
        # The next replay overwrites what this one gave.
        return pytree.tree_unflatten([x.clone() if isinstance(x, Tensor) else x for x in self._out], self._tree)


def _same(one: Any, other: Any) -> bool:
    """Whether a replay gave what the call itself does: libraries may have chosen other kernels, so to their rounding. A
    kernel that was started on another stream is not in a recording."""
    pairs = zip(pytree.tree_leaves(one), pytree.tree_leaves(other), strict=True)
    for a, b in pairs:
        if not isinstance(a, Tensor):
            continue
        scale = float(b.float().norm())
        if not float((a.float() - b.float()).norm()) <= ALIKE * max(scale, 1e-12):
            return False
    return True


class Replayed:
    """A method that is recorded and replayed; see :func:`replayed`."""

    CALLS = 2
    """Calls of a kind before it is recorded: libraries choose their kernels then, and most tiles come once."""
    KINDS = 8
    """Recordings of a method at most."""
    ROOM = 1.2
    """How many times the memory that PyTorch holds must be free."""

    def __init__(self, owner: nn.Module, method: str, pool: _Pool) -> None:
        self._owner = owner
        self._method = method
        self._pool = pool
        self._seen: Counter[Any] = Counter()
        self._recordings: dict[Any, _Recording] = {}
        self._off = False

    def __deepcopy__(self, memo: dict[int, Any]) -> Replayed:
        return Replayed(copy.deepcopy(self._owner, memo), self._method, copy.deepcopy(self._pool, memo))

    def plain(self, *given: Any) -> Any:
        """The method as it is."""
        return getattr(type(self._owner), self._method)(self._owner, *given)

    def __call__(self, *given: Any) -> Any:
        flat, tree = pytree.tree_flatten(given)
        on_gpu = bool(flat) and all(x.is_cuda for x in flat if isinstance(x, Tensor))
        known = all(x is None or isinstance(x, (Tensor, int, float, str)) for x in flat)
        if self._off or not (on_gpu and known) or torch.is_grad_enabled() or torch.cuda.is_current_stream_capturing():
            return self.plain(*given)
        kind = (
            repr(tree),
            tuple((x.shape, x.dtype, x.stride(), x.device) if isinstance(x, Tensor) else x for x in flat),
            torch.is_inference_mode_enabled(),
            torch.get_autocast_dtype("cuda") if torch.is_autocast_enabled("cuda") else None,
        )
        found = self._recordings.get(kind)
        if found is not None:
            return found(flat)
        self._seen[kind] += 1
        if self._seen[kind] <= self.CALLS or len(self._recordings) >= self.KINDS or not self._room():
            return self.plain(*given)
        expected = self.plain(*given)
        try:
            found = _Recording(self.plain, flat, tree, self._pool)
            holds = _same(found(flat), expected)
        except RuntimeError:  # a value was asked for on the way, or memory ran out: it runs as before
            torch.cuda.synchronize()
            holds = False
        if found is not None and holds:
            self._recordings[kind] = found
        else:
            self._off = True
        return expected

    def _room(self) -> bool:
        free, _ = torch.cuda.mem_get_info()
        return free > self.ROOM * torch.cuda.memory_reserved()
