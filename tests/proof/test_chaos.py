"""A short chaos run on real parts: Apache Kafka, a durable Postgres, two worker processes, a fault of each sort."""

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from proof.chaos import report
from proof.chaos.faults import FAULTS
from proof.chaos.play import ChaosOptions, play
from tests.embedded.test_apache_kafka import needs_apache

SECONDS = 30.0
KINDS = (
    "worker killed (-9)",
    "broker killed (-9)",
    "Postgres crashed (immediate)",
    "clock step",
    "marketplace unheard",
)


@needs_apache
@pytest.mark.timeout(600)
async def test_a_short_run_keeps_every_promise(tmp_path: Path) -> None:
    options = ChaosOptions(
        seed=3,
        seconds=SECONDS,
        brokers=1,
        workers=2,
        orders_per_s=1.0,
        kinds=tuple(FAULTS[name].kind for name in KINDS),
        speed=20_000,
    )
    said: list[str] = []
    run = await play(options, tmp_path, said.append)
    assert [finding.broken for finding in run.findings if finding.broken] == []
    assert run.kept, (run.waits_for, [one.failed for one in run.incidents], said)
    assert {incident.planned.lane for incident in run.incidents} == {"workers", "parts"}, "something went wrong in both"
    figures = run.figures
    assert min(figures.orders, figures.payments, figures.callbacks_accepted, figures.records, figures.changes) > 0
    shown = json.loads(report.as_json(run))
    assert (shown["kept"], len(shown["faults"])) == (True, len(run.incidents))
    assert "Every promise was kept" in report.as_markdown(run)
    report.show(run, Console(file=io.StringIO()))
