"""Kinds of damage by name. A recipe names a kind; only this table knows where its code is."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from degradations.base import Degradation

KINDS: dict[str, str] = {
    "monochrome": "degradations.film.tone:Monochrome",
    "fading": "degradations.film.tone:Fading",
    "dupe": "degradations.film.tone:Dupe",
    "softness": "degradations.film.softness:Softness",
    "vignette": "degradations.film.lamp:Vignette",
    "flicker": "degradations.film.lamp:Flicker",
    "gate": "degradations.film.gate:Gate",
    "stains": "degradations.film.stains:Stains",
    "cracks": "degradations.film.cracks:Cracks",
    "splices": "degradations.film.splices:Splices",
    "grain": "degradations.film.grain:Grain",
    "dirt": "degradations.film.dirt:Dirt",
    "hairs": "degradations.film.hairs:Hairs",
    "scratches": "degradations.film.scratches:Scratches",
    "weave": "degradations.film.weave:Weave",
    "rtn": "degradations.film.rtn:Rtn",
    "codec": "degradations.codec.quantiser:Codec",
    "rate": "degradations.codec.rate:Rate",
    "packet-loss": "degradations.codec.loss:PacketLoss",
    "jpeg": "degradations.codec.jpeg:Jpeg",
    "frame-rate": "degradations.framerate:FrameRate",
    "resize": "degradations.platform:Resize",
    "sharpen": "degradations.platform:Sharpen",
    "albumentations": "degradations.spatial:Albumentations",
    "spatial": "degradations.spatial:Spatial",
    "gaussian-blur": "degradations.blur:GaussianBlur",
    "defocus": "degradations.blur:Defocus",
    "camera-shake": "degradations.blur:CameraShake",
    "downscale": "degradations.resample:Downscale",
    "shrink": "degradations.resample:Shrink",
    "blur-decimate": "degradations.resample:BlurDecimate",
    "exposure-blur": "degradations.blur:ExposureBlur",
    "anisotropic-blur": "degradations.blur:AnisotropicBlur",
    "rolling-shutter": "degradations.blur:RollingShutter",
    "interlace": "degradations.vhs:Interlace",
    "tape": "degradations.vhs:Tape",
    "deinterlace": "degradations.vhs:Deinterlace",
    "gaussian-noise": "degradations.noise:GaussianNoise",
    "camera-noise": "degradations.noise:CameraNoise",
    "speckle": "degradations.noise:Speckle",
    "salt-pepper": "degradations.noise:SaltPepper",
    "vnlnet-noise": "degradations.noise:VnlnetNoise",
    "raw-noise": "degradations.raw:RawNoise",
    "second-order": "degradations.realworld.chain:SecondOrder",
    "nothing": "degradations.nothing:Nothing",
}


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint that names the nearest known name, or lists them all.

    Example:
        >>> nearest("dirtt", ["dirt", "grain"])
        'Did you mean "dirt"?'
    """
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1)
    return f'Did you mean "{close[0]}"?' if close else f"Known: {', '.join(names)}."


def load(kind: str) -> type[Degradation]:
    """The class of a kind.

    Raises:
        ValueError: no such kind; the text names the nearest.

    Example:
        >>> load("speckle").kind
        'speckle'
    """
    if kind not in KINDS:
        raise ValueError(f'There is no kind of damage called "{kind}". {nearest(kind, KINDS)}')
    module, attribute = KINDS[kind].split(":")
    found: type[Degradation] = getattr(importlib.import_module(module), attribute)
    return found
