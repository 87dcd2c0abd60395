"""Metrics by name. Listing imports nothing heavy; each family is one file.

A name may carry options in brackets, which make it another convention with a name of its own: ``psnr[y,crop=4]``,
``niqe[basicsr-y]``, ``warp_error[input]``. ``pyiqa:<name>`` and ``torchmetrics:<name>`` are metrics of those libraries.
"""

from __future__ import annotations

import dataclasses
import importlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from vbench.errors import InputError, UsageError, nearest
from vbench.metrics.spec import DAMAGE_KINDS, Metric


@dataclass(frozen=True)
class Entry:
    """Where a metric is made, and which options its name takes."""

    make: str
    """``module:function``, or of a metric without options ``module:CONSTANT``."""
    what: str
    options: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Argument of the function, and the values that it takes; "#" stands for a whole number."""
    fixed: tuple[str, ...] = ()
    """Arguments that come first and always."""


_COLOURS = ("rgb", "y", "luma", "pil-l", "tecogan")
_FLOW = ("flow", ("dis", "raft", "exact"))
_SOURCE = ("source", ("truth", "input"))
_KIND = ("kind", ("any", *DAMAGE_KINDS))

CATALOG: dict[str, Entry] = {
    "psnr": Entry(
        "vbench.metrics.psnr:make",
        "peak signal-to-noise ratio",
        (("colour", _COLOURS), ("crop", ("#",)), ("average", ("frames", "pooled")), ("form", ("plain", "basicsr-pt"))),
    ),
    "ssim": Entry(
        "vbench.metrics.ssim:make",
        "structural similarity",
        (("colour", _COLOURS), ("crop", ("#",)), ("window", ("gaussian11", "uniform7", "uniform21", "ffmpeg"))),
    ),
    "psnr_aligned": Entry(
        "vbench.metrics.aligned:make", "PSNR after brightness and shift were matched", (("crop", ("#",)),), ("psnr",)
    ),
    "ssim_aligned": Entry(
        "vbench.metrics.aligned:make", "SSIM after brightness and shift were matched", (("crop", ("#",)),), ("ssim",)
    ),
    "alignment_shift": Entry(
        "vbench.metrics.aligned:make", "length of the shift that alignment found", (("crop", ("#",)),), ("shift",)
    ),
    "ms_ssim": Entry(
        "vbench.metrics.ms_ssim:make",
        "structural similarity over five scales",
        (("colour", ("luma", "rgb", "y", "gray")), ("form", ("product", "sum"))),
    ),
    "lpips": Entry(
        "vbench.metrics.lpips:make", "perceptual distance by a network's features", (("net", ("alex", "vgg")),)
    ),
    "dists": Entry(
        "vbench.metrics.dists:make", "structure and texture by a network's features", (("size", ("whole", "small")),)
    ),
    "vmaf": Entry("vbench.metrics.vmaf:make", "video quality as viewers judged it", (), ("vmaf",)),
    "vmaf_neg": Entry("vbench.metrics.vmaf:make", "VMAF that does not reward enhancement", (), ("vmaf_neg",)),
    "niqe": Entry(
        "vbench.metrics.niqe:make",
        "distance from pristine photographs' statistics",
        (("form", ("live", "basicsr-y", "skvideo")),),
    ),
    "brisque": Entry("vbench.metrics.brisque:METRIC", "damage as viewers judged it, from statistics"),
    "niqe_gt": Entry("vbench.metrics.niqe_gt:METRIC", "distance from the ground truth's own statistics"),
    "warp_error": Entry(
        "vbench.metrics.warp_error:make",
        "flicker along motion, between neighbours",
        (_FLOW, _SOURCE, ("direction", ("forward", "backward")), ("kind", ("square", "absolute"))),
        ("short",),
    ),
    "warp_error_long": Entry(
        "vbench.metrics.warp_error:make",
        "drift along motion, against the first frame",
        (("flow", ("dis", "raft")), _SOURCE, ("kind", ("square", "absolute"))),
        ("long",),
    ),
    "warp_error_ratio": Entry(
        "vbench.metrics.warp_error:make", "warp error against the ground truth's own", (_FLOW,), ("ratio",)
    ),
    "l_st": Entry("vbench.metrics.warp_error:make", "short-term loss as a plain sum", (_FLOW, _SOURCE), ("l_st",)),
    "tof": Entry("vbench.metrics.tof:make", "difference of optical flow", (("crop", ("tecogan", "none")),)),
    "tlp": Entry("vbench.metrics.lpips:TLP", "difference of perceptual change"),
    "flicker": Entry(
        "vbench.metrics.flicker:make",
        "restlessness of mean brightness",
        (("form", ("second", "first", "deviation", "generation")),),
    ),
    "colour_shift": Entry("vbench.metrics.colour_shift:METRIC", "tint or brightness of the whole frame that is off"),
    "gain_shift": Entry("vbench.metrics.colour_shift:GAIN", "contrast of the whole frame that is off"),
    "psnr_damaged": Entry("vbench.metrics.damage:make", "PSNR inside the damage", (_KIND,), ("damaged",)),
    "psnr_intact": Entry("vbench.metrics.damage:make", "PSNR outside the damage: harm", (), ("intact",)),
    "damage_left": Entry("vbench.metrics.damage:make", "share of the damage that is left", (_KIND,), ("left",)),
}


def names() -> tuple[str, ...]:
    """All metrics of our own, without options, in the order of the tables.

    Example:
        >>> names()[:3]
        ('psnr', 'ssim', 'psnr_aligned')
    """
    return tuple(CATALOG)


def load(name: str) -> Metric:
    """The metric of this name, with the options that it carries.

    Raises:
        InputError: no such metric or option; the text names the nearest.
        MissingAsset: the package that it needs is not installed.

    Example:
        >>> load("psnr[crop=4,y]").name
        'psnr[y,crop=4]'
    """
    library, _, rest = name.partition(":")
    if rest:
        from vbench.metrics import external

        if library not in external.LIBRARIES:
            raise InputError(f'There is no library "{library}" for "{name}". {nearest(library, external.LIBRARIES)}')
        return external.load(library, rest)
    match = re.fullmatch(r"([a-z0-9_]+)(?:\[([^\[\]]*)\])?", name)
    base = match[1] if match else name
    if match is None or base not in CATALOG:
        raise InputError(f'There is no metric "{name}". {nearest(base, CATALOG)}')
    entry = CATALOG[base]
    arguments = _arguments(base, entry, match[2] or "")
    module, attribute = entry.make.split(":")
    found = getattr(importlib.import_module(module), attribute)
    metric = found if isinstance(found, Metric) else found(*entry.fixed, **arguments)
    assert isinstance(metric, Metric)  # noqa: S101 - our own catalogue
    return dataclasses.replace(metric, name=_canonical(base, entry, arguments))


def lacking(name: str) -> InputError | None:
    """Why a metric cannot be measured on this machine, whatever the clip; None where it can."""
    from vbench.clip import ClipInfo

    try:
        load(name).check(ClipInfo("a clip", 100, 1080, 1920, 3, 24.0, 8, "", ""))
    except InputError as error:
        return error
    return None


def _arguments(base: str, entry: Entry, text: str) -> dict[str, Any]:
    """What stands in the brackets, as arguments: ``y,crop=4``."""
    out: dict[str, Any] = {}
    for item in (part.strip() for part in text.split(",")):
        if not item:
            continue
        key, equals, value = item.partition("=")
        if equals:
            taken = [k for k, values in entry.options if k == key and _takes(values, value)]
        else:
            value = item
            taken = [k for k, values in entry.options if item in values]
        if not taken:
            known = ", ".join(shown(k, values) for k, values in entry.options) or "none"
            raise InputError(f'"{base}" has no option "{item}". It takes: {known}.')
        given = int(value) if value.isdecimal() else value
        if out.setdefault(taken[0], given) != given:
            raise InputError(
                f'"{base}[{text}]" says two things of one option, "{out[taken[0]]}" and "{given}". It takes one of: '
                f"{shown(taken[0], dict(entry.options)[taken[0]])}."
            )
    return out


def _takes(values: tuple[str, ...], value: str) -> bool:
    return value in values or ("#" in values and value.isdecimal() and len(value) <= 4)


def shown(key: str, values: tuple[str, ...]) -> str:
    """An option as it is typed: its values, or ``crop=N``."""
    return f"{key}=N" if values == ("#",) else " | ".join(values)


def _canonical(base: str, entry: Entry, arguments: dict[str, Any]) -> str:
    """The name with its options in their order, without those that are the usual ones."""
    shown = []
    for key, values in entry.options:
        value = arguments.get(key)
        if value is None or value in (values[0], _USUAL.get((base, key), _NOTHING)):
            continue
        shown.append(f"{key}={value}" if isinstance(value, int) else str(value))
    return f"{base}[{','.join(shown)}]" if shown else base


_NOTHING = object()
_USUAL: dict[tuple[str, str], Any] = {
    ("psnr", "crop"): 0,
    ("ssim", "crop"): 0,
    **{(name, "crop"): 16 for name in ("psnr_aligned", "ssim_aligned", "alignment_shift")},
}


def load_all(wanted: Iterable[str]) -> list[Metric]:
    """Several metrics, each once, in the order asked for; "all" stands for every one of our own, and ``damage_left[*]``
    for that metric on each kind of damage.

    Example:
        >>> [m.name for m in load_all(["psnr", "psnr_damaged[*]"])][:3]
        ['psnr', 'psnr_damaged[dirt]', 'psnr_damaged[scratch]']
    """
    out: dict[str, Metric] = {}
    for name in wanted:
        for one in names() if name == "all" else _kinds(name):
            metric = load(one)
            out.setdefault(metric.name, metric)
    return list(out.values())


def _kinds(name: str) -> tuple[str, ...]:
    """The names that one with ``[*]`` stands for."""
    base, star, _ = name.partition("[*]")
    if not star or base not in CATALOG:
        return (name,)
    if _KIND not in CATALOG[base].options:
        raise InputError(f'"{base}" is not measured by kind of damage, so "{name}" stands for nothing.')
    return tuple(f"{base}[{kind}]" for kind in DAMAGE_KINDS)


def split_names(text: str) -> list[str]:
    """Names separated by commas, of which those in brackets belong to their name.

    Raises:
        UsageError: there is no name, or a bracket without its fellow.

    Example:
        >>> split_names("psnr[y,crop=4], ssim")
        ['psnr[y,crop=4]', 'ssim']
    """
    parts = [part.strip() for part in re.split(r",(?![^\[\]]*\])", text)]
    for part in parts:
        if re.fullmatch(r"[^\[\]]*(?:\[[^\[\]]*\])?", part) is None:
            raise UsageError(f'In "{part}" a bracket stands alone. Options are given as in "psnr[y,crop=4]".')
    names = [part for part in parts if part]
    if not names:
        raise UsageError("No metric was named. Name some, or leave the option out for those of the protocol.")
    return names
