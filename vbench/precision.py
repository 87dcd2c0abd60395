"""Networks in fewer bits: bfloat16 or half precision around the network, and how far its output moves by that."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

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
        self._restorer = restorer
        self._kind = _KINDS[precision]
        self._device = device.split(":", maxsplit=1)[0]

    def restore(self, chunks: Iterator[Tensor], meta: ClipMeta) -> Iterator[Tensor]:
        coming = iter(self._restorer.restore(chunks, meta))
        while True:
            # Not across a yield: the mode would be the caller's then.
            with torch.autocast(self._device, self._kind):
                out = next(coming, None)
            if out is None:
                return
            yield out.float()


def in_precision(restorer: Restorer, precision: str, device: str) -> Restorer:
    """``restorer`` with its network in ``precision``: convolutions and products of matrices are computed in it, by
    PyTorch's autocast; weights, what is added up and what comes out stay in float32."""
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
