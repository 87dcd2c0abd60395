"""``vbench demo``: the whole way on the embedded clips."""

from __future__ import annotations

import time
from pathlib import Path

from vbench.commands import report_command, run_models, say, say_run, took
from vbench.commands_leaderboard import show_command
from vbench.commands_synth import chosen, make, sources_of
from vbench.errors import RunError
from vbench.workspace import Workspace

FRAMES = 10
CLIPS = ("cameraman", "cat", "coffee", "garage", "portrait")
"""Gray, behind a fence, a table, depth, a face: as many as two processors restore and measure in three minutes."""
VARIANTS = {
    "oldfilm": ["medium"],
    "codec": ["h264-qp37"],
    "blur": ["motion360"],
    "noise": ["gaussian25"],
}


def demo_command(root: Path, workers: int | None) -> None:
    """``vbench demo``."""
    from leaderboards.export.view import Asked
    from vbench.synth import SynthPlan

    began = time.monotonic()
    say(
        f"The whole way, small: {len(VARIANTS)} kinds of damage on {len(CLIPS)} of the embedded clips "
        f"({FRAMES} frames each), every model that can run here, the report."
    )
    found = sources_of((), CLIPS, None, FRAMES)
    for name, wanted in VARIANTS.items():
        profile, variants = chosen(name, wanted, ())
        result = make(SynthPlan(Workspace(root), profile, variants, 0, found), workers)
        say(f"  made {', '.join(result.datasets)}")
    outcome = run_models(Workspace(root), ["all"], workers=workers)
    say_run(outcome, time.monotonic() - began)
    show_command(root, Asked(), intervals=False, clips=False)
    report_command(root, None, None)
    say(f"Done in {took(time.monotonic() - began)}. Next, in full: vbench synth --profile oldfilm")
    if outcome.failures:
        raise RunError(f"{len(outcome.failures)} tasks failed; they are named above and are holes in the report.")
