"""The command line. Imports nothing heavy at its top: ``vbench --help`` is to be instant."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from vbench.errors import Interrupted, UsageError, VbenchError

app = typer.Typer(
    name="vbench",
    help="The benchmark of video restoration: synthesise damage, run every model, measure, show.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    epilog="Begin with: vbench demo, or vbench synth --profile oldfilm",
)
report_app = typer.Typer(help="Show the results.", no_args_is_help=True)
leaderboard_app = typer.Typer(
    help="The boards: show them, export them, compare two states, merge those of several machines.",
    no_args_is_help=True,
)
models_app = typer.Typer(help="Models: list them, show one, verify the networks.")
metrics_app = typer.Typer(help="Metrics: list them, show one.", no_args_is_help=True)
assets_app = typer.Typer(help="Parameter files of metrics: what is here, fetch or bring one.", no_args_is_help=True)
weights_app = typer.Typer(help="Weights of the networks: what is here, fetch or bring one.", no_args_is_help=True)
profiles_app = typer.Typer(help="Profiles of damage: list them, show one.", no_args_is_help=True)
film_app = typer.Typer(help="Old film: measure it.", no_args_is_help=True)
protocols_app = typer.Typer(help="Protocols: list them, show one, compare two.", no_args_is_help=True)
datasets_app = typer.Typer(help="Data sets: list them, take pairs that lie on disk already.", no_args_is_help=True)
app.add_typer(report_app, name="report")
app.add_typer(leaderboard_app, name="leaderboard")
app.add_typer(models_app, name="models")
app.add_typer(metrics_app, name="metrics")
app.add_typer(assets_app, name="assets")
app.add_typer(weights_app, name="weights")
app.add_typer(profiles_app, name="profiles")
app.add_typer(datasets_app, name="datasets")
app.add_typer(film_app, name="film")
app.add_typer(protocols_app, name="protocols")

DEFAULT_ROOT = Path("runs")
Root = Annotated[Path, typer.Option("--root", help="Folder in which everything lives.", metavar="DIR")]
Workers = Annotated[
    int | None,
    typer.Option("--workers", min=1, help="Worker processes; results do not depend on it.", metavar="N"),
]


class Board(StrEnum):
    """Formats of ``vbench report table``."""

    terminal = "terminal"
    csv = "csv"
    markdown = "markdown"
    latex = "latex"
    json = "json"
    long = "long"


def _split(values: list[str] | None) -> list[str]:
    """``--x a,b --x c`` as [a, b, c]."""
    out: list[str] = []
    for value in values or []:
        # A command has commas of its own.
        parts = [value] if "cmd:" in value else value.split(",")
        out += [part.strip() for part in parts if part.strip()]
    return out


def _at_root(root: Path) -> str:
    """The option that names a root other than the default, for commands that the user is told to type."""
    return "" if root == DEFAULT_ROOT else f' --root "{root}"' if " " in str(root) else f" --root {root}"


def _version(wanted: bool) -> None:
    if wanted:
        from vbench import __version__

        typer.echo(f"vbench {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """The benchmark of video restoration."""


@app.command()
def synth(
    profile: Annotated[
        str | None, typer.Option("--profile", "-p", help="Kind of damage (vbench profiles list), or your own .yaml.")
    ] = None,
    description: Annotated[
        Path | None, typer.Option("--from", help="Make a data set again from its dataset.json.", metavar="FILE")
    ] = None,
    source: Annotated[
        list[Path] | None,
        typer.Option(
            "--source",
            "-s",
            help="A video, a folder of frames, a folder of clips, or a data set as published. Default: embedded clips.",
        ),
    ] = None,
    variant: Annotated[
        list[str] | None, typer.Option("--variant", help="Only these variants (a,b or repeated), or all.")
    ] = None,
    severity: Annotated[
        list[str] | None, typer.Option("--severity", help="Severities from 1 to 5, like 1,3,4.5, instead of variants.")
    ] = None,
    clip: Annotated[list[str] | None, typer.Option("--clip", help="Only these clips (a,b or repeated).")] = None,
    frames: Annotated[str | None, typer.Option("--frames", help="Frames A:B of each source (A counts from 0).")] = None,
    max_frames: Annotated[
        int | None, typer.Option("--max-frames", min=1, help="At most so many frames of each.")
    ] = None,
    every: Annotated[
        int,
        typer.Option(
            "--every", min=1, help="One frame of N of a fast video; motion blur sees the others.", metavar="N"
        ),
    ] = 1,
    seed: Annotated[int | None, typer.Option("--seed", help="Same seed, same bytes. Default: 0.")] = None,
    textures: Annotated[
        Path | None, typer.Option("--textures", help="Folder of film textures, for oldfilm-rtn.", metavar="DIR")
    ] = None,
    form: Annotated[str, typer.Option("--format", help="png: a file per frame; ffv1: one file per clip.")] = "png",
    replace: Annotated[bool, typer.Option("--replace", help="Make the data sets anew.")] = False,
    root: Root = DEFAULT_ROOT,
    workers: Workers = None,
) -> None:
    """Make paired data sets: clean clips and their damaged versions, with a recipe of everything drawn."""
    from vbench.commands_synth import Asked, synth_command

    asked = Asked(
        profile,
        description,
        tuple(source or ()),
        tuple(_split(clip)),
        frames,
        max_frames,
        tuple(_split(variant)),
        tuple(_split(severity)),
        every,
        seed,
        textures,
        form,
        replace,
    )
    synth_command(asked, root, workers)


@app.command()
def run(
    models: Annotated[list[str] | None, typer.Option("--models", "-m", help="Names (a,b or repeated), or all.")] = None,
    dataset: Annotated[list[str] | None, typer.Option("--dataset", "-d", help="Only these data sets.")] = None,
    metrics: Annotated[
        list[str] | None, typer.Option("--metrics", help="Names, or all. Default: the protocol's.")
    ] = None,
    protocol: Annotated[
        str | None,
        typer.Option(
            "--protocol", help="The conventions of measurement. Without ground truth: no-reference, else: default."
        ),
    ] = None,
    device: Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:1, ...")] = "auto",
    max_clips: Annotated[
        int | None, typer.Option("--max-clips", min=1, help="At most so many clips per data set.")
    ] = None,
    tile: Annotated[
        str,
        typer.Option("--tile", help="auto (whole frames; tiles where memory is short), off, N or WxH.", metavar="SIZE"),
    ] = "auto",
    precision: Annotated[
        str, typer.Option("--precision", help="Of networks: fp32, bf16 or fp16.", metavar="NAME")
    ] = "fp32",
    root: Root = DEFAULT_ROOT,
    workers: Workers = None,
) -> None:
    """Run models on every pair, and measure what they give. Goes on where it stopped."""
    from vbench.commands import run_command
    from vbench.metrics import split_names

    run_command(
        _split(models) or ["all"],
        _split(dataset),
        [name for text in metrics or [] for name in split_names(text)],
        protocol,
        device,
        max_clips,
        root,
        workers,
        tile,
        precision,
    )


@app.command()
def score(
    pred: Annotated[Path, typer.Option("--pred", help="The restored clip: a video or a folder of frames.")],
    gt: Annotated[
        Path | None, typer.Option("--gt", help="Ground truth, of the same kind; without it only what needs none.")
    ] = None,
    degraded: Annotated[
        Path | None, typer.Option("--input", help="What the model was given, for what asks for it.")
    ] = None,
    mask: Annotated[
        list[str] | None,
        typer.Option("--mask", help="Where the damage is, in gray; KIND=PATH of one kind.", metavar="PATH"),
    ] = None,
    metrics: Annotated[
        list[str] | None, typer.Option("--metrics", help="Names (a,b), or all. Default: the protocol's.")
    ] = None,
    protocol: Annotated[str | None, typer.Option("--protocol", help="The metrics of a protocol.")] = None,
    frames: Annotated[str | None, typer.Option("--frames", help="Only frames A:B of all clips.")] = None,
    raw: Annotated[
        str | None, typer.Option("--raw", help="Both are raw YUV: 576x324:yuv420p10le.", metavar="WxH:FORMAT")
    ] = None,
    device: Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:1, ...")] = "cpu",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, with a figure per frame.")] = False,
) -> None:
    """Measure one clip, against its ground truth where there is one."""
    from vbench.commands_score import score_command
    from vbench.metrics import split_names

    names = [name for text in metrics or [] for name in split_names(text)]
    score_command(
        gt, pred, names, frames, as_json, degraded=degraded, masks=mask or (), raw=raw, protocol=protocol, device=device
    )


@metrics_app.command("list")
def metrics_list() -> None:
    """All metrics: direction, what they need, whether they can be measured here."""
    from vbench.commands_score import metrics_list_command

    metrics_list_command()


@metrics_app.command("show")
def metrics_show(name: Annotated[str, typer.Argument(help="A metric, with options: psnr[y,crop=4].")]) -> None:
    """One metric: definition, range, source, licence, options."""
    from vbench.commands_score import metrics_show_command

    metrics_show_command(name)


@assets_app.command("list")
def assets_list() -> None:
    """Which parameter files are on this machine."""
    from vbench.commands_score import assets_list_command

    assets_list_command()


@assets_app.command("fetch")
def assets_fetch(
    names: Annotated[list[str] | None, typer.Argument(help="Names; all without any.")] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Fetch nothing; fail if a file is missing.")] = False,
) -> None:
    """Download parameter files from where their authors publish them, check them, keep them."""
    from vbench.commands_score import assets_fetch_command

    assets_fetch_command(names or [], offline)


@assets_app.command("import")
def assets_import(
    name: Annotated[str, typer.Argument(help="Which file it is: vbench assets list.")],
    file: Annotated[Path, typer.Argument(help="The file.")],
) -> None:
    """Check a parameter file and take it in."""
    from vbench.commands_score import assets_import_command

    assets_import_command(name, file)


@app.command()
def demo(
    root: Annotated[Path, typer.Option("--root", help="Folder in which everything lives.", metavar="DIR")] = Path(
        "vbench-demo"
    ),
    workers: Workers = None,
) -> None:
    """The whole way on the embedded clips: all four profiles, all models that can run, the report."""
    from vbench.commands_demo import demo_command

    demo_command(root, workers)


@app.command()
def doctor(root: Root = DEFAULT_ROOT) -> None:
    """Say what this machine has and what is missing, one line each, and what to do."""
    from vbench.doctor import doctor_command

    doctor_command(root)


@models_app.callback(invoke_without_command=True)
def models(context: typer.Context) -> None:
    """List the models: what they are for, where they come from, whether they can run here."""
    if context.invoked_subcommand is None:
        models_list()


@models_app.command("list")
def models_list() -> None:
    """All models: what they are for, whether they can run here."""
    from vbench.commands_models import models_command

    models_command()


@models_app.command("show")
def models_show(name: Annotated[str, typer.Argument(help="A model.")]) -> None:
    """One model: source, licence, settings, weights."""
    from vbench.commands_models import models_show_command

    models_show_command(name)


@models_app.command("verify")
def models_verify(
    names: Annotated[list[str] | None, typer.Argument(help="Networks: dncnn, fastdvdnet, ...")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every network.")] = False,
    fixture: Annotated[
        Path | None, typer.Option("--fixture", help="A case: inputs and official outputs, .npz.")
    ] = None,
    manifest: Annotated[
        Path | None, typer.Option("--manifest", help="Its manifest. Default: the one beside the case.")
    ] = None,
    fixtures: Annotated[
        Path | None, typer.Option("--fixtures", help="Folder with a folder of cases for each network.")
    ] = None,
    dtype: Annotated[str, typer.Option("--dtype", help="float64, or float32 (at 1e-4).")] = "float64",
    tolerance: Annotated[
        float | None, typer.Option("--tolerance", help="Relative to the largest value, in place of the fixture's.")
    ] = None,
    device: Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:1, ...")] = "cpu",
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Every output, not only those that are over.")
    ] = False,
) -> None:
    """Is our network the official one? Its names, shapes and outputs against what the official code computed."""
    from vbench.commands_models import verify_command

    verify_command(names or [], fixture, manifest, fixtures, dtype, tolerance, device, everything, verbose)


@report_app.command("html")
def report_html(
    root: Root = DEFAULT_ROOT,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Folder of the report. Default: ROOT/report.")] = None,
    title: Annotated[str | None, typer.Option("--title", help="Its heading.")] = None,
    media_budget: Annotated[
        str, typer.Option("--media-budget", help="Pictures and videos at most: 200MB, 1.5GB, 0 for none.")
    ] = "200MB",
    single_file: Annotated[
        bool,
        typer.Option("--single-file", help="One HTML file, without the pages of clips. Default: ROOT/report.html."),
    ] = False,
) -> None:
    """One folder that opens from a file, offline."""
    from vbench.commands import report_command

    report_command(root, out, title, media_budget, single_file)


@report_app.command("pdf")
def report_pdf(
    root: Root = DEFAULT_ROOT,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="File. Default: ROOT/report.pdf.")] = None,
    title: Annotated[str | None, typer.Option("--title", help="Its heading.")] = None,
) -> None:
    """A summary for print: the answer, boards, charts, method."""
    from vbench.commands_report import pdf_command

    pdf_command(root, out, title)


@report_app.command("markdown")
def report_markdown(
    root: Root = DEFAULT_ROOT,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="File. Default: the terminal.")] = None,
    title: Annotated[str | None, typer.Option("--title", help="Its heading.")] = None,
) -> None:
    """A summary for a README or a pull request."""
    from vbench.commands_report import markdown_command

    markdown_command(root, out, title)


@report_app.command("figures")
def report_figures(
    root: Root = DEFAULT_ROOT,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Folder. Default: ROOT/figures.")] = None,
    form: Annotated[str, typer.Option("--format", "-f", help="pdf, svg or png.")] = "pdf",
    width: Annotated[str, typer.Option("--width", help="column (3.5 in), page (7.16 in), or inches.")] = "column",
    dataset: Annotated[list[str] | None, typer.Option("--dataset", "-d", help="Only these data sets.")] = None,
    protocol: Annotated[list[str] | None, typer.Option("--protocol", help="Only these protocols.")] = None,
    models: Annotated[
        list[str] | None, typer.Option("--models", "-m", help="In figures of few lines. Default: the best.")
    ] = None,
    clip: Annotated[str | None, typer.Option("--clip", help="In figures of one clip. Default: the first.")] = None,
) -> None:
    """Figures for papers, with captions: ranks, cost, severity, every frame, slices through time."""
    from vbench.commands_report import figures_command

    figures_command(root, out, form, width, _split(dataset), _split(protocol), _split(models), clip)


@report_app.command("table")
def report_table(
    root: Root = DEFAULT_ROOT,
    form: Annotated[Board, typer.Option("--format", "-f", help="How to print it.")] = Board.terminal,
) -> None:
    """The boards, in the terminal or for a paper."""
    from vbench.commands import table_command

    table_command(root, form.value)


Where = Annotated[
    str | None,
    typer.Option(
        "--where", "-w", help="Only rows that fit: 'gain.psnr > 0 and seconds_per_frame < 1'.", metavar="EXPR"
    ),
]
Sort = Annotated[
    str | None, typer.Option("--sort", help="Best first by these: psnr,-seconds_per_frame (- turns it round).")
]
Columns = Annotated[str | None, typer.Option("--columns", "-c", help="psnr,ssim,gain.psnr,memory,...")]
OfDatasets = Annotated[list[str] | None, typer.Option("--dataset", "-d", help="Only these data sets.")]
OfProtocols = Annotated[list[str] | None, typer.Option("--protocol", help="Only results under these protocols.")]


def _named(values: list[str] | None) -> tuple[str, ...]:
    """``--x a,b --x c`` as (a, b, c); a name with a comma stands in backticks."""
    from leaderboards.query import split_names

    return tuple(name for text in values or [] for name in split_names(text))


@leaderboard_app.command("show")
def leaderboard_show(
    root: Root = DEFAULT_ROOT,
    dataset: OfDatasets = None,
    protocol: OfProtocols = None,
    where: Where = None,
    sort: Sort = None,
    columns: Columns = None,
    intervals: Annotated[bool, typer.Option("--intervals", help="95 % intervals beside the figures.")] = False,
    clips: Annotated[bool, typer.Option("--clips", help="A row for every clip and model.")] = False,
) -> None:
    """The boards in the terminal."""
    from leaderboards.export.view import Asked
    from vbench.commands_leaderboard import show_command

    asked = Asked(where, sort, columns, _named(dataset), _named(protocol))
    show_command(root, asked, intervals, clips)


@leaderboard_app.command("export")
def leaderboard_export(
    root: Root = DEFAULT_ROOT,
    form: Annotated[
        str, typer.Option("--format", "-f", help="csv, parquet, json, markdown, latex, html.", metavar="FORM")
    ] = "csv",
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Default: standard output.", metavar="FILE")] = None,
    dataset: OfDatasets = None,
    protocol: OfProtocols = None,
    where: Where = None,
    sort: Sort = None,
    columns: Columns = None,
    long: Annotated[bool, typer.Option("--long", help="A line for every figure of every clip.")] = False,
    intervals: Annotated[
        str, typer.Option("--intervals", help="In markdown, latex, html: no, range ([low, high]) or pm (±).")
    ] = "no",
    together: Annotated[bool, typer.Option("--together", help="One table, the data sets side by side.")] = False,
    document: Annotated[bool, typer.Option("--document", help="LaTeX: a whole document, for pdflatex.")] = False,
) -> None:
    """The boards in a form that others read, for papers, notebooks and programs."""
    from leaderboards.export.view import Asked
    from vbench.commands_leaderboard import export_command

    asked = Asked(where, sort, columns, _named(dataset), _named(protocol))
    export_command(root, form, out, asked, long, intervals, together, document)


@leaderboard_app.command("diff")
def leaderboard_diff(
    old: Annotated[Path, typer.Argument(help="A workspace, or what export --format json wrote.")],
    new: Annotated[Path, typer.Argument(help="Another state of it.")],
    metric: Annotated[
        list[str] | None, typer.Option("--metric", help="Names (a,b), or all. Default: each board's first.")
    ] = None,
    fail_below: Annotated[
        list[str] | None,
        typer.Option("--fail-below", help="Exit status 1 if a change is worse: -0.1dB, -0.002, -1%.", metavar="LIMIT"),
    ] = None,
    lenient: Annotated[
        bool, typer.Option("--lenient", help="Let pass figures that are lost or do not compare any more.")
    ] = False,
    form: Annotated[str, typer.Option("--format", "-f", help="terminal, markdown, json.", metavar="FORM")] = "terminal",
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Default: standard output.", metavar="FILE")] = None,
) -> None:
    """What changed between two states, clip by clip; with a limit, a gate for continuous integration."""
    from leaderboards.query import split_names
    from vbench.commands_leaderboard import diff_command

    names = [name for text in metric or [] for name in split_names(text)]
    diff_command(old, new, names, fail_below or [], lenient, "json" if as_json else form, out)


@leaderboard_app.command("merge")
def leaderboard_merge(
    roots: Annotated[list[Path], typer.Argument(help="Workspaces, such as those of several machines.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Root of the merged one.", metavar="DIR")],
    prefer: Annotated[
        str | None, typer.Option("--prefer", help="Where results differ: first (root named), or newest (file).")
    ] = None,
    frames: Annotated[
        bool, typer.Option("--frames", help="Restored frames and those of the data sets too (hard links or copies).")
    ] = False,
) -> None:
    """Boards of several machines as one; results that are not the same are an error that lists them."""
    from vbench.commands_leaderboard import merge_command

    merge_command(roots, out, prefer, frames)


@weights_app.command("list")
def weights_list() -> None:
    """Every checkpoint: licence, size, whether it is on this machine, how it is brought."""
    from vbench.commands_models import weights_list_command

    weights_list_command()


@weights_app.command("fetch")
def weights_fetch(
    names: Annotated[list[str] | None, typer.Argument(help="Checkpoints or models.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All that have an address of their own.")] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Fetch nothing; fail if one is missing.")] = False,
) -> None:
    """Download checkpoints from where their authors publish them, check them, keep them. Goes on where it stopped."""
    from vbench.commands_models import weights_fetch_command

    weights_fetch_command(names or [], everything, offline)


@weights_app.command("import")
def weights_import(
    file: Annotated[Path, typer.Argument(help="A checkpoint as its authors publish it, or the archive that holds it.")],
    model: Annotated[
        str | None, typer.Option("--model", help="Which model it is for, if neither hash nor name tells.")
    ] = None,
) -> None:
    """Check a checkpoint against its network and take it in."""
    from vbench.commands_models import weights_import_command

    weights_import_command(file, model)


@weights_app.command("path")
def weights_path(name: Annotated[str, typer.Argument(help="A checkpoint or a model.")]) -> None:
    """Print where a checkpoint lies."""
    from vbench.commands_models import weights_path_command

    weights_path_command(name)


@profiles_app.command("list")
def profiles_list() -> None:
    """All profiles and their variants."""
    from vbench.commands_profiles import profiles_list_command

    profiles_list_command()


@profiles_app.command("show")
def profiles_show(name: Annotated[str, typer.Argument(help="A profile, or your own .yaml.")]) -> None:
    """What a profile does, step by step."""
    from vbench.commands_profiles import profiles_show_command

    profiles_show_command(name)


@profiles_app.command("preview")
def profiles_preview(
    name: Annotated[str, typer.Argument(help="A profile, or your own .yaml.")],
    source: Annotated[
        Path | None, typer.Option("--source", "-s", help="A video or a folder of frames. Default: an embedded clip.")
    ] = None,
    variant: Annotated[list[str] | None, typer.Option("--variant", help="Only these variants (a,b), or all.")] = None,
    severity: Annotated[list[str] | None, typer.Option("--severity", help="Severities from 1 to 5.")] = None,
    clip: Annotated[str | None, typer.Option("--clip", help="Which clip, where there are several.")] = None,
    frames: Annotated[str | None, typer.Option("--frames", help="Frames A:B of the source.")] = None,
    max_frames: Annotated[int, typer.Option("--max-frames", min=1, help="At most so many frames.")] = 24,
    seed: Annotated[int, typer.Option("--seed", help="Same seed, same pictures.")] = 0,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the pictures.", metavar="DIR")] = Path("preview"),
) -> None:
    """A contact sheet (clean, damaged, a detail, masks) and a short video of every variant."""
    from vbench.commands_profiles import profiles_preview_command

    profiles_preview_command(name, source, _split(variant), _split(severity), clip, frames, max_frames, seed, out)


@datasets_app.command("list")
def datasets_list(root: Root = DEFAULT_ROOT) -> None:
    """The data sets: clips, frames, size, damage, where they lie."""
    from vbench.commands_datasets import datasets_list_command

    datasets_list_command(root)


@datasets_app.command("add")
def datasets_add(
    folder: Annotated[
        Path, typer.Argument(help="Pairs: a data set as published, a split or a sequence of it, folders gt and lq.")
    ],
    name: Annotated[str | None, typer.Option("--name", help="Of the data set.")] = None,
    version: Annotated[
        str | None, typer.Option("--version", help="Which damaged side, where there are several: blur_gamma.")
    ] = None,
    split: Annotated[str | None, typer.Option("--split", help="Only the clips of this split: test.")] = None,
    clips: Annotated[list[str] | None, typer.Option("--clips", help="Only these clips (a,b or repeated).")] = None,
    frames: Annotated[str | None, typer.Option("--frames", help="Frames A:B of each clip (A counts from 0).")] = None,
    scale: Annotated[str, typer.Option("--scale", help="How many times smaller the damaged side is.")] = "auto",
    no_truth: Annotated[
        bool, typer.Option("--no-truth", help="Videos of which there is no clean copy: real old film.")
    ] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Forget a data set of this name first.")] = False,
    root: Root = DEFAULT_ROOT,
    workers: Workers = None,
) -> None:
    """Take pairs, or clips without ground truth, as a data set where they lie; nothing is copied. Goes on where it stopped."""
    from vbench.commands_datasets import datasets_add_command

    datasets_add_command(
        folder, name, version, split, _split(clips), frames, scale, replace, root, workers, truth=not no_truth
    )


@datasets_app.command("verify")
def datasets_verify(
    path: Annotated[Path, typer.Argument(help="A data set's folder, or its dataset.json alone.")],
    workers: Workers = None,
) -> None:
    """Hash what is stored, make it again from the description, compare. Exit status 1 if anything differs."""
    from vbench.commands_synth import verify_command

    verify_command(path, workers)


@protocols_app.command("list")
def protocols_list() -> None:
    """All protocols: what for, and what is measured."""
    from vbench.commands_protocols import protocols_list_command

    protocols_list_command()


@protocols_app.command("show")
def protocols_show(name: Annotated[str, typer.Argument(help="A protocol.")], root: Root = DEFAULT_ROOT) -> None:
    """One protocol: every convention with its source, published figures, the data that it is about."""
    from vbench.commands_protocols import protocols_show_command

    protocols_show_command(name, root)


@protocols_app.command("diff")
def protocols_diff(
    first: Annotated[str, typer.Argument(metavar="A", help="A protocol.")],
    second: Annotated[str, typer.Argument(metavar="B", help="Another.")],
    root: Root = DEFAULT_ROOT,
) -> None:
    """What two protocols do differently, and how far that moves figures and ranks of the results at hand."""
    from vbench.commands_protocols import protocols_diff_command

    protocols_diff_command(first, second, root)


@film_app.command("statistics")
def film_statistics(
    clips: Annotated[list[Path], typer.Argument(help="Videos, folders of frames, or data sets that synth made.")],
    truth: Annotated[
        Path | None, typer.Option("--truth", help="The clean clip of the one that is named.", metavar="CLIP")
    ] = None,
    frames: Annotated[str | None, typer.Option("--frames", help="Frames A:B of each clip.")] = None,
    region: Annotated[
        str | None, typer.Option("--region", help="Only this part: TOP:BOTTOM,LEFT:RIGHT in pixels.")
    ] = None,
    scratches: Annotated[
        str | None, typer.Option("--scratch-region", help="Where scratches are looked for, as --region.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Tone, flicker, weave, grain, dirt and scratches, beside those of three transfers of real old films."""
    from vbench.commands_film import film_statistics_command

    film_statistics_command(clips, as_json, truth=truth, frames=frames, region=region, scratches=scratches)


def _fail(text: str, code: int) -> NoReturn:
    print(f"vbench: {text}", file=sys.stderr)
    raise SystemExit(code)


def main() -> None:
    """Entry point: errors that the user can mend are printed as sentences, without a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        app()
    except Interrupted as error:
        _fail(str(error), 130)
    except UsageError as error:
        _fail(str(error), 2)
    except VbenchError as error:
        _fail(str(error), 1)
    except BrokenPipeError:
        sys.stderr.close()
        raise SystemExit(141) from None


if __name__ == "__main__":
    main()
