"""``vbench profiles``: list them, show one, look at one."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from vbench.commands import counted, say, took, worded
from vbench.console import progress, table_console


def profiles_list_command() -> None:
    """``vbench profiles list``: a row for each profile, its variants, those that are made by default in bold."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    from degradations.profile import list_profiles, load_profile

    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_lines=True)
    for head in ("profile", "damage", "variants"):
        table.add_column(head, no_wrap=head == "profile")
    for name in list_profiles():
        profile = load_profile(name)
        variants = Text()
        for key in profile.variants:
            variants.append(key, "bold" if key in profile.default else "")
            variants.append("*" if key in profile.default else "").append("  ")
        table.add_row(Text(name, "bold"), Text(profile.title), variants)
    out = table_console()
    out.print(table)
    out.print(
        "* made when neither --variant nor --severity is given. Every profile takes --severity 1..5 as well. What each "
        "is: vbench profiles show NAME; what it looks like: vbench profiles preview NAME",
        style="dim",
        soft_wrap=False,
    )


def profiles_show_command(name: str) -> None:
    """``vbench profiles show``: what a profile is, where it comes from, and every step of every variant."""
    from rich.padding import Padding
    from rich.text import Text

    from degradations.profile import RUNGS, load_profile, severity_name, sha256

    out = table_console()
    with worded():
        profile = load_profile(name)
        rungs = [severity_name(n) for n in range(1, RUNGS + 1)] if profile.severities else []
        # What is wrong in any of them is said before anything is shown.
        built = {key: profile.build(key) for key in [*profile.variants, *rungs]}
        out.print(Text(f"{profile.name}, version {profile.version}: {profile.title}", "bold"), soft_wrap=False)
        out.print(Text(" ".join(profile.description.split())), soft_wrap=False)
        out.print(Text(f"Source: {' '.join(profile.source.split())}", "dim"), soft_wrap=False)
        for key in [*profile.variants, *rungs[:1], *rungs[-1:]]:
            variant = profile.variant(key)
            mark = " (made by default)" if key in profile.default else ""
            out.print(Text(f"\n{key}: {variant.title}{mark}", "bold"), soft_wrap=False)
            out.print(Padding(Text(" ".join(variant.description.split())), (0, 0, 0, 2)), soft_wrap=False)
            words = [f"truth: {variant.truth}"] if variant.truth != "colour" else []
            words += [f"damage starts from: {variant.start}"] if variant.start else []
            words += ["made on reading"] if variant.on_reading else []
            words.append(f"hash {sha256(profile, key)[:12]}")
            out.print(Padding(Text("; ".join(words), "dim"), (0, 0, 0, 2)), soft_wrap=False)
            for step in built[key]:
                settings = ", ".join(f"{k} {v}" for k, v in step.model_dump(mode="json").items() if v is not None)
                out.print(
                    Padding(Text(f"- {step.kind}{': ' if settings else ''}{settings}"), (0, 0, 0, 2)), soft_wrap=False
                )


def profiles_preview_command(
    name: str,
    source: Path | None,
    variants: Sequence[str],
    severities: Sequence[str],
    clip: str | None,
    frames: str | None,
    max_frames: int,
    seed: int,
    out: Path,
) -> None:
    """``vbench profiles preview``."""
    from vbench.commands_synth import chosen, sources_of
    from vbench.preview import preview

    began = time.monotonic()
    with worded():
        profile, wanted = chosen(name, variants, severities)
        for key in wanted:
            profile.build(key)
    clips = [clip] if clip else [] if source else ["portrait"]
    origin = sources_of([source] if source else [], clips, frames, max_frames)[0]
    with worded(), progress("preview") as report:
        sheet, film = preview(profile, wanted, origin, seed, out, report)
    say(f"{counted(len(wanted), 'variant')} on {origin.name} ({took(time.monotonic() - began)}):")
    say(f"  {sheet}")
    say(f"  {film}")
