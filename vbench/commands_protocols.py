"""``vbench protocols``: list them, show one, say what two do differently and what that does to results at hand."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vbench.commands import at_root, worded
from vbench.console import table_console
from vbench.errors import UsageError
from vbench.protocol_words import comparison_words, digits_of, one_line, printed, set_words

if TYPE_CHECKING:
    from rich.console import Console

    from leaderboards.board import Board
    from leaderboards.published import Published
    from vbench.datasets import DatasetFacts
    from vbench.protocols import Protocol


def _grid(out: Console, rows: Iterable[tuple[str, str, str]]) -> None:
    """Rows of a head, a text, and smaller print below it."""
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column(width=16)
    table.add_column(ratio=1)
    for head, text, small in rows:
        words = Text(one_line(text))
        if small:
            words.append(f"\n{one_line(small)}", "dim")
        table.add_row(Text(head), words)
    out.print(table, width=min(out.width, 120))


def _head(out: Console, text: str) -> None:
    from rich.text import Text

    out.print()
    out.print(Text(text, "bold"), soft_wrap=False)


def _say(out: Console, text: str, style: str = "", indent: int = 0) -> None:
    from rich.padding import Padding
    from rich.text import Text

    out.print(Padding(Text(one_line(text), style), (0, 0, 0, indent)), soft_wrap=False)


def _command(out: Console, text: str) -> None:
    """A command to type, on a line of its own that is not broken."""
    out.print(f"  {text}", markup=False, highlight=False, soft_wrap=True)


# --- list ----------------------------------------------------------------------------------------


def protocols_list_command() -> None:
    """``vbench protocols list``."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    from vbench import protocols

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("protocol", no_wrap=True)
    table.add_column("what for, and what is measured", ratio=1)
    for name in protocols.names():
        found = protocols.load(name)
        shown = ", ".join(found.metrics[:5]) + (", ..." if len(found.metrics) > 5 else "")
        table.add_row(Text(found.label, "bold"), Text(found.title).append(f"\n{shown}", "dim"))
    out = table_console()
    out.print(table, width=min(out.width, 120))
    _say(out, "The number behind @ is the version. Every line with its source: vbench protocols show NAME", "dim")
    _say(
        out, "Measure under one: vbench run --protocol NAME. What two do differently: vbench protocols diff A B", "dim"
    )


# --- show ----------------------------------------------------------------------------------------


def protocols_show_command(name: str, root: Path) -> None:
    """``vbench protocols show``."""
    from leaderboards.published import for_protocol
    from vbench import metrics as metric_catalog
    from vbench import protocols

    protocol = protocols.load(name)
    out = table_console()
    from rich.text import Text

    out.print(Text(f"{protocol.name}, version {protocol.version}: {protocol.title}", "bold"), soft_wrap=False)
    _say(out, protocol.description)
    _say(out, f"Source: {protocol.source}", "dim")
    _head(out, "Conventions")
    _grid(out, ((line.topic, *_line(line.how, line.here, line.source)) for line in protocol.lines))
    _head(out, "Measured")
    found = [metric_catalog.load(metric) for metric in protocol.metrics]
    _grid(out, ((metric.name, metric.convention, "") for metric in found))
    _say(out, f"{_bits(protocol)} Rows are ranked by {found[0].name}.", "dim")
    if protocol.data is not None:
        _head(out, "Published sets")
        if protocol.data.sets:
            _grid(out, ((key, set_words(found), found.source) for key, found in protocol.data.sets.items()))
        else:
            _say(out, "None is published with a list of its clips, so none is recognised.")
    figures = for_protocol(name)
    _head(out, "Published figures")
    if figures:
        _published(out, figures)
    else:
        _say(out, "None: the sources state none under these conventions.")
    _data_here(out, protocol, root)


def _line(how: str, here: str, source: str) -> tuple[str, str]:
    return (f"{one_line(how)} Here: {one_line(here)}" if here else how), source


def _bits(protocol: Protocol) -> str:
    if protocol.depth == 16:
        return "Measured on frames of 16 bits, which stand for floating point."
    return "Measured on frames of 8 bits."


def _published(out: Console, figures: Sequence[Published]) -> None:
    """A table of figures by set and system, and where they stand below it."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    sources = list(dict.fromkeys(one.words for one in figures))
    names = list(dict.fromkeys(one.metric for one in figures))
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("set", ratio=3, overflow="fold")
    table.add_column("system", ratio=3, overflow="fold")
    for metric in names:
        table.add_column(Text(metric), justify="right", no_wrap=True)
    table.add_column("from", justify="right", no_wrap=True)
    rows: dict[tuple[str, str, str], dict[str, Published]] = {}
    digits: dict[tuple[str, str], int] = {}
    for one in figures:
        kind = (one.source, one.metric)
        digits[kind] = max(digits.get(kind, 0), digits_of(one))
        where = one.set if one.clip is None else f"{one.set}: {one.clip}"
        rows.setdefault((where, _system(one), one.words), {})[one.metric] = one
    before = ""
    order = list(dict.fromkeys(where for where, _, _ in rows))
    for (where, system, words), found in sorted(rows.items(), key=lambda item: order.index(item[0][0])):
        shown = [
            printed(found[metric], digits[found[metric].source, metric]) if metric in found else "" for metric in names
        ]
        cells = (where if where != before else "", system, *shown, f"[{sources.index(words) + 1}]")
        table.add_row(*(Text(cell) for cell in cells))
        before = where
    out.print(table, width=min(out.width, 120))
    for i, words in enumerate(sources):
        _say(out, f"[{i + 1}] {words}", "dim")


def _system(one: Published) -> str:
    return f"{one.system} ({one.model})" if one.model else one.system


def _data_here(out: Console, protocol: Protocol, root: Path) -> None:
    """Data sets of the workspace that the protocol is about, and how to come by some."""
    found = _datasets(root)
    _head(out, f"Data sets in {root}")
    about = [facts for facts in found if protocol.about(facts)]
    for facts in about:
        name = protocol.data.published(facts) if protocol.data else None
        departures = protocol.departures(facts)
        text = f"as published: {name}." if name else " ".join(departures) or "of the kind that it asks for."
        _grid(out, [(facts.name, text, "")])
    if not about:
        _say(out, "None that it is about." if found else "None yet.")
    makers = _makers(protocol, root)
    if makers:
        _say(out, "Data for it:", "dim")
        for text in makers:
            _command(out, text)
    _command(out, f"vbench run --protocol {protocol.name} --models all{at_root(root)}")


def _datasets(root: Path) -> list[DatasetFacts]:
    from vbench.datasets import find_datasets
    from vbench.workspace import Workspace

    workspace = Workspace(root)
    if not workspace.datasets.is_dir() or not any(workspace.datasets.iterdir()):
        return []
    return [dataset.facts for dataset in find_datasets(workspace, unfinished={})]


def _makers(protocol: Protocol, root: Path) -> list[str]:
    """Commands that bring data of the protocol's kind."""
    data = protocol.data
    if data is None:
        return []
    most = f" --max-frames {data.most_frames}" if data.most_frames else ""
    out = []
    for profile, variants in data.profiles.items():
        chosen = f" --variant {','.join(variants)}" if variants else ""
        out.append(f"vbench synth --profile {profile}{chosen} --source FOLDER{most}{at_root(root)}")
    made = {variant for variants in data.profiles.values() for variant in variants}
    sides = dict.fromkeys(side for found in data.sets.values() for side in found.versions if side not in made)
    out += [f"vbench datasets add FOLDER --version {shlex.quote(side)}{at_root(root)}" for side in sides]
    if not data.truth:
        out.append(f"vbench datasets add FOLDER --no-truth{at_root(root)}")
    return out


# --- diff ----------------------------------------------------------------------------------------


def protocols_diff_command(first: str, second: str, root: Path) -> None:
    """``vbench protocols diff``."""
    from rich.text import Text

    from vbench import protocols

    a, b = protocols.load(first), protocols.load(second)
    if a.name == b.name:
        raise UsageError(
            f'"{first}" and "{second}" are the same protocol: name two. `vbench protocols list` names all.'
        )
    out = table_console()
    out.print(Text(f"{a.label} and {b.label}", "bold"), soft_wrap=False)
    _say_lines(out, a, b)
    _say_moves(out, a, b, root)


def _say_lines(out: Console, a: Protocol, b: Protocol) -> None:
    how_a, how_b = ({line.topic: one_line(line.how) for line in protocol.lines} for protocol in (a, b))
    topics = [*how_a, *(topic for topic in how_b if topic not in how_a)]
    same = [topic for topic in topics if how_a.get(topic) == how_b.get(topic)]
    pairs = [
        (topic, how_a.get(topic, "not said"), how_b.get(topic, "not said")) for topic in topics if topic not in same
    ]
    pairs.append(("columns", ", ".join(a.metrics), ", ".join(b.metrics)))
    for topic, ours, others in pairs:
        if ours == others:
            continue
        _head(out, topic)
        width = max(len(a.name), len(b.name)) + 1
        for name, text in ((a.name, ours), (b.name, others)):
            _two(out, f"{name}:", width, text)
    out.print()
    if same:
        _say(out, f"The same in both, {len(same)} of {len(topics)}: {', '.join(same)}.", "dim")


def _two(out: Console, head: str, width: int, text: str) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column(width=2)
    table.add_column(width=width, no_wrap=True)
    table.add_column(ratio=1)
    table.add_row("", Text(head), Text(text))
    out.print(table, width=min(out.width, 120))


def _say_moves(out: Console, a: Protocol, b: Protocol, root: Path) -> None:
    found = _boards(root, (a.label, b.label))
    _head(out, f"On the results in {root}")
    names = list(dict.fromkeys(dataset for _, dataset in found))
    if not names:
        _say(out, f"None under {a.label} or {b.label} yet, so how far figures move cannot be said. To measure both:")
        about = [facts.name for facts in _datasets(root) if a.about(facts) and b.about(facts)]
        for protocol in (a, b):
            _command(out, _run(protocol, about, ("all",), root))
        return
    for dataset in names:
        before, after = found.get((a.label, dataset)), found.get((b.label, dataset))
        if before is not None and after is not None:
            _say(out, dataset, "bold")
            _say_comparison(out, a, b, before, after, root)
    for have, lack in ((a, b), (b, a)):
        alone = [name for name in names if (have.label, name) in found and (lack.label, name) not in found]
        if alone:
            _say_alone(out, have, lack, [found[have.label, name] for name in alone], root)


def _say_alone(out: Console, have: Protocol, lack: Protocol, boards: Sequence[Board], root: Path) -> None:
    """Data sets that were measured under one of two protocols, and the command that measures them under the other."""
    names = [board.dataset for board in boards]
    models = dict.fromkeys(row.model.name for board in boards for row in board.rows)
    _say(out, f"Measured under {have.label} alone: {', '.join(names)}. The same under {lack.label}:")
    _command(out, _run(lack, names, tuple(models), root))
    others = [facts.name for facts in _datasets(root) if facts.name in names and not lack.about(facts)]
    if others:
        listed = "none of these" if len(others) == len(names) else f"not about {', '.join(others)}"
        text = f"about {listed}" if len(others) == len(names) else listed
        _say(
            out, f"{lack.name} is {text}: its figures on them compare with each other, and with none of a paper.", "dim"
        )


def _boards(root: Path, labels: tuple[str, str]) -> dict[tuple[str, str], Board]:
    """The main board of each data set under each of two protocols."""
    from leaderboards.results import Results

    with worded():
        boards = Results.read(root).boards()
    found = [board for board in boards if board.protocol in labels and board.reason is None]
    return {(board.protocol, board.dataset): board for board in found}


def _run(protocol: Protocol, datasets: Sequence[str], models: Sequence[str], root: Path) -> str:
    chosen = f" --dataset {shlex.quote(','.join(datasets))}" if datasets else ""
    return f"vbench run --protocol {protocol.name}{chosen} --models {shlex.quote(','.join(models))}{at_root(root)}"


def _say_comparison(out: Console, a: Protocol, b: Protocol, before: Board, after: Board, root: Path) -> None:
    from leaderboards.compare import compare

    with worded():
        found = compare(before, after)
    for text in comparison_words(found, a.label, b.label):
        _say(out, text, indent=2)
    for protocol, board, models in ((b, after, found.only_before), (a, before, found.only_after)):
        absent = [model for model in models if board.row(model) is None]
        if absent:
            _say(out, f"Not measured under {protocol.label}: {', '.join(absent)}.", indent=2)
            _command(out, _run(protocol, [found.dataset], absent, root))
        for reason, holes in _holes(board, models).items():
            _say(out, f"Without a figure under {protocol.label}: {', '.join(holes)} ({reason}).", indent=2)


def _holes(board: Board, models: Sequence[str]) -> dict[str, list[str]]:
    """Why models that are on a board have no figure there, and which those are."""
    out: dict[str, list[str]] = {}
    for model in models:
        row = board.row(model)
        if row is not None:
            reason = row.entries[board.primary.name].hole or "no figure"
            out.setdefault(reason.rstrip("."), []).append(model)
    return out
