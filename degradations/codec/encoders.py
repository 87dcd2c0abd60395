"""FFmpeg's encoders: their names, scales and presets, and how each is told a structure of frames."""

from __future__ import annotations

from typing import Any, Literal

from degradations.codec.pictures import SCALER, Geometry, Matrix

Name = Literal["h264", "hevc", "vp9", "av1", "vvc", "mpeg2", "mpeg4", "mjpeg"]
Structure = Literal["intra", "ippp", "ibbp", "hierarchical"]

ENCODERS: dict[str, str] = {
    "h264": "libx264",
    "hevc": "libx265",
    "vp9": "libvpx-vp9",
    "av1": "libsvtav1",
    "vvc": "libvvenc",
    "mpeg2": "mpeg2video",
    "mpeg4": "mpeg4",
    "mjpeg": "mjpeg",
}

SCALES: dict[str, tuple[int, int]] = {
    "h264": (0, 51),
    "hevc": (0, 51),
    "vp9": (0, 63),
    "av1": (0, 63),
    "vvc": (0, 63),
    "mpeg2": (1, 31),
    "mpeg4": (1, 31),
    "mjpeg": (1, 31),
}
"""Range of the quantisation parameter by codec."""

_X26X = ("ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow", "placebo")

PRESETS: dict[str, tuple[str, tuple[str, ...], str]] = {
    "h264": ("preset", _X26X, "medium"),
    "hevc": ("preset", _X26X, "medium"),
    "vp9": ("cpu-used", tuple(str(n) for n in range(9)), "4"),
    "av1": ("preset", tuple(str(n) for n in range(14)), "10"),
    "vvc": ("preset", ("faster", "fast", "medium", "slow", "slower"), "faster"),
}
"""By codec: the option that trades speed for size, its values from fast to slow or by number, and ours."""

STRUCTURES: dict[str, tuple[Structure, ...]] = {
    "h264": ("intra", "ippp", "ibbp", "hierarchical"),
    "hevc": ("intra", "ippp", "ibbp", "hierarchical"),
    "vp9": ("intra", "ippp", "hierarchical"),
    "av1": ("intra", "ippp", "hierarchical"),
    "vvc": ("intra", "hierarchical"),
    "mpeg2": ("intra", "ippp", "ibbp"),
    "mpeg4": ("intra", "ippp", "ibbp"),
    "mjpeg": (),
}

_NEVER = 1_000_000_000
"""A threshold that no scene change reaches."""


def preset_option(codec: str, preset: str | None) -> dict[str, Any]:
    """The option that sets the speed, where the encoder has one."""
    if codec not in PRESETS:
        return {}
    name, _, ours = PRESETS[codec]
    return {name: ours if preset is None else preset}


def check_preset(codec: str, preset: str | None) -> None:
    """Raise ValueError where the encoder has no such preset."""
    if preset is None:
        return
    if codec not in PRESETS:
        raise ValueError(f"preset {preset!r}: the encoder of {codec} has no presets")
    known = PRESETS[codec][1]
    if preset not in known:
        raise ValueError(f"preset {preset!r} is none of {codec}, which has {', '.join(known)}")


def check_structure(codec: str, structure: Structure | None, gop: int | None, bframes: int | None) -> None:
    """Raise ValueError where the encoder cannot be told such a structure, or something is missing or too much."""
    if codec == "mjpeg" and (gop is not None or structure is not None):
        raise ValueError("every frame of mjpeg is a key frame, so it has no gop and no structure")
    if structure is not None and structure not in STRUCTURES[codec]:
        raise ValueError(
            f"structure {structure!r} is not one that the encoder of {codec} is told here; it is told "
            f"{', '.join(STRUCTURES[codec])}"
        )
    if structure == "intra" and gop is not None:
        raise ValueError("with structure 'intra' every frame is a key frame, so leave out gop")
    if structure not in (None, "intra") and gop is None:
        raise ValueError(f"structure {structure!r} needs gop, the distance of key frames")
    if bframes is not None and codec not in ("h264", "hevc", "mpeg2", "mpeg4"):
        raise ValueError(f"bframes can be set for h264, hevc, mpeg2 and mpeg4 only, not for {codec}")
    if bframes is not None and structure in ("intra", "ippp"):
        raise ValueError(f"structure {structure!r} has no B frames, so leave out bframes")
    if bframes == 0 and structure in ("ibbp", "hierarchical"):
        raise ValueError(f"structure {structure!r} has B frames, so bframes 0 contradicts it: take 'ippp'")


def structure_options(
    codec: str, structure: Structure | None, gop: int | None, bframes: int | None
) -> tuple[dict[str, Any], list[str]]:
    """FFmpeg's options, and parameters for the encoder itself, that fix where key, P and B frames are."""
    options: dict[str, Any] = {}
    if structure == "intra":
        options["g"] = 1
    elif gop is not None:
        options["g"] = gop
    if structure is None:
        return ({**options, "bf": bframes} if bframes is not None else options), []
    count = bframes if bframes is not None else {"hierarchical": 3, "ibbp": 2}.get(structure, 0)
    pyramid = structure == "hierarchical"
    if codec == "h264":
        more = {"bf": count, "sc_threshold": 0, "b_strategy": 0, "b-pyramid": "normal" if pyramid else "none"}
        return {**options, **more}, []
    if codec == "hevc":
        return options, [f"bframes={count}", "b-adapt=0", f"b-pyramid={pyramid:d}", "scenecut=0", "open-gop=0"]
    if codec in ("mpeg2", "mpeg4"):
        return {**options, "bf": count, "sc_threshold": _NEVER}, []
    if codec == "vp9" and structure != "intra":
        lag = {"auto-alt-ref": 2, "lag-in-frames": 25} if pyramid else {"auto-alt-ref": 0, "lag-in-frames": 0}
        return {**options, "keyint_min": gop, **lag}, []
    if codec == "av1" and structure != "intra":
        return options, ["scd=0", *(("pred-struct=2", "hierarchical-levels=3") if pyramid else ("pred-struct=1",))]
    return options, []


def picture_options(codec: str, matrix: Matrix, geometry: Geometry) -> dict[str, Any]:
    """Size, 4:2:0, matrix and range of what is coded, and one thread."""
    span = "pc" if codec == "mjpeg" else "tv"
    size = "" if geometry.coded == geometry.padded else f"{geometry.coded[1]}:{geometry.coded[0]}:"
    return {
        "vf": f"scale={size}out_color_matrix={matrix}:out_range={span}:flags={SCALER}",
        "pix_fmt": {"mjpeg": "yuvj420p", "vvc": "yuv420p10le"}.get(codec, "yuv420p"),
        "colorspace": {"bt601": "smpte170m", "bt709": "bt709"}[matrix],
        "color_range": span,
        "threads": 1,
    }


def params_option(codec: str, params: list[str]) -> dict[str, Any]:
    """Parameters for the encoder itself as FFmpeg's option for them; nothing where there are none."""
    name = {"h264": "x264-params", "hevc": "x265-params", "av1": "svtav1-params"}.get(codec)
    return {name: ":".join(params)} if name and params else {}


def as_text(options: dict[str, Any]) -> str:
    """Options as they stand on a command line, for the recipe.

    Example:
        >>> as_text({"c:v": "libx264", "qp": 33})
        '-c:v libx264 -qp 33'
    """
    return " ".join(f"-{key} {value}" for key, value in options.items())
