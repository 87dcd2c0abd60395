"""Run models on the pairs of a workspace and measure what they give.

Two kinds of tasks: *restore* (a model on a clip: frames, committed as one folder and one JSON) and *score*
(all new restorations of one pair: one cell per model and metric). What is there with the right
fingerprint is not done again; what failed is.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from leaderboards.schema import Cell, Cost, ModelFacts
from leaderboards.store import cell_path, read_cell, read_protocols, write_cell, write_protocol
from vbench import metrics as metric_catalog
from vbench.datasets import DatasetFacts, Pair
from vbench.errors import InputError, MissingWeights
from vbench.execute import Elsewhere, Outcome, Task, advance, run_tasks
from vbench.plan import Failure, RunPlan, RunResult
from vbench.protocols import Protocol
from vbench.provenance import fingerprint, now, versions
from vbench.restoring import Ready, model_facts, read_restored, restore_pair, restored_folder
from vbench.run_summary import write_summary
from vbench.workspace import Workspace, disk_error

if TYPE_CHECKING:
    from vbench.clip import ClipInfo


def ready_models(
    wanted: Sequence[str], device: str = "cpu", tile: str = "auto", precision: str = "fp32"
) -> tuple[list[Ready], dict[str, str], tuple[str, ...]]:
    """Which of the wanted models can run on this machine, why others cannot, and which are left out.

    "all" stands for every model; those that take hours for a clip on a CPU are left out there. A model that was asked
    for by name and has no weights is an error. What does not exist in ``precision`` is run in fp32.

    Raises:
        InputError: no such model.
        MissingWeights: a model named one by one lacks its weights.
    """
    from vbench import models, weights

    names: dict[str, bool] = {}
    for name in wanted:
        for one in models.names() if name == "all" else (name,):
            names[one] = names.get(one, False) or name != "all"
    ready: list[Ready] = []
    left_out: list[str] = []
    skipped: dict[str, str] = {}
    broken = models.described()[1] if "all" in wanted else {}
    for name, explicit in names.items():
        if name in broken and not explicit:
            skipped[name] = broken[name]
            continue
        spec = models.spec(name)
        path = None
        if spec.weights is not None:
            path = weights.find(spec)
            if path is None:
                text = spec.missing_text()
                if explicit:
                    raise MissingWeights(text)
                skipped[name] = text
                continue
        if spec.slow and not explicit and not device.startswith("cuda"):
            left_out.append(name)
            continue
        if any(other.name == spec.name for other in ready):
            bare = name.removeprefix(f"{spec.name}=")
            raise InputError(f'Two models would be called "{spec.name}". Give one another name: LABEL={bare}')
        own = precision if precision in spec.precisions else "fp32"
        ready.append(Ready(spec.name, model_facts(spec, path), path, spec.scales, name, spec.tiles, tile, own))
    return ready, skipped, tuple(left_out)


# --- score --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ScoreJob:
    """One model's frames on one pair, and the metrics still to be measured on them."""

    model: Ready
    metrics: tuple[str, ...]
    restored: dict[str, Any]


def _cell(
    pair: Pair, model: ModelFacts, metric: str, protocol: Protocol, restored: dict[str, Any] | None, **rest: Any
) -> Cell:
    facts = metric_catalog.load(metric).against(pair.siblings_sha256).facts()
    return Cell(
        dataset=pair.dataset,
        clip=pair.name,
        model=model.name,
        metric=facts,
        protocol=protocol.label,
        model_facts=model,
        data_sha256=pair.facts.data_sha256,
        restored_sha256=_digest(restored, protocol) if restored else None,
        fingerprint=cell_fingerprint(pair, metric, protocol, restored),
        versions=versions(),
        **rest,
    )


def _digest(restored: dict[str, Any], protocol: Protocol) -> str:
    """The hash of the restored frames that are measured."""
    return str(restored["sha256_16" if protocol.depth == 16 else "sha256"])


def cell_fingerprint(pair: Pair, metric: str, protocol: Protocol, restored: dict[str, Any] | None) -> str:
    """Everything that one number depends on."""
    found = metric_catalog.load(metric)
    beside = {
        "degraded": lambda: {"lq": pair.facts.lq_sha256},
        # The mask is drawn by the recipe that made the degraded frames.
        "mask": lambda: {"lq": pair.facts.lq_sha256},
        "pristine": lambda: {"pristine": pair.siblings_sha256},
    }
    needs = {need.partition(":")[0] for need in found.needs}
    more = {k: v for need in needs if need in beside for k, v in beside[need]().items()}
    return fingerprint(
        {
            "gt": pair.facts.gt_sha256,
            "restored": [restored["fingerprint"], _digest(restored, protocol)] if restored else None,
            "metric": found.facts().model_dump(exclude={"convention"}),
            "protocol": protocol.label,
            **more,
        }
    )


def score_pair(workspace: Workspace, pair: Pair, jobs: tuple[ScoreJob, ...], protocol: Protocol) -> dict[str, str]:
    """Measure every job of a pair in one pass over its ground truth; commits one cell per model and metric.

    Gives the metrics that cannot be measured on this clip, with the reason; their cells are failures.
    """
    from vbench.score import Scene, figure, fitted_pristine, measure_clips, reason_against

    wanted = {job.model.name: job.metrics for job in jobs}
    clips = {job.model.name: _open_restored(workspace, pair, job.model.name, protocol.depth) for job in jobs}
    hashes = {"": pair.facts.gt_sha256} if pair.facts.gt_sha256 is not None else {}
    hashes |= {job.model.name: _digest(job.restored, protocol) for job in jobs}
    impossible: dict[str, str] = {}
    metrics = {m: metric_catalog.load(m) for names in wanted.values() for m in names}
    needs: set[str] = set().union(*(m.needs for m in metrics.values()))
    pristine = None
    if "pristine" in needs & pair.rooms:
        info = scored_info(pair, protocol)
        pristine_of = [name for name, m in metrics.items() if "pristine" in m.needs]
        # Frames that are too small for the metric are so for its model too: one reason is told, not two.
        impossible |= {name: why for name in pristine_of if (why := reason_against(name, info, pair.rooms)) is not None}
        try:
            kept = workspace.root / "cache" / f"niqe-gt-{pair.siblings_sha256[:32]}.npz"
            if not all(name in impossible for name in pristine_of):
                pristine = fitted_pristine([sibling.truth() for sibling in pair.siblings()], kept)
        except InputError as error:
            impossible |= dict.fromkeys(pristine_of, str(error))
        except OSError as error:
            raise disk_error(workspace.root, error) from error
        wanted = {model: tuple(m for m in names if m not in impossible) for model, names in wanted.items()}
    there = needs & pair.rooms
    kinds = [need.partition(":")[2] for need in sorted(there) if need.startswith("mask:")]
    scene = Scene(
        truth=pair.truth() if "truth" in pair.rooms else None,
        degraded=pair.degraded() if "degraded" in there else None,
        mask=pair.mask() if "mask" in there else None,
        masks={kind: mask for kind in kinds if (mask := pair.mask(kind)) is not None},
        flow=pair.flow() if "flow" in there else None,
        pristine=pristine,
    )
    found = measure_clips(
        scene,
        clips,
        wanted,
        expected=hashes,
        impossible=impossible,
        done=advance,
        scored=protocol.scored.of(pair.facts.frames),
    )
    for job in jobs:
        for metric in job.metrics:
            values = found.get((job.model.name, metric))
            value, reason = (None, impossible[metric]) if values is None else figure(metrics[metric], values)
            cell = _cell(
                pair,
                job.model.facts,
                metric,
                protocol,
                job.restored,
                status="ok" if values is not None and reason is None else "failed",
                value=value,
                frames=values.values if values is not None and reason is None else [],
                columns=dict(values.columns) if values is not None and reason is None else {},
                error=reason,
                device=job.restored["device"],
                precision=job.restored["precision"],
                cost=Cost(**job.restored["cost"]),
            )
            _commit(workspace, cell)
            if reason is not None:
                impossible.setdefault(metric, reason)
    return impossible


def _commit(workspace: Workspace, cell: Cell) -> None:
    try:
        write_cell(workspace.root, cell)
    except OSError as error:
        raise disk_error(workspace.results, error) from error


def _open_restored(workspace: Workspace, pair: Pair, model: str, depth: int) -> Any:
    from vbench.sources import open_clip

    return open_clip(restored_folder(workspace, pair, model, depth), name=pair.name)


def scored_info(pair: Pair, protocol: Protocol) -> ClipInfo:
    """What is known of the frames of a pair that are measured, without opening it."""
    start, stop = protocol.scored.of(pair.facts.frames)
    return dataclasses.replace(pair.clip_info(), frames=stop - start)


# --- the command --------------------------------------------------------------------------------


def run(
    plan: RunPlan,
    *,
    command: str,
    workers: int = 1,
    measuring: int | None = None,
    progress: Callable[[str, int, int | None], None] | None = None,
    cluster: Elsewhere | None = None,
    goes_on: bool = False,
) -> RunResult:
    """Restore and measure everything of the plan that is not there yet.

    Args:
        command: what the user typed, recorded in ``results/run.json``.
        workers: processes; results do not depend on it, unless memory that they share is short and a model's frames are
            cut into tiles that are faded into each other, which is recorded.
        measuring: processes that measure what was restored; as many as ``workers`` by default. Measuring is the CPU's work,
            also where a GPU restores.
        progress: called with what is under way, frames done since the last call, and all frames to do
            (None after the first call).
        cluster: machines that do the work in place of ``workers``.
        goes_on: the same command has run under another protocol before; ``results/run.json`` is to tell of both.
    """
    from vbench.score import no_figure

    say = progress or (lambda what, frames, total: None)
    started = now()
    ready, skipped, left_out = ready_models(plan.models, plan.device, plan.tile, plan.precision)
    result = RunResult(skipped=skipped, left_out=left_out)
    result.full = tuple(model.name for model in ready if model.precision != plan.precision)
    for name in plan.metrics:
        metric_catalog.load(name)
    pairs = [pair for dataset in plan.datasets for pair in plan.pairs(dataset)]
    result.unfit = _unfit(ready, pairs)
    to_restore = [
        (model, pair)
        for model in ready
        for pair in pairs
        if model.takes(pair) and read_restored(plan.workspace, pair, model, plan.device, plan.protocol.depth) is None
    ]
    fresh = {(model.name, pair.dataset, pair.name) for model, pair in to_restore}
    blank: set[tuple[str, str, str]] = set()
    missing_cells = {
        (model.name, pair.dataset, pair.name): (
            _missing_metrics(plan, pair, model, fresh, blank) if model.takes(pair) else ()
        )
        for pair in pairs
        for model in ready
    }
    for metric, _, _ in sorted(blank):
        _note(result.unmeasured, metric, no_figure(metric))
    total = sum(pair.facts.frames for _, pair in to_restore)
    total += sum(pair.facts.frames for pair in pairs for m in ready if missing_cells[m.name, pair.dataset, pair.name])
    say("starting", 0, total)
    try:
        write_protocol(plan.workspace.root, plan.protocol.facts(_measured_before(plan)))
    except OSError as error:
        raise disk_error(plan.workspace.results, error) from error
    # On the first clip of each data set a precision is compared with fp32.
    first = {(pair.dataset, pair.name) for dataset in plan.datasets for pair in plan.pairs(dataset)[:1]}
    # Long tasks first, so that the workers end together.
    tasks = [
        Task(
            f'{model.name} on {pair.dataset}, clip "{pair.name}"',
            restore_pair,
            (plan.workspace, pair, model, plan.device, plan.protocol.depth, (pair.dataset, pair.name) in first),
            pair.facts.frames,
            gpu=plan.device.startswith("cuda"),
        )
        for model, pair in to_restore
    ]
    failed: dict[tuple[str, str, str], str] = {}

    def restored(outcome: Outcome) -> None:
        _, pair, model, *_ = outcome.task.arguments
        if outcome.error is None:
            result.restored += 1
        else:
            failed[model.name, pair.dataset, pair.name] = outcome.error
            result.failures.append(Failure(f"{model.name} on {pair.dataset}", pair.name, outcome.error))
            _record_failure(plan, pair, model, outcome.error)

    run_tasks(tasks, workers=workers, progress=lambda n: say("restoring", n, None), done=restored, crew=cluster)
    score_tasks = []
    for pair in pairs:
        jobs = []
        for model in ready:
            key = (model.name, pair.dataset, pair.name)
            if key in failed or not missing_cells[key]:
                continue
            document = read_restored(plan.workspace, pair, model, plan.device, plan.protocol.depth)
            if document is not None:
                jobs.append(ScoreJob(model, missing_cells[key], document))
        if jobs:
            label = f'measuring {pair.dataset}, clip "{pair.name}"'
            arguments = (plan.workspace, pair, tuple(jobs), plan.protocol)
            score_tasks.append(Task(label, score_pair, arguments, pair.facts.frames * len(jobs)))

    alone: list[Task] = []

    def scored(outcome: Outcome) -> None:
        _, pair, jobs, _ = outcome.task.arguments
        what = f"measuring {jobs[0].model.name} on {pair.dataset}" if len(jobs) == 1 else f"measuring {pair.dataset}"
        if outcome.error is not None and len(jobs) > 1:
            # What is wrong with one model's frames says nothing of the others'.
            for job in jobs:
                label = f'measuring {job.model.name} on {pair.dataset}, clip "{pair.name}"'
                alone.append(Task(label, score_pair, (plan.workspace, pair, (job,), plan.protocol), pair.facts.frames))
            return
        if outcome.error is None:
            result.cells += sum(len(set(job.metrics) - outcome.value.keys()) for job in jobs)
            for metric, reason in outcome.value.items():
                _note(result.unmeasured, metric, reason)
                if not plan.lenient:
                    result.failures.append(Failure(what, pair.name, reason))
            return
        result.failures.append(Failure(what, pair.name, outcome.error))
        for job in jobs:
            _record_failure(plan, pair, job.model, outcome.error, job.restored)

    scorers = measuring or workers
    run_tasks(score_tasks, workers=scorers, progress=lambda n: say("measuring", n, None), done=scored, crew=cluster)
    run_tasks(alone, workers=scorers, done=scored, crew=cluster)
    standing = _standing(plan, pairs)
    for (metric, reason), where in standing.items():
        result.unmeasured.setdefault(metric, {})[reason] = len(where)
    told = {(metric, pair.dataset, pair.name) for (metric, _), where in standing.items() for pair in where} | blank
    result.kept = sum(
        (metric, pair.dataset, pair.name) not in told
        for pair in pairs
        for model in ready
        if model.takes(pair)
        for metric in set(plan.metrics) - set(missing_cells[model.name, pair.dataset, pair.name])
    )
    _note_costs(plan, ready, pairs, result)
    write_summary(plan, command, started, ready, result, failed, goes_on)
    return result


def _note_costs(plan: RunPlan, ready: Sequence[Ready], pairs: Sequence[Pair], result: RunResult) -> None:
    """What frames that are there were made in: tiles, and a precision that was compared."""
    for model in ready:
        for pair in pairs:
            if not model.takes(pair):
                continue
            document = read_restored(plan.workspace, pair, model, plan.device, plan.protocol.depth)
            if document is None:
                continue
            cost = Cost(**document["cost"])
            if cost.tile is not None:
                result.tiles.setdefault(model.name, set()).add(cost.tile)
            found = cost.fp32_difference or document.get("fp32_difference")
            if found is not None:
                result.differences.setdefault(model.name, {})[pair.dataset] = found


def _measured_before(plan: RunPlan) -> tuple[DatasetFacts, ...]:
    """The data sets of the plan, and those of the workspace that have results under its protocol already."""
    from vbench.datasets import open_dataset

    now_ = {dataset.name: dataset.facts for dataset in plan.datasets}
    path = plan.workspace.results / "protocols" / f"{plan.protocol.label}.json"
    before = read_protocols(plan.workspace.root)[plan.protocol.label] if path.exists() else None
    for name in before.datasets if before else ():
        if name not in now_:
            # What is gone or damaged is told where all data sets are looked for.
            with suppress(InputError):
                now_[name] = open_dataset(plan.workspace.dataset(name)).facts
    return tuple(now_[name] for name in sorted(now_))


def _unfit(ready: Sequence[Ready], pairs: Sequence[Pair]) -> dict[str, list[str]]:
    out: dict[str, list[str]] = {}
    for model in ready:
        names = dict.fromkeys(pair.dataset for pair in pairs if not model.takes(pair))
        if names:
            out[model.name] = list(names)
    return out


def _missing_metrics(
    plan: RunPlan, pair: Pair, model: Ready, fresh: set[tuple[str, str, str]], blank: set[tuple[str, str, str]]
) -> tuple[str, ...]:
    """What is to be measured of a model on a pair; ``blank`` takes what was measured and has no figure for any frame."""
    from vbench.score import no_figure, reason_against

    if (model.name, pair.dataset, pair.name) in fresh:
        return plan.metrics
    document = read_restored(plan.workspace, pair, model, plan.device, plan.protocol.depth)
    out = []
    for metric in plan.metrics:
        path = cell_path(plan.workspace.root, pair.dataset, model.name, pair.name, metric, plan.protocol.name)
        cell = read_cell(path) if path.exists() else None
        wanted = cell_fingerprint(pair, metric, plan.protocol, document)
        if cell is None or cell.fingerprint != wanted:
            out.append(metric)
        elif cell.error == no_figure(metric):
            blank.add((metric, pair.dataset, pair.name))
        elif cell.status != "ok" and cell.error != reason_against(metric, scored_info(pair, plan.protocol), pair.rooms):
            # What failed is tried again, unless the reason still stands: frames too small, a file that is missing.
            out.append(metric)
    return tuple(out)


def _standing(plan: RunPlan, pairs: Sequence[Pair]) -> dict[tuple[str, str], list[Pair]]:
    """Metrics that cannot be measured on clips as they are, with the reason: known without opening them."""
    from vbench.score import reason_against

    out: dict[tuple[str, str], list[Pair]] = {}
    for pair in pairs:
        for metric in plan.metrics:
            reason = reason_against(metric, scored_info(pair, plan.protocol), pair.rooms)
            if reason is not None:
                out.setdefault((metric, reason), []).append(pair)
    return out


def _note(unmeasured: dict[str, dict[str, int]], metric: str, reason: str) -> None:
    reasons = unmeasured.setdefault(metric, {})
    reasons[reason] = reasons.get(reason, 0) + 1


def _record_failure(
    plan: RunPlan, pair: Pair, model: Ready, error: str, restored: dict[str, Any] | None = None
) -> None:
    """Commit a failure for every metric of the plan; a figure that was measured on the same frames by the same model, and is
    as true as before, stays."""
    for metric in plan.metrics:
        cell = _cell(
            pair,
            model.facts,
            metric,
            plan.protocol,
            restored,
            status="failed",
            value=None,
            error=error,
            device=plan.device,
            precision=model.precision,
        )
        if not _still_true(plan, cell):
            _commit(plan.workspace, cell)


def _still_true(plan: RunPlan, failed: Cell) -> bool:
    """Whether a figure stands in the place of a failure that is of the same data, model and convention: restored frames and
    degraded ones may be gone, or elsewhere, as in merged results."""
    path = cell_path(
        plan.workspace.root, failed.dataset, failed.model, failed.clip, failed.metric.name, failed.protocol
    )
    if not path.exists():
        return False
    before = read_cell(path)
    same = ("model_facts", "data_sha256", "convention", "device", "precision")
    return before.status == "ok" and all(getattr(before, name) == getattr(failed, name) for name in same)


def check_models(names: Sequence[str]) -> None:
    """Raise in words if one of the names is no model.

    Raises:
        InputError: the text names the nearest.
    """
    from vbench import models

    for name in names:
        if name != "all":
            models.spec(name)
    if not names:
        raise InputError("No model was named. `vbench models` lists them; `--models all` takes every one.")
