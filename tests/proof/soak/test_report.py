"""What a run leaves behind."""

from pathlib import Path
from typing import Any

import msgspec

from proof.chaos.figures import Figures
from proof.soak.judge import LIMITS, MUST_END_AT_ZERO, judge
from proof.soak.record import Record
from proof.soak.report import save, table
from proof.soak.run import Options, Outcome
from proof.soak.timetable import Due, Fault

SECONDS = 3_600.0
FIGURES = Figures(**(dict.fromkeys(Figures.__struct_fields__, 0) | {"orders": 3_600}))


def outcome(grows: float) -> Outcome:
    record = Record(faults=[Due(300.0, Fault.WORKER_KILLED)])
    for number in range(360):
        at_s = number * 10.0
        values: dict[str, float | None] = {limit.series: 50.0 + grows * at_s / 3_600 for limit in LIMITS}
        record.add(at_s, values | {"callback_p50_ms": 7.0, "lag_records": float(number % 5)})
    ended: dict[str, float | None] = dict.fromkeys(MUST_END_AT_ZERO, 0.0)
    verdict = judge(record, SECONDS, ended, [])
    return Outcome(Options(SECONDS, 1.0, "usual", 1, 6_000.0), record, verdict, FIGURES, {"facts": (9, 1)})


def test_the_table_says_what_was_measured_and_that_all_is_well() -> None:
    text = table(outcome(0.0))
    assert "memory                   flat: +0.00 MiB an hour (95 %: +0.00 to +0.00; tolerated 4)" in text
    assert "worker killed            1 times" in text
    assert "orders                   3600" in text
    assert text.endswith("every promise is kept.")


def test_the_table_says_what_is_wrong() -> None:
    lines = table(outcome(30.0)).splitlines()
    assert any(line.startswith(" memory") and "GROWS: +30.00 MiB an hour" in line for line in lines)
    assert sum(line.startswith("WRONG: ") for line in lines) == len(LIMITS)


def test_everything_is_kept_as_json_and_as_a_chart(tmp_path: Path) -> None:
    save(outcome(30.0), tmp_path)
    whole: dict[str, Any] = msgspec.json.decode((tmp_path / "soak.json").read_bytes())
    assert len(whole["at_s"]) == len(whole["series"]["steady.private_mib"]) == 360
    assert whole["verdict"]["findings"][0]["slope"]["per_hour"] > 4
    assert whole["faults"] == [{"at_s": 300.0, "fault": "worker killed"}]
    assert whole["options"]["rate"] == 1.0
    assert (tmp_path / "soak.svg").read_text().startswith("<svg ")
