"""The report of a run: tables for the terminal, JSON for programs, Markdown for the documents."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from proof.chaos.play import Run

MAX_SHOWN = 10
WELL_NOTE = (
    "Callbacks: until one was accepted again. All well: every worker is ready, nothing stays in the spool or "
    "unpublished for 5 s, at most 100 records wait; where faults pile up, counted from the end of the last one."
)
PLANNED_NOTE = (
    "The schedule is repeated by the seed; real time is not, so what each fault meets differs from run to run."
)


def command(run: Run) -> str:
    """Return the command that plays this schedule again."""
    options = run.options
    return f"make chaos MINUTES={options.seconds / 60:g} BROKERS={options.brokers} SEED={options.seed}"


def as_json(run: Run) -> str:
    """Return everything."""
    document: dict[str, Any] = {
        "command": command(run),
        "kept": run.kept,
        "faults": [msgspec.to_builtins(incident) for incident in run.incidents],
        "not_reached": run.not_reached,
        "rest_after_s": run.rest_after_s,
        "waits_for": run.waits_for,
        "figures": msgspec.to_builtins(run.figures),
        "promises": [msgspec.to_builtins(finding) for finding in run.findings],
    }
    return json.dumps(document, indent=2, ensure_ascii=False)


def show(run: Run, console: Console) -> None:
    """Show the report to a person."""
    for title, columns, rows in _tables(run):
        table = Table(*columns, title=title, title_justify="left")
        for row in rows:
            table.add_row(*row)
        console.print(table)
    for line in _verdict(run):
        console.print(line, markup=False)


def as_markdown(run: Run) -> str:
    """Return the report as a document."""
    parts = ["# Chaos report", f"```\n{command(run)}\n```"]
    for title, columns, rows in _tables(run):
        lines = [f"| {' | '.join(columns)} |", f"|{' --- |' * len(columns)}"]
        parts.append("\n".join([f"## {title}\n", *lines, *(f"| {' | '.join(row)} |" for row in rows)]))
    return "\n\n".join([*parts, *_verdict(run)]) + "\n"


def _tables(run: Run) -> Iterator[tuple[str, list[str], list[list[str]]]]:
    yield "Faults", ["at s", "fault", "to what", "for s", "callbacks after s", "all well after s"], list(_faults(run))
    figures = msgspec.to_builtins(run.figures)
    yield "Figures", ["what", "how many"], [[name.replace("_", " "), f"{held:,}"] for name, held in figures.items()]
    promises = [
        [one.promise, one.words, one.looked_at, f"BROKEN {len(one.broken)} times" if one.broken else "kept"]
        for one in run.findings
    ]
    yield "Promises", ["", "promise", "looked at", "verdict"], promises


def _faults(run: Run) -> Iterator[list[str]]:
    for one in run.incidents:
        after = ["not seen" if held is None else f"{held:.1f}" for held in (one.accepting_s, one.recovered_s)]
        lasted = f"{one.ended_s - one.began_s:.1f}"
        struck = f"FAILED: {one.failed[:60]}" if one.failed else one.struck
        yield [f"{one.began_s:.1f}", one.planned.kind, struck, lasted, *after]


def _verdict(run: Run) -> Iterator[str]:
    if run.not_reached:
        yield f"Not reached in time: {', '.join(run.not_reached)}."
    if run.rest_after_s is None:
        yield f"The world did not come to rest; it waits for {'; '.join(run.waits_for[:MAX_SHOWN])}."
    else:
        yield f"The world was at rest {run.rest_after_s:g} s after the last fault."
    yield WELL_NOTE
    for finding in run.findings:
        yield from finding.broken[:MAX_SHOWN]
    faults = sum(not one.failed for one in run.incidents)
    if run.kept:
        yield f"Every promise was kept through {faults} faults. Seed {run.options.seed}: {command(run)}"
    else:
        yield f"NOT every promise was kept, or not every fault happened. Seed {run.options.seed}: {command(run)}"
    yield PLANNED_NOTE
