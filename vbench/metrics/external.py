"""Metrics of other libraries as columns: ``pyiqa:<name>``, ``torchmetrics:<name>``, ``piq:<name>``. Imported when asked for."""

from __future__ import annotations

import dataclasses
import importlib.util
import io
import math
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

from vbench.errors import InputError, MissingAsset, VbenchError, nearest
from vbench.metrics.spec import Chunk, Figures, Metric, View, figures_of, on_255

if TYPE_CHECKING:
    from torch import Tensor

    from vbench.clip import ClipInfo

LIBRARIES = {
    "pyiqa": ("pyiqa", "PolyForm Noncommercial 1.0.0 with parts under S-Lab License 1.0"),
    "torchmetrics": ("torchmetrics", "Apache-2.0"),
    "piq": ("piq", "Apache-2.0"),
}
TORCHMETRICS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "psnr": ("peak_signal_noise_ratio", "higher", {"data_range": 1.0}),
    "ssim": ("structural_similarity_index_measure", "higher", {"data_range": 1.0}),
    "ms_ssim": ("multiscale_structural_similarity_index_measure", "higher", {"data_range": 1.0}),
    "uqi": ("universal_image_quality_index", "higher", {}),
    "vif": ("visual_information_fidelity", "higher", {}),
    "scc": ("spatial_correlation_coefficient", "higher", {}),
    "sam": ("spectral_angle_mapper", "lower", {}),
    "ergas": ("error_relative_global_dimensionless_synthesis", "lower", {}),
    "rase": ("relative_average_spectral_error", "lower", {}),
    "rmse_sw": ("root_mean_squared_error_using_sliding_window", "lower", {}),
}
"""Functions of torchmetrics that compare two pictures: name, direction, arguments."""


_LOADERS = ("pyiqa.utils.download_util",)
"""Modules of other libraries that fetch files."""


def load(library: str, name: str) -> Metric:
    """A metric of another library.

    Raises:
        MissingAsset: the library is not installed.
        InputError: it has no metric of this name; the text names the nearest.
    """
    package, licence = LIBRARIES[library]
    if importlib.util.find_spec(package) is None:
        raise MissingAsset(
            f"{library}:{name} needs the package {package} ({licence}), which is not installed: pip install {package}."
        )
    from importlib.metadata import version

    found = {"pyiqa": _pyiqa, "torchmetrics": _torchmetrics, "piq": _piq}[library](name, licence, version(package))
    assert found.measure is not None  # noqa: S101 - of all three
    return dataclasses.replace(
        found, measure=partial(_in_words, found.name, found.measure), check=partial(_check, found.check, found.name)
    )


TRIED = 256
"""What a library refuses it refuses by size or channels, and no size above this (pixels of a side) is known to be refused."""


def _check(prepared: Callable[[ClipInfo], None], name: str, info: ClipInfo) -> None:
    """Libraries do not tell what sizes they take: one frame of noise is tried, before a clip is begun."""
    prepared(info)
    refused = _refusal(name, min(info.height, TRIED), min(info.width, TRIED), info.channels)
    if refused:
        kind = "gray" if info.channels == 1 else "colour"
        raise InputError(f"{name} cannot be measured on {kind} frames of {info.width} x {info.height}: {refused}")


@lru_cache(maxsize=64)
def _refusal(name: str, height: int, width: int, channels: int) -> str | None:
    import torch

    noise = torch.rand(2, 1, channels, height, width, generator=torch.Generator().manual_seed(0))
    try:
        figures_of(load(*name.split(":", maxsplit=1)), View(Chunk(noise[0]), Chunk(noise[1])))
    except MissingAsset:
        raise
    except InputError as error:
        return str(error.__cause__ or error).rstrip(".") + "."
    return None


def _in_words(name: str, measure: Callable[[View], Figures | list[float]], view: View) -> Figures | list[float]:
    try:
        return measure(view)
    except VbenchError:
        raise
    except Exception as error:  # whatever a library raises for frames that it does not take
        raise InputError(
            f"{name} cannot be measured on frames {view.restored.start} to {view.restored.start + len(view.restored) - 1}: "
            f"{str(error) or type(error).__name__}"
        ) from error


PIQ: dict[str, tuple[str, str, bool, dict[str, Any]]] = {
    "ssim": ("ssim", "higher", True, {"downsample": False}),
    "ms_ssim": ("multi_scale_ssim", "higher", True, {}),
    "vif_p": ("vif_p", "higher", True, {}),
    "fsim": ("fsim", "higher", True, {}),
    "gmsd": ("gmsd", "lower", True, {}),
    "mdsi": ("mdsi", "lower", True, {}),
    "vsi": ("vsi", "higher", True, {}),
    "haarpsi": ("haarpsi", "higher", True, {}),
    "srsim": ("srsim", "higher", True, {}),
    "dists": ("DISTS", "lower", True, {}),
    "brisque": ("brisque", "lower", False, {}),
}
"""Functions of piq, and DISTS, a class: name, direction, whether it compares, arguments. "brisque" is what RTN reports."""


def _piq(name: str, licence: str, release: str) -> Metric:
    if name not in PIQ:
        raise InputError(f'piq has no metric "{name}" here. {nearest(name, PIQ)}')
    function, direction, compares, arguments = PIQ[name]

    def check(info: ClipInfo) -> None:
        if name in ("dists", "brisque"):
            _piq_function(name)

    return Metric(
        name=f"piq:{name}",
        version=1,
        unit="",
        direction="higher" if direction == "higher" else "lower",
        convention=f"piq's {function} of single frames, RGB in [0, 1], float32",
        source=f"piq {release}",
        options={"package": f"piq {release}", **arguments},
        measure=partial(_measure_piq, name),
        needs=frozenset({"truth"} if compares else set()),
        check=check,
        values="as piq has it",
        licence=licence,
    )


@lru_cache(maxsize=8)
def _piq_function(name: str) -> Any:
    """The function; of those with weights, tried once."""
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import piq

        function, _, _, arguments = PIQ[name]
        try:
            with _nothing_is_fetched(f"piq:{name}"):
                if function == "DISTS":
                    return piq.DISTS()
                if name == "brisque":
                    piq.brisque(torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)))
                return partial(getattr(piq, function), **arguments)
        except MissingAsset:
            raise
        except Exception as error:  # whatever its loaders raise: no network, no file
            raise MissingAsset(
                f"piq:{name} cannot be made here ({type(error).__name__}: {error}). Its weights are looked for where PyTorch keeps "
                "files; TORCH_HOME names another place."
            ) from error


@contextmanager
def _nothing_is_fetched(metric: str) -> Iterator[None]:
    """Let a library that fetches its weights by itself use those that are here, and no others: nothing is fetched unasked."""
    import torch

    # Libraries also hold the function by a name of their own.
    holders = [torch.hub, *(m for name in _LOADERS if (m := sys.modules.get(name)) is not None)]
    real = torch.hub.download_url_to_file

    def refuse(url: str, dst: str, *rest: object, **more: object) -> None:
        raise MissingAsset(
            f"{metric} needs a file that is not on this machine, and nothing is fetched unasked. Get it from {url} and put it at "
            f'"{dst}" (TORCH_HOME names another folder).'
        )

    for holder in holders:
        holder.download_url_to_file = refuse  # type: ignore[attr-defined]
    try:
        with redirect_stdout(io.StringIO()):  # where they tell what they are about to fetch
            yield
    finally:
        for holder in holders:
            holder.download_url_to_file = real  # type: ignore[attr-defined]


def _measure_piq(name: str, view: View) -> list[float]:
    import torch

    function = _piq_function(name)
    frames = _floats(view.restored.frames).expand(-1, 3, -1, -1)
    with torch.inference_mode():
        if not PIQ[name][2]:
            # Of a frame without any variation BRISQUE is not defined, and piq stops there.
            return [float(function(a[None])) if bool(a.max() > a.min()) else math.nan for a in frames]
        truth = _floats(view.reference().frames).expand(-1, 3, -1, -1)
        return [float(function(a[None], b[None])) for a, b in zip(frames, truth, strict=True)]


def _torchmetrics(name: str, licence: str, release: str) -> Metric:
    if name not in TORCHMETRICS:
        raise InputError(f'torchmetrics has no picture metric "{name}" here. {nearest(name, TORCHMETRICS)}')
    function, direction, arguments = TORCHMETRICS[name]
    return Metric(
        name=f"torchmetrics:{name}",
        version=1,
        unit="",
        direction="higher" if direction == "higher" else "lower",
        convention=f"torchmetrics.functional.image.{function} of single frames, RGB in [0, 1], float32",
        source=f"torchmetrics {release}",
        options={"package": f"torchmetrics {release}", **arguments},
        measure=partial(_measure_torchmetrics, function, arguments),
        licence=licence,
    )


def _measure_torchmetrics(function: str, arguments: dict[str, Any], view: View) -> list[float]:
    from torchmetrics.functional import image

    measure = getattr(image, function)
    pairs = zip(_floats(view.restored.frames), _floats(view.reference().frames), strict=True)
    return [float(measure(a[None], b[None], **arguments)) for a, b in pairs]


def _floats(frames: Tensor) -> Tensor:
    return (on_255(frames) / 255.0).float()


@lru_cache(maxsize=8)
def _pyiqa_model(name: str, device: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pyiqa

        try:
            with _nothing_is_fetched(f"pyiqa:{name}"):
                return pyiqa.create_metric(name, device=device)
        except MissingAsset:
            raise
        except Exception as error:  # whatever its loaders raise: no network, no file, nothing said
            said = next(iter(str(error).splitlines()), "")[:200]
            raise MissingAsset(
                f"pyiqa:{name} cannot be made here ({type(error).__name__}: {said}). Its weights are looked for where PyTorch "
                "keeps files; TORCH_HOME names another place."
            ) from error


def _pyiqa(name: str, licence: str, release: str) -> Metric:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pyiqa.default_model_configs import DEFAULT_CONFIGS

    if name not in DEFAULT_CONFIGS:
        raise InputError(f'pyiqa has no metric "{name}". {nearest(name, DEFAULT_CONFIGS)}')
    facts = DEFAULT_CONFIGS[name]
    reference = facts["metric_mode"] == "FR"

    def check(info: ClipInfo) -> None:
        _pyiqa_model(name, "cpu")

    return Metric(
        name=f"pyiqa:{name}",
        version=1,
        unit="",
        direction="lower" if facts.get("lower_better") else "higher",
        convention=f"pyiqa's {name} of single frames, RGB in [0, 1], as pyiqa sets it up",
        source=f"pyiqa {release}",
        options={"package": f"pyiqa {release}"},
        measure=partial(_measure_pyiqa, name, reference),
        needs=frozenset({"truth"} if reference else set()),
        check=check,
        values=str(facts.get("score_range", "")).strip(),
        licence=licence,
    )


def _measure_pyiqa(name: str, reference: bool, view: View) -> list[float]:
    import torch

    frames = _floats(view.restored.frames).expand(-1, 3, -1, -1)
    model = _pyiqa_model(name, str(frames.device))
    with torch.inference_mode():
        if not reference:
            return [float(model(a[None])) for a in frames]
        truth = _floats(view.reference().frames).expand(-1, 3, -1, -1)
        return [float(model(a[None], b[None])) for a, b in zip(frames, truth, strict=True)]
