"""Classical filters of FFmpeg, on 8-bit frames through pipes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from vbench.models.spec import ModelSpec

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from vbench.restore import ClipMeta, Restorer


class FilterRestorer:
    """A filter chain of FFmpeg; ``chain`` for colour, ``gray_chain`` for gray clips."""

    def __init__(self, chain: str, gray_chain: str) -> None:
        self._chain = chain
        self._gray_chain = gray_chain

    def restore(self, chunks: Iterator[Tensor], meta: ClipMeta) -> Iterator[Tensor]:
        """Frames to 8 bits, through the filter, and back."""
        import torch

        from vbench.media import pipe_filter
        from vbench.restore import from_uint8, to_uint8

        out = pipe_filter(
            (to_uint8(chunk) for chunk in chunks),
            self._chain if meta.channels == 3 else self._gray_chain,
            height=meta.height,
            width=meta.width,
            channels=meta.channels,
            fps=meta.fps,
            threads=torch.get_num_threads(),
        )
        for frame in out:
            yield from_uint8(frame)


def _spec(name: str, title: str, task: str, options: str, space: str, source: str) -> ModelSpec:
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
    gray = f"format=gray,{name}={options}"

    def load(device: torch.device, weights: Path | None) -> Restorer:
        return FilterRestorer(colour, gray)

    return ModelSpec(
        name=name,
        version=1,
        title=title,
        task=task,
        source=source,
        licence="FFmpeg, GPL build (run as a separate program)",
        load=load,
        settings={"filter": f"{name}={options}", "colour": space},
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
