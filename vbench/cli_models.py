"""``vbench models``, ``weights``, ``metrics`` and ``assets``: what there is to run and to measure with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vbench.cli_options import completed, metric_names, model_names

models_app = typer.Typer(help="Models: list them, show one, verify the networks.")
weights_app = typer.Typer(help="Weights of the networks: what is here, fetch or bring one.", no_args_is_help=True)
metrics_app = typer.Typer(help="Metrics: list them, show one.", no_args_is_help=True)
assets_app = typer.Typer(help="Parameter files of metrics: what is here, fetch or bring one.", no_args_is_help=True)


@metrics_app.command("list")
def metrics_list() -> None:
    """All metrics: direction, what they need, whether they can be measured here."""
    from vbench.commands_score import metrics_list_command

    metrics_list_command()


@metrics_app.command("show")
def metrics_show(
    name: Annotated[
        str, typer.Argument(help="A metric, with options: psnr\\[y,crop=4].", autocompletion=completed(metric_names))
    ],
) -> None:
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
def models_show(name: Annotated[str, typer.Argument(help="A model.", autocompletion=completed(model_names))]) -> None:
    """One model: source, licence, settings, weights."""
    from vbench.commands_models import models_show_command

    models_show_command(name)


@models_app.command("verify")
def models_verify(
    names: Annotated[list[str] | None, typer.Argument(help="Networks: dncnn, fastdvdnet, ...")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every network.")] = False,
    fixture: Annotated[
        Path | None, typer.Option("--fixture", help="A case: inputs and official outputs, .npz.", metavar="FILE")
    ] = None,
    manifest: Annotated[
        Path | None, typer.Option("--manifest", help="Its manifest. Default: the one beside the case.", metavar="FILE")
    ] = None,
    fixtures: Annotated[
        Path | None, typer.Option("--fixtures", help="Folder with a folder of cases for each network.", metavar="DIR")
    ] = None,
    dtype: Annotated[
        str | None,
        typer.Option(
            "--dtype",
            help="float64, or float32 (at 1e-4). Default: what the case says, mostly float64.",
            metavar="TYPE",
        ),
    ] = None,
    tolerance: Annotated[
        float | None,
        typer.Option("--tolerance", help="Relative to the largest value, in place of the fixture's.", metavar="X"),
    ] = None,
    device: Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:1, ...", metavar="DEVICE")] = "cpu",
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="With --all: every output, not only those that are over.")
    ] = False,
) -> None:
    """Is our network the official one? Its names, shapes and outputs against what the official code computed."""
    from vbench.commands_models import verify_command

    verify_command(names or [], fixture, manifest, fixtures, dtype, tolerance, device, everything, verbose)


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
        str | None,
        typer.Option("--model", help="Which model it is for, if neither hash nor name tells.", metavar="NAME"),
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
