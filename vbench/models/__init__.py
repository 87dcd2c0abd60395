"""Models by name. Listing imports nothing heavy; each model is one file or folder."""

from __future__ import annotations

import importlib

from vbench.errors import InputError, nearest
from vbench.models.spec import ModelSpec

CATALOG: dict[str, str] = {
    "identity": "vbench.models.identity:SPEC",
    "lanczos": "vbench.models.identity:LANCZOS",
    "back-projection": "vbench.models.back_projection:SPEC",
    "temporal-median": "vbench.models.temporal_median:SPEC",
    "motion-median": "vbench.models.motion_median:SPEC",
    "hqdn3d": "vbench.models.ffmpeg_filters:HQDN3D",
    "nlmeans": "vbench.models.ffmpeg_filters:NLMEANS",
    "bm3d": "vbench.models.ffmpeg_filters:BM3D",
    "nlmeans-skimage": "vbench.models.skimage_filters:NLMEANS",
    "tv-chambolle": "vbench.models.skimage_filters:TV",
    **{
        name: f"vbench.models.ffmpeg_filters:{name.upper()}"
        for name in (
            "atadenoise",
            "vaguedenoiser",
            "fftdnoiz",
            "dctdnoiz",
            "owdenoise",
            "deblock",
            "deband",
            "deflicker",
            "removegrain",
        )
    },
    "unsharp": "vbench.models.ffmpeg_filters:UNSHARP",
    "richardson-lucy": "vbench.models.richardson_lucy:SPEC",
    "wiener": "vbench.models.wiener:SPEC",
    "steady": "vbench.models.stabilisers:PHASE",
    "vidstab": "vbench.models.stabilisers:VIDSTAB",
    "dncnn-s15": "vbench.models.dncnn:S15",
    "dncnn-s25": "vbench.models.dncnn:S25",
    "dncnn-s50": "vbench.models.dncnn:S50",
    "dncnn-b": "vbench.models.dncnn:BLIND",
    **{f"fastdvdnet-s{sigma}": f"vbench.models.fastdvdnet:S{sigma}" for sigma in (15, 25, 50)},
    **{f"fastdvdnet-clipped-s{sigma}": f"vbench.models.fastdvdnet:CLIPPED_S{sigma}" for sigma in (15, 25, 50)},
    **{f"vnlnet-gray-s{s}": f"vbench.models.vnlnet:GRAY_{s}" for s in (5, 10, 15, 20, 25, 30, 40, 50)},
    **{f"vnlnet-color-s{s}": f"vbench.models.vnlnet:COLOR_{s}" for s in (5, 10, 15, 20, 25, 35, 40)},
    **{f"rfr-dncnn-{mode}-s25": f"vbench.models.rfr:DNCNN_{mode.upper()}_S25" for mode in ("online", "offline")},
    **{
        f"rfr-{net}-{mode}-s{sigma}": f"vbench.models.rfr:{net.upper()}_{mode.upper()}_S{sigma}"
        for net in ("fastdvdnet", "vnlnet")
        for mode in ("online", "offline")
        for sigma in (15, 25, 40)
    },
    "pvdnet-dvd": "vbench.models.pvdnet:DVD",
    "pvdnet-gopro": "vbench.models.pvdnet:GOPRO",
    "pvdnet-large-gopro": "vbench.models.pvdnet:LARGE_GOPRO",
    "cdvd-tsp-dvd": "vbench.models.cdvd_tsp:DVD",
    "cdvd-tsp-dvd-paper": "vbench.models.cdvd_tsp:DVD_PAPER",
    "cdvd-tsp-gopro": "vbench.models.cdvd_tsp:GOPRO",
    "edvr-l-deblur": "vbench.models.edvr:DEBLUR",
    "edvr-l-deblurcomp": "vbench.models.edvr:DEBLUR_COMPRESSED",
    "edvr-m-x4": "vbench.models.edvr:M_X4",
    "edvr-m-x4-wotsa": "vbench.models.edvr:M_X4_WOTSA",
    "edvr-l-x4": "vbench.models.edvr:L_X4",
    "edvr-l-x4-vimeo": "vbench.models.edvr:L_X4_VIMEO",
    "edvr-l-x4-blur": "vbench.models.edvr:L_X4_BLUR",
    "votes-x2-qp28": "vbench.models.votes:REDS_QP28",
    "votes-x2-qp33": "vbench.models.votes:REDS_QP33",
    "votes-x2-wechat": "vbench.models.votes:WECHAT",
    "rtn": "vbench.models.rtn:SPEC",
}


def names() -> tuple[str, ...]:
    """All models: identity first, then the classical filters, the networks, and those of installed packages."""
    from vbench.models.brought import installed

    return tuple(dict.fromkeys((*CATALOG, *sorted(installed()))))


def described() -> tuple[dict[str, ModelSpec], dict[str, str]]:
    """What is known of all models, by name; and of those whose package is broken, why they cannot be loaded."""
    found: dict[str, ModelSpec] = {}
    broken: dict[str, str] = {}
    for name in names():
        try:
            found[name] = spec(name)
        except InputError as error:
            # A package of others is no reason for the rest not to run.
            broken[name] = str(error)
    return found, broken


def spec(name: str) -> ModelSpec:
    """What is known of a model: of the suite, of an installed package, or one that the user brings by this name.

    Raises:
        InputError: no such model; the text names the nearest.

    Example:
        >>> spec("identity").task
        'baseline'
    """
    if name not in CATALOG:
        from vbench.models import brought

        if name in brought.installed():
            return brought.from_package(name)
        found = brought.recognise(name)
        if found is None:
            raise InputError(f'There is no model "{name}". {nearest(name, names(), "vbench models list")}')
        if found.name in names():
            bare = name.removeprefix(f"{found.name}=")
            raise InputError(
                f'"{name}" would be called "{found.name}", as a model of vbench is. Give it another name: LABEL={bare}'
            )
        return found
    module, attribute = CATALOG[name].split(":")
    found = getattr(importlib.import_module(module), attribute)
    assert isinstance(found, ModelSpec)  # noqa: S101 - our own catalogue
    return found
