"""``vbench profiles``: list them, show one, look at one."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from vbench.commands import say, took, worded
from vbench.console import progress


def profiles_list_command() -> None:
    """``vbench profiles list``."""
    from degradations.profile import list_profiles, load_profile

    for name in list_profiles():
        profile = load_profile(name)
        say(f"{name}: {' '.join(profile.description.split())}")
        for key, variant in profile.variants.items():
            mark = "*" if key in profile.default else " "
            say(f"  {mark} {key:<12} {variant.title}")
        if profile.severities is not None:
            say(f"    --severity 1..5: {' '.join(profile.severities.description.split())}")
    say("* made when no --variant is named. Steps and settings: vbench profiles show NAME")


def profiles_show_command(name: str) -> None:
    """``vbench profiles show``."""
    from degradations.profile import load_profile, sha256

    with worded():
        profile = load_profile(name)
        say(f"{profile.name}, version {profile.version}: {' '.join(profile.description.split())}")
        say(f"Source: {' '.join(profile.source.split())}")
        shown = [*profile.variants, *(["severity-1", "severity-5"] if profile.severities else [])]
        for key in shown:
            variant = profile.variant(key)
            say(f"\n{key} ({variant.title}), hash {sha256(profile, key)[:12]}")
            say(f"  {' '.join(variant.description.split())}")
            for step in profile.build(key):
                settings = ", ".join(f"{k} {v}" for k, v in step.model_dump(mode="json").items())
                say(f"  - {step.kind}: {settings}")


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
    say(f"{len(wanted)} variant(s) on {origin.name} ({took(time.monotonic() - began)}):")
    say(f"  {sheet}")
    say(f"  {film}")
