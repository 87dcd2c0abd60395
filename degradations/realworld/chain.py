"""The random chain as one degradation: drawn for the clip or for every frame, applied frame by frame."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Tensor

from degradations.base import NO_MASKS, ClipShape, Damage, Degradation, Masks, Params, Subframes
from degradations.realworld.noise_jpeg import Jpeg, Noise
from degradations.realworld.stages import Blur, Image, Places, Resize, Scene, Size, Stage
from degradations.realworld.video import Video
from degradations.rng import Rng

Simple = Annotated[Blur | Resize | Noise | Jpeg | Video, Field(discriminator="do")]


class Shuffle(Stage):
    """Groups of stages in an order that is drawn for the clip; within a group the order stays."""

    do: Literal["shuffle"] = "shuffle"
    groups: tuple[tuple[Simple, ...], ...] = Field(min_length=2)


AnyStage = Annotated[Blur | Resize | Noise | Jpeg | Video | Shuffle, Field(discriminator="do")]


class SecondOrder(Degradation):
    """Blur, resize, noise and compression one after another, each drawn at random, usually twice.

    Settings:
        stages: in their order; each says ``do: blur``, ``resize``, ``noise``, ``jpeg``, ``video`` or ``shuffle`` and
            its own settings. The last change of size is to the final one (``final: true``).
        scale: how many times smaller than the ground truth the finished frames are, along each side (rounded up).
        per: whether everything is drawn once for the clip (and then walks, where a stage has steps) or anew for every
            frame, as data sets of single pictures are made. A ``video`` stage needs the former.
        bits_area: None: the bits of video stages are for frames of any size, as the published code takes them. A number
            of pixels: they are for clean frames of that many, and grow and shrink in proportion (that code always
            had 256 x 256 = 65536).

    In between, the size wanders up and down; it reaches the final one only in the last resize. Values are clipped
    to [0, 1] at the end and not rounded. Masks of earlier steps pass on where the size stays and are dropped
    otherwise. Names in the facts count the stages of a kind: ``blur_a``, ``blur_b``, ...

    Source: RealBasicVSR (Chan et al., CVPR 2022) and Real-ESRGAN (Wang et al., ICCVW 2021), by facts of the code and
    configurations in mmagic and BasicSR.

    Example:
        >>> step = SecondOrder(scale=2, stages=({"do": "noise"}, {"do": "resize", "final": True}))
        >>> shape = ClipShape(2, 16, 24)
        >>> params = step.sample(shape, Rng.root(0))
        >>> tuple(step.apply(torch.rand(2, 3, 16, 24), params).frames.shape)
        (2, 3, 8, 12)
        >>> sorted(step.facts(params, shape))[:2]
        ['noise_a_gray', 'noise_a_noise']
    """

    kind: ClassVar[str] = "second-order"
    stages: tuple[AnyStage, ...] = Field(min_length=1)
    scale: int = Field(default=4, ge=1, le=8)
    per: Literal["clip", "frame"] = "clip"
    bits_area: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _possible(self) -> SecondOrder:
        flat = self.flat()
        if self.per == "frame" and any(isinstance(stage, Video) for stage in flat):
            raise ValueError("a video stage needs all frames drawn together: per = clip")
        if not any(isinstance(stage, Resize) and stage.final for stage in flat):
            raise ValueError("there should be a resize with final = true, which gives frames their size")
        for number, stage in enumerate(flat):
            if isinstance(stage, Resize) and stage.final and any(isinstance(s, Resize) for s in flat[number + 1 :]):
                raise ValueError("the resize with final = true should be the last one")
        return self

    def flat(self) -> list[Stage]:
        """All stages in the order of the settings, shuffled groups unpacked."""
        out: list[Stage] = []
        for stage in self.stages:
            out += [s for group in stage.groups for s in group] if isinstance(stage, Shuffle) else [stage]
        return out

    def names(self) -> list[str]:
        """Names of the flat stages in the facts."""
        seen: dict[str, int] = {}
        out = []
        for stage in self.flat():
            seen[stage.do] = seen.get(stage.do, 0) + 1
            out.append(f"{stage.do}_{chr(96 + seen[stage.do])}")
        return out

    def _order(self, rng: Rng) -> list[int]:
        """Numbers of the flat stages in the order in which they are run."""
        out: list[int] = []
        number = 0
        for place, stage in enumerate(self.stages):
            sizes = [len(group) for group in stage.groups] if isinstance(stage, Shuffle) else [1]
            starts = [number + sum(sizes[:i]) for i in range(len(sizes))]
            groups = [list(range(start, start + size)) for start, size in zip(starts, sizes, strict=True)]
            for i in rng.at("order", place).generator().permutation(len(groups)):
                out += groups[int(i)]
            number += sum(sizes)
        return out

    def sample(self, shape: ClipShape, rng: Rng) -> Params:
        """Plans, one for the clip or one for each frame: the stages in the order in which they are run, what was drawn
        for each, with lists of one value for each frame of the plan; and the key of the noise."""
        after = self.shape_after(shape, {})
        truth, final = (shape.height, shape.width), (after.height, after.width)
        flat = self.flat()
        budget = 1.0 if self.bits_area is None else shape.height * shape.width / self.bits_area

        def plan(count: int, place: Rng) -> list[Params]:
            sizes: list[Size] = [truth] * count
            out = []
            for number in self._order(place):
                drawn, sizes = flat[number].draw(Scene(final, sizes, budget), place.at("stage", number))
                out.append({"stage": number, **drawn})
            return out

        if self.per == "clip":
            plans = [plan(shape.frames, rng.at("clip"))]
        else:
            plans = [plan(1, rng.at("frame", t)) for t in range(shape.frames)]
        return {"plans": plans, "key": rng.key}

    def shape_after(self, shape: ClipShape, params: Params) -> ClipShape:
        """Height and width divided by the scale, rounded up."""
        height, width = (-(-side // self.scale) for side in (shape.height, shape.width))
        return replace(shape, height=height, width=width, scale=shape.scale * self.scale)

    def facts(self, params: Params, shape: ClipShape) -> dict[str, list[Any]]:
        """Everything that was drawn, by stage and frame; null where it does not apply (the sigma of Poisson noise).

        ``order`` names the stages in the order in which they were run.
        """
        flat, names = self.flat(), self.names()
        known = [f"{name}_{item}" for stage, name in zip(flat, names, strict=True) for item in stage.known]
        out: dict[str, list[Any]] = {name: [None] * shape.frames for name in ("order", *known)}
        for t in range(shape.frames):
            plan, index = self._at(params, t)
            out["order"][t] = " ".join(names[drawn["stage"]] for drawn in plan)
            for drawn in plan:
                number = drawn["stage"]
                for item, value in flat[number].facts(drawn, index).items():
                    out[f"{names[number]}_{item}"][t] = value
        return out

    def _at(self, params: Params, frame: int) -> tuple[list[Params], int]:
        """The plan of a frame, and its place in that plan's lists."""
        return (params["plans"][0], frame) if self.per == "clip" else (params["plans"][frame], 0)

    def apply(self, frames: Tensor, params: Params, *, start: int = 0, masks: Masks = NO_MASKS) -> Damage:
        """``frames`` as a clip of their own, if there is a video stage (it cannot be cut: use :meth:`stream`)."""
        with tempfile.TemporaryDirectory(prefix="vbench-realworld-") as folder:
            out = [_to_tensor(i) for i in self._run(_images(frames), params, start, Path(folder), {})]
        return Damage(torch.stack(out), masks if self.scale == 1 else NO_MASKS)

    def stream(
        self,
        chunks: Iterable[Damage],
        params: Params,
        shape: ClipShape,
        subframes: Subframes | None = None,
        measured: dict[str, Any] | None = None,
    ) -> Iterator[Damage]:
        """Frame by frame; a video stage waits for the whole clip, in a temporary file. The bits that it spent on each
        frame are measured."""
        with tempfile.TemporaryDirectory(prefix="vbench-realworld-") as name:
            folder = Path(name)
            counts: list[int] = []
            out = self._run(
                self._pulled(chunks, folder, counts), params, 0, folder, {} if measured is None else measured
            )
            ready: list[Tensor] = []
            number = 0
            for image in out:
                ready.append(_to_tensor(image))
                if len(ready) == counts[number]:
                    yield Damage(torch.stack(ready), _take(folder, number))
                    ready = []
                    number += 1

    def _pulled(self, chunks: Iterable[Damage], folder: Path, counts: list[int]) -> Iterator[Image]:
        """Frames as images; masks wait on disk, for a video stage takes the whole clip before it gives a frame."""
        for number, (frames, masks) in enumerate(chunks):
            counts.append(len(frames))
            if masks and self.scale == 1:
                planes: dict[str, Any] = {kind: plane.numpy() for kind, plane in masks.items()}
                np.savez_compressed(folder / f"masks-{number}.npz", **planes)
            yield from _images(frames)

    def _run(
        self, images: Iterator[Image], params: Params, start: int, folder: Path, measured: dict[str, Any]
    ) -> Iterator[Image]:
        key = Rng(params["key"])
        if self.per == "clip":
            yield from self._through(params["plans"][0], images, Places(start, True), key, folder, measured)
            return
        for t, image in enumerate(images, start):
            yield from self._through(params["plans"][t], iter([image]), Places(t, False), key, folder, measured)

    def _through(
        self, plan: list[Params], images: Iterator[Image], places: Places, key: Rng, folder: Path, measured: Params
    ) -> Iterator[Image]:
        flat, names = self.flat(), self.names()
        learned: dict[str, Params] = {}
        for drawn in plan:
            number = drawn["stage"]
            found = learned.setdefault(names[number], {})
            images = flat[number].run(images, drawn, places, key.at("stage", number), folder, found)
        yield from images
        measured.update({f"{name}_{item}": value for name, found in learned.items() for item, value in found.items()})


def _images(frames: Tensor) -> Iterator[Image]:
    for frame in frames:
        yield np.ascontiguousarray(frame.numpy().transpose(1, 2, 0) * np.float32(255))


def _to_tensor(image: Image) -> Tensor:
    values = image.astype(np.float32).clip(0, 255) / np.float32(255)
    return torch.from_numpy(np.ascontiguousarray(values.transpose(2, 0, 1)))


def _take(folder: Path, number: int) -> dict[str, Tensor]:
    path = folder / f"masks-{number}.npz"
    if not path.exists():
        return {}
    with np.load(path) as planes:
        masks = {kind: torch.from_numpy(planes[kind]) for kind in planes.files}
    path.unlink()
    return masks
