"""What ``vbench score``, ``vbench metrics`` and ``vbench assets`` do, in words for the terminal."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vbench.commands import say
from vbench.console import progress, say_terms, table_console
from vbench.errors import InputError, MissingAsset, RunError, UsageError, nearest

RAW_FIGURES = ("vmaf", "vmaf_neg", "psnr_y", "float_ssim", "float_ms_ssim")
"""What is measured on raw YUV: figures of libvmaf on the planes as they are stored."""


def score_command(
    gt: Path | None,
    pred: Path,
    metrics: Sequence[str],
    frames: str | None,
    as_json: bool,
    *,
    as_csv: bool = False,
    degraded: Path | None = None,
    masks: Sequence[str] = (),
    raw: str | None = None,
    protocol: str | None = None,
    device: str = "cpu",
) -> None:
    """``vbench score``."""
    from vbench import metrics as metric_catalog
    from vbench import protocols
    from vbench.clip import parse_frames
    from vbench.devices import pick
    from vbench.provenance import versions
    from vbench.remarks import remarks
    from vbench.score import no_figure, score
    from vbench.sources import open_clip

    if raw is not None:
        if as_csv:
            raise UsageError("--csv is of decoded clips; of raw YUV there is --json.")
        _only_raw({"--frames": frames, "--input": degraded, "--mask": masks, "--protocol": protocol}, device)
        _score_raw(gt, pred, metrics, raw, as_json)
        return
    if as_csv and as_json:
        raise UsageError("--json and --csv both say in which form figures are printed: give one of them.")
    if metrics and protocol:
        raise UsageError("--metrics and --protocol both say what is to be measured: give one of them.")
    # Of names that stand for several, what cannot be measured is left out; a metric that was named itself is an error then.
    several = [name for name in metrics if name == "all" or "[*]" in name]
    everything = not metrics or len(several) > 0
    # As `vbench run` does: nearly all of `default` compares with a ground truth.
    chosen = protocols.load(protocol or ("default" if gt is not None else "no-reference"))
    places = _masks(masks)
    start, stop = parse_frames(frames)
    names = [m.name for m in metric_catalog.load_all(list(metrics) or chosen.metrics)]
    own = [m.name for m in metric_catalog.load_all([name for name in metrics if name not in several])]
    info = open_clip(pred, start=start, stop=stop).info
    first, last = (0, info.frames) if metrics else chosen.scored.of(info.frames)
    total = last - first
    if total == 0:
        raise InputError(
            f"The protocol {chosen.name} leaves out the first {chosen.scored.skip_first} and the last "
            f'{chosen.scored.skip_last} frames of a clip, and "{pred}" has {info.frames}.'
        )
    with progress("measuring") as report:
        report("measuring", 0, info.frames)
        result = score(
            gt,
            pred,
            names,
            degraded=degraded,
            masks=places,
            start=start,
            stop=stop,
            done=lambda n: report("measuring", n, None),
            device=pick(device),
            skip=everything,
            scored=(first, last),
        )
    for name in own if several else []:
        reason = result["skipped"].get(name)
        if reason not in (None, no_figure(name)):
            raise InputError(reason)
    if not result["metrics"]:
        reasons = "\n".join(f"  {words}" for words in _reasons(result))
        raise InputError(f'Nothing that was asked for can be measured on "{pred}":\n{reasons}')
    said = remarks([gt, pred, degraded, *places.values()], start, stop)
    if as_csv:
        print(*said, sep="\n", end="\n" if said else "", file=sys.stderr)
        print(_csv(result, start + first), end="")
        return
    if as_json:
        beside = {"versions": versions(), **({} if metrics else {"protocol": chosen.label})}
        beside |= {"remarks": said} if said else {}
        print(json.dumps({**_finite(result), **beside}, ensure_ascii=False, indent=1, allow_nan=False))
        return
    _say_scores(result, start + first)
    for words in said:
        say(words)
    if not metrics:
        shown = f", frames {start + first} to {start + last - 1}" if total < info.frames else ""
        say(f"protocol {chosen.label}{shown}")
        if chosen.depth == 16 and info.bit_depth < 16:
            say(
                "  The official script measures what the network gives, in floating point; these frames have "
                f"{info.bit_depth} bits, and their rounding is measured with them."
            )


def _only_raw(given: Mapping[str, object], device: str) -> None:
    """Raise UsageError for options that say nothing of raw YUV, which is measured whole, by libvmaf, as it is stored."""
    found = [name for name, value in given.items() if value] + (["--device"] if device != "cpu" else [])
    if found:
        raise UsageError(
            f"--raw measures whole files, by libvmaf alone: {' and '.join(found)} cannot be given with it. It takes --gt, "
            "--pred, --metrics and --json."
        )


def _masks(given: Sequence[str]) -> dict[str, Path]:
    """Masks by kind of damage, "any" for all together: ``PATH``, ``dirt=PATH``.

    Raises:
        UsageError: two of one kind, or of no kind that there is.

    Example:
        >>> sorted(_masks(["a/mask", "dirt=a/dirt"]))
        ['any', 'dirt']
    """
    from vbench.metrics.spec import DAMAGE_KINDS

    out: dict[str, Path] = {}
    for text in given:
        kind, equals, path = text.partition("=")
        if equals and kind not in DAMAGE_KINDS and not Path(text).exists() and Path(path).exists():
            raise UsageError(f'There is no kind of damage "{kind}" (--mask {text}). {nearest(kind, DAMAGE_KINDS)}')
        # A path may hold an equals sign; what is before it is a kind only if it is one of ours.
        kind, path = (kind, path) if equals and kind in DAMAGE_KINDS else ("any", text)
        if kind in out:
            what = "of all damage" if kind == "any" else f"of {kind}"
            raise UsageError(
                f'--mask was given twice for the mask {what}: "{out[kind]}" and "{path}". Masks of single kinds are given as '
                f"KIND=PATH; kinds are {', '.join(DAMAGE_KINDS)}."
            )
        out[kind] = Path(path)
    return out


def _csv(result: dict[str, Any], start: int) -> str:
    """A line for each metric's figure of the clip, with an empty frame; then one for each frame (of two or three the second)."""
    import csv
    import io

    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["metric", "frame", "value", "unit", "direction", "signature"])
    for name, facts in result["metrics"].items():
        writer.writerow([name, "", facts["value"], facts["unit"], facts["direction"], facts["signature"]])
    for name, facts in result["metrics"].items():
        for i, value in enumerate(facts["frames"], start + _late(result, facts)):
            writer.writerow(
                [name, i, "" if math.isnan(value) else value, facts["unit"], facts["direction"], facts["signature"]]
            )
    return out.getvalue()


def _late(result: dict[str, Any], facts: dict[str, Any]) -> int:
    """By how many frames a metric's first figure is later than the first frame: that of a pair is the second's, and that of
    three the middle one's."""
    return min(max(int(result["frames"]) - len(facts["frames"]), 0), 1)


def _reasons(result: dict[str, Any]) -> list[str]:
    """What was not measured and why, metrics with one reason together."""
    found: dict[str, list[str]] = {}
    for name, reason in result["skipped"].items():
        words = reason.removeprefix(f"{name} cannot be measured: ")
        if words.startswith("there is no damage mask"):
            words = "there is no damage mask; --mask PATH gives one."
        found.setdefault(words, []).append(name)
    return [f"{', '.join(names)}: {reason}" for reason, names in found.items()]


def _say_scores(result: dict[str, Any], start: int) -> None:
    import numpy as np
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    from leaderboards.export import heading, number
    from leaderboards.moments import badness
    from leaderboards.schema import MetricFacts
    from vbench.provenance import versions

    frames = f"{result['frames']} frame{'' if result['frames'] == 1 else 's'}"
    say(f"{frames} of {result['width']} x {result['height']}")
    for side in ("gt", "pred"):
        if side in result:
            say(f"  {side:<5}{result[side]['path']} ({result[side]['colour']})")
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name, justify in (("metric", "left"), ("figure", "right"), ("worst", "right"), ("at frame", "right")):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]  # one of rich's words
    for name, facts in result["metrics"].items():
        metric = MetricFacts(**{k: v for k, v in facts.items() if k in MetricFacts.model_fields})
        figures = np.array(facts["frames"], dtype=np.float64)
        worst, frame = "", ""  # a clip may have a figure where none of its frames has one
        if not np.isnan(figures).all():
            at = int(np.nanargmax(badness(metric, figures)))
            worst, frame = number(float(figures[at]), name), str(at + start + _late(result, facts))
        row = (heading(metric), number(facts["value"], name), worst, frame)
        table.add_row(*(Text(cell) for cell in row))
    out = table_console()
    out.print(table)
    for words in _reasons(result):
        say(f"not measured: {words}")
    say("Signatures, to be quoted with the figures:")
    for facts in result["metrics"].values():
        say(f"  {facts['signature']}", whole=True)
    say("  " + "|".join(f"{k}={v}" for k, v in versions().items()), whole=True)


def _finite(value: Any) -> Any:
    """The same with infinity and NaN as words, which JSON has no numbers for."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, list | tuple) else value


def _score_raw(gt: Path | None, pred: Path, metrics: Sequence[str], raw: str, as_json: bool) -> None:
    """Two raw YUV files on their planes as they are stored."""
    import re

    from vbench.ffmpeg_pipe import ffmpeg_version
    from vbench.metrics.vmaf import MODELS, MS_SSIM_SIDE, RawVideo, of_raw

    match = re.fullmatch(r"0*([1-9][0-9]{0,4})x0*([1-9][0-9]{0,4}):([a-z0-9_]+)", raw)
    if match is None:
        raise InputError(
            f'--raw takes WIDTHxHEIGHT:FORMAT, such as 576x324:yuv420p10le, and "{raw}" is not of that form.'
        )
    if gt is None:
        raise InputError("--raw compares two raw videos: name the ground truth with --gt.")
    names = [n for n in metrics if n != "all"]
    left_out = not names and min(int(match[1]), int(match[2])) < MS_SSIM_SIDE
    names = names or [n for n in RAW_FIGURES if not (left_out and n == "float_ms_ssim")]
    for name in names:
        if name not in RAW_FIGURES:
            raise InputError(
                f'"{name}" is not measured on raw YUV, whose conversion to RGB is not known. {nearest(name, RAW_FIGURES)}'
            )
    for path in (gt, pred):
        if not path.is_file():
            raise InputError(f'There is no file "{path}".')
    a, b = (RawVideo(path, int(match[1]), int(match[2]), match[3]) for path in (pred, gt))
    found = of_raw(a, b, names)
    by = f"libvmaf|ffmpeg={ffmpeg_version()}|format={match[3]}"
    signatures = {n: "|".join([n, *([f"model={MODELS[n]}"] if n in MODELS else []), by]) for n in found}
    if as_json:
        out = {
            name: {"value": sum(v) / len(v), "frames": v, "signature": signatures[name]} for name, v in found.items()
        }
        print(json.dumps({"gt": str(gt), "pred": str(pred), "metrics": out}, ensure_ascii=False, indent=1))
        return
    count = len(next(iter(found.values())))
    say(f"{count} frames of {match[1]} x {match[2]}, {match[3]}, planes as they are stored")
    for name, values in found.items():
        say(
            f"  {name:<15}{sum(values) / len(values):>12.6f}   lowest {min(values):.4f} at frame {values.index(min(values))}"
        )
    if left_out:
        say(f"not measured: float_ms_ssim: it needs frames of at least {MS_SSIM_SIDE} x {MS_SSIM_SIDE} pixels.")
    say("Signatures, to be quoted with the figures:")
    for signature in signatures.values():
        say(f"  {signature}", whole=True)


# --- metrics -------------------------------------------------------------------------------------


def metrics_list_command() -> None:
    """``vbench metrics list``."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    from leaderboards.export import ARROWS
    from vbench import metrics as metric_catalog

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("name", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("what")
    table.add_column("needs")
    table.add_column("here?", no_wrap=True)
    for name, entry in metric_catalog.CATALOG.items():
        metric = metric_catalog.load(name)
        lacking = _lacking(name)
        needs = {"truth": "ground truth", "degraded": "input", "mask": "mask"}
        words = ", ".join(needs[n] for n in needs if n in metric.needs) or "nothing"
        here = Text("no", "yellow") if lacking else Text("yes", "green")
        table.add_row(name, ARROWS[metric.direction], entry.what, words, here)
    out = table_console()
    out.print(table)
    say("Definition, options, and what brings one that cannot be measured here: vbench metrics show NAME")
    say("Further metrics, where the library is installed: pyiqa:NAME, torchmetrics:NAME, piq:NAME")


def _lacking(name: str) -> str | None:
    """Why a metric cannot be measured on this machine, whatever the clip."""
    from vbench import metrics as metric_catalog

    why = metric_catalog.lacking(name)
    return None if why is None else str(why)


def metrics_show_command(name: str) -> None:
    """``vbench metrics show``."""
    from vbench import metrics as metric_catalog

    metric = metric_catalog.load(name)
    better = {"higher": "higher is better", "lower": "lower is better"}[metric.direction]
    base = metric.name.split("[", maxsplit=1)[0]
    say(f"{metric.name}, version {metric.version}: {better}")
    rows = [
        ("definition", metric.convention),
        ("range", f"{metric.values or 'as its library has it'}{f' [{metric.unit}]' if metric.unit else ''}"),
        ("source", metric.source),
        ("licence", metric.licence),
        ("signature", metric.signature),
    ]
    entry = metric_catalog.CATALOG.get(base)
    if entry is not None and entry.options:
        rows.append(("options", "; ".join(metric_catalog.shown(key, values) for key, values in entry.options)))
    rows += [("column", f"{key}: {words}") for key, words in metric.columns.items()]
    say_terms([*rows, ("runs here", _lacking(metric.name) or "yes")])


# --- assets --------------------------------------------------------------------------------------


def assets_list_command() -> None:
    """``vbench assets list``."""
    from vbench import assets

    say(f"Parameter files live in {assets.folder()} (set VBENCH_ASSETS to move them).")
    for entry in assets.status():
        found = entry.asset
        say(f"\n{found.name}: {found.what}")
        rows = [
            ("for", ", ".join(found.metrics)),
            ("licence", found.licence),
            ("from", found.source),
            ("here", "no" if entry.path is None else entry.problem or found.verified),
        ]
        if entry.path is None:
            rows += [("bring it" if i == 0 else "", way) for i, way in enumerate(assets.ways(found))]
        say_terms(rows)


def assets_fetch_command(names: Sequence[str], offline: bool) -> None:
    """``vbench assets fetch``: one failure does not stop the others."""
    from vbench import assets

    wanted = list(dict.fromkeys(assets.asset(n).name for n in names)) or list(assets.ASSETS)
    if offline:
        for name in wanted:
            if assets.find(name) is None:
                raise MissingAsset(f"--offline: nothing is fetched. {assets.missing_text(name)}")
    # Asked for all, those that nobody can fetch are no failure.
    rest = [n for n in wanted if not names and assets.asset(n).url is None and assets.find(n) is None]
    wanted = [n for n in wanted if n not in rest]
    failures = []
    for name in wanted:
        try:
            with progress(name, "kB") as report:
                got = 0

                def received(count: int, whole: int | None, name: str = name) -> None:
                    nonlocal got
                    got += count
                    report(name, got // 1000 - (got - count) // 1000, None if whole is None else whole // 1000)

                path = assets.fetch(name, received)
            say(f"{name}: {assets.asset(name).verified}, in {path}.")
        except (RunError, InputError) as error:
            failures.append(str(error))
            if len(wanted) > 1:
                say(f"{name}: failed. {error}")
    if rest:
        say(
            f"Not to be fetched, as they have no address of their own (vbench assets list says more): {', '.join(rest)}."
        )
    if failures:
        raise RunError(
            failures[0] if len(wanted) == 1 else f"{len(failures)} of {len(wanted)} could not be fetched; see above."
        )


def assets_import_command(name: str, file: Path) -> None:
    """``vbench assets import``."""
    from vbench import assets

    found = assets.asset(name)
    say(f"{name}: {found.verified}, now in {assets.import_file(name, file)}.")
