"""Blur: Gaussian, out of focus, camera shake, the true motion blur of an exposure, and a shutter that rolls.

``kernels`` has the kernels and the convolution, ``lens`` and ``shake`` what is one kernel a frame, ``exposure`` and
``shutter`` what needs the scene between frames, ``flow`` how it is found where the source is a video, and ``fast``
how a video of a fast camera gives it.
"""

from degradations.blur.exposure import ExposureBlur
from degradations.blur.fast import Decimated
from degradations.blur.flow import dis_flow, interpolate
from degradations.blur.kernels import anisotropic, convolve, disc, path_kernel, polygon
from degradations.blur.lens import AnisotropicBlur, Defocus, GaussianBlur
from degradations.blur.shake import CameraShake
from degradations.blur.shutter import RollingShutter

__all__ = [
    "AnisotropicBlur",
    "CameraShake",
    "Decimated",
    "Defocus",
    "ExposureBlur",
    "GaussianBlur",
    "RollingShutter",
    "anisotropic",
    "convolve",
    "dis_flow",
    "disc",
    "interpolate",
    "path_kernel",
    "polygon",
]
