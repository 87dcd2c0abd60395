"""Networks in fewer bits: bfloat16 or half precision around the network, and how far its output moves by that."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from vbench.devices import out_of_memory
from vbench.errors import UsageError, nearest
from vbench.models.spec import PRECISIONS, Tiles
from vbench.restore import ClipMeta, Restorer
from vbench.tiling import Tile, Waiting, restored

_KINDS = {"bf16": torch.bfloat16, "fp16": torch.float16}


def check(precision: str, device: str) -> str:
    """``precision``, if this device computes in it.

    Raises:
        UsageError: there is no such precision, or the device does not have it.

    Example:
        >>> check("fp32", "cpu")
        'fp32'
    """
    if precision not in PRECISIONS:
        raise UsageError(f"--precision {precision}: fp32, bf16 or fp16 is expected. {nearest(precision, PRECISIONS)}")
    if precision == "fp32":
        return precision
    if device.startswith("cuda"):
        if precision == "bf16" and not torch.cuda.is_bf16_supported(including_emulation=False):
            raise UsageError(
                f"--precision bf16: {torch.cuda.get_device_name(device)} does not compute in bfloat16 (NVIDIA GPUs from "
                "Ampere on do). Take fp16 or fp32."
            )
        return precision
    try:
        with torch.inference_mode(), torch.autocast("cpu", _KINDS[precision]):
            torch.nn.Conv2d(2, 2, 3)(torch.zeros(1, 2, 4, 4))
    except RuntimeError as error:
        raise UsageError(
            f"--precision {precision}: PyTorch {torch.__version__} does not compute in it on this CPU "
            f"({str(error).splitlines()[0]}). Take bf16, fp32, or a GPU."
        ) from error
    return precision


class _Fewer:
    def __init__(self, restorer: Restorer, precision: str, device: str) -> None:
        self._kind = _KINDS[precision]
        self._device = device.split(":", maxsplit=1)[0]
        self._restorer = _cast(restorer, self._kind) if self._device == "cuda" else restorer
        # Weights that are cast already are not held, which a recorded call (`vbench.models.replay`) could not follow.
        self._recast = self._restorer is not restorer

    def restore(self, chunks: Iterator[Tensor], meta: ClipMeta) -> Iterator[Tensor]:
        coming = iter(self._restorer.restore(chunks, meta))
        while True:
            # Not across a yield: the mode would be the caller's then.
            with torch.autocast(self._device, self._kind, cache_enabled=not self._recast):
                out = next(coming, None)
            if out is None:
                return
            yield out.float()


def _cast(restorer: Restorer, kind: torch.dtype) -> Restorer:
    """A copy of a restorer of ours whose network holds the weights as autocast would cast them for each call, and in the
    order in which a GPU computes in fewer bits; any other restorer as it is."""
    inner: Any = restorer
    while hasattr(inner, "_restorer"):
        inner = inner._restorer
    if not isinstance(getattr(inner, "_network", None), nn.Module):
        return restorer
    made: Any = copy.deepcopy(restorer)
    inner = made
    while hasattr(inner, "_restorer"):
        inner = inner._restorer
    for module in inner._network.modules():
        # Where they are used, autocast casts them just so.
        if type(module) in (nn.Conv2d, nn.ConvTranspose2d, nn.Linear):
            module.to(kind)
    if getattr(inner._network, "scale", 1) == 1:
        # Enlarging networks shuffle most of what they make into the other order, and get slower (EDVR M x4 by a quarter).
        inner._network.to(memory_format=torch.channels_last)
    out: Restorer = made
    return out


def in_precision(restorer: Restorer, precision: str, device: str) -> Restorer:
    """``restorer`` with its network in ``precision``: convolutions and products of matrices are computed in it, by
    PyTorch's autocast; what is added up and what comes out stay in float32, and so do the weights, of which on a GPU a copy
    is cast once for all clips."""
    return restorer if precision == "fp32" else _Fewer(restorer, precision, device)


class Difference:
    """How far frames are from others, added up over a clip: both ``(t, C, H, W)``, clipped to [0, 1] first.

    Example:
        >>> apart = Difference()
        >>> apart.add(torch.zeros(1, 1, 2, 2), torch.full((1, 1, 2, 2), 0.1))
        >>> round(apart.psnr, 2), round(apart.levels, 1), apart.frames
        (20.0, 25.5, 1)
    """

    def __init__(self) -> None:
        self.frames = 0
        self.levels = 0.0
        """The largest difference, in grey levels of 8 bits, not rounded."""
        self._squares = 0.0
        self._values = 0

    def add(self, own: Tensor, other: Tensor) -> None:
        """Further frames."""
        apart = own.cpu().double().clamp(0, 1).sub_(other.cpu().double().clamp(0, 1)).abs_()
        self.frames += len(own)
        self.levels = max(self.levels, 255 * float(apart.max()))
        self._squares += float(apart.square_().sum())
        self._values += apart.numel()

    @property
    def psnr(self) -> float:
        """Of one against the other over all values, in dB, with a peak of 1; infinite where they are equal."""
        return 10 * math.log10(self._values / self._squares) if self._squares else math.inf


def difference(
    full: Restorer,
    fewer: Restorer,
    opened: Callable[[], Iterator[Tensor]],
    meta: ClipMeta,
    device: str,
    tile: Tile | None,
    rule: Tiles | None,
    waiting: Path,
) -> Difference | str:
    """How far frames restored in fewer bits are from those in fp32, or in words why that is not known.

    Args:
        full, fewer: the same model.
        opened: gives the first frames of a clip, one by one, whenever it is called; they are restored as a clip of their
            own.
        meta: that clip's; it may have more frames.
        device, tile, rule: see :func:`vbench.tiling.restored`.
        waiting: a file that is made for frames that wait, and removed.
    """
    count = sum(len(frames) for frames in opened())
    short = replace(meta, frames=count)

    def frames(by: Restorer) -> Iterator[Tensor]:
        passes = waiting.with_name(f"{waiting.name}-passes")
        for out in restored(by, opened, short, device, tile, rule, passes):
            yield from out.split(1)

    apart = Difference()
    try:
        with torch.inference_mode(), Waiting(waiting, [(meta.channels, *meta.size)]) as store:
            for frame in frames(full):
                store.add(frame.cpu().numpy())
            for t, frame in enumerate(frames(fewer)):
                apart.add(frame, torch.from_numpy(store.read(0, t, count).copy()))
    except Exception as error:
        if not out_of_memory(error):
            raise
        return f"not measured: fp32 needs more memory than {device} has, in what was enough for fewer bits"
    return apart
