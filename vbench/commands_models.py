"""What ``vbench models`` and ``vbench weights`` do, in words for the terminal."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vbench.commands import grouped, say
from vbench.console import console, progress
from vbench.errors import InputError, MissingWeights, RunError, UsageError

if TYPE_CHECKING:
    from vbench.models.verify import Difference
    from vbench.weights import Imported, WeightsStatus

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


# --- weights -------------------------------------------------------------------------------------


def weights_list_command() -> None:
    """``vbench weights list``: every checkpoint under its publisher, what is here, and how the rest is brought."""
    from vbench import weights

    out = console()
    say(f"Weights live in {weights.weights_folder()} (set VBENCH_ASSETS to move them).")
    groups: dict[str, list[WeightsStatus]] = {}
    for entry in weights.status():
        groups.setdefault(entry.weights.repository or "elsewhere", []).append(entry)
    width = max(len(e.name) for group in groups.values() for e in group)
    here = fetchable = 0
    for repository, group in groups.items():
        first = group[0].weights
        say("")
        out.print(f"[bold]{repository}[/bold]  {first.terms}", soft_wrap=True)
        if first.address is None and first.page is not None:
            held = f" {first.archive}, and in it" if first.archive else ""
            say(f"  to be had in a browser:{held}")
            out.print(f"  {first.page}", soft_wrap=True)  # an address is not broken
        for entry in group:
            here += entry.path is not None
            fetchable += entry.path is None and entry.weights.address is not None
            size = f"{entry.weights.bytes / 1e6:.1f} MB" if entry.weights.bytes else "–"
            say(f"  {entry.name:<{width}}  {size:>7}  {_what_to_do(entry)}")
    say("")
    say(f"{here} of {sum(map(len, groups.values()))} are here. – : its authors do not state the size.")
    if fetchable:
        say(f"{fetchable} can be fetched: vbench weights fetch NAME, or --all")
    say("From a browser or another machine: vbench weights import FILE")


def _what_to_do(entry: WeightsStatus) -> str:
    from vbench.weights import origin

    if entry.path is not None:
        return f"here, {origin(entry.as_published)}"
    return "to fetch" if entry.weights.address else entry.weights.path


def weights_fetch_command(names: Sequence[str], everything: bool, offline: bool) -> None:
    """``vbench weights fetch``: what is here already is left alone; one failure does not stop the others."""
    from vbench import weights

    if everything and names:
        raise UsageError("vbench weights fetch takes names, or --all, and not both.")
    if not everything and not names:
        raise UsageError("Name checkpoints or models to fetch, or --all. `vbench weights list` shows them.")
    if everything:
        takers = weights.takers()
        wanted = [key for key, taker in takers.items() if taker.weights.address is not None]
    else:
        wanted = weights.chosen(names)
    if offline:
        _need_all(wanted)
    failures: list[str] = []
    for key in wanted:
        if (failure := _fetched(key)) is not None:
            failures.append(failure)
            if len(wanted) > 1:
                say(f"{key}: failed. {failure}")
    if everything:
        rest = [k for k, t in takers.items() if t.weights.address is None and weights.stored(t.weights) is None]
        if rest:
            say(f"Not to be fetched, as a browser is needed (vbench weights list says where): {', '.join(rest)}.")
    if failures:
        raise RunError(
            failures[0] if len(wanted) == 1 else f"{len(failures)} of {len(wanted)} could not be fetched; see above."
        )


def _need_all(keys: Sequence[str]) -> None:
    from vbench import weights

    missing = [entry.name for entry in weights.status(keys) if entry.path is None]
    if missing:
        are = "is" if len(missing) == 1 else "are"
        raise MissingWeights(f"--offline: nothing is fetched, and {', '.join(missing)} {are} not here.")


def _fetched(key: str) -> str | None:
    """Fetch one checkpoint unless it is here; the failure in words, if it is one."""
    from vbench import weights

    (entry,) = weights.status([key])
    if entry.path is not None:
        say(f"{key}: {entry.text}, in {entry.path}.")
        return None
    if entry.weights.address is not None:
        limited = f" (not a free licence: {entry.weights.restriction})" if entry.weights.restriction else ""
        say(f"{key}: {entry.weights.licence}{limited}, from {entry.weights.address}")
    try:
        with progress(key, "bytes") as report:
            taken = weights.fetch(key, lambda count, whole: report(key, count, whole))
    except (RunError, InputError) as error:
        return str(error)
    for one in taken:
        _say_taken(one)
    return None


def weights_import_command(file: Path, model: str | None) -> None:
    """``vbench weights import``."""
    from vbench.weights import import_files

    taken = import_files(file, model)
    for one in taken:
        _say_taken(one)
    say(f"Next: vbench run --models {','.join(one.model for one in taken)}")


def _say_taken(one: Imported) -> None:
    known = {
        True: "the published file",
        False: "fits the network, but is not the published file",
        None: "fits the network; the hash of the published file is not known, and this one's is recorded",
    }
    say(f"{one.model}: {known[one.as_published]} (sha256 {one.sha256[:16]}...), now in {one.path}.")


def weights_path_command(name: str) -> None:
    """``vbench weights path``: the file alone, for scripts."""
    from vbench import weights

    key, taker = weights.choose(name)
    path = weights.stored(taker.weights)
    if path is None:
        (entry,) = weights.status([key])
        raise MissingWeights(f"{key} is {entry.text}")
    say(str(path))


# --- show ----------------------------------------------------------------------------------------


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
    if spec.tiles is not None:
        say(f"  tiles       {spec.tiles.words}")
        say(f"  precision   {', '.join(spec.precisions)}")
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
