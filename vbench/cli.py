"""The command line. Imports nothing heavy at its top: ``vbench --help`` is to be instant."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from vbench.cli_data import datasets_app, film_app, profiles_app
from vbench.cli_leaderboard import leaderboard_app, protocols_app
from vbench.cli_models import assets_app, metrics_app, models_app, weights_app
from vbench.cli_options import (
    DEFAULT_ROOT,
    Ray,
    Root,
    Workers,
    completed,
    metric_names,
    model_names,
    profile_names,
    protocol_names,
    split,
)
from vbench.cli_report import report_app
from vbench.errors import Interrupted, UsageError, VbenchError

app = typer.Typer(
    name="vbench",
    help="The benchmark of video restoration: synthesise damage, run every model, measure, show.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    epilog="Begin with: vbench demo, or vbench synth --profile oldfilm",
)
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
        str | None,
        typer.Option(
            "--profile",
            "-p",
            help="Kind of damage (vbench profiles list), or your own .yaml.",
            metavar="NAME",
            autocompletion=completed(profile_names),
        ),
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
            metavar="PATH",
        ),
    ] = None,
    variant: Annotated[
        list[str] | None,
        typer.Option("--variant", help="Only these variants (a,b or repeated), or all.", metavar="NAMES"),
    ] = None,
    severity: Annotated[
        list[str] | None,
        typer.Option(
            "--severity",
            help="Severities from 1 to 5, like 1,3,4.5, in place of the default variants.",
            metavar="NUMBERS",
        ),
    ] = None,
    clip: Annotated[
        list[str] | None, typer.Option("--clip", help="Only these clips (a,b or repeated).", metavar="NAMES")
    ] = None,
    frames: Annotated[
        str | None, typer.Option("--frames", help="Frames A:B of each source (A counts from 0).", metavar="A:B")
    ] = None,
    max_frames: Annotated[
        int | None, typer.Option("--max-frames", min=1, help="At most so many frames of each.", metavar="N")
    ] = None,
    every: Annotated[
        int,
        typer.Option(
            "--every", min=1, help="One frame of N of a fast video; motion blur sees the others.", metavar="N"
        ),
    ] = 1,
    seed: Annotated[int | None, typer.Option("--seed", help="Same seed, same bytes. Default: 0.", metavar="N")] = None,
    textures: Annotated[
        Path | None, typer.Option("--textures", help="Folder of film textures, for oldfilm-rtn.", metavar="DIR")
    ] = None,
    form: Annotated[
        str,
        typer.Option(
            "--format", help="png: a file per frame; ffv1, magicyuv: a file per clip (small, fast).", metavar="FORM"
        ),
    ] = "png",
    replace: Annotated[bool, typer.Option("--replace", help="Make the data sets anew.")] = False,
    root: Root = DEFAULT_ROOT,
    workers: Workers = None,
    ray: Ray = None,
) -> None:
    """Make paired data sets: clean clips and their damaged versions, with a recipe of everything drawn."""
    from vbench.commands_synth import Asked, synth_command

    asked = Asked(
        profile,
        description,
        tuple(source or ()),
        tuple(split(clip)),
        frames,
        max_frames,
        tuple(split(variant)),
        tuple(split(severity)),
        every,
        seed,
        textures,
        form,
        replace,
    )
    synth_command(asked, root, workers, ray)


@app.command()
def run(
    models: Annotated[
        list[str] | None,
        typer.Option(
            "--models",
            "-m",
            help="Names (a,b or repeated), or all. Identity (doing nothing) runs along.",
            metavar="NAMES",
            autocompletion=completed(model_names),
        ),
    ] = None,
    dataset: Annotated[
        list[str] | None, typer.Option("--dataset", "-d", help="Only these data sets.", metavar="NAMES")
    ] = None,
    metrics: Annotated[
        list[str] | None,
        typer.Option(
            "--metrics",
            help="Names, or all. Default: the protocol's.",
            metavar="NAMES",
            autocompletion=completed(metric_names),
        ),
    ] = None,
    protocol: Annotated[
        str | None,
        typer.Option(
            "--protocol",
            help="The conventions of measurement. Without ground truth: no-reference, else: default.",
            metavar="NAME",
            autocompletion=completed(protocol_names),
        ),
    ] = None,
    device: Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:1, ...", metavar="DEVICE")] = "auto",
    max_clips: Annotated[
        int | None, typer.Option("--max-clips", min=1, help="At most so many clips per data set.", metavar="N")
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
    ray: Ray = None,
) -> None:
    """Run models on every pair, and measure what they give. Goes on where it stopped."""
    from vbench.commands import run_command
    from vbench.metrics import split_names

    run_command(
        split(models) or ["all"],
        split(dataset),
        [name for text in metrics or [] for name in split_names(text)],
        protocol,
        device,
        max_clips,
        root,
        workers,
        tile,
        precision,
        ray,
    )


@app.command()
def score(
    pred: Annotated[
        Path, typer.Option("--pred", help="The restored clip: a video or a folder of frames.", metavar="PATH")
    ],
    gt: Annotated[
        Path | None,
        typer.Option("--gt", help="Ground truth, of the same kind; without it only what needs none.", metavar="PATH"),
    ] = None,
    degraded: Annotated[
        Path | None, typer.Option("--input", help="What the model was given, for what asks for it.", metavar="PATH")
    ] = None,
    mask: Annotated[
        list[str] | None,
        typer.Option("--mask", help="Where the damage is, in gray; KIND=PATH of one kind.", metavar="PATH"),
    ] = None,
    metrics: Annotated[
        list[str] | None,
        typer.Option(
            "--metrics",
            help="Names (a,b), or all. Default: the protocol's.",
            metavar="NAMES",
            autocompletion=completed(metric_names),
        ),
    ] = None,
    protocol: Annotated[
        str | None,
        typer.Option(
            "--protocol",
            help="The metrics of a protocol. Without --gt: no-reference, else: default.",
            metavar="NAME",
            autocompletion=completed(protocol_names),
        ),
    ] = None,
    frames: Annotated[str | None, typer.Option("--frames", help="Only frames A:B of all clips.", metavar="A:B")] = None,
    raw: Annotated[
        str | None, typer.Option("--raw", help="Both are raw YUV: 576x324:yuv420p10le.", metavar="WxH:FORMAT")
    ] = None,
    device: Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:1, ...", metavar="DEVICE")] = "cpu",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, with a figure per frame.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV: a line per metric, then a line per frame.")] = False,
) -> None:
    """Measure one clip, against its ground truth where there is one."""
    from vbench.commands_score import score_command
    from vbench.metrics import split_names

    names = [name for text in metrics or [] for name in split_names(text)]
    score_command(
        gt, pred, names, frames, as_json, as_csv=as_csv, degraded=degraded, masks=mask or (), raw=raw, protocol=protocol,
        device=device,
    )  # fmt: skip


@app.command()
def demo(
    root: Annotated[Path, typer.Option("--root", help="Folder in which everything lives.", metavar="DIR")] = Path(
        "vbench-demo"
    ),
    workers: Workers = None,
) -> None:
    """The whole way on the embedded clips: four kinds of damage, all models that can run, the report."""
    from vbench.commands_demo import demo_command

    demo_command(root, workers)


@app.command()
def doctor(root: Root = DEFAULT_ROOT) -> None:
    """Say what this machine has and what is missing, one line each, and what to do."""
    from vbench.doctor import doctor_command

    doctor_command(root)


def _fail(text: str, code: int) -> NoReturn:
    from vbench.console import console

    console(stderr=True).print(f"vbench: {text}")
    raise SystemExit(code)


class _Ended(KeyboardInterrupt):
    """Another signal that asks to stop, as batch systems and closed terminals send it: what Ctrl-C does is done."""

    number = signal.SIGINT


def _end(number: int, frame: object) -> NoReturn:
    _Ended.number = signal.Signals(number)
    raise _Ended


def main() -> None:
    """Entry point: errors that the user can mend are printed as sentences, without a traceback."""
    for number in (signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])):
        if signal.getsignal(number) is signal.SIG_DFL:  # nohup ignores it
            signal.signal(number, _end)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        app()
    except Interrupted as error:
        _fail(str(error), 128 + _Ended.number)
    except UsageError as error:
        _fail(str(error), 2)
    except VbenchError as error:
        _fail(str(error), 1)
    except BrokenPipeError:
        sys.stderr.close()
        raise SystemExit(141) from None


if __name__ == "__main__":
    main()
