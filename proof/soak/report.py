"""What a soak leaves behind: a table for people, and everything as JSON."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from pathlib import Path

import msgspec

from proof.soak.chart import draw
from proof.soak.judge import WARM_UP_SHARE, Finding
from proof.soak.record import Record
from proof.soak.run import Options, Outcome
from proof.soak.timetable import Fault

_MIB = 1024 * 1024
SHOWN_SERIES = (
    "callback_p50_ms",
    "callback_p99_ms",
    "lag_records",
    "freshness_s",
    "outbox_oldest_s",
    "waiting_for_cpu_percent",
)


def machine() -> str:
    """Return what this was measured on, in words that name no host."""
    return f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}"


def title(given: Options) -> str:
    """Return the chart's title."""
    return f"{given.seconds / 3600:g} h of soak: {given.rate:g} new orders per second, faults {given.faults}"


def table(outcome: Outcome) -> str:
    """Return the report for people."""
    return "\n".join(_lines(outcome))


def save(outcome: Outcome, directory: Path) -> None:
    """Write soak.json and soak.svg."""
    whole = {
        "machine": machine(),
        "warm_up_share": WARM_UP_SHARE,
        "options": outcome.options,
        "verdict": outcome.verdict,
        "figures": outcome.figures,
        "tables": outcome.tables,
        "faults": outcome.record.faults,
        "at_s": outcome.record.at_s,
        "series": outcome.record.series,
    }
    (directory / "soak.json").write_bytes(msgspec.json.encode(whole) + b"\n")
    save_chart(outcome.record, outcome.options, directory)


def save_chart(record: Record, options: Options, directory: Path) -> None:
    """Write soak.svg: what was measured so far."""
    (directory / "soak.svg").write_text(draw(record, options.seconds, title(options)), "utf-8")


def _lines(outcome: Outcome) -> Iterator[str]:
    yield f"{title(outcome.options)} ({machine()})"
    for finding in outcome.verdict.findings:
        yield f" {finding.limit.what:<24} {_finding(finding)}"
    for fault in Fault:
        yield f" {fault.value:<24} {sum(due.fault is fault for due in outcome.record.faults)} times"
    for name in SHOWN_SERIES:
        values = sorted(value for _, value in outcome.record.points(name))
        if values:
            yield f" {name:<24} median {values[len(values) // 2]:g}, highest {values[-1]:g}"
    for name, value in msgspec.to_builtins(outcome.figures).items():
        yield f" {name.replace('_', ' '):<24} {value}"
    for name, (rows, size) in outcome.tables.items():
        yield f" table {name:<18} {rows} rows, {size / _MIB:.1f} MiB"
    for wrong in outcome.verdict.wrong:
        yield f"WRONG: {wrong}"
    if not outcome.verdict.wrong:
        yield "Nothing grows that should not, nothing waits, every promise is kept."


def _finding(finding: Finding) -> str:
    slope = finding.slope
    if slope is None:
        return "too short to say"
    unit = f" {finding.limit.unit}" if finding.limit.unit else ""
    word = "flat" if finding.flat else "GROWS"
    interval = f"95 %: {slope.low:+.2f} to {slope.high:+.2f}"
    return f"{word}: {slope.per_hour:+.2f}{unit} an hour ({interval}; tolerated {finding.limit.tolerance:g})"
