"""What ``vbench models`` and ``vbench weights`` do, in words for the terminal."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vbench.commands import grouped, say
from vbench.console import console
from vbench.errors import InputError

if TYPE_CHECKING:
    from vbench.models.verify import Difference

TITLED = 100
"""Columns of a terminal that shows what each model is; in a narrower one its name says enough."""


def models_command() -> None:
    """``vbench models``."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    from vbench import models, weights

    out = console()
    if out.width > 200:
        out.width = 80
    told = out.width >= TITLED
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("name", no_wrap=True)
    table.add_column("for", no_wrap=True)
    if told:
        table.add_column("what")
    table.add_column("runs here?")
    missing = []
    for name in models.names():
        spec = models.spec(name)
        ready = spec.weights is None or weights.find(spec) is not None
        if not ready:
            missing.append(spec)
        what = [spec.title] if told else []
        table.add_row(name, spec.task, *what, Text("yes", "green") if ready else Text("needs weights", "yellow"))
    out.print(table)
    say("One model and its settings: vbench models show NAME")
    if missing:
        say("What needs weights:")
        for text in grouped(missing):
            say(f"  {text}")


def weights_list_command() -> None:
    """``vbench weights list``."""
    from vbench import weights

    say(f"Weights live in {weights.weights_folder()} (set VBENCH_ASSETS to move them).")
    for entry in weights.status():
        say(f"  {entry.text}")


def weights_import_command(file: Path, model: str | None) -> None:
    """``vbench weights import``."""
    from vbench.weights import import_file

    taken = import_file(file, model)
    origin = "the published file" if taken.known else "fits the network, but is not the published file"
    say(f"{taken.model}: {origin} (sha256 {taken.sha256[:16]}...), now in {taken.path}.")
    say(f"Next: vbench run --models {taken.model}")


def models_show_command(name: str) -> None:
    """``vbench models show``."""
    from vbench import models, weights

    spec = models.spec(name)
    say(f"{spec.name}: {spec.title}, for {spec.task}")
    say(f"  source      {spec.source}")
    say(f"  licence     {spec.licence}")
    for key, value in spec.settings.items():
        say(f"  {key:<11} {value}")
    if spec.parameters:
        say(f"  parameters  {spec.parameters:,}")
    if spec.weights is not None:
        path = weights.find(spec)
        say(f"  weights     {path or spec.missing_text()}")


# --- verify --------------------------------------------------------------------------------------


def fixture_folders(given: Path | None) -> list[Path]:
    """Where parity fixtures are looked for: the folder given, else ``VBENCH_FIXTURES``, else those of a checkout of the
    source and those beside it."""
    if given is not None:
        return [given]
    named = os.environ.get("VBENCH_FIXTURES")
    if named:
        return [Path(named)]
    checkout = Path(__file__).resolve().parents[1]
    return [checkout.parent / "shared" / "parity", checkout / "tests" / "parity"]


def find_cases(name: str, folders: Sequence[Path]) -> list[Path]:
    """The cases of a network in the first folder that has any."""
    for folder in folders:
        found = sorted((folder / name).glob("case_*.npz"))
        if found:
            return found
    return []


def verify_command(
    names: Sequence[str],
    fixture: Path | None,
    manifest: Path | None,
    fixtures: Path | None,
    dtype: str,
    tolerance: float | None,
    device: str,
    everything: bool,
    verbose: bool,
) -> None:
    """``vbench models verify``: exit status 1 if an output is over its tolerance."""
    from vbench.devices import pick
    from vbench.models.networks import NETWORKS, network_spec

    if dtype not in ("float64", "float32"):
        raise InputError(f'--dtype takes float64 or float32, and "{dtype}" was given.')
    wanted = list(NETWORKS) if everything else list(names)
    if not wanted:
        raise InputError(f"Name a network, or --all. There are {', '.join(NETWORKS)}.")
    if fixture is not None and len(wanted) != 1:
        raise InputError("--fixture is a case of one network: name that one.")
    if dtype == "float32" and tolerance is None:
        tolerance = 1e-4
    over = 0
    for name in wanted:
        network_spec(name)
        cases = [fixture] if fixture is not None else find_cases(name, fixture_folders(fixtures))
        if not cases:
            raise InputError(
                f'There is no fixture of "{name}". Name one with --fixture FILE.npz (its manifest.json beside it, or '
                "--manifest), or a folder of fixtures with --fixtures DIR."
            )
        for case in cases:
            over += _verify_case(name, case, manifest, dtype, tolerance, pick(device), verbose)
    if over:
        say(f"{over} output(s) over their tolerance.")
        raise SystemExit(1)


def _verify_case(
    name: str, case: Path, manifest: Path | None, dtype: str, tolerance: float | None, device: str, verbose: bool
) -> int:
    from vbench.models.verify import verify

    found = verify(name, case, manifest, dtype=dtype, tolerance=tolerance, device=device)
    worst = max(found, key=lambda d: d.largest / d.allowed if d.allowed else (float("inf") if d.largest else 0.0))
    over = [d for d in found if not d.within]
    mark = "OVER" if over else "ok"
    say(
        f"{mark:<5}{name} {case.name}: {len(found)} outputs, nearest to its tolerance {worst.output}: "
        f"{_in_words(worst)}"
    )
    for difference in found if verbose else over:
        say(f"       {'ok  ' if difference.within else 'OVER'} {difference.output}: {_in_words(difference)}")
    return len(over)


def _in_words(found: Difference) -> str:
    allowed = found.allowed / found.peak if found.peak else found.allowed
    return f"largest relative difference {found.relative:.1e}, allowed {allowed:.0e}"
