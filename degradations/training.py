"""Damage on the fly, for training: random crops of clean clips and their damaged versions."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypedDict

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from degradations.apply import Recipe, degrade, draw, shape_behind, stored
from degradations.base import ClipShape
from degradations.profile import Profile, load_profile
from degradations.rng import Rng
from degradations.truth import toned


class Info(Protocol):
    """What is known of a clip: frames, size in pixels, channels (3 for RGB, 1 for gray), frames per second."""

    @property
    def name(self) -> str: ...
    @property
    def frames(self) -> int: ...
    @property
    def height(self) -> int: ...
    @property
    def width(self) -> int: ...
    @property
    def channels(self) -> int: ...
    @property
    def fps(self) -> float: ...


class Readable(Protocol):
    """A clean clip: ``read(start, stop)`` gives ``(T, H, W, C)`` uint8 or uint16, RGB or gray. vbench's clips are such."""

    @property
    def info(self) -> Info: ...

    def read(self, start: int, stop: int) -> NDArray[Any]: ...


class _ArrayInfo(NamedTuple):
    name: str
    frames: int
    height: int
    width: int
    channels: int
    fps: float


class InMemory:
    """Frames ``(T, H, W, C)``, uint8 or uint16, as a clip."""

    def __init__(self, name: str, frames: NDArray[Any], fps: float = 24.0) -> None:
        if frames.ndim != 4 or frames.shape[3] not in (1, 3) or frames.dtype not in (np.uint8, np.uint16):
            raise ValueError(
                f'The frames of "{name}" are {frames.shape}, {frames.dtype}; expected (T, H, W, C) with C of 1 or 3, '
                "uint8 or uint16."
            )
        self._frames = frames
        count, height, width, channels = frames.shape
        self.info = _ArrayInfo(name, count, height, width, channels, fps)

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Frames ``start`` to ``stop`` (excluded)."""
        return self._frames[start:stop]


class Sample(TypedDict):
    """One crop: ``gt`` and ``lq`` are ``(T, C, H, W)`` float32 in [0, 1], RGB or gray (``lq`` smaller where the damage
    shrinks), at whole 8-bit levels as a data set holds them; ``lq`` of variants that are made on reading is neither
    rounded nor clipped. ``mask`` is ``(T, 1, H, W)``, the share of each pixel that local damage covers, or all zero."""

    gt: Tensor
    lq: Tensor
    mask: Tensor
    clip: str
    variant: str
    start: int


class DamagedCrops(Dataset[Sample]):
    """Random crops of clean clips, damaged when they are asked for.

    Sample ``i`` of epoch ``e`` is the same in any process, with any number of workers and in any order: it is drawn
    from the address (seed, e, i) alone. What the damage draws is new in every sample. A model is trained on what it is
    measured on: samples hold what a data set of that variant would.

    Args:
        clips: clean clips, or arrays by name. Clips on disk should be folders of frames: videos are slow to enter in
            the middle.
        profile: its name, the path of a YAML, or the profile itself.
        variants: one, or several of which one is drawn for each sample; those that the profile makes by default if empty.
        frames: consecutive frames in a sample.
        crop: height and width of the crop of the ground truth, in pixels; None takes whole frames.
        length: samples in an epoch.
        flip: mirror left to right half of the time; the damage is not mirrored.

    Raises:
        ValueError: no clip, a clip that is too short or too small, sizes below 1, or a crop that the damage cannot
            shrink evenly.

    Example:
        >>> data = DamagedCrops({"a": np.full((9, 48, 64, 3), 99, np.uint8)}, "noise", ["gaussian25"], frames=5, crop=32)
        >>> sample = data[0]
        >>> tuple(sample["gt"].shape), tuple(sample["lq"].shape), sample["variant"]
        ((5, 3, 32, 32), (5, 3, 32, 32), 'gaussian25')
        >>> bool((data[0]["lq"] == sample["lq"]).all()), bool((data[1]["lq"] == sample["lq"]).all())
        (True, False)
    """

    def __init__(
        self,
        clips: Sequence[Readable] | Mapping[str, NDArray[Any]],
        profile: str | Path | Profile,
        variants: str | Sequence[str] = (),
        *,
        frames: int = 5,
        crop: int | tuple[int, int] | None = 128,
        length: int = 10_000,
        seed: int = 0,
        flip: bool = False,
    ) -> None:
        self.clips: list[Readable] = (
            [InMemory(name, array) for name, array in clips.items()] if isinstance(clips, Mapping) else list(clips)
        )
        for clip in self.clips:
            if not hasattr(clip, "info"):
                raise ValueError(
                    f"A clip is of type {type(clip).__name__}; give arrays by name, {{'name': frames}}, or clips as "
                    "vbench.sources.open_sources gives them."
                )
        self.profile = profile if isinstance(profile, Profile) else load_profile(profile)
        self.variants = ((variants,) if isinstance(variants, str) else tuple(variants)) or self.profile.default
        self.frames = frames
        self.crop = (crop, crop) if isinstance(crop, int) else crop
        self.length = length
        self.seed = seed
        self.flip = flip
        # In memory that worker processes share: those that live on (persistent_workers) have a copy of everything else.
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()
        self._check()

    def _check(self) -> None:
        if not self.clips:
            raise ValueError("There is no clip to cut samples from.")
        for name, size, least in (
            ("frames", self.frames, 1),
            ("length", self.length, 0),
            *(("crop", c, 1) for c in self.crop or ()),
        ):
            if size < least:
                raise ValueError(f"{name} = {size} should be {least} or more.")
        shapes: set[ClipShape] = set()  # a recipe takes milliseconds, and a data set may have 64,000 clips of one shape
        for clip in self.clips:
            info = clip.info
            height, width = self.crop or (info.height, info.width)
            if info.frames < self.frames or info.height < height or info.width < width:
                raise ValueError(
                    f'The clip "{info.name}" has {info.frames} frames of {info.width} x {info.height}; samples want '
                    f"{self.frames} of {width} x {height}. Ask for fewer frames or a smaller crop, or leave it out."
                )
            if self._shape(info) in shapes:
                continue
            shapes.add(self._shape(info))
            for variant in self.variants:
                behind = shape_behind(draw(self.profile, variant, self._shape(info)))
                if behind.height * behind.scale != height or behind.width * behind.scale != width:
                    raise ValueError(
                        f"{self.profile.name}/{variant} makes crops of {width} x {height} smaller by {behind.scale}, "
                        f"which does not go evenly: choose a crop whose sides are multiples of {behind.scale}."
                    )

    def _shape(self, info: Info) -> ClipShape:
        height, width = self.crop or (info.height, info.width)
        return ClipShape(self.frames, height, width, info.channels, info.fps)

    @property
    def epoch(self) -> int:
        """The epoch whose samples come."""
        return int(self._epoch)

    def set_epoch(self, epoch: int) -> None:
        """Which epoch's samples come from now on (call it before each epoch, as for a distributed sampler).

        Worker processes of a loader see it at once, those with ``persistent_workers=True`` too.

        Raises:
            ValueError: the epoch is no whole number.
        """
        if isinstance(epoch, bool) or not hasattr(epoch, "__index__"):
            raise ValueError(f"epoch = {epoch!r} should be a whole number.")
        self._epoch.fill_(operator.index(epoch))

    def _place(self, index: int) -> Rng:
        """The address of a sample, counted from the end where it is below 0."""
        if not -self.length <= index < self.length:
            raise IndexError(f"Sample {index} of {self.length}.")
        return Rng.root(self.seed).at("sample", self.epoch, index % self.length)

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Sample:
        """One sample.

        Raises:
            IndexError: past the end of the epoch, which ends a loop over the data set.
        """
        place = self._place(index)
        g = place.generator()
        clip = self.clips[int(g.integers(len(self.clips)))]
        info = clip.info
        variant = self.variants[int(g.integers(len(self.variants)))]
        start = int(g.integers(info.frames - self.frames + 1))
        height, width = self.crop or (info.height, info.width)
        top, left = int(g.integers(info.height - height + 1)), int(g.integers(info.width - width + 1))
        cut = clip.read(start, start + self.frames)[:, top : top + height, left : left + width]
        if self.flip and g.random() < 0.5:
            cut = cut[:, :, ::-1]
        cut = _eight_bits(cut)
        chosen = self.profile.variant(variant)
        gt = _tensor(toned(cut, chosen.truth))
        begun = gt if chosen.start is None else _tensor(toned(cut, chosen.start))
        # The key of the sample stands for the clip's name, so that each sample has damage of its own.
        out = degrade(begun, self.profile, variant, seed=self.seed, clip=place.key, fps=info.fps)
        mask = out.mask
        return Sample(
            gt=gt,
            lq=out.frames if chosen.on_reading else stored(out.frames),
            mask=torch.zeros_like(out.frames[:, :1]) if mask is None else mask,
            clip=info.name,
            variant=variant,
            start=start,
        )

    def recipe(self, index: int) -> Recipe:
        """What was drawn for a sample of this epoch.

        Raises:
            IndexError: past the end of the epoch.
        """
        place = self._place(index)
        g = place.generator()
        info = self.clips[int(g.integers(len(self.clips)))].info
        variant = self.variants[int(g.integers(len(self.variants)))]
        return draw(self.profile, variant, self._shape(info), seed=self.seed, clip=place.key)


def _eight_bits(frames: NDArray[Any]) -> NDArray[np.uint8]:
    if frames.dtype == np.uint8:
        return np.ascontiguousarray(frames, dtype=np.uint8)
    return ((frames.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)


def _tensor(frames: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(frames.transpose(0, 3, 1, 2))).float() / 255.0
