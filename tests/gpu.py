"""Models, metrics and damage on a GPU: how fast, how much memory, how far from the CPU, how well the GPU is kept busy.

    python -m tests.gpu --out gpu.md                            all; some minutes
    python -m tests.gpu --only models --models rtn,dncnn-s25    some

Models have the recipe's weights (`vbench.models.recipe`) and restore a moving photograph whose frames lie on the GPU
already: the model is measured, not the disk. Two passes warm up, a pass is timed by the clock from the first frame in to
the last one out, another is traced; "busy" is the share of the timed pass for which kernels and copies ran. Agreement with
the CPU is the largest difference of the restored frames of a small clip, in float32, in grey levels of 255.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from tests.memory_1080p import NETWORKS, PARITY, picture

SIZES = {"480p": (480, 854), "720p": (720, 1280)}
SMALL = (144, 192)
FRAMES = 8
HEAVY = 5
"""Frames for networks that enlarge."""
METRICS = (
    "psnr",
    "ssim",
    "ms_ssim",
    "psnr_aligned",
    "ssim_aligned",
    "warp_error",
    "niqe",
    "brisque",
    "niqe[basicsr-y]",
    "lpips",
)
DAMAGE = (("noise", "gaussian25", 3), ("noise", "awgn25", 3), ("oldfilm", "medium", 1), ("oldfilm", "colour", 3))
"""Profile, variant, channels: old film in black and white is made of gray frames, as its profile says."""


def main() -> None:
    """The tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="A file for the tables, besides standard output.")
    parser.add_argument("--only", default="models,metrics,damage", help="models, metrics, damage: some of them.")
    parser.add_argument("--models", default=",".join(NETWORKS))
    parser.add_argument("--precisions", default="fp32,bf16")
    parser.add_argument("--sizes", default=",".join(SIZES))
    asked = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit("PyTorch sees no CUDA GPU here.")
    lines: list[str] = []

    def tell(line: str) -> None:
        lines.append(line)
        print(line, flush=True)
        if asked.out is not None:
            asked.out.write_text("\n".join(lines) + "\n")

    from vbench.devices import full_float32

    full_float32()
    tell(f"{torch.cuda.get_device_name()}, PyTorch {torch.__version__}, {torch.get_num_threads()} threads of the CPU")
    only = asked.only.split(",")
    if "models" in only:
        tell("\n| model | size | precision | frames/s | busy | kernels a frame | peak memory | from the CPU |")
        tell("| --- | --- | --- | ---: | ---: | ---: | ---: | ---: |")
        for name in asked.models.split(","):
            models(name, asked.sizes.split(","), asked.precisions.split(","), tell)
    if "metrics" in only:
        tell("\n| metric, 1280 x 720 | CPU, one thread, ms a frame | GPU, ms a frame | relative difference |")
        tell("| --- | ---: | ---: | ---: |")
        for name in METRICS:
            measured(name, tell)
    if "damage" in only:
        tell("\n| damage, 1920 x 1080, frames on the GPU | frames/s | busy | kernels and copies a frame |")
        tell("| --- | ---: | ---: | ---: |")
        for profile, variant, channels in DAMAGE:
            damaged(profile, variant, channels, tell)


def loaded(name: str, device: str) -> tuple[Any, Any]:
    """The restorer of a model with the recipe's weights, and its spec."""
    from vbench import models as catalog
    from vbench.models.verify import build
    from vbench.restore import checked

    network, manifest, _ = NETWORKS[name]
    spec = catalog.spec(name)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "weights.pth"
        torch.save(build(network, PARITY / network / manifest, {}, "float32").state_dict(), path)
        return checked(spec.load(torch.device(device), path), name), spec


def frames_of(height: int, width: int, device: str, count: int = FRAMES) -> list[torch.Tensor]:
    """A moving photograph with noise of sigma 25, a frame each ``(1, 3, H, W)``."""
    g = torch.Generator().manual_seed(0)
    clean = [picture(t, height, width)[None] for t in range(count)]
    return [(x + torch.randn(x.shape, generator=g) * 25 / 255).to(device) for x in clean]


def restored(restorer: Any, frames: list[torch.Tensor], scale: int) -> list[torch.Tensor]:
    """One pass over the clip."""
    from vbench.restore import ClipMeta

    height, width = frames[0].shape[-2:]
    meta = ClipMeta(len(frames), height, width, 3, 24.0, scale)
    with torch.inference_mode():
        return list(restorer.restore(iter(frames), meta))


def models(name: str, sizes: list[str], precisions: list[str], tell: Callable[[str], None]) -> None:
    """The rows of one model."""
    from vbench.precision import in_precision

    gpu, spec = loaded(name, "cuda")
    scale = (spec.scales or (1,))[0]
    here, _ = loaded(name, "cpu")
    small = frames_of(*SMALL, "cpu")
    count = HEAVY if scale > 1 else FRAMES
    try:
        with torch.inference_mode():
            one = torch.cat(restored(here, small, scale))
            for _ in range(3):  # recorded calls are replayed in the end
                other = torch.cat([x.cpu() for x in restored(gpu, [x.cuda() for x in small], scale)])
        apart = f"{float((one.clamp(0, 1) - other.clamp(0, 1)).abs().max()) * 255:.2g}"
    except Exception as error:  # the row says so, the others go on
        apart = f"failed: {type(error).__name__}: {str(error).splitlines()[0][:80]}"
    del here
    for size in sizes:
        frames = frames_of(*SIZES[size], "cuda", count)
        for precision in precisions:
            restorer = in_precision(gpu, precision, "cuda")
            try:
                seconds, share, kernels, memory = timed(lambda r=restorer, f=frames: drained(r, f, scale))
            except Exception as error:  # as above
                said = f"failed: {type(error).__name__}: {str(error).splitlines()[0][:80]}"
                tell(f"| {name} | {size} | {precision} | {said} | | | | |")
                torch.cuda.empty_cache()
                continue
            tell(
                f"| {name} | {size} | {precision} | {len(frames) / seconds:.1f} | {share:.0%} | {kernels // len(frames)} "
                f"| {memory / 2**30:.2f} GiB | {apart if precision == 'fp32' else ''} |"
            )
        del frames
        torch.cuda.empty_cache()


def drained(restorer: Any, frames: list[torch.Tensor], scale: int) -> None:
    """A pass whose frames are let go of as they come."""
    from vbench.restore import ClipMeta

    height, width = frames[0].shape[-2:]
    with torch.inference_mode():
        for _ in restorer.restore(iter(frames), ClipMeta(len(frames), height, width, 3, 24.0, scale)):
            pass


def timed(job: Callable[[], None]) -> tuple[float, float, int, int]:
    """Seconds of a warm pass, the share of it in which the GPU worked, its kernels, the most memory that was taken."""
    for _ in range(2):
        job()
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    began = time.perf_counter()
    job()
    torch.cuda.synchronize()
    seconds = time.perf_counter() - began
    memory = torch.cuda.max_memory_allocated()
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as trace:
        job()
        torch.cuda.synchronize()
    worked, kernels = busy(trace)
    return seconds, worked / seconds, kernels, memory


def busy(trace: Any) -> tuple[float, int]:
    """Seconds in which at least one kernel or copy ran, and how many ran."""
    spans = sorted(
        (event.time_range.start, event.time_range.end)
        for event in trace.events()
        if event.device_type == torch.autograd.DeviceType.CUDA
    )
    total, reached = 0.0, 0.0
    for start, end in spans:
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total / 1e6, len(spans)


def measured(name: str, tell: Callable[[str], None]) -> None:
    """The row of one metric."""
    from vbench import metrics
    from vbench.metrics.spec import Chunk, View, figures_of

    try:
        metric = metrics.load(name)
        truth = torch.cat([picture(t, 720, 1280)[None] for t in range(4)]).mul(255).round().to(torch.uint8)
        noise = torch.randn(truth.shape, generator=torch.Generator().manual_seed(1)) * 9
        result = (truth + noise).clamp(0, 255).round().to(torch.uint8)

        def once(device: str) -> list[float]:
            values = figures_of(metric, View(Chunk(result.to(device)), Chunk(truth.to(device)), None, None)).values
            if device == "cuda":
                torch.cuda.synchronize()
            return list(values)

        spent: dict[str, float] = {}
        found: dict[str, list[float]] = {}
        threads = torch.get_num_threads()
        for device in ("cpu", "cuda"):
            torch.set_num_threads(1 if device == "cpu" else threads)
            once(device)
            times = []
            for _ in range(2 if device == "cpu" else 7):
                began = time.perf_counter()
                found[device] = once(device)
                times.append(time.perf_counter() - began)
            spent[device] = sorted(times)[len(times) // 2] / len(truth) * 1e3
        torch.set_num_threads(threads)
        apart = max(abs(a - b) / max(abs(a), 1e-12) for a, b in zip(*found.values(), strict=True))
        tell(f"| {name} | {spent['cpu']:.1f} | {spent['cuda']:.2f} | {apart:.1g} |")
    except Exception as error:  # the row says so, the others go on
        tell(f"| {name} | failed: {type(error).__name__}: {str(error).splitlines()[0][:80]} | | |")


def damaged(profile: str, variant: str, channels: int, tell: Callable[[str], None]) -> None:
    """The rows of one kind of damage: the whole, and each of its steps by itself."""
    from degradations.apply import AT_ONCE, degrade, draw
    from degradations.base import ClipShape, Damage, joined
    from degradations.catalog import load
    from degradations.profile import load_profile

    clean = torch.cat([picture(t, 1080, 1920)[None] for t in range(8)] * 4)[:, :channels].cuda()

    def seconds_of(job: Callable[[], None]) -> float:
        times = []
        for _ in range(4):
            torch.cuda.synchronize()
            began = time.perf_counter()
            job()
            torch.cuda.synchronize()
            times.append(time.perf_counter() - began)
        return min(times)

    def whole() -> None:
        degrade(clean, profile, variant)

    seconds = seconds_of(whole)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as trace:
        whole()
        torch.cuda.synchronize()
    worked, kernels = busy(trace)
    name = f"{profile}/{variant}, {'gray' if channels == 1 else 'colour'}"
    tell(f"| {name} | {len(clean) / seconds:.0f} | {worked / seconds:.0%} | {kernels / len(clean):.0f} |")
    shape = ClipShape(len(clean), *clean.shape[2:], channels)
    now = [Damage(part) for part in clean.split(AT_ONCE)]
    for step in draw(load_profile(profile), variant, shape).steps:
        made = load(step.kind).model_validate(step.settings)

        def one(made: Any = made, params: Any = step.params, given: list[Damage] = now) -> None:
            for _ in made.stream(given, params, shape):
                pass

        seconds = seconds_of(one)
        tell(f"| {name}: {step.kind} alone | {len(clean) / seconds:.0f} | | |")
        whole_clip = joined(made.stream(now, step.params, shape))
        now = [
            Damage(whole_clip.frames[at], {kind: plane[at] for kind, plane in whole_clip.masks.items()})
            for at in (slice(i, i + AT_ONCE) for i in range(0, len(clean), AT_ONCE))
        ]


if __name__ == "__main__":
    main()
