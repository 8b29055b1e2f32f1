"""The chart: whole, to scale, and honest about what was not measured."""

import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proof.soak.chart import HEIGHT, WIDTH, draw, nice_ticks
from proof.soak.panels import PANELS
from proof.soak.record import Record
from proof.soak.timetable import Due, Fault

SVG = "{http://www.w3.org/2000/svg}"
SECONDS = 600.0


def record(gap: tuple[int, int] = (0, 0)) -> Record:
    made = Record(faults=[Due(300.0, Fault.WORKER_KILLED), Due(450.0, Fault.BROKER_RESTARTED)])
    for number in range(61):
        missing = gap[0] <= number < gap[1]
        values = {line.series: None if missing else float(number) for panel in PANELS for line in panel.lines}
        made.add(number * 10.0, values)
    return made


def drawn(made: Record) -> ET.Element:
    return ET.fromstring(draw(made, SECONDS, "A run & more <here>"))  # noqa: S314 - our own text


def test_it_says_what_it_shows() -> None:
    texts = ["".join(text.itertext()) for text in drawn(record()).iter(f"{SVG}text")]
    assert "A run & more <here>" in texts
    for panel in PANELS:
        assert f"{panel.title}, {panel.unit}" in texts
        assert {line.label for line in panel.lines} <= set(texts)
    assert {"worker killed (1)", "connections cut (0)", "broker restarted (1)"} <= set(texts)
    assert any(text.endswith(" min") for text in texts)


def curves(root: ET.Element) -> list[list[tuple[float, float]]]:
    found: list[list[tuple[float, float]]] = []
    for curve in root.iter(f"{SVG}polyline"):
        pairs = (pair.split(",") for pair in curve.attrib["points"].split())
        found.append([(float(x), float(y)) for x, y in pairs])
    return found


def test_curves_are_to_scale() -> None:
    first = curves(drawn(record()))[0]
    assert [first[0], first[30], first[-1]] == [(0.0, HEIGHT), (WIDTH / 2, HEIGHT / 2), (WIDTH, 0.0)]


def test_where_nothing_was_measured_there_is_no_line() -> None:
    lines = sum(len(panel.lines) for panel in PANELS)
    assert len(curves(drawn(record()))) == lines
    assert len(curves(drawn(record(gap=(20, 30))))) == 2 * lines


def test_every_fault_is_marked_in_every_panel() -> None:
    root = drawn(record())
    assert len(root.findall(f".//{SVG}g/{SVG}line[@class='kill']")) == len(PANELS)
    assert len(root.findall(f".//{SVG}g/{SVG}line[@class='cut']")) == 0


def test_a_run_of_which_nothing_was_measured_is_still_a_chart() -> None:
    assert curves(drawn(Record())) == []


@given(st.floats(0, 1e9, allow_subnormal=False))
def test_ticks_are_few_and_reach_the_highest(highest: float) -> None:
    ticks = nice_ticks(highest)
    assert ticks[0] == 0
    assert ticks[-1] >= highest * (1 - 1e-6)
    assert 2 <= len(ticks) <= 6


@pytest.mark.parametrize(("highest", "ticks"), [(0, [0, 1]), (100, [0, 25, 50, 75, 100]), (7, [0, 2, 4, 6, 8])])
def test_ticks_are_round(highest: float, ticks: list[float]) -> None:
    assert nice_ticks(highest) == ticks
