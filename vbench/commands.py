"""What each command does, between the command line and the library: plans, progress, words at the end."""

from __future__ import annotations

import errno
import re
import shlex
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from leaderboards.store import TEMPORARY
from vbench.console import console, progress
from vbench.errors import InputError, MissingAsset, UsageError
from vbench.workspace import Workspace, disk_error

if TYPE_CHECKING:
    from vbench.cluster import RayCluster
    from vbench.datasets import Dataset
    from vbench.models.spec import ModelSpec
    from vbench.plan import Failure, RunResult
    from vbench.protocols import Protocol

DEFAULT_ROOT = Path("runs")


def at_root(root: Path) -> str:
    """The option that names a root other than the default, for commands that the user is told to type."""
    return "" if root == DEFAULT_ROOT else f" --root {shlex.quote(str(root))}"


@contextmanager
def worded(place: Path | None = None) -> Iterator[None]:
    """Errors of the packages that know no vbench, as errors that the user can mend; of the disk too, where a file or folder
    ``place`` is written."""
    try:
        yield
    except ValueError as error:
        raise InputError(str(error)) from error
    except OSError as error:
        if place is None:
            raise
        named = place if error.filename is None else Path(error.filename)
        ours = TEMPORARY in str(named) or named.is_relative_to(place) or place.is_relative_to(named)
        if ours or error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
            raise disk_error(place, error) from error
        raise InputError(f'"{named}" cannot be read: {error.strerror or error}.') from error


def say(text: str, *, whole: bool = False) -> None:
    """A line to the user, on standard output.

    Args:
        whole: it is copied (a signature), so no line break is put into it where a terminal ends; so it is with a command
            that comes next, and with an address to open.
    """
    whole = whole or text.startswith(("Next: ", "Open it: "))
    console().print(text, markup=False, highlight=False, soft_wrap=whole or None)


def took(seconds: float) -> str:
    """A duration in words.

    Example:
        >>> took(3.21), took(75)
        ('3.2 s', '1 min 15 s')
    """
    return f"{seconds:.1f} s" if seconds < 60 else f"{int(seconds // 60)} min {int(seconds % 60)} s"


def sized(size: int) -> str:
    """Bytes in words.

    Example:
        >>> sized(43_500), sized(5_400_000), sized(218_000_000), sized(3_400_000_000)
        ('42 KiB', '5.1 MiB', '208 MiB', '3.2 GiB')
    """
    for unit, name in ((2**30, "GiB"), (2**20, "MiB")):
        if size >= unit:
            return f"{size / unit:.{1 if size < 100 * unit else 0}f} {name}"
    return f"{size / 2**10:.0f} KiB"


def counted(count: int, what: str) -> str:
    """A number of things.

    Example:
        >>> counted(1, "clip"), counted(2000, "data set")
        ('1 clip', '2,000 data sets')
    """
    return f"{count:,} {what}{'' if count == 1 else 's'}"


# --- run -----------------------------------------------------------------------------------------


def run_command(
    models: Sequence[str],
    datasets: Sequence[str],
    metrics: Sequence[str],
    protocol: str | None,
    device: str,
    max_clips: int | None,
    root: Path,
    workers: int | None,
    tile: str = "auto",
    precision: str = "fp32",
    ray: str | None = None,
) -> None:
    """``vbench run``."""
    began = time.monotonic()
    result = run_models(
        Workspace(root), models, datasets, metrics, protocol, device, max_clips, workers, tile, precision, ray
    )
    say_run(result, time.monotonic() - began)
    say(f"Next: vbench report html{at_root(root)}")
    if result.failures or result.unfinished:
        raise SystemExit(1)


def run_models(
    workspace: Workspace,
    models: Sequence[str],
    datasets: Sequence[str] = (),
    metrics: Sequence[str] = (),
    protocol: str | None = None,
    device: str = "auto",
    max_clips: int | None = None,
    workers: int | None = None,
    tile: str = "auto",
    precision: str = "fp32",
    ray: str | None = None,
) -> RunResult:
    """Plan and run; progress on the terminal. Identity runs along: it is a row of every board, and gains are against it.
    Of all data sets those that are whole are run on; one that was named and is not whole is an error.

    Raises:
        UsageError: a tile or precision that does not exist, or not on this device; a cluster beside a number of workers,
            or beside the number of a GPU.
        MissingAsset: a parameter file or a package of a metric that was named is not here.
    """
    from vbench import metrics as metric_catalog
    from vbench.datasets import find_datasets
    from vbench.devices import pick
    from vbench.execute import default_workers
    from vbench.plan import RunPlan
    from vbench.run import check_models, run

    check_models(models)
    if "identity" not in models and "all" not in models:
        models = [*models, "identity"]
    unfinished: dict[str, str] = {}
    found = find_datasets(workspace, list(datasets), unfinished)
    # A model may go to another folder while it is loaded or at work.
    found = [replace(dataset, folder=dataset.folder.absolute()) for dataset in found]
    workspace = Workspace(workspace.root.absolute())
    if unfinished:
        say(f"Not finished, so left out: {', '.join(unfinished)}.")
    groups = _by_protocol(protocol, found, bool(datasets))
    where = pick(device)
    sizes = (_tile(tile), _precision(precision, where))
    # Asked for as a whole, a metric that cannot be measured is told; asked for by its name, it is an error.
    lenient = not metrics or "all" in metrics or any(name.endswith("[*]") for name in metrics)
    if not lenient:
        for name in metrics:
            if isinstance(why := metric_catalog.lacking(name), MissingAsset):
                raise why  # before hours of restoring, not after
    command = shlex.join(["vbench", *sys.argv[1:]])
    result: RunResult | None = None
    if ray is not None and where.startswith("cuda:"):
        raise UsageError(f"--ray gives each task a GPU that is free: say --device cuda, not {where}.")
    with workspace.lock("run"), worded(), cluster(ray, workers, workspace.root) as machines:
        for chosen, own in groups:
            names = [m.name for m in metric_catalog.load_all(metrics or chosen.metrics)]
            plan = RunPlan(
                workspace, tuple(own), tuple(models), tuple(names), chosen, where, max_clips, lenient, *sizes
            )
            tasks = sum(len(plan.pairs(d)) for d in own) * max(1, len(models))
            count = workers or default_workers(where, tasks * 2)
            scorers = workers or default_workers("cpu", tasks * 2)
            with progress("run") as report:
                one = run(
                    plan,
                    command=command,
                    workers=count,
                    measuring=scorers,
                    progress=report,
                    cluster=machines,
                    goes_on=result is not None,
                )
            result = one if result is None else result.joined(one)
    assert result is not None  # noqa: S101 - there is a data set, so there is a group
    result.unfinished = unfinished
    return result


@contextmanager
def cluster(address: str | None, workers: int | None, root: Path) -> Iterator[RayCluster | None]:
    """The machines of ``--ray``; None where it was not said.

    Raises:
        UsageError: ``--workers`` was said too, or Ray is not installed.
    """
    if address is None:
        yield None
        return
    if workers is not None:
        raise UsageError("--ray works on all processors of the cluster, --workers on some of this machine: say one.")
    from vbench.cluster import RayCluster

    with RayCluster(address, root) as machines:
        yield machines


def _by_protocol(name: str | None, found: list[Dataset], named: bool) -> list[tuple[Protocol, list[Dataset]]]:
    """Which data sets are measured under which protocol: the one that was named; without a name, the default one where
    there is a ground truth, and ``no-reference`` where there is none."""
    from vbench import protocols

    if name is not None:
        chosen = protocols.load(name)
        return [(chosen, found if named else fitting(chosen, found))]
    paired = [dataset for dataset in found if all(clip.gt_sha256 is not None for clip in dataset.facts.clips)]
    alone = [dataset for dataset in found if dataset not in paired]
    if alone:
        what = ", ".join(dataset.name for dataset in alone)
        say(f"Without ground truth, so measured under the protocol no-reference: {what}.")
    groups = [(protocols.load("default"), paired), (protocols.load("no-reference"), alone)]
    return [(protocol, own) for protocol, own in groups if own]


def _tile(text: str) -> str:
    if text == "auto":
        return text
    from vbench.tiling import parse

    return parse(text)


def _precision(name: str, device: str) -> str:
    if name == "fp32":
        return name
    from vbench.precision import check

    return check(name, device)


def fitting(protocol: Protocol, datasets: list[Dataset]) -> list[Dataset]:
    """The data sets that a protocol is about; the others are told.

    Raises:
        InputError: it is about none of them.
    """
    about = [dataset for dataset in datasets if protocol.about(dataset.facts)]
    others = [dataset.name for dataset in datasets if not protocol.about(dataset.facts)]
    if not about:
        assert protocol.data is not None  # noqa: S101 - a protocol without data of its own is about all
        raise InputError(
            f"The protocol {protocol.name} is about {protocol.data.words}, and no data set here is of that kind "
            f"({', '.join(others)}). Make one (`vbench protocols show {protocol.name}`), or measure others under it all the "
            f"same by naming them: --dataset {others[0]}"
        )
    if others:
        say(
            f"The protocol {protocol.name} is not about {', '.join(others)}; --dataset NAME measures them all the same."
        )
    return about


def grouped(missing: Sequence[ModelSpec]) -> list[str]:
    """What models need, those of one file together."""
    files: dict[str, list[ModelSpec]] = {}
    for spec in missing:
        assert spec.weights is not None  # noqa: S101 - that is why it is missing
        files.setdefault(spec.weights.published.rsplit(" from ", 1)[-1] + spec.weights.licence, []).append(spec)
    out = []
    for specs in files.values():
        first = specs[0].weights
        assert first is not None  # noqa: S101 - as above
        if len(specs) == 1:
            out.append(specs[0].missing_text())
            continue
        names = ", ".join(spec.name for spec in specs)
        what = first.published.rsplit(" from ", 1)[-1]
        parts = dict.fromkeys(s.weights.published.rsplit(" from ", 1)[0] for s in specs if s.weights)
        if first.address is not None:
            fetched = dict.fromkeys(s.weights.name for s in specs if s.weights)
            out.append(
                f"{names} need weights ({first.terms}): vbench weights fetch {' '.join(fetched)}, or with files from "
                f"elsewhere: vbench weights import FILE --model {specs[0].name}, and so on"
            )
            continue
        out.append(
            f"{names} need weights ({first.terms}). Get {', '.join(parts)} from {what}, then: "
            f"vbench weights import FILE --model {specs[0].name}, and so on"
        )
    return out


def say_run(result: RunResult, seconds: float) -> None:
    """What became of a run: a line of figures, and below it what did not run or was not measured, and why."""
    from vbench.console import say_items

    parts = [f"{counted(result.restored, 'clip')} restored, {counted(result.cells, 'result')} measured"]
    if result.kept:
        parts.append(f"{result.kept} {'was' if result.kept == 1 else 'were'} there already")
    say(f"{', '.join(parts)} ({took(seconds)}).")
    say_items(_said_of_models(result))
    say_items(_said_of_metrics(result))
    say_items([*said_of_tiles(result), *said_of_precision(result)])
    say_items(said_of_failures(result.failures))
    say_items(f"not run on {name}: {why}" for name, why in result.unfinished.items())


def _said_of_models(result: RunResult) -> list[str]:
    """Which models were not run, why, and the command that helps."""
    from vbench import models

    known = models.described()[0] if result.skipped else {}
    out = [f"not run: {text}" for text in grouped([known[name] for name in result.skipped if name in known])]
    out += [f"not run: {text}" for name, text in result.skipped.items() if name not in known]
    if result.left_out:
        names = ", ".join(result.left_out)
        out.append(
            f"left out, as they take hours for a clip on a CPU: {names}. Name them to run them: --models all,NAME"
        )
    same: dict[tuple[str, ...], list[str]] = {}
    for name, datasets in result.unfit.items():
        same.setdefault(tuple(datasets), []).append(name)
    return out + [
        f"not run on {', '.join(where)}: {', '.join(unfit)} (another size than the ground truth's)"
        for where, unfit in same.items()
    ]


def _said_of_metrics(result: RunResult) -> list[str]:
    """Which metrics were not measured, and why; those of one reason together."""
    why: dict[str, list[str]] = {}
    for metric, reasons in result.unmeasured.items():
        for reason, clips in reasons.items():
            words = reason.removeprefix(f"{metric} cannot be measured: ")
            why.setdefault(words, []).append(f"{metric} on {counted(clips, 'clip')}")
    return [f"not measured: {', '.join(what)}: {words}" for words, what in why.items()]


def said_of_failures(failures: Sequence[Failure]) -> list[str]:
    """What failed; what failed in the same way on several clips is told once.

    Example:
        >>> from vbench.plan import Failure
        >>> said_of_failures([Failure("mine on noise", clip, "No weights.") for clip in ("cat", "orbit")])
        ['failed: mine on noise, clips "cat", "orbit": No weights.']
    """
    alike: dict[tuple[str, str], list[str]] = {}
    for failure in failures:
        alike.setdefault((failure.what, failure.reason), []).append(f'"{failure.clip}"')
    return [
        f"failed: {what}, clip{'s' if len(clips) > 1 else ''} {', '.join(clips)}: {reason}"
        for (what, reason), clips in alike.items()
    ]


def said_of_tiles(result: RunResult) -> list[str]:
    """Which models restored frames in tiles."""
    alike: dict[str, list[str]] = {}
    for name, sizes in result.tiles.items():
        alike.setdefault(" and ".join(sorted(sizes)), []).append(name)
    return [f"in tiles of at most {sizes}: {', '.join(names)}" for sizes, names in alike.items()]


def said_of_precision(result: RunResult) -> list[str]:
    """How far fewer bits are from fp32, and which models do not have them."""
    out = []
    for name, found in result.differences.items():
        for dataset, apart in found.items():
            if isinstance(apart, str):
                out.append(f"{name} beside fp32, on {dataset}: {apart}")
                continue
            how = "equal" if apart.levels == 0 else f"{apart.psnr:.1f} dB, at most {apart.levels:.2f} grey levels apart"
            out.append(f'{name} beside fp32, on {dataset}: {how} ({apart.frames} frames of "{apart.clip}")')
    if result.full:
        out.append(f"in fp32 whatever is asked: {', '.join(result.full)}")
    return out


# --- report --------------------------------------------------------------------------------------


def report_command(
    root: Path, out: Path | None, title: str | None, media_budget: str = "200MB", single_file: bool = False
) -> None:
    """``vbench report html``."""
    from reports.html import build
    from reports.single import build_single

    if single_file:
        began = time.monotonic()
        with worded(out or root / "report.html"):
            page = build_single(root, out, title=title)
        say(f"The report is {page} ({sized(page.stat().st_size)}, {took(time.monotonic() - began)}).")
        say(f"Open it: {page.resolve().as_uri()}")
        return
    budget = byte_count(media_budget, "--media-budget")
    began = time.monotonic()
    with worded(out or root / "report"), progress("report", "pictures") as report:
        page = build(root, out, title=title, media_budget=budget, progress=report)
    size = sum(p.stat().st_size for p in page.parent.rglob("*") if p.is_file())
    say(f"The report is in {page.parent} ({sized(size)}, {took(time.monotonic() - began)}).")
    say(f"Open it: {page.resolve().as_uri()}")


def byte_count(text: str, option: str) -> int:
    """A size as people write it.

    Raises:
        UsageError: it is no such size.

    Example:
        >>> byte_count("200MB", "--media-budget"), byte_count("1.5 GiB", "--media-budget"), byte_count("0", "--media-budget")
        (200000000, 1610612736, 0)
    """
    units = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*", text)
    if found is None or found[2].upper() not in units:
        raise UsageError(
            f'{option} "{text}" is no size. Write a number and a unit: 500KB, 200MB, 1.5GB, or 0 for none.'
        )
    return int(float(found[1]) * units[found[2].upper()])
