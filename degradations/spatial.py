"""Transforms of albumentations, driven frame by frame with numbers keyed by place.

albumentations 2.0.8 gives every frame of its ``images=`` the same noise; here each frame has its own seed
(``per: frame``), or deliberately one for the clip (``per: clip``).
"""

from __future__ import annotations

import inspect
import os
import re
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, ValidationError, model_validator
from torch import Tensor

from degradations.base import NO_MASKS, ClipShape, Damage, Degradation, Masks, Params, covered
from degradations.catalog import nearest
from degradations.errors import CannotDamage
from degradations.rng import Rng

ALLOWED = (
    "AdditiveNoise", "AdvancedBlur", "AutoContrast", "Blur", "CLAHE", "ChannelDropout", "ChannelShuffle",
    "ChromaticAberration", "CoarseDropout", "ColorJitter", "Defocus", "Downscale", "Emboss", "Equalize", "Erasing",
    "FancyPCA", "GaussNoise", "GaussianBlur", "GlassBlur", "GridDropout", "HEStain", "HueSaturationValue", "ISONoise",
    "Illumination", "ImageCompression", "InvertImg", "MedianBlur", "Morphological", "MotionBlur",
    "MultiplicativeNoise", "PixelDropout", "PlanckianJitter", "PlasmaBrightnessContrast", "PlasmaShadow", "Posterize",
    "RGBShift", "RandomBrightnessContrast", "RandomFog", "RandomGamma", "RandomGravel", "RandomRain", "RandomShadow",
    "RandomSnow", "RandomSunFlare", "RandomToneCurve", "RingingOvershoot", "SaltAndPepper", "Sharpen", "ShotNoise",
    "Solarize", "Spatter", "Superpixels", "ToGray", "ToSepia", "UnsharpMask", "XYMasking", "ZoomBlur",
)  # fmt: skip
"""Transforms that change values and leave the picture's content in its place."""

MOVING = (
    "Affine", "CropAndPad", "D4", "ElasticTransform", "GridDistortion", "GridElasticDeform", "HorizontalFlip",
    "OpticalDistortion", "Perspective", "PiecewiseAffine", "RandomGridShuffle", "RandomRotate90", "Rotate",
    "SafeRotate", "ShiftScaleRotate", "SquareSymmetry", "ThinPlateSpline", "Transpose", "VerticalFlip",
)  # fmt: skip
"""Transforms that move the content, which the ground truth does not follow: only with ``moves``."""

TURNING = ("D4", "RandomRotate90", "SquareSymmetry", "Transpose")
"""Those among them that may swap height and width, so that frames must be square."""

ERASING = ("CoarseDropout", "Erasing", "GridDropout", "XYMasking")
"""Transforms that blank out parts; where they did is a mask of kind "loss"."""

REFUSED: dict[str, str] = {
    name: reason
    for reason, names in {
        "it needs other pictures": "FDA HistogramMatching Mosaic OverlayElements PixelDistributionAdaptation",
        "it needs a font and a text": "TextImage",
        "it needs boxes or masks of objects": "AtLeastOneBBoxRandomCrop BBoxSafeRandomCrop ConstrainedCoarseDropout "
        "CropNonEmptyMaskIfExists MaskDropout RandomCropNearBBox RandomSizedBBoxSafeCrop",
        "it needs code, and a profile names none": "Lambda",
        "it changes the size of frames (the kinds shrink and downscale do that)": "CenterCrop Crop LongestMaxSize Pad "
        "PadIfNeeded RandomCrop RandomCropFromBorders RandomResizedCrop RandomScale RandomSizedCrop Resize "
        "SmallestMaxSize",
        "it is for volumes": "CenterCrop3D CoarseDropout3D CubicSymmetry Pad3D PadIfNeeded3D RandomCrop3D ToTensor3D",
        "it is for spectrograms": "FrequencyMasking TimeMasking TimeReverse",
        "it changes the type of the values and not the picture": "FromFloat Normalize ToFloat ToRGB ToTensorV2",
        "it does nothing (the kind nothing says so)": "NoOp",
    }.items()
    for name in names.split()
}
"""All others of version 2.0.8, and why they cannot be used."""

_BGR = ("ImageCompression",)
"""Transforms that hand RGB to an encoder that expects BGR, so that red and blue would be weighed wrongly."""


def library() -> Any:
    """albumentations, told before its import not to ask the network for a newer version of itself."""
    os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"
    import albumentations

    return albumentations


def _plainly(text: str) -> str:
    """What a constructor of the library complains of, without what pydantic puts around it.

    Example:
        >>> _plainly("1 validation error for InitSchema\\nstd_range\\n  Value error, All in (5, 9) must be <= 1 [type=x, y]")
        'std_range: All in (5, 9) must be <= 1'
    """
    found = re.search(
        r"^\d+ validation errors? for \w+\n([\w.]+)\n\s*(?:Value error, )?(.*?)(?: \[type=.*)?$", text, re.M
    )
    return f"{found[1]}: {found[2]}" if found else " ".join(text.split())


class Albumentations(Degradation):
    """One transform of albumentations, always applied, on 8-bit values; of a gray clip, its green channel.

    Settings:
        transform: its name; any of version 2.0.8 that keeps the size and needs nothing but the picture.
        options: what its constructor takes, except ``p``.
        per: whether its random numbers are new in each frame or hold for the clip.
        moves: must be true for transforms that move the content (see :data:`MOVING`). The ground truth stays where it
            is, so fidelity then measures the move before anything else; masks of earlier steps move along.

    Transforms that blank out parts add a mask of kind "loss". ``ImageCompression`` is given its channels in the
    order that its encoder expects.

    Example:
        >>> step = Albumentations(transform="GaussNoise", options={"std_range": (0.1, 0.1)})
        >>> clean = torch.full((2, 3, 16, 16), 0.5)
        >>> out = step.apply(clean, step.sample(ClipShape(2, 16, 16), Rng.root(0))).frames
        >>> bool((out[0] != out[1]).any())
        True
    """

    kind: ClassVar[str] = "albumentations"
    frame_by_frame: ClassVar[bool] = True
    transform: str
    options: dict[str, Any] = Field(default_factory=dict)
    per: Literal["frame", "clip"] = "frame"
    moves: bool = False

    @model_validator(mode="after")
    def _possible(self) -> Albumentations:
        name = self.transform
        if name in REFUSED:
            raise ValueError(f'the transform "{name}" cannot be used: {REFUSED[name]}')
        if name not in ALLOWED and name not in MOVING:
            hint = nearest(name, (*ALLOWED, *MOVING))
            raise ValueError(f'the transform "{name}" is not one that may be named. {hint}')
        if name in MOVING and not self.moves:
            raise ValueError(
                f"{name} moves the content of the picture, and the ground truth does not follow: say moves = true, "
                "if that is meant"
            )
        if self.moves and name not in MOVING:
            raise ValueError(f"moves = true is for transforms that move the content, and {name} does not")
        # albumentations only warns of an option that it does not know, and goes on without it.
        known = set(inspect.signature(getattr(library(), name).__init__).parameters) - {"self", "p"}
        if name in ERASING:
            known.discard("fill_mask")  # set here, to see where it did
        for option in self.options:
            if option not in known:
                raise ValueError(f'{name} has no option "{option}". {nearest(option, known)}')
        try:
            self.build()
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"])
            raise ValueError(f"{name}: {place} = {first['input']!r}: {first['msg']}") from error
        except (TypeError, ValueError) as error:
            raise ValueError(f"{name}: {_plainly(str(error))}") from error
        return self

    def build(self) -> Any:
        """The transform, ready to be seeded and called."""
        found = library()
        options = dict(self.options)
        if self.transform in ERASING:
            options["fill_mask"] = 0.0
        return found.Compose([getattr(found, self.transform)(p=1.0, **options)])

    def sample(self, shape: ClipShape, rng: Rng) -> Params:
        """The key of the seeds, and the library's version.

        Raises:
            CannotDamage: the transform may swap height and width, and they differ.
        """
        if self.transform in TURNING and shape.height != shape.width:
            raise CannotDamage(
                f"{self.transform} swaps height and width, so frames must be square; these are "
                f"{shape.width} x {shape.height}."
            )
        return {"key": rng.key, "albumentations": library().__version__}

    def facts(self, params: Params, shape: ClipShape) -> dict[str, list[Any]]:
        """The transform's name, and the seed that it had in each frame."""
        seeds = [self._seed(params, t) for t in range(shape.frames)]
        return {"transform": [self.transform] * shape.frames, "transform_seed": seeds}

    def _seed(self, params: Params, frame: int) -> int:
        rng = Rng(params["key"])
        place = rng.at("frame", frame) if self.per == "frame" else rng.at("clip")
        return int(place.generator().integers(2**31))

    def apply(self, frames: Tensor, params: Params, *, start: int = 0, masks: Masks = NO_MASKS) -> Damage:
        """See the class; the result has 8 bits.

        Raises:
            CannotDamage: the transform gave frames of another size or type.
        """
        transform = self.build()
        planes = list(masks) if self.moves else []
        blank = np.ones(tuple(frames.shape[2:]), np.float32)
        out: list[Tensor] = []
        moved: dict[str, list[Tensor]] = {kind: [] for kind in planes}
        lost: list[Tensor] = []
        for i, frame in enumerate(frames):
            given = [masks[kind][i, 0].numpy() for kind in planes]
            if self.transform in ERASING:
                given = [blank]
            image, there = self._one(transform, frame, given, self._seed(params, start + i))
            out.append(image)
            for kind, plane in zip(planes, there, strict=False):
                moved[kind].append(plane)
            if self.transform in ERASING:
                lost.append(1 - there[0])
        found: Masks = {kind: torch.stack(parts)[:, None] for kind, parts in moved.items()} if planes else masks
        if lost:
            found = covered(found, "loss", torch.stack(lost)[:, None])
        return Damage(torch.stack(out), found)

    def _one(
        self, transform: Any, frame: Tensor, planes: list[NDArray[np.float32]], seed: int
    ) -> tuple[Tensor, list[Tensor]]:
        """A frame and planes ``(H, W)`` that go with it, transformed with this seed."""
        image = (frame.clamp(0, 1) * 255 + 0.5).floor().byte().permute(1, 2, 0).numpy()
        gray = image.shape[2] == 1
        image = np.repeat(image, 3, axis=2) if gray else image
        order = slice(None, None, -1 if self.transform in _BGR else 1)
        transform.set_random_seed(seed)
        more = {"masks": [np.ascontiguousarray(plane) for plane in planes]} if planes else {}
        result = transform(image=np.ascontiguousarray(image[..., order]), **more)
        changed = result["image"]
        if changed.shape != image.shape or changed.dtype != np.uint8:
            raise CannotDamage(
                f"{self.transform} made {changed.dtype} of {changed.shape} from a frame that is uint8 of "
                f"{image.shape}; frames keep their size and type."
            )
        values = np.ascontiguousarray(changed[..., order].transpose(2, 0, 1))
        colour = torch.from_numpy(values).float() / 255.0
        seen = [torch.from_numpy(np.asarray(plane, np.float32).copy()) for plane in result.get("masks", [])]
        return colour[1:2] if gray else colour, seen


class Spatial(Albumentations):
    """The same as ``albumentations``, by its older name."""

    kind: ClassVar[str] = "spatial"
