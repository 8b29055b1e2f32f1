"""Draws a record as one SVG: small panels over one time axis, faults as dashed lines, readable by day and night."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import groupby
from xml.sax.saxutils import escape

from proof.soak.judge import WARM_UP_SHARE
from proof.soak.panels import PANELS, Line, Panel
from proof.soak.record import Record
from proof.soak.timetable import MINUTE_S, Fault

COLUMNS = 2
WIDTH, HEIGHT = 420, 150
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 42, 28
HEAD = 64
TICKS = 4
MARKS = {Fault.WORKER_KILLED: "kill", Fault.CONNECTIONS_CUT: "cut", Fault.BROKER_RESTARTED: "broker"}
STYLE = """
text { font: 11px system-ui, sans-serif; fill: #57606a; }
.title { font-size: 13px; font-weight: 600; fill: #1f2328; }
.paper { fill: #ffffff; } .grid { stroke: #d8dee4; } .warm { fill: #8c959f; opacity: .14; }
.line0 { stroke: #0969da; } .line1 { stroke: #bc4c00; } .key0 { fill: #0969da; } .key1 { fill: #bc4c00; }
.line0, .line1 { fill: none; stroke-width: 1.4; stroke-linejoin: round; }
.kill, .cut, .broker { stroke-dasharray: 3 3; } .kill { stroke: #8250df; } .cut { stroke: #1a7f37; }
.broker { stroke: #cf222e; }
@media (prefers-color-scheme: dark) {
  text { fill: #9198a1; } .title { fill: #f0f6fc; } .paper { fill: #0d1117; } .grid { stroke: #30363d; }
  .line0 { stroke: #58a6ff; } .line1 { stroke: #f0883e; } .key0 { fill: #58a6ff; } .key1 { fill: #f0883e; }
  .kill { stroke: #bc8cff; } .cut { stroke: #3fb950; } .broker { stroke: #ff7b72; }
}
"""


def draw(record: Record, seconds: float, title: str) -> str:
    """Return the SVG of a run whose load lasted `seconds`."""
    rows = math.ceil(len(PANELS) / COLUMNS)
    width, height = COLUMNS * (LEFT + WIDTH + RIGHT), HEAD + rows * (TOP + HEIGHT + BOTTOM)
    last_s = max([seconds, *record.at_s[-1:]])
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" role="img">',
        f"<title>{escape(title)}</title><style>{STYLE}</style>",
        f'<rect class="paper" width="{width}" height="{height}" rx="6"/>',
        f'<text class="title" x="14" y="24">{escape(title)}</text>',
        *_key(record),
    ]
    for place, panel in enumerate(PANELS):
        x = place % COLUMNS * (LEFT + WIDTH + RIGHT) + LEFT
        y = HEAD + place // COLUMNS * (TOP + HEIGHT + BOTTOM) + TOP
        parts += [f'<g transform="translate({x} {y})">', *_panel(panel, record, seconds, last_s), "</g>"]
    return "\n".join([*parts, "</svg>", ""])


def nice_ticks(highest: float, count: int = TICKS) -> list[float]:
    """Return evenly spaced round values from 0 to at least `highest`."""
    if highest <= 0:
        return [0.0, 1.0]
    rough = highest / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * (1 - 1e-9))
    return [step * number for number in range(math.ceil(highest / step - 1e-9) + 1)]


def _key(record: Record) -> Iterator[str]:
    """Say what the dashed lines are."""
    x = 14
    for fault, css in MARKS.items():
        times = sum(due.fault is fault for due in record.faults)
        yield f'<line class="{css}" x1="{x}" x2="{x + 22}" y1="44" y2="44"/>'
        yield f'<text x="{x + 28}" y="48">{fault.value} ({times})</text>'
        x += 170
    yield f'<rect class="warm" x="{x}" y="38" width="22" height="12"/>'
    yield f'<text x="{x + 28}" y="48">warm-up, not judged</text>'


def _panel(panel: Panel, record: Record, seconds: float, last_s: float) -> Iterator[str]:
    values = [value for line in panel.lines for _, value in record.points(line.series)]
    ticks = nice_ticks(max(values, default=0.0))
    yield f'<text class="title" x="{-LEFT + 14}" y="-22">{escape(panel.title)}, {escape(panel.unit)}</text>'
    if panel.judged:
        yield f'<rect class="warm" width="{_x(seconds * WARM_UP_SHARE, last_s):.1f}" height="{HEIGHT}"/>'
    for tick in ticks:
        y = _y(tick, ticks[-1])
        yield f'<line class="grid" x2="{WIDTH}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield f'<text x="-6" y="{y + 4:.1f}" text-anchor="end">{tick:g}</text>'
    yield from _minutes(last_s)
    for due in record.faults:
        x = _x(due.at_s, last_s)
        yield f'<line class="{MARKS[due.fault]}" x1="{x:.1f}" x2="{x:.1f}" y2="{HEIGHT}"/>'
    for number, line in enumerate(panel.lines):
        yield from _curve(line, number, record, last_s, ticks[-1])
    yield from _labels(panel.lines)


def _minutes(last_s: float) -> Iterator[str]:
    ticks = [tick for tick in nice_ticks(last_s / MINUTE_S, 6) if tick * MINUTE_S <= last_s]
    for tick in ticks:
        x = _x(tick * MINUTE_S, last_s)
        unit = " min" if tick == ticks[-1] else ""
        yield f'<text x="{x:.1f}" y="{HEIGHT + 15}" text-anchor="middle">{tick:g}{unit}</text>'


def _curve(line: Line, number: int, record: Record, last_s: float, highest: float) -> Iterator[str]:
    """One stroke per unbroken stretch: where nothing was measured there is no line."""
    pairs = zip(record.at_s, record.series.get(line.series, ()), strict=False)
    for measured, stretch in groupby(pairs, key=lambda pair: pair[1] is not None):
        if measured:
            points = " ".join(f"{_x(at_s, last_s):.1f},{_y(value or 0.0, highest):.1f}" for at_s, value in stretch)
            yield f'<polyline class="line{number}" points="{points}"/>'


def _labels(lines: Sequence[Line]) -> Iterator[str]:
    x = float(WIDTH)
    for number, line in reversed(list(enumerate(lines))):
        yield f'<text class="key{number}" x="{x}" y="-7" text-anchor="end">{escape(line.label)}</text>'
        x -= 6.0 * len(line.label) + 16


def _x(at_s: float, last_s: float) -> float:
    return at_s / last_s * WIDTH


def _y(value: float, highest: float) -> float:
    return HEIGHT - value / highest * HEIGHT
