"""Classical filters of FFmpeg, on 8-bit frames through pipes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from vbench.errors import RunError
from vbench.models.spec import ModelSpec

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from vbench.restore import ClipMeta, Restorer


class FilterRestorer:
    """A filter chain of FFmpeg; ``chain`` for colour, ``gray_chain`` for gray clips.

    Without a ``gray_chain`` a gray clip is shown in three equal channels and one of them is given: for filters that do not
    exist for gray, where FFmpeg would put a conversion in front that changes the levels.

    Args:
        smallest: the least height and width that the filter takes.
        shortest: the least frames that it makes sense of.
    """

    def __init__(self, chain: str, gray_chain: str | None, smallest: int = 1, shortest: int = 1) -> None:
        self._chain = chain
        self._gray_chain = gray_chain
        self._smallest = smallest
        self._shortest = shortest

    def restore(self, chunks: Iterator[Tensor], meta: ClipMeta) -> Iterator[Tensor]:
        """Frames to 8 bits, through the filter, and back.

        Raises:
            RunError: frames smaller or fewer than the filter takes, or FFmpeg failed.
        """
        import torch

        from vbench.media import pipe_filter
        from vbench.restore import from_array, to_uint8

        if min(meta.height, meta.width) < self._smallest:
            raise RunError(
                f"The filter {self._chain} takes frames of at least {self._smallest} x {self._smallest} pixels, and "
                f"these are {meta.width} x {meta.height}."
            )
        if meta.frames < self._shortest:
            raise RunError(
                f"The filter {self._chain} takes clips of at least {self._shortest} frames, its window, and this one has "
                f"{meta.frames}: with fewer FFmpeg gives frames that are too dark."
            )
        shown = 3 if self._gray_chain is None else meta.channels
        out = pipe_filter(
            (to_uint8(chunk.expand(-1, shown, -1, -1)) for chunk in chunks),
            self._chain if shown == 3 or self._gray_chain is None else self._gray_chain,
            height=meta.height,
            width=meta.width,
            channels=shown,
            fps=meta.fps,
            threads=torch.get_num_threads(),
        )
        for frame in out:
            yield from_array(frame)[:, : meta.channels]


def _spec(
    name: str,
    title: str,
    task: str,
    options: str,
    space: str,
    source: str,
    *,
    gray: bool = True,
    smallest: int = 1,
    shortest: int = 1,
    version: int = 1,
) -> ModelSpec:
    # The conversion is pinned: FFmpeg would choose a format by itself, another one in another version.
    colour = (
        f"format=gbrp,{name}={options}"
        if space == "gbrp"
        else (
            f"scale=out_range=full:out_color_matrix=bt601:flags=accurate_rnd+full_chroma_int+full_chroma_inp+bitexact,"
            f"format=yuv444p,{name}={options},"
            f"scale=in_range=full:in_color_matrix=bt601:flags=accurate_rnd+full_chroma_int+full_chroma_inp+bitexact"
        )
    )

    def load(device: torch.device, weights: Path | None) -> Restorer:
        return FilterRestorer(colour, f"format=gray,{name}={options}" if gray else None, smallest, shortest)

    settings = {"filter": f"{name}={options}", "colour": space}
    if not gray:
        settings["gray"] = "shown in three equal channels, one of them given: the filter knows no gray"
    return ModelSpec(
        name=name,
        version=version,
        title=title,
        task=task,
        source=source,
        licence="FFmpeg, GPL build (run as a separate program)",
        load=load,
        settings=settings,
    )


HQDN3D = _spec(
    "hqdn3d",
    "High-quality 3D denoiser",
    "denoising",
    "luma_spatial=6:chroma_spatial=5:luma_tmp=9:chroma_tmp=7",
    "yuv444p",
    "FFmpeg's filter hqdn3d: recursive low pass in space and time.",
)
NLMEANS = _spec(
    "nlmeans",
    "Non-local means",
    "denoising",
    "s=12:p=5:r=11",
    "gbrp",
    'FFmpeg\'s filter nlmeans, after Buades et al., "A non-local algorithm for image denoising" (CVPR 2005).',
)
BM3D = _spec(
    "bm3d",
    "BM3D, basic estimate",
    "denoising",
    "sigma=120:block=8:bstep=4:group=1:estim=basic",
    "gbrp",
    "FFmpeg's filter bm3d, after Dabov et al. (TIP 2007): its first stage with groups of one block, which is "
    "a sliding DCT threshold; the full method is far slower. Its sigma is not the noise's standard deviation.",
)
UNSHARP = _spec(
    "unsharp",
    "Unsharp mask",
    "sharpening",
    "luma_msize_x=5:luma_msize_y=5:luma_amount=0.8:chroma_msize_x=5:chroma_msize_y=5:chroma_amount=0",
    "yuv444p",
    "FFmpeg's filter unsharp: adds the difference to a blurred copy.",
)
ATADENOISE = _spec(
    "atadenoise",
    "Adaptive temporal averaging",
    "denoising",
    "0a=0.08:0b=0.16:1a=0.08:1b=0.16:2a=0.08:2b=0.16:s=9",
    "gbrp",
    "FFmpeg's filter atadenoise: a mean over nine frames of values near the pixel's own, after Bartovcak and Vrankic (2012).",
)
VAGUEDENOISER = _spec(
    "vaguedenoiser",
    "Wavelet denoiser",
    "denoising",
    "threshold=12:method=garrote:nsteps=6:percent=90",
    "gbrp",
    "FFmpeg's filter vaguedenoiser: wavelet coefficients of a frame are shrunk.",
)
FFTDNOIZ = _spec(
    "fftdnoiz",
    "DFT denoiser in space and time",
    "denoising",
    "sigma=16:amount=1:block=32:overlap=0.5:method=wiener:prev=1:next=1",
    "gbrp",
    "FFmpeg's filter fftdnoiz: Wiener filtering of blocks of three frames in the frequency domain.",
)
DCTDNOIZ = _spec(
    "dctdnoiz",
    "DCT denoiser",
    "denoising",
    "s=15:n=3",
    "gbrp",
    'FFmpeg\'s filter dctdnoiz, after Yu and Sapiro, "DCT image denoising" (IPOL 2011): coefficients of sliding blocks of '
    "8 x 8 below three times sigma are set to zero, in decorrelated colours.",
    gray=False,
    smallest=16,
)
OWDENOISE = _spec(
    "owdenoise",
    "Overcomplete wavelet denoiser",
    "denoising",
    "depth=8:ls=12:cs=12",
    "yuv444p",
    "FFmpeg's filter owdenoise: coefficients of an undecimated wavelet transform of a frame are shrunk.",
    gray=False,
)
DEBLOCK = _spec(
    "deblock",
    "Deblocking",
    "compressed video",
    "filter=strong:block=8:alpha=0.1:beta=0.06:gamma=0.06:delta=0.06",
    "yuv444p",
    "FFmpeg's filter deblock: edges of blocks of 8 x 8 pixels are smoothed.",
)
DEBAND = _spec(
    "deband",
    "Debanding",
    "compressed video",
    "1thr=0.02:2thr=0.02:3thr=0.02:range=16:blur=1",
    "yuv444p",
    "FFmpeg's filter deband: a pixel becomes the mean of four near ones where all are nearly equal.",
)
DEFLICKER = _spec(
    "deflicker",
    "Deflickering",
    "old film",
    "size=5:mode=am",
    "yuv444p",
    "FFmpeg's filter deflicker: each frame's luma is scaled to the mean of five frames' levels.",
    # It takes the mean of five levels, however many frames there are; version 1 gave what came of that.
    shortest=5,
    version=2,
)
REMOVEGRAIN = _spec(
    "removegrain",
    "Grain removal, mode 2",
    "old film",
    "m0=2:m1=2:m2=2",
    "gbrp",
    "FFmpeg's filter removegrain, mode 2: a pixel is limited to the second least and second largest of its neighbours.",
)
