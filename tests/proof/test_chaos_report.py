"""The report: what counts as kept, and that a broken run says so in every form."""

import io
import json
from dataclasses import dataclass

import msgspec
import pytest
from rich.console import Console

from proof.chaos import report
from proof.chaos.conductor import Incident
from proof.chaos.figures import Figures
from proof.chaos.judge import PROMISES, Finding
from proof.chaos.play import ChaosOptions, Run
from proof.chaos.schedule import Lane, Planned

BROKEN = "I2: a callback of order 7 was answered 200 and nobody knows it"


@dataclass
class Told:
    """One run as its reader sees it."""

    text: str
    markdown: str
    json: dict[str, object]


def run(*broken: str, failed: str = "", rest_after_s: float | None = 12.5) -> Run:
    planned = Planned(1, "Kafka silent", Lane.PARTS, 10.0, 5.0, 0.5)
    incident = Incident(planned, 10.1, 0, "workers to brokers", 15.2, 5_100, 0.3, 4.25, failed)
    findings = [
        Finding(promise, words, "everything", [text for text in broken if text.startswith(promise)])
        for promise, words in PROMISES.items()
    ]
    figures = Figures(**dict.fromkeys(Figures.__struct_fields__, 1_234))
    options = ChaosOptions(seed=42, seconds=90, brokers=3)
    return Run(options, [incident], ["clock step"], rest_after_s, ["1 record"], figures, findings)


def told(played: Run) -> Told:
    screen = io.StringIO()
    report.show(played, Console(file=screen, width=200))
    return Told(screen.getvalue(), report.as_markdown(played), json.loads(report.as_json(played)))


def test_a_run_that_kept_everything_says_so_and_how_to_repeat_it() -> None:
    seen = told(run())
    assert seen.json["kept"] is True
    for form in (seen.text, seen.markdown):
        assert "Every promise was kept through 1 faults" in form
        assert "make chaos MINUTES=1.5 BROKERS=3 SEED=42" in form
        assert "Kafka silent" in form
        assert "4.2" in form
        assert "1,234" in form
        assert "Not reached in time: clock step" in form


@pytest.mark.parametrize(
    ("played", "words"),
    [
        (run(BROKEN), BROKEN),
        (run(failed="EmbeddedError: broker 1 is not ready"), "FAILED: EmbeddedError: broker 1 is not ready"),
        (run(rest_after_s=None), "it waits for 1 record"),
    ],
)
def test_a_run_that_did_not_is_not_kept_in_any_form(played: Run, words: str) -> None:
    assert not played.kept
    seen = told(played)
    assert seen.json["kept"] is False
    for form in (seen.text, seen.markdown):
        assert words in form
        assert "NOT every promise was kept" in form
        assert "Every promise was kept" not in form
    assert msgspec.json.encode(played.findings)
