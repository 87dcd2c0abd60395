"""Multiplications with an addition that a network makes of a frame, counted on shapes alone.

The restorer is run on a clip of PyTorch's device "meta", whose tensors have shapes and no values: every operation is called
and none is computed, so that a frame of any size costs no memory and a few seconds. What is counted is what is called, with
all that the restorer shares between windows, repeats in overlaps, or does to train, by the formulas of PyTorch's
FlopCounterMode, halved.

Counted: convolutions, transposed convolutions and their gradients, matrix products, attention, deformable
convolutions (without the interpolation), correlations (matrix products here). Not counted: what is made element by
element, norms, interpolation and warping, the patch search of VNLnet (differences and comparisons).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vbench.workspace import read_json, write_json

if TYPE_CHECKING:
    import torch

    from vbench.models.spec import ModelSpec
    from vbench.restore import ClipMeta, Restorer
    from vbench.workspace import Workspace

STEADY = (8, 9)
"""Lengths of clips that stand for longer ones: as many frames as the network that asks for most takes at least, and more
than any window has, so that what a frame more costs is what every further frame costs."""
STEADY_OF = {"rtn": (20, 30)}
"""But of RTN, which restores parts of 20 frames, each begun ten after the one before, and so most frames twice."""
SHOWN = (1280, 720, 60)
"""Width, height and frames of the clip in colour for which ``vbench models show`` has a figure."""
COUNTED = Path(__file__).parent / "models" / "multiply_adds.json"
"""What each network of the suite does on such a clip, counted once and shipped: RFR takes a minute to count."""


@dataclass(frozen=True)
class Count:
    """Multiply-adds of a clip."""

    total: int
    frames: int

    @property
    def per_frame(self) -> int:
        """Their mean over the frames."""
        return round(self.total / self.frames)


def count(make: Callable[[], Restorer], meta: ClipMeta) -> Count:
    """Multiply-adds of a restorer on a clip like ``meta``, without computing any.

    Where the restorer asks what values are, it is told what holds of a coloured clip: that not all are equal, and that
    some differ; a number is told to be 1.

    Args:
        make: makes the restorer, on the device "meta", where tensors have shapes and no values.

    Example:
        >>> import torch
        >>> from vbench.restore import ClipMeta, Framewise
        >>> make = lambda: Framewise(torch.nn.Conv2d(3, 3, 5, padding=2))
        >>> count(make, ClipMeta(4, 720, 1280, 3, 24.0)).per_frame == 720 * 1280 * 3 * 3 * 5 * 5
        True
    """
    import torch

    frames = 0

    def chunks() -> Iterator[torch.Tensor]:
        for _ in range(meta.frames):
            yield torch.zeros(1, meta.channels, meta.height, meta.width)

    mode = _counting()
    with torch.device("meta"), torch.no_grad():
        restorer = make()
        with mode:
            for out in restorer.restore(chunks(), meta):
                frames += len(out)
    return Count(mode.operations // 2, frames)


def _counting() -> Any:
    """A mode that counts floating-point operations, by PyTorch's formulas, of what is called on tensors without values."""
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils.flop_counter import flop_registry

    formulas = {**flop_registry, **_formulas()}
    aten = torch.ops.aten

    class Counting(TorchDispatchMode):
        def __init__(self) -> None:
            super().__init__()
            self.operations = 0
            self._some: torch.Tensor | None = None

        def __torch_dispatch__(
            self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
        ) -> Any:
            kwargs = dict(kwargs or {})
            if func is aten._local_scalar_dense.default:
                return args[0] is self._some if args[0].dtype == torch.bool else 1
            if kwargs.get("generator") is not None:
                kwargs["generator"] = None  # a generator is of a device that has values
            packet = func.overloadpacket
            out = _same_shape(packet.__name__, args) if not kwargs else None
            if out is None:
                out = func(*args, **kwargs)
            if packet in formulas:
                self.operations += formulas[packet](*args, **kwargs, out_val=out)
            if packet is aten.any:
                self._some = out
            return out

    return Counting()


_ELEMENTWISE = {
    *(
        "add",
        "sub",
        "mul",
        "div",
        "rsub",
        "neg",
        "abs",
        "exp",
        "sqrt",
        "rsqrt",
        "clamp",
        "clamp_min",
        "maximum",
        "minimum",
    ),
    *("relu", "leaky_relu", "gelu", "sigmoid", "tanh", "addcdiv", "addcmul", "lerp", "threshold_backward"),
}


def _same_shape(name: str, args: tuple[Any, ...]) -> torch.Tensor | None:
    """What an operation gives whose shape is plain: elementwise on floating-point tensors of one type, sampling.

    PyTorch finds these shapes in Python, and takes most of the time for it. None of any other operation.
    """
    import torch

    if name == "grid_sampler_2d":
        maps, grid = args[:2]
        return torch.empty(*maps.shape[:2], *grid.shape[1:3], dtype=maps.dtype, device=maps.device)
    if name.rstrip("_") not in _ELEMENTWISE:
        return None
    tensors = [each for each in args if isinstance(each, torch.Tensor)]
    if not all(each.is_floating_point() and each.dtype == tensors[0].dtype for each in tensors):
        return None
    if name.endswith("_"):
        return tensors[0]
    return tensors[0].new_empty(torch.broadcast_shapes(*(each.shape for each in tensors)))


def _formulas() -> dict[Any, Any]:
    """What PyTorch has no formula for: of an operation its floating-point operations, two to a multiply-add."""
    import torch
    import torchvision  # noqa: F401 - registers its operations

    def deformable(frames: torch.Tensor, weight: torch.Tensor, *_: Any, out_val: torch.Tensor, **__: Any) -> int:
        return 2 * out_val.numel() * weight[0].numel()

    return {torch.ops.torchvision.deform_conv2d: deformable}


# --- of the suite's models -----------------------------------------------------------------------


def of_model(spec: ModelSpec, meta: ClipMeta) -> int | None:
    """Multiply-adds per frame of a model, the mean over the clip; None where it is no network of the suite.

    Its weights are not needed. Of a long clip two shorter ones are counted, and what one costs more is what further frames
    cost.
    """
    return None if spec.network is None else _per_frame(_counts(spec, meta), meta.frames)


@dataclass(frozen=True)
class Work:
    """What a network does on a clip of :data:`SHOWN`."""

    version: int
    """Of the model that was counted."""
    multiply_adds: int
    """Per frame."""
    iterations: int | None
    """Steps of training on the whole clip, which are in the multiply-adds; None where there are none."""


def shown(spec: ModelSpec) -> Work | None:
    """What a network does on a clip of :data:`SHOWN`: as shipped, if that is of this version of the model, else counted now.
    None where it is no network of the suite."""
    if spec.network is None:
        return None
    entry = read_json(COUNTED)["models"].get(spec.name)
    if entry is not None and entry["version"] == spec.version:
        return Work(**entry)
    return counted(spec)


def counted(spec: ModelSpec) -> Work | None:
    """The same, counted: up to a minute."""
    from vbench.restore import ClipMeta

    width, height, frames = SHOWN
    meta = ClipMeta(frames, height, width, 3, 24.0, (spec.scales or (1,))[0])
    found = of_model(spec, meta)
    if found is None:
        return None
    return Work(spec.version, found, spec.iterations(meta) if spec.iterations else None)


def _counts(spec: ModelSpec, meta: ClipMeta) -> list[Count]:
    import torch

    from vbench.models.loading import unloaded

    lengths = _lengths(spec, meta)
    with unloaded():
        return [count(lambda: spec.load(torch.device("meta"), None), replace(meta, frames=n)) for n in lengths]


def _lengths(spec: ModelSpec, meta: ClipMeta) -> tuple[int, ...]:
    steady = STEADY_OF.get(spec.name, STEADY)
    return (meta.frames,) if meta.frames < steady[1] else steady


def _per_frame(counts: list[Count], frames: int) -> int:
    first, last = counts[0], counts[-1]
    if first.frames == frames:
        return first.per_frame
    more = (last.total - first.total) / (last.frames - first.frames)
    return round((last.total + (frames - last.frames) * more) / frames)


def costs(spec: ModelSpec, meta: ClipMeta, workspace: Workspace) -> dict[str, int | None]:
    """The fields ``multiply_adds`` and ``iterations`` of a clip's `Cost`.

    Multiply-adds are of whole frames, whatever tiles they are cut into; counted once for a model and a kind of clip, and
    kept in the workspace. If PyTorch cannot run a model on shapes, that is told, and the field is None.
    """
    iterations = spec.iterations(meta) if spec.iterations else None
    if spec.network is None:
        return {"multiply_adds": None, "iterations": iterations}
    kind = f"{meta.width}x{meta.height}x{meta.channels}-{_lengths(spec, meta)[-1]}"
    path = workspace.root / "cache" / "multiply_adds" / f"{spec.name}-{spec.version}" / f"{kind}.json"
    if path.exists():
        counts = [Count(entry["total"], entry["frames"]) for entry in read_json(path)]
        return {"multiply_adds": _per_frame(counts, meta.frames), "iterations": iterations}
    try:
        counts = _counts(spec, meta)
    except Exception as error:  # of PyTorch's inner workings; the clip is restored all the same
        print(f"{spec.name}: multiply-adds are not counted: {type(error).__name__}: {error}", file=sys.stderr)
        return {"multiply_adds": None, "iterations": iterations}
    write_json(path, [asdict(one) for one in counts])
    return {"multiply_adds": _per_frame(counts, meta.frames), "iterations": iterations}
