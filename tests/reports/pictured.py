"""Small workspaces with pictures: a scene that moves, damaged and restored by made-up models, with masks and figures."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from leaderboards.schema import Cell, MetricFacts, ModelFacts
from leaderboards.store import commit_json, write_cell

Frames = NDArray[np.uint8]
"""``(T, H, W, 3)``, RGB."""

PSNR = MetricFacts(name="psnr", version=1, unit="dB", direction="higher", convention="All samples of a frame.")
WARP = MetricFacts(name="warp_error", version=1, unit="", direction="lower", convention="Of neighbours.")
FLICKER = MetricFacts(
    name="flicker",
    version=1,
    unit="levels",
    direction="lower",
    convention="Steps of either sign; of a clip their size.",
)
NIQE = MetricFacts(name="niqe", version=1, unit="", direction="lower", convention="Without reference.")


def scene(frames: int = 8, height: int = 49, width: int = 81, seed: int = 0) -> Frames:
    """Coloured waves and a square that move; odd sides, as yuv420p has none."""
    y, x = np.mgrid[:height, :width].astype(float)
    out = np.empty((frames, height, width, 3), np.uint8)
    for t in range(frames):
        for c in range(3):
            wave = np.sin((x * (c + 1) + 3 * t) / 9 + seed) + np.cos((y - 2 * t * c) / 7)
            out[t, ..., c] = np.clip(128 + 45 * wave, 0, 255)
        out[t, 10:20, 5 + 4 * t : 15 + 4 * t] = (250, 30, 60)
    return out


def noisy(frames: Frames, sigma: float, seed: int = 1) -> Frames:
    """With noise of its own in each frame."""
    noise = np.random.default_rng(seed).normal(0, sigma, frames.shape)
    return np.clip(frames + noise, 0, 255).astype(np.uint8)


def store(folder: Path, frames: NDArray[np.uint8] | NDArray[np.uint16]) -> str:
    """Write PNG files and give the hash of the frames."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.png"):
        old.unlink()
    for t, frame in enumerate(frames):
        image = cv2.cvtColor(frame, cv2.COLOR_RGB2BGR) if frame.ndim == 3 else frame
        assert cv2.imwrite(str(folder / f"{t:08d}.png"), image)
    return hashlib.sha256(np.ascontiguousarray(frames).tobytes()).hexdigest()


def psnr(a: Frames, b: Frames) -> list[float]:
    """Of each frame."""
    error = ((a.astype(float) - b) ** 2).mean(axis=(1, 2, 3))
    return [float(v) for v in np.where(error > 0, 10 * np.log10(255**2 / np.maximum(error, 1e-12)), np.inf)]


def restored(root: Path, dataset: str, model: str, clip: str, frames: Frames) -> None:
    """Write what a model made of a clip."""
    room = root / "restored" / dataset / model
    digest = store(room / clip, frames)
    commit_json(room / f"{clip}.json", {"frames": len(frames), "sha256": digest})


def measured(
    root: Path,
    dataset: str,
    model: str,
    clip: str,
    metric: MetricFacts,
    values: Sequence[float],
    value: float | None = None,
) -> None:
    """Write a result; the clip's figure is the mean unless it is given."""
    facts = ModelFacts(name=model, version=1, title=model, task="denoising", source="nowhere", licence="MIT")
    write_cell(
        root,
        Cell(
            status="ok", dataset=dataset, clip=clip, model=model, metric=metric, protocol="default@1",
            value=float(np.mean(values)) if value is None else value, frames=[float(v) for v in values], model_facts=facts,
            data_sha256=clip,
            fingerprint="0", device="cpu", precision="fp32",
        ),
    )  # fmt: skip


def dataset(
    root: Path,
    name: str,
    clips: dict[str, Frames],
    models: dict[str, float],
    *,
    masks: bool = False,
    truth: bool = True,
) -> Path:
    """A data set of clips with noise of 20, restored by models that leave noise of so many grey levels; with results.

    Args:
        root: the workspace.
        name: of the data set.
        clips: the clean frames, by name.
        models: what each leaves, by name; doing nothing comes on top.
        masks: whether there are masks of two kinds.
        truth: whether there is ground truth; without it the figures are of NIQE.
    """
    base = root / "datasets" / name
    facts = []
    for number, (clip, clean) in enumerate(clips.items()):
        given = noisy(clean, 20, number)
        gt = store(base / "gt" / clip, clean) if truth else None
        lq = store(base / "lq" / clip, given)
        kinds = ("dirt", "scratch") if masks else ()
        for k, kind in enumerate(kinds):
            marks = np.zeros(clean.shape[:3], np.uint8)
            marks[::2, 5 * (k + 1) : 5 * (k + 1) + 4, 30:40] = 255  # every other frame has a mark
            store(base / "masks" / kind / clip, marks)
        for m, (model, left) in enumerate({"identity": 20.0, **models}.items()):
            out = given if model == "identity" else noisy(clean, left, 100 * m + number)
            restored(root, name, model, clip, out)
            if truth:
                measured(root, name, model, clip, PSNR, psnr(out, clean))
                if len(out) > 1:
                    steps = np.abs(np.diff(out.astype(float), axis=0)).mean(axis=(1, 2, 3)) / 255
                    measured(root, name, model, clip, WARP, [float(v) for v in steps])
            else:
                measured(root, name, model, clip, NIQE, [5 + left / 10 + t / 100 for t in range(len(out))])
        facts.append(
            {
                "name": clip, "frames": len(clean), "height": clean.shape[1], "width": clean.shape[2], "channels": 3,
                "fps": 24.0, "colour": "RGB", "bit_depth": 8, "source": "made up",
                "gt_sha256": gt, "lq_sha256": lq, "mask": masks, "mask_kinds": list(kinds),
            }
        )  # fmt: skip
    commit_json(
        base / "dataset.json",
        {"name": name, "title": f"Title of {name}", "description": "Made up.", "profile": "film", "variant": name,
         "severity": None, "seed": 0, "source": "Nowhere.", "clips": facts, "commands": [], "profile_version": 1,
         "profile_sha256": "0" * 64, "versions": {}},
    )  # fmt: skip
    return base
