"""scikit-image's denoisers as rows: non-local means and total variation, told the noise level that it estimates."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vbench.errors import RunError
from vbench.models.spec import ModelSpec

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray
    from torch import Tensor

    from vbench.restore import Restorer

    Picture = NDArray[np.float32]

SMALLEST = 16
"""Height and width below which the noise is not estimated: too few wavelet coefficients."""


def noise_level(picture: Picture) -> float:
    """Standard deviation of the noise of ``(H, W, C)``, in the units of its values, the mean over the channels.

    The median of the finest diagonal wavelet coefficients, by scikit-image's ``estimate_sigma``. Texture counts as noise:
    clean photographs have two to three levels of 255.

    Raises:
        RunError: the picture is smaller than 16 x 16.
    """
    from skimage.restoration import estimate_sigma

    if min(picture.shape[:2]) < SMALLEST:
        raise RunError(
            f"The noise of frames of {picture.shape[1]} x {picture.shape[0]} pixels cannot be estimated: at least "
            f"{SMALLEST} x {SMALLEST} are needed."
        )
    return float(estimate_sigma(picture, channel_axis=-1, average_sigmas=True))


def nlmeans(picture: Picture, sigma: float) -> Picture:
    """Non-local means of ``(H, W, C)`` for noise of standard deviation ``sigma``, patches compared in all channels."""
    from skimage.restoration import denoise_nl_means

    found: Picture = denoise_nl_means(
        picture, h=0.6 * sigma, sigma=sigma, patch_size=5, patch_distance=6, fast_mode=True, channel_axis=-1
    )
    return found


def chambolle(picture: Picture, sigma: float) -> Picture:
    """Total-variation denoising of ``(H, W, C)``, each channel by itself, for noise of standard deviation ``sigma``."""
    from skimage.restoration import denoise_tv_chambolle

    found: Picture = denoise_tv_chambolle(picture, weight=sigma, eps=2e-4, max_num_iter=200, channel_axis=-1)
    return found


def denoised(frames: Tensor, filter_: Callable[[Picture, float], Picture]) -> Tensor:
    """Each frame of ``(T, C, H, W)`` in [0, 1] by ``filter_``, told the frame's noise level; clipped to [0, 1].

    Equal channels are one: a gray clip and the same in three channels give the same. A frame without noise (one of a
    single level) comes out as it is.

    Raises:
        RunError: a frame has values that are not finite.
    """
    import numpy as np
    import torch

    out = np.empty(tuple(frames.shape), np.float32)
    for picture, result in zip(frames.cpu().float().numpy(), out, strict=True):
        planes = picture[:1] if (picture == picture[:1]).all() else picture
        image = np.ascontiguousarray(planes.transpose(1, 2, 0))
        sigma = noise_level(image)
        if not math.isfinite(sigma):
            raise RunError("The noise of a frame cannot be estimated: its values are not finite.")
        # Of one channel scikit-image may give none.
        found = image if sigma <= 0 else filter_(image, sigma).reshape(image.shape)
        result[...] = found.transpose(2, 0, 1)
    return torch.from_numpy(out).clamp(0, 1).to(frames.device)


def _spec(
    name: str, title: str, source: str, filter_: Callable[[Picture, float], Picture], **settings: Any
) -> ModelSpec:
    def load(device: torch.device, weights: Path | None) -> Restorer:
        from vbench.restore import Framewise

        return Framewise(lambda frames: denoised(frames, filter_))

    return ModelSpec(
        name=name,
        version=1,
        title=title,
        task="denoising",
        source=source,
        licence="BSD-3-Clause (scikit-image)",
        load=load,
        settings={"sigma": "of each frame, by scikit-image's estimate_sigma, the mean over the channels", **settings},
    )


NLMEANS = _spec(
    "nlmeans-skimage",
    "Non-local means, blind",
    'scikit-image\'s denoise_nl_means, after Buades et al., "A non-local algorithm for image denoising" (CVPR 2005).',
    nlmeans,
    patches="5 x 5, in a window of 13 x 13, fast mode, channels together",
    h="0.6 sigma, and sigma taken off the distances, as in scikit-image's gallery",
)
TV = _spec(
    "tv-chambolle",
    "Total variation, blind",
    'scikit-image\'s denoise_tv_chambolle, after Chambolle, "An algorithm for total variation minimization" (2004).',
    chambolle,
    weight="sigma",
    stop="200 iterations, or a relative change below 2e-4",
)
