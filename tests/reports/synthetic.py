"""Made-up results of any size, for tests and benchmarks of the report: cells as the runner writes them, without pictures."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from leaderboards.schema import Cell, Cost, MetricFacts, ModelFacts
from leaderboards.store import commit_json, write_cell

METRICS = (
    MetricFacts(name="psnr", version=1, unit="dB", direction="higher", convention="RGB, no crop."),
    MetricFacts(name="ssim", version=1, unit="", direction="higher", convention="Gaussian window of 11 pixels."),
    MetricFacts(name="lpips", version=1, unit="", direction="lower", convention="AlexNet."),
    MetricFacts(name="vmaf", version=1, unit="", direction="higher", convention="vmaf_v0.6.1."),
    MetricFacts(name="niqe", version=1, unit="", direction="lower", convention="No reference."),
    MetricFacts(
        name="warp_error", version=1, unit="", direction="lower", convention="Along the flow of the ground truth."
    ),
    MetricFacts(name="tof", version=1, unit="", direction="lower", convention="Difference of flows."),
    MetricFacts(name="flicker", version=1, unit="", direction="lower", convention="Steps of the mean."),
)
BASE = {
    "psnr": 24.0,
    "ssim": 0.7,
    "lpips": 0.3,
    "vmaf": 50.0,
    "niqe": 5.0,
    "warp_error": 0.01,
    "tof": 0.5,
    "flicker": 1.0,
}
STEP = {
    "psnr": 1.0,
    "ssim": 0.03,
    "lpips": -0.02,
    "vmaf": 4.0,
    "niqe": -0.2,
    "warp_error": -0.001,
    "tof": -0.04,
    "flicker": -0.1,
}
PROFILES = ("oldfilm", "noise", "codec", "blur")
SEVERITIES = ("light", "medium", "heavy")

HOSTILE = (
    'a <b>"q"</b> & <img src=x onerror=alert(1)>'.replace("/", "∕"),
    "x" * 200,
    "\u202eright to left\u2066 and left open",
    "שלום עולם مرحبا",
    "{{ 7*7 }}<script>alert(1)<∕script>",
)
"""Names that must be shown as they are and spoil nothing; a file system takes at most 255 bytes of each."""


def workspace(
    root: Path,
    *,
    models: Sequence[str] | int = 20,
    datasets: int = 10,
    further: Sequence[str] = (),
    clips: Sequence[str] | int = 20,
    frames: int = 12,
    metrics: int = len(METRICS),
    holes: bool = True,
) -> Path:
    """Write results of made-up models below ``root``: they differ in quality, clips in difficulty, severities in both.

    Args:
        root: the workspace.
        models: names, or how many; doing nothing comes on top.
        datasets: up to three severities of each of four profiles.
        further: names of data sets besides, whose profiles have their names.
        clips: names, or how many, of each data set.
        frames: of each clip.
        metrics: how many of :data:`METRICS`.
        holes: whether one model fails on one clip.
    """
    model_names = list(models) if not isinstance(models, int) else [f"model-{i:02d}" for i in range(models)]
    clip_names = list(clips) if not isinstance(clips, int) else [f"clip{i:02d}" for i in range(clips)]
    named = [
        (
            PROFILES[i % len(PROFILES)],
            f"{PROFILES[i % len(PROFILES)]}-{SEVERITIES[i // len(PROFILES)]}",
            i // len(PROFILES),
        )
        for i in range(datasets)
    ]
    for number, (profile, dataset, level) in enumerate([*named, *((name, name, 0) for name in further)]):
        commit_json(root / "datasets" / dataset / "dataset.json", _dataset(dataset, profile, level, clip_names, frames))
        for m, model in enumerate(["identity", *model_names]):
            for c, clip in enumerate(clip_names):
                for metric in METRICS[:metrics]:
                    failed = holes and (number, m, c) == (0, 3, 1) and metric.name == "ssim"
                    write_cell(root, _cell(dataset, number, level, model, m, clip, c, metric, frames, failed))
    commit_json(root / "results" / "run.json", _run(model_names))
    return root


def _cell(
    dataset: str,
    number: int,
    level: int,
    model: str,
    m: int,
    clip: str,
    c: int,
    metric: MetricFacts,
    frames: int,
    failed: bool,
) -> Cell:
    rng = np.random.default_rng([number, m, c])
    better = 0.0 if m == 0 else 2.5 * math.sin(1.7 * m + number // 4) + 0.8
    quality = better - 1.2 * level + 0.35 * rng.standard_normal() - 0.15 * c
    values = BASE[metric.name] + STEP[metric.name] * (quality + 0.1 * rng.standard_normal(frames))
    facts = ModelFacts(
        name=model, version=1, title=f"Made-up model {m}", task=("denoising", "deblurring", "old film")[m % 3],
        source="Nobody et al., nowhere", licence="MIT", settings={"strength": m}, parameters=10_000 * m or None,
        weights_file=f"weights{m}.pth" if m % 4 == 1 else None,
        weights_sha256=hashlib.sha256(model.encode()).hexdigest() if m % 4 == 1 else None,
    )  # fmt: skip
    return Cell(
        status="failed" if failed else "ok", dataset=dataset, clip=clip, model=model, metric=metric, protocol="default@1",
        value=None if failed else float(values.mean()), frames=[] if failed else [round(float(v), 6) for v in values],
        error="it <i>broke</i> here" if failed else None, model_facts=facts,
        data_sha256=hashlib.sha256(f"{dataset}/{clip}".encode()).hexdigest(), restored_sha256="0" * 64,
        fingerprint=hashlib.sha256(f"{dataset}/{model}/{clip}/{metric.name}".encode()).hexdigest(), device="cpu",
        precision="fp32", versions={"vbench": "0"},
        cost=Cost(
            frames=frames, seconds=frames * 0.002 * 1.6**m, threads=1, device="cpu", warm=True, memory_bytes=2**20 * (100 + m)
        ),
    )  # fmt: skip


def _dataset(name: str, profile: str, level: int, clips: Sequence[str], frames: int) -> dict[str, object]:
    variant = SEVERITIES[level]
    return {
        "schema_version": 1, "name": name, "profile": profile, "variant": variant, "title": f"{profile.capitalize()}: {variant}",
        "description": "Made up.", "source": "Nowhere.", "severity": level + 1, "profile_version": 1, "profile_sha256": "0" * 64,
        "seed": 0, "commands": [],
        "clips": [
            {"name": clip, "frames": frames, "height": 180, "width": 320, "channels": 3, "fps": 24.0, "source": "made up",
             "colour": "sRGB", "bit_depth": 8, "gt_sha256": "1" * 64, "lq_sha256": "2" * 64, "mask": False, "scale": 1}
            for clip in clips
        ],
        "recipe": {
            "name": profile, "version": 1, "title": profile.capitalize(), "description": "Made up.", "source": "Nowhere.",
            "variants": {variant: {"title": variant, "severity": level + 1, "steps": [{"gaussian-noise": {"sigma": 15}}]}},
        },
    }  # fmt: skip


def _run(models: Sequence[str]) -> dict[str, object]:
    ran = [{"name": name, "status": "ran"} for name in ("identity", *models)]
    return {
        "command": "vbench run --models all", "started": "2026-01-01T00:00:00Z", "finished": "2026-01-01T00:01:00Z",
        "models": ran, "versions": {"vbench": "0"}, "device": {"device": "cpu", "cpu": "none", "cores": 1}, "unfit": {},
    }  # fmt: skip
