"""Method: how everything was measured, on what, by what, and the commands that do it again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from leaderboards.alarms import KINDS
from leaderboards.schema import MetricFacts, ModelFacts, ProtocolFacts
from leaderboards.summary import WORDS
from reports.views.facts import Facts


@dataclass(frozen=True)
class ProtocolView:
    """A protocol in words; older results may know no more of it than its label."""

    label: str
    facts: ProtocolFacts | None
    departures: tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True)
class Method:
    """The page on the method."""

    protocols: tuple[ProtocolView, ...]
    metrics: tuple[MetricFacts, ...]
    models: tuple[tuple[int, ModelFacts], ...]
    datasets: tuple[Mapping[str, Any], ...]
    unknown: tuple[str, ...]
    """Data sets without a description in this workspace."""
    commands: tuple[str, ...]
    machines: tuple[str, ...]
    """Devices and precisions on which anything was run."""
    run: Mapping[str, Any]
    versions: tuple[tuple[str, str], ...]
    words: tuple[tuple[str, str], ...]
    """What figures over several boards are: term and definition."""
    alarms: tuple[tuple[str, str], ...]
    """What each kind of alarm is about."""


def method(facts: Facts) -> Method:
    """The page of these results."""
    labels = dict.fromkeys(b.protocol for b in facts.boards)
    machines = dict.fromkeys(f"{row.device}, {row.precision}" for b in facts.boards for row in b.rows)
    return Method(
        protocols=tuple(_protocol(label, facts.protocols.get(label)) for label in labels),
        metrics=tuple(facts.metrics.values()),
        models=tuple((number, facts.models[name]) for name, number in facts.numbers.items()),
        datasets=tuple(d for d in facts.datasets.values() if d),
        unknown=tuple(name for name, d in facts.datasets.items() if not d),
        commands=commands(facts.datasets, facts.run, list(labels)),
        machines=tuple(machines),
        run=facts.run,
        versions=_versions(facts),
        words=tuple(_term(key, text) for key, text in WORDS.items()),
        alarms=tuple((kind.replace("-", " "), text) for kind, text in KINDS.items()),
    )


def _term(key: str, text: str) -> tuple[str, str]:
    """A definition that begins with its own term, taken apart; else the key is the term.

    Example:
        >>> _term("mean_rank", "Mean rank: over boards."), _term("missing", "A model: none.")
        (('Mean rank', 'over boards.'), ('Missing', 'A model: none.'))
    """
    term, colon, rest = text.partition(": ")
    if colon and term.lower().startswith(key.split("_", maxsplit=1)[0]):
        return term, rest
    return key.replace("_", " ").capitalize(), text


def _protocol(label: str, found: ProtocolFacts | None) -> ProtocolView:
    return ProtocolView(label, found, tuple(found.departures.items()) if found else ())


def _versions(facts: Facts) -> tuple[tuple[str, str], ...]:
    """Versions of the last run; else all that the results name."""
    if facts.run.get("versions"):
        return tuple((str(k), str(v)) for k, v in facts.run["versions"].items())
    found: dict[str, dict[str, None]] = defaultdict(dict)
    for cell in facts.cells:
        for name, version in cell.versions.items():
            found[name][version] = None
    return tuple((name, " and ".join(sorted(versions))) for name, versions in sorted(found.items()))


def commands(
    datasets: Mapping[str, Mapping[str, Any]], run: Mapping[str, Any], protocols: Sequence[str] = ()
) -> tuple[str, ...]:
    """Commands that make all of it again."""
    out: list[str] = []
    by_profile: dict[tuple[str, int], list[str]] = defaultdict(list)
    for facts in datasets.values():
        if facts.get("commands"):  # it was adopted where it lay
            out += [command for command in facts["commands"] if command not in out]
        elif facts:
            by_profile[facts["profile"], facts["seed"]].append(facts["variant"])
    for (profile, seed), variants in sorted(by_profile.items()):
        out.append(f"vbench synth --profile {profile} --variant {','.join(variants)} --seed {seed}")
    names = [m["name"] for m in run.get("models", []) if m.get("status") == "ran"]
    if names:
        bare = dict.fromkeys(label.partition("@")[0] for label in protocols)
        out += [
            f"vbench run --models {','.join(names)}" + ("" if name == "default" else f" --protocol {name}")
            for name in bare or ("default",)
        ]
    out.append("vbench report html")
    return tuple(out)
