"""Our metrics against what the official code computed: every comparison, with its tolerance.

Run as a program, it prints the table; ``test_metrics.py`` asserts every line of it.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from vbench import assets, metrics
from vbench.metrics import aligned, brisque, lpips, niqe, warp_error
from vbench.metrics.spec import Chunk, View, figures_of
from vbench.metrics.vmaf import RawVideo, of_raw
from vbench.models.recipe import read_manifest, state_dict
from vbench.svm import load_model


@dataclass(frozen=True)
class Comparison:
    """One metric under one convention against one fixture."""

    metric: str
    fixture: str
    largest: float
    """Largest difference found, as ``tolerance`` counts it."""
    tolerance: float
    how: str
    """ "absolute", "relative" or "share of pixels"."""
    count: int
    """Figures compared."""

    @property
    def within(self) -> bool:
        """Whether it is as small as the fixture asks."""
        return self.count > 0 and self.largest <= self.tolerance


def read(path: Path) -> torch.Tensor:
    """A picture as ``(1, C, H, W)`` uint8."""
    stored = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert stored is not None, path
    image = stored[..., None] if stored.ndim == 2 else stored[..., ::-1]
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))[None]


def _video(frames: Any) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(frames.transpose(0, 3, 1, 2)))


def _figures(name: str, view: View) -> tuple[list[float], float]:
    metric = metrics.load(name)
    found = figures_of(metric, view)
    return found.values, metric.combine(found)


def _largest(own: Any, official: Any, relative: bool = False) -> float:
    a, b = (np.atleast_1d(np.asarray(x, dtype=np.float64)) for x in (own, official))
    assert a.shape == b.shape, (a.shape, b.shape)
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    with np.errstate(invalid="ignore"):
        difference = np.where(same, 0.0, np.abs(a - b))
    if relative:
        difference = difference / np.abs(b)
    return float("inf") if np.isnan(difference).any() else float(difference.max(initial=0.0))


# --- PSNR and SSIM --------------------------------------------------------------------------------

FLOAT32 = "float32"
CONVENTIONS: dict[str, tuple[str | None, str | None, str]] = {
    "skimage_default_uint8": ("psnr", "ssim[uniform7]", ""),
    "skimage_gaussian_wang": (None, "ssim", ""),
    "rtn_measure_RGB_skimage_win21": ("psnr", "ssim[uniform21]", FLOAT32),
    "rtn_measure_gray_skimage_win21": ("psnr[pil-l]", "ssim[pil-l,uniform21]", FLOAT32),
    "rtn_psnr_ssim": ("psnr", "ssim", ""),
    "fastdvdnet_batch_psnr": ("psnr", None, FLOAT32),
    "votes_y_crop2": ("psnr[y,crop=2]", "ssim[y,crop=2]", FLOAT32),
    "tecogan": ("psnr[tecogan]", "ssim[tecogan]", ""),
    "ffmpeg_gbrp": ("psnr", "ssim[ffmpeg]", "ffmpeg"),
    "ffmpeg_gray": ("psnr", "ssim[ffmpeg]", "ffmpeg"),
    **{
        f"basicsr_crop{crop}_{colour}": (
            f"psnr[{'y,' if colour == 'y' else ''}crop={crop}]",
            f"ssim[{'y,' if colour == 'y' else ''}crop={crop}]",
            "",
        )
        for crop in (0, 2, 4)
        for colour in ("rgb", "gray", "y")
    },
    "basicsr_pt_crop0_rgb": ("psnr[basicsr-pt]", "ssim", FLOAT32),
    "basicsr_pt_crop0_gray": ("psnr[basicsr-pt]", "ssim", FLOAT32),
    "basicsr_pt_crop0_y": ("psnr[y,basicsr-pt]", "ssim[y]", FLOAT32),
}
NOT_OURS = ("ffmpeg_yuv444p", "ffmpeg_yuv420p")
"""Conventions of the fixture that depend on the scaler of one FFmpeg build."""
TOLERANCES = {"": (1e-6, 1e-8), FLOAT32: (1e-4, 1e-5), "ffmpeg": (1e-6, 1e-6)}


def psnr_ssim(shared: Path) -> Iterator[Comparison]:
    """Four pairs of pictures under each convention."""
    document = json.loads((shared / "metrics" / "psnr_ssim.json").read_text())
    found: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for pair in document["pairs"].values():
        truth, result = (read(shared / "metrics" / pair[side]) for side in ("ground_truth", "result"))
        view = View(Chunk(result), Chunk(truth))
        for key, official in pair["values"].items():
            if key in NOT_OURS:
                continue
            for which, name in zip(("psnr", "ssim"), CONVENTIONS[key][:2], strict=True):
                if name is None or which not in official:
                    continue
                value = official[which]
                if isinstance(value, dict):
                    value = value["average" if which == "psnr" else "All"]
                found.setdefault((key, name), []).append((_figures(name, view)[0][0], float(value)))
    for (key, name), pairs in found.items():
        tolerance = TOLERANCES[CONVENTIONS[key][2]][name.startswith("ssim")]
        own, official = zip(*pairs, strict=True)
        yield Comparison(name, f"psnr_ssim.json {key}", _largest(own, official), tolerance, "absolute", len(pairs))
    stored = dict(np.load(shared / "metrics" / "warp_error.npz"))
    view = View(Chunk(_video(stored["in/output"])), Chunk(_video(stored["in/input"])))
    sequence = document["sequence"]
    for name, key in (("psnr", "mean_of_frame_psnr"), ("psnr[pooled]", "psnr_of_mean_mse")):
        difference = _largest(_figures(name, view)[1], sequence[key])
        yield Comparison(name, f"psnr_ssim.json sequence {key}", difference, 1e-6, "absolute", 1)


def aligned_figures(shared: Path) -> Iterator[Comparison]:
    """Koehler's alignment: shift exact, scale, PSNR and SSIM."""
    document = json.loads((shared / "metrics" / "aligned.json").read_text())
    rows: dict[str, list[tuple[float, float]]] = {}
    for pair in document["pairs"]:
        truth, result = (read(shared / "metrics" / pair[side])[0] for side in ("ground_truth", "result"))
        for key, official in pair["values"].items():
            crop = int(key.removeprefix("crop"))
            own = aligned.aligned(result, aligned.prepare(truth, crop), crop)
            suffix = "" if crop == 16 else "[crop=0]"
            for name, value, wanted in (
                ("psnr_aligned", own.psnr, official["aligned_psnr"]),
                ("ssim_aligned", own.ssim, official["aligned_ssim"]),
                ("shift rows", own.alignment.rows, official["shift_rows"]),
                ("shift columns", own.alignment.cols, official["shift_cols"]),
                ("brightness factor", own.alignment.scale, official["scale"]),
            ):
                rows.setdefault(name + suffix, []).append((float(value), float(wanted)))
    tolerances = {"psnr_aligned": 1e-6, "ssim_aligned": 1e-8, "brightness factor": 1e-12}
    for name, pairs in rows.items():
        own_values, official_values = zip(*pairs, strict=True)
        tolerance = tolerances.get(name.removesuffix("[crop=0]"), 0.0)
        difference = _largest(own_values, official_values, relative=name.startswith("brightness"))
        how = "relative" if name.startswith("brightness") else "absolute"
        yield Comparison(name, "aligned.json", difference, tolerance, how, len(pairs))


# --- no reference ---------------------------------------------------------------------------------


def niqe_brisque(shared: Path) -> Iterator[Comparison]:
    """Official figures where the official code determines them, snapped ones everywhere."""
    data = shared / "data" / "metrics"
    pristine = niqe.load_parameters(data / "niqe_modelparameters.mat")
    model, ranges = load_model(data / "brisque_allmodel"), brisque.load_ranges(data / "brisque_allrange")
    images = [
        (shared / "metrics" / entry["file"], entry["flat_windows"]["whole_frame"], entry)
        for entry in json.loads((shared / "metrics" / "niqe_brisque.json").read_text())["images"]
    ]
    for pair in json.loads((data / "calibration.json").read_text())["pairs"]:
        for side in ("reference", "distorted"):
            entry = pair[f"measured_{side}"]
            images.append((data / pair[side], entry["flat_windows"]["whole_frame"], entry))
    rows: dict[str, list[tuple[float, float]]] = {}
    for path, flat, entry in images:
        frame = read(path)
        own = {"niqe": niqe.niqe(frame, pristine)[0], "brisque": brisque.brisque(frame, model, ranges)[0]}
        for name, value in own.items():
            rows.setdefault(f"{name} snapped", []).append((value, entry["flat_snapped_to_zero"][name]))
            if not flat:
                rows.setdefault(f"{name} official", []).append((value, entry["official_in_octave"][name]))
        limited = entry["basicsr_niqe"].get("y")
        if limited is not None:
            form = niqe.niqe(frame, pristine, "basicsr-y")[0]
            rows.setdefault("niqe[basicsr-y] " + ("with flat windows" if flat else ""), []).append((form, limited))
    # BasicSR resizes in single precision, and the grid of shapes then lands a step away now and then.
    tolerances = {
        "niqe official": 1e-6,
        "niqe snapped": 1e-6,
        "brisque official": 1e-3,
        "brisque snapped": 1e-6,
        "niqe[basicsr-y] ": 2e-3,
        "niqe[basicsr-y] with flat windows": 0.1,
    }
    for name, pairs in rows.items():
        own_values, official = zip(*pairs, strict=True)
        yield Comparison(
            name.strip(),
            "niqe_brisque.json, calibration.json",
            _largest(own_values, official),
            tolerances[name],
            "absolute",
            len(pairs),
        )


# --- time -----------------------------------------------------------------------------------------


def ms_ssim_figures(shared: Path) -> Iterator[Comparison]:
    """The weighted sum that pyiqa's documentation prints as MATLAB's, to four digits; the product of pytorch-msssim."""
    from pytorch_msssim import ms_ssim

    data = shared / "data" / "metrics"
    pairs = json.loads((data / "calibration.json").read_text())["pairs"]
    views = [View(*(Chunk(read(data / pair[side])) for side in ("distorted", "reference"))) for pair in pairs]
    own = [_figures("ms_ssim[gray,sum]", view)[1] for view in views]
    official = [pair["official_pair"]["ms_ssim"] for pair in pairs]
    yield Comparison("ms_ssim[gray,sum]", "calibration.json", _largest(own, official), 5.1e-5, "absolute", len(own))
    own = [_figures("ms_ssim[rgb]", view)[1] for view in views]
    official = [
        float(ms_ssim(view.restored.frames.double(), view.reference().frames.double(), data_range=255))
        for view in views
    ]
    # Its window is in single precision.
    yield Comparison("ms_ssim[rgb]", "pytorch-msssim", _largest(own, official), 1e-5, "absolute", len(own))


def warping(shared: Path) -> Iterator[Comparison]:
    """Masks, warped frames and errors of Lai et al., flows given."""
    with np.load(shared / "metrics" / "warp_error.npz") as z:
        stored = {k: z[k] for k in z.files}
    values = json.loads(str(stored["out/values"]))

    def flows(there: str, back: str) -> list[warp_error.PairFlow]:
        pairs = zip(stored[f"in/{there}"], stored[f"in/{back}"], strict=True)
        return [warp_error.pair_flow(*(torch.from_numpy(f.astype(np.float32)) for f in pair)) for pair in pairs]

    ways: dict[str, tuple[list[warp_error.PairFlow], str]] = {
        "forward": (flows("flow_forward", "flow_backward"), "out/occlusion_forward"),
        "backward": (flows("flow_backward", "flow_forward"), "out/occlusion_backward"),
        "first": (flows("flow_to_first", "flow_from_first"), ""),
    }
    for way, (pairs, key) in ways.items():
        if key:
            own = np.stack([~pair.keep.numpy() for pair in pairs])
            wrong = float((own != stored[key].astype(bool)).mean())
            yield Comparison(f"occlusion, {way}", "warp_error.npz", wrong, 0.0, "share of pixels", own.size)
    video = {side: Chunk(_video(stored[f"in/{side}"])) for side in ("output", "input")}
    warped = warp_error.warp(video["output"].frames[1].double() / 255, ways["forward"][0][0].grid)
    official = stored["out/warped_output_forward"][0].transpose(2, 0, 1)
    difference = _largest(warped.numpy().ravel(), official.ravel())
    yield Comparison("warped frame", "warp_error.npz", difference, 1e-6, "absolute", official.size)
    for side, chunk in video.items():
        figures = warp_error.errors_of(chunk, ways["forward"][0], "forward", "square")
        wanted = values[f"lai_eval_{side}"]["per_pair_float64_sums"]
        yield Comparison(
            f"warp_error ({side})", "warp_error.npz", _largest(figures, wanted, True), 1e-6, "relative", len(figures)
        )
    backward = values["backward_output"]
    for name, way, kind, key in (
        ("warp_error[backward]", "backward", "square", "short_sq_per_pair"),
        ("warp_error[backward,absolute]", "backward", "absolute", "short_abs_per_pair"),
        ("warp_error_long", "first", "square", "long_sq_per_pair"),
        ("warp_error_long[absolute]", "first", "absolute", "long_abs_per_pair"),
    ):
        figures = warp_error.errors_of(video["output"], ways[way][0], way, kind)  # type: ignore[arg-type]
        yield Comparison(name, "warp_error.npz", _largest(figures, backward[key], True), 1e-6, "relative", len(figures))
    figures = warp_error.errors_of(video["output"], ways["backward"][0], "backward", "sum")
    difference = _largest(math.fsum(figures), backward["short_abs_sum_L_st"], True)
    yield Comparison("l_st", "warp_error.npz", difference, 1e-6, "relative", len(figures))


def temporal(shared: Path) -> Iterator[Comparison]:
    """tOF, tLP, flicker, LPIPS (by recipe)."""
    room = shared / "metrics"
    values = json.loads((room / "temporal.json").read_text())
    stored = dict(np.load(room / "warp_error.npz"))
    truth, result = (Chunk(_video(stored[f"in/{side}"])) for side in ("input", "output"))
    view = View(result, truth)
    # Another OpenCV than that of the fixture may differ by 1e-2, says its page.
    tolerance = 1e-4 if cv2.__version__ == values["opencv"] else 1e-2
    for name, key in (("tof", "tOF_per_pair"), ("tof[none]", "tOF_per_pair_no_crop")):
        own = _figures(name, view)[0]
        yield Comparison(name, "temporal.json", _largest(own, values[key], True), tolerance, "relative", len(own))
    for side, chunk in (("input", truth), ("output", result)):
        wanted = values[f"luma_flicker_{side}"]
        for name, official in (
            ("flicker", wanted["rms_second_difference"]),
            ("flicker[first]", wanted["mean_abs_difference"]),
            ("flicker[deviation]", wanted["std_of_mean"]),
            ("flicker[generation]", values[f"vbench_flicker_{side}"]["score"]),
        ):
            difference = _largest(_figures(name, View(chunk))[1], official)
            yield Comparison(f"{name} ({side})", "temporal.json", difference, 1e-6, "absolute", 1)
    network = recipe_lpips(room)
    own = lpips.tlp(network, result, truth).values
    official = values["tLP100_per_pair_recipe_features"]
    yield Comparison("tlp", "temporal.json", _largest(own, official, True), 1e-8, "relative", len(own))
    with np.load(room / "lpips" / "case_pairs.npz") as z:
        case = {k: z[k] for k in z.files}
    own, official = [], []
    for i in range(3):
        a, b = (_video(case[f"in/{side}{i}"][None]) for side in "ab")
        own += lpips.lpips_distance(network, a, b)
        official.append(float(case[f"out/lpips{i}"]))
    yield Comparison("lpips (recipe trunk)", "lpips/", _largest(own, official, True), 1e-8, "relative", 3)


@cache
def recipe_lpips(room: Path) -> torch.nn.Module:
    """LPIPS with the fixture's trunk, in double precision."""
    return lpips.build(state_dict(read_manifest(room / "lpips" / "manifest.json"))).double()


def perceptual(shared: Path) -> Iterator[Comparison]:
    """LPIPS and DISTS with the real networks, where their files are: the official figures of five pairs, four digits."""
    pairs = json.loads((shared / "data" / "metrics" / "calibration.json").read_text())["pairs"]
    needed = {"lpips": ("alexnet",), "dists": ("vgg16", "dists")}
    for name, files in needed.items():
        if None in map(assets.find, files):
            continue
        official = [pair["official_pair"][name] for pair in pairs]
        sides = (
            [Chunk(read(shared / "data" / "metrics" / pair[side])) for side in ("distorted", "reference")]
            for pair in pairs
        )
        own = [_figures(name, View(*both))[1] for both in sides]
        yield Comparison(
            f"{name} (real trunk)", "calibration.json", _largest(own, official), 6e-5, "absolute", len(own)
        )


def video_quality(shared: Path) -> Iterator[Comparison]:
    """libvmaf's figures of the pairs that Netflix publishes."""
    tolerances = {"src01_10bit": 1e-3, "q160x90": 1e-3}
    for pair in json.loads((shared / "metrics" / "vmaf.json").read_text())["pairs"]:
        if pair["name"] not in tolerances:
            continue
        width, height = (int(x) for x in pair["size"].split("x"))
        raw = [
            RawVideo(shared / "data" / "metrics" / pair[side], width, height, pair["pixel_format"])
            for side in ("distorted", "reference")
        ]
        found = of_raw(raw[0], raw[1], ["vmaf", "psnr_y", "float_ssim"])
        own = float(np.mean(found["vmaf"]))
        official = pair["netflix_asserts"]["vmaf"]
        yield Comparison(
            "vmaf", f"vmaf.json {pair['name']}", _largest(own, official), tolerances[pair["name"]], "absolute", 1
        )
        for key, name in (("psnr_y", "psnr_y"), ("float_ssim", "float_ssim")):
            wanted = pair["netflix_asserts"].get(key)
            if wanted is not None:
                difference = _largest(float(np.mean(found[name])), wanted)
                yield Comparison(f"libvmaf {name}", f"vmaf.json {pair['name']}", difference, 1e-4, "absolute", 1)


GROUPS: dict[str, Callable[[Path], Iterator[Comparison]]] = {
    "psnr_ssim": psnr_ssim,
    "aligned": aligned_figures,
    "niqe_brisque": niqe_brisque,
    "ms_ssim": ms_ssim_figures,
    "warping": warping,
    "temporal": temporal,
    "video_quality": video_quality,
}


def table(shared: Path) -> str:
    """Every comparison as a Markdown table."""
    lines = [
        "| metric | fixture | figures | largest difference | tolerance | |",
        "| --- | --- | ---: | ---: | ---: | --- |",
    ]
    for group in (*GROUPS.values(), perceptual):
        lines += [
            f"| `{c.metric}` | {c.fixture} | {c.count} | {c.largest:.1e} | {c.tolerance:.0e} {c.how} | "
            f"{'ok' if c.within else 'OVER'} |"
            for c in group(shared)
        ]
    return "\n".join(lines)


if __name__ == "__main__":
    print(table(Path(sys.argv[1])))
