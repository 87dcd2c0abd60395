"""``vbench profiles``, ``datasets`` and ``film``: damage and data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vbench.cli_options import DEFAULT_ROOT, Root, Workers, completed, profile_names
from vbench.cli_options import split as listed

profiles_app = typer.Typer(help="Profiles of damage: list them, show one, make pictures of it.", no_args_is_help=True)
datasets_app = typer.Typer(
    help="Data sets: list them, take pairs that lie on disk already, verify one.", no_args_is_help=True
)
film_app = typer.Typer(help="Old film: measure it, and make damage like it.", no_args_is_help=True)


@profiles_app.command("list")
def profiles_list() -> None:
    """All profiles and their variants."""
    from vbench.commands_profiles import profiles_list_command

    profiles_list_command()


@profiles_app.command("show")
def profiles_show(
    name: Annotated[str, typer.Argument(help="A profile, or your own .yaml.", autocompletion=completed(profile_names))],
) -> None:
    """What a profile does, step by step."""
    from vbench.commands_profiles import profiles_show_command

    profiles_show_command(name)


@profiles_app.command("preview")
def profiles_preview(
    name: Annotated[str, typer.Argument(help="A profile, or your own .yaml.", autocompletion=completed(profile_names))],
    source: Annotated[
        Path | None,
        typer.Option(
            "--source", "-s", help="A video or a folder of frames. Default: an embedded clip.", metavar="PATH"
        ),
    ] = None,
    variant: Annotated[
        list[str] | None, typer.Option("--variant", help="Only these variants (a,b), or all.", metavar="NAMES")
    ] = None,
    severity: Annotated[
        list[str] | None, typer.Option("--severity", help="Severities from 1 to 5.", metavar="NUMBERS")
    ] = None,
    clip: Annotated[
        str | None, typer.Option("--clip", help="Which clip, where there are several.", metavar="NAME")
    ] = None,
    frames: Annotated[str | None, typer.Option("--frames", help="Frames A:B of the source.", metavar="A:B")] = None,
    max_frames: Annotated[int, typer.Option("--max-frames", min=1, help="At most so many frames.", metavar="N")] = 24,
    seed: Annotated[int, typer.Option("--seed", help="Same seed, same pictures.", metavar="N")] = 0,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the pictures.", metavar="DIR")] = Path("preview"),
) -> None:
    """A contact sheet (clean, damaged, a detail, masks) and a short video of every variant."""
    from vbench.commands_profiles import profiles_preview_command

    profiles_preview_command(name, source, listed(variant), listed(severity), clip, frames, max_frames, seed, out)


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
    name: Annotated[str | None, typer.Option("--name", help="Of the data set.", metavar="NAME")] = None,
    version: Annotated[
        str | None,
        typer.Option("--version", help="Which damaged side, where there are several: blur_gamma.", metavar="NAME"),
    ] = None,
    split: Annotated[
        str | None, typer.Option("--split", help="Only the clips of this split: test.", metavar="NAME")
    ] = None,
    clips: Annotated[
        list[str] | None, typer.Option("--clip", "--clips", help="Only these clips (a,b or repeated).", metavar="NAMES")
    ] = None,
    frames: Annotated[
        str | None, typer.Option("--frames", help="Frames A:B of each clip (A counts from 0).", metavar="A:B")
    ] = None,
    scale: Annotated[
        str, typer.Option("--scale", help="How many times smaller the damaged side is.", metavar="N")
    ] = "auto",
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
        folder, name, version, split, listed(clips), frames, scale, replace, root, workers, truth=not no_truth
    )


@datasets_app.command("verify")
def datasets_verify(
    path: Annotated[Path, typer.Argument(help="A data set's folder, or its dataset.json alone.")],
    workers: Workers = None,
) -> None:
    """Hash what is stored, make it again from the description, compare. Exit status 1 if anything differs."""
    from vbench.commands_synth import verify_command

    verify_command(path, workers)


@film_app.command("statistics")
def film_statistics(
    clips: Annotated[list[Path], typer.Argument(help="Videos, folders of frames, or data sets that synth made.")],
    truth: Annotated[
        Path | None, typer.Option("--truth", help="The clean clip of the one that is named.", metavar="CLIP")
    ] = None,
    frames: Annotated[str | None, typer.Option("--frames", help="Frames A:B of each clip.", metavar="A:B")] = None,
    region: Annotated[
        str | None, typer.Option("--region", help="Only this part: TOP:BOTTOM,LEFT:RIGHT in pixels.", metavar="REGION")
    ] = None,
    scratches: Annotated[
        str | None,
        typer.Option("--scratch-region", help="Where scratches are looked for, as --region.", metavar="REGION"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Tone, flicker, weave, grain, dirt and scratches, beside those of three transfers of real old films."""
    from vbench.commands_film import film_statistics_command

    film_statistics_command(clips, as_json, truth=truth, frames=frames, region=region, scratches=scratches)


@film_app.command("match")
def film_match(
    film: Annotated[Path, typer.Argument(help="A video or a folder of frames: one of an old film.")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The profile to write. Default: FILM-like.yaml.", metavar="FILE")
    ] = None,
    frames: Annotated[
        str | None,
        typer.Option(
            "--frames", help="Frames A:B of the film. Default: the first 120; the longest shot of them.", metavar="A:B"
        ),
    ] = None,
    region: Annotated[
        str | None, typer.Option("--region", help="Only this part: TOP:BOTTOM,LEFT:RIGHT in pixels.", metavar="REGION")
    ] = None,
    scratches: Annotated[
        str | None,
        typer.Option("--scratch-region", help="Where scratches are looked for, as --region.", metavar="REGION"),
    ] = None,
    clean: Annotated[
        list[Path] | None,
        typer.Option("--clean", help="Clean clips to damage, instead of photographs (repeat it).", metavar="CLIP"),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of the random numbers of the search.", metavar="N")] = 0,
    replace: Annotated[bool, typer.Option("--replace", help="Write over the profile if it is there.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Damage as strong as a film's: a profile for clean clips, on which models can be scored in its place."""
    from vbench.commands_match import film_match_command

    film_match_command(
        film,
        out,
        as_json,
        frames=frames,
        region=region,
        scratches=scratches,
        clean=clean or (),
        seed=seed,
        replace=replace,
    )
