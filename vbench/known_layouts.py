"""Layouts that are recognised: patterns of paths, and nothing else; `vbench.layouts` looks for them.

Where a layout comes from is said beside it: [P] protocol notes of this project, which name their source; [B] preparation
pages of BasicSR and MMagic (mmediting); [R] how the authors' archives unpack, by what public scripts and readmes expect of
them (no archive was at hand); [G] a guess.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Layout:
    """One way to lay a data set out.

    Patterns are regular expressions over the end of a path (of a folder of frames, or of a video without its ending),
    in which ``{word}`` is a level and ``{word:...}`` what may stand there. ``clip`` names the clip, ``split`` the split,
    ``version`` which of several damaged ones, ``kind`` a part of a release that is a data set of its own.
    """

    name: str | None
    """What the data set is called; None: like its folder."""
    words: str
    clean: tuple[str, ...]
    degraded: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    """What lies there and is no part of it: videos without ground truth, masks."""
    never: tuple[str, ...] = ()
    """What looks like frames and is none: annotations."""
    lists: Mapping[str, str] = field(default_factory=dict)
    """Files beside the folders that say which clips a split has, a name a line, and the split."""
    paired: bool = False
    """Whether it is this layout only where clean and damaged frames lie together: its names alone say little."""
    hint: str = ""
    """What to do where the clean side is missing."""


_SPLIT = "(?:{split:train|training|val|valid|validation|test|testing}/)?"
CLEAN = "(?:gts?|ground[_-]?truths?|hq|hr|(?:hq|gt)_frames|sharp|clean|truth|targets?|originals?|reference)"
DEGRADED = (
    "lqs?|lr|(?:lq|lr)_frames\\w*|inputs?\\d?|blur(?:red|ry|_gamma|_comp|_jpeg)?|noisy|degraded|damaged|compressed|corrupted"
    "|b[id]x\\d|blur\\d|blurdown(?:_?x?\\d)?|(?:sharp_|blur_)?bicubic(?:_?x?\\d)?|low_resolution"
)
SIDE = f"{CLEAN}|{DEGRADED}"
"""What folders are called that hold one side of pairs, whatever the data set."""
_ASIDE = "(?:masks?|flows?|annotations|results?|restored|outputs?)"
_VIMEO = "{clip:\\d\\d\\d\\d\\d/\\d\\d\\d\\d}"
_REDS = "(?:(?:train|val|test)_\\w+/)?(?:(?:train|val|test)/)?{split:train|val|test}_"

LAYOUTS = (
    Layout(
        # The author's archive [P: deblurring.md], and PVDNet's train_nah/test_nah [P]. Which of blur and blur_gamma
        # a figure is measured on makes two data sets of it [P].
        "GoPro",
        "GoPro, as released (a folder for each sequence, with sharp, blur, blur_gamma)",
        clean=("(?:{split:train|test}(?:_nah)?/)?{clip:GOPR\\d+_\\d+_\\d+}/sharp",),
        degraded=("(?:{split:train|test}(?:_nah)?/)?{clip:GOPR\\d+_\\d+_\\d+}/{version:blur|blur_gamma}",),
    ),
    Layout(
        # [P: deblurring.md] the archive's quantitative part, and PVDNet's train_DVD/test_DVD. The qualitative part has
        # no ground truth.
        "DVD",
        "DVD of Su et al. (a folder for each video, with GT and input)",
        clean=("(?:quantitative_datasets|{split:train|test}_DVD)/{clip}/GT",),
        degraded=("(?:quantitative_datasets|{split:train|test}_DVD)/{clip}/{version:input}",),
        beside=("qualitative_datasets/[^/]+/[^/]+",),
    ),
    Layout(
        # Archives unpack as train/train_sharp/000, val/val_blur_bicubic/X4/000 [R], and each in a folder of its own name
        # where somebody says so [G]; BasicSR and MMagic flatten to train_sharp/000 [B].
        "REDS",
        "REDS (train_sharp, val_sharp, and train_blur, train_sharp_bicubic/X4, ...)",
        clean=(_REDS + "sharp/{clip:\\d\\d\\d}",),
        degraded=(_REDS + "{version:blur|blur_comp|blur_jpeg|(?:sharp|blur)_bicubic/X\\d}/{clip:\\d\\d\\d}",),
    ),
    Layout(
        # Two levels of numbers are one clip: "sequences" of the archives, "target", "input" (enlarged again) and
        # "low_resolution" of the test set for super-resolution [R]; GT, BIx4, BDx4 [B]; vimeo_septuplet_BDLRx4 and
        # vimeo_sep_noisy beside vimeo_septuplet, as test scripts of others want them [G]. Triplets look the same.
        "Vimeo-90K",
        "Vimeo-90K (two levels of numbers for each clip)",
        clean=("(?:(?:vimeo_septuplet|vimeo_triplet|vimeo_test_clean)/)?(?:sequences|target|GT)/" + _VIMEO,),
        degraded=(
            "{version:input|low_resolution|B[ID]x\\d}/" + _VIMEO,
            "{version:vimeo_septuplet_\\w+}/sequences/" + _VIMEO,
            "{version:vimeo_sep_\\w+}/" + _VIMEO,
        ),
        lists={f"{kind}_{split}list.txt": split for kind in ("sep", "tri") for split in ("train", "test")},
    ),
    Layout(
        # [P: codec.md]. HQ_frames of twitter, bilibili and Youtube are the same and are downloaded once.
        "UVSSM",
        "UVSSM (a folder for each platform, with HQ_frames and LQ_frames)",
        clean=("{kind:wechat|twitter|bilibili|youtube}/HQ_frames/{clip}",),
        degraded=("{kind:wechat|twitter|bilibili|youtube}/{version:LQ_frames}/{clip}",),
        hint="HQ_frames of twitter, bilibili and Youtube are the same and are published once: link the folder to this place.",
    ),
    Layout(
        # [P: codec.md]: HQ_frames, LQ_frames_qp28_x2, LQ_frames_qp33_x2, or just LQ_frames.
        None,
        "VOTES (HQ_frames and LQ_frames_..., a folder for each clip in them)",
        clean=("HQ_frames/{clip}",),
        degraded=("{version:LQ_frames\\w*}/{clip}",),
        paired=True,
    ),
    Layout(
        # [R]; annotations are palette pictures of the same names, and are never frames.
        "DAVIS",
        "DAVIS (JPEGImages, a folder for each sequence)",
        clean=("JPEGImages/(?:{kind:480p|1080p|Full-Resolution}/)?{clip}",),
        never=("Annotations\\w*/(?:480p|1080p|Full-Resolution)/[^/]+",),
    ),
    Layout(
        # [R], or with Input or lq between [G]. There is no ground truth.
        "VideoLQ",
        "VideoLQ (real videos, without ground truth)",
        clean=(),
        degraded=("VideoLQ/(?:(?:inputs?|lq)/)?{clip}",),
    ),
    Layout(
        # Vid4, UDM10, SPMCS, REDS4 as GT, BIx4, BDx4 [B]; CDVD-TSP's {train,test}/{blur,gt}/<video> [P]; whatever else
        # has the clean and the damaged clips in two folders whose names say so [G].
        None,
        "pairs (a folder for each side, and in it one for each clip)",
        clean=(_SPLIT + CLEAN + "/{clip}", CLEAN + "/" + _SPLIT.removesuffix("?") + "{clip}"),
        degraded=(
            _SPLIT + "{version:" + DEGRADED + "}/{clip}",
            "{version:" + DEGRADED + "}/" + _SPLIT.removesuffix("?") + "{clip}",
        ),
        beside=(_ASIDE + "/.*",),
        paired=True,
    ),
    Layout(
        # SPMCS and UDM10 of their authors: <clip>/truth, <clip>/input4, <clip>/blur4 [G]; others alike [G].
        None,
        "pairs (a folder for each clip, and in it one for each side)",
        clean=(_SPLIT + "{clip}/" + CLEAN,),
        degraded=(_SPLIT + "{clip}/{version:" + DEGRADED + "}",),
        beside=("[^/]+/" + _ASIDE + "(?:/.*)?",),
        paired=True,
    ),
)  # fmt: skip


NEVER = tuple(pattern for layout in LAYOUTS for pattern in layout.never)
