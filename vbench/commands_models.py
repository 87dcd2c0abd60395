"""What ``vbench models`` and ``vbench weights`` do, in words for the terminal."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vbench.commands import say
from vbench.console import console, progress, say_terms, table_console
from vbench.errors import InputError, MissingWeights, RunError, UsageError, VbenchError

if TYPE_CHECKING:
    from vbench.models.spec import ModelSpec
    from vbench.models.verify import Difference, Verified
    from vbench.weights import Imported, WeightsStatus

TITLED = 100
"""Columns of a terminal that shows what each model is; in a narrower one its name says enough."""


def models_command() -> None:
    """``vbench models``."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    from vbench import models, weights

    out = table_console()
    told = out.width >= TITLED
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("name", no_wrap=True)
    table.add_column("for", no_wrap=True)
    if told:
        table.add_column("what")
    table.add_column("runs here?", no_wrap=True)
    limited: dict[str, list[str]] = {}
    waiting = 0
    found, broken = models.described()
    for name, spec in found.items():
        if spec.weights is not None and spec.weights.restriction:
            limited.setdefault(spec.weights.restriction, []).append(name)
        ready = Text("yes, slowly" if spec.slow else "yes", "green")
        if spec.weights is not None and weights.find(spec) is None:
            waiting += 1
            way = "to fetch" if spec.weights.address else "in a browser"
            ready = Text(f"needs weights, {way}", "yellow")
        table.add_row(name, spec.task, *([spec.title] if told else []), ready)
    for name in broken:
        table.add_row(name, "–", *([""] if told else []), Text("no, see below", "red"))
    out.print(table)
    for text in broken.values():
        out.print(text, markup=False, highlight=False)
    for restriction, names in limited.items():
        out.print(f"Weights that are not free, {restriction}: {', '.join(names)}.", highlight=False)
    say("One model, its settings and what it costs: vbench models show NAME")
    if waiting:
        say("What needs weights, and how to bring them: vbench weights list")


# --- weights -------------------------------------------------------------------------------------


def weights_list_command() -> None:
    """``vbench weights list``: every checkpoint under its publisher, what is here, and how the rest is brought."""
    from rich.text import Text

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
        out.print(Text.assemble((repository, "bold"), f"  {first.terms}"), soft_wrap=True)
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
        with progress(key, "kB") as report:
            got = 0

            def received(count: int, whole: int | None) -> None:
                nonlocal got
                got += count
                report(key, got // 1000 - (got - count) // 1000, None if whole is None else whole // 1000)

            taken = weights.fetch(key, received)
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
    lines: dict[str, str] = {"source": spec.source, "licence": spec.licence}
    lines |= {key.replace("_", " "): str(value) for key, value in spec.settings.items()}
    if spec.parameters:
        lines["parameters"] = f"{spec.parameters:,}"
    lines |= _work(spec)
    if spec.scales != (1,):
        lines["enlarges"] = "by any number" if spec.scales is None else f"by {_numbers(spec.scales)}"
    if spec.tiles is not None:
        lines |= {"tiles": spec.tiles.words, "precision": ", ".join(spec.precisions)}
    if spec.weights is not None:
        lines["weights"] = str(weights.find(spec) or spec.missing_text())
        more = {"for": spec.weights.purpose, "trained on": spec.weights.trained_on, "note": spec.weights.note}
        lines |= {f"  {key}": value for key, value in more.items() if value}
        if spec.weights.restriction:
            lines["  not free"] = spec.weights.restriction
    say(f"{spec.name}: {spec.title}, {'a model that you bring' if spec.task == 'brought' else f'for {spec.task}'}")
    say_terms(lines.items())


def _numbers(values: Sequence[int]) -> str:
    """Numbers in words; from the first to the last where they are many.

    Example:
        >>> _numbers((2, 4)), _numbers(range(2, 65))
        ('2 or 4', '2 to 64')
    """
    if len(values) > 3:
        return f"{values[0]} to {values[-1]}"
    return " or ".join(map(str, values))


def _work(spec: ModelSpec) -> dict[str, str]:
    """Multiply-adds and steps of training of a model; empty where it is no network of the suite."""
    from vbench.multiply_adds import SHOWN, shown

    found = shown(spec)
    if found is None:
        return {}
    width, height, frames = SHOWN
    each = f"{found.multiply_adds / width / height:,.0f} a pixel, {found.multiply_adds / 1e9:,.0f} G a frame"
    out = {"multiply-adds": f"{each} ({width} x {height} in colour)"}
    if found.iterations is not None:
        out["iterations"] = f"{found.iterations / frames:g} steps of training a frame, counted above"
    return out


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
    dtype: str | None,
    tolerance: float | None,
    device: str,
    everything: bool,
    verbose: bool,
) -> None:
    """``vbench models verify``: exit status 1 if an output is over its tolerance, or a case cannot be computed.

    Every output is shown, of all networks (``everything``) a line for each case.
    """
    from vbench.devices import pick
    from vbench.models.networks import NETWORKS, network_spec
    from vbench.models.verify import DTYPES, verified

    if dtype not in (None, *DTYPES):
        raise UsageError(f'--dtype takes {" or ".join(DTYPES)}, and "{dtype}" was given.')
    if tolerance is not None and not 0 <= tolerance < float("inf"):
        raise UsageError(f"--tolerance takes a number from 0 on, and {tolerance} was given.")
    if everything and names:
        raise UsageError("--all is every network: name none beside it.")
    wanted = list(NETWORKS) if everything else list(dict.fromkeys(names))
    if not wanted:
        raise UsageError(f"Name a network, or --all. There are {', '.join(NETWORKS)}.")
    if fixture is not None and len(wanted) != 1:
        raise UsageError("--fixture is a case of one network: name that one.")
    if fixture is not None and fixtures is not None:
        raise UsageError("--fixture is one case, --fixtures a folder of many: give one of them.")
    where = pick(device)
    cases: list[tuple[str, Path]] = []
    for name in wanted:
        network_spec(name)
        own = [fixture] if fixture is not None else find_cases(name, fixture_folders(fixtures))
        if not own:
            raise InputError(
                f'There is no fixture of "{name}". Name one with --fixture FILE.npz (its manifest.json beside it, or '
                "--manifest), or a folder of fixtures with --fixtures DIR."
            )
        cases += [(name, case) for case in own]
    over = failed = outputs = 0
    for name, case in cases:
        try:
            found = verified(name, case, manifest, dtype=dtype, tolerance=tolerance, device=where)
        except VbenchError as error:
            if len(cases) == 1 or isinstance(error, UsageError):
                raise
            say(f"FAIL {name} {case.name}: {error}")
            failed += 1
            continue
        _show_verified(name, case, found, verbose or not everything)
        over += len(found.over)
        outputs += len(found.differences)
    if len(cases) > 1 and not over + failed:
        say(f"All {outputs} outputs of {len(cases)} cases are within what is allowed.")
    if failed:
        say(f"{failed} of {len(cases)} cases could not be computed.")
    if over:
        say(f"{over} of {outputs} outputs over their tolerance.")
    if over or failed:
        raise SystemExit(1)


def _show_verified(name: str, case: Path, found: Verified, each: bool) -> None:
    """What came of a case: a line, and one for each output, or for those that are over."""
    over, count = found.over, len(found.differences)
    mark = "OVER" if over else "ok"
    said = f"{len(over)} of {count} outputs over" if over else f"{count} outputs within"
    if each:
        say(f"{mark:<5}{name} {case.name}: {said} what is allowed, in {found.dtype}")
    else:
        worst = max(found.differences, key=_exhausted, default=None)
        most = f", {worst.relative:.1e} of {_in_words(worst)} allowed" if worst is not None else ""
        say(f"{mark:<5}{name} {case.name}: {count} outputs{most}")
    shown = found.differences if each else over
    if shown:
        width = max(6, *(len(d.output) for d in shown))
        again = {d.output: d for d in found.decided}
        say(f"     {'output':<{width}}  {'relative difference':>20}  allowed")
        for d in shown:
            beside = f", {again[d.output].relative:.1e}" if d.output in again and not d.within else ""
            figure = f"{d.relative:.1e}{beside}"
            say(f"{'' if d.within else 'OVER':<5}{d.output:<{width}}  {figure:>20}  {_in_words(d)}")
            if d.note:
                say(f"       {d.note}")
    if found.rounding:
        ends = ""
        if found.decided:
            within = all(d.within for d in found.decided)
            ends = " In that run all outputs are within." if within else " In that run, too, some outputs are over."
        say_terms([("why", f"{found.rounding}{ends}")], indent=5)


def _exhausted(found: Difference) -> float:
    """How much of what is allowed a difference takes."""
    return found.largest / found.allowed if found.allowed else (float("inf") if found.largest else 0.0)


def _in_words(found: Difference) -> str:
    """What is allowed, as a fraction of the official output's largest value."""
    return f"{found.allowed / found.peak if found.peak else found.allowed:.0e}" if found.allowed else "0"
