"""The report as a table that can be pasted into the marketplace notes."""

from __future__ import annotations

from collections.abc import Iterator

from worker.conformance.findings import FieldState, Finding, Report, State

_SIGNS = {True: "yes", False: "**no**", None: "-"}
_HEADER = "| operation | mark before | state | reached | signed | refuses a wrong signature | envelope | seen |"
_SHOWN = 6


def markdown(report: Report) -> str:
    """Return the report as Markdown."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: Report) -> Iterator[str]:
    asked = "reads and effects" if report.effects else "reads only"
    yield f"### {report.dialect}: account `{report.account}` at `{report.base_url}`, {asked}, {report.asked_at}"
    yield ""
    counts = {state: sum(one.state is state for one in report.findings) for state in State}
    yield ", ".join(f"{count} {state.value}" for state, count in counts.items() if count) + "."
    if report.unknown_path_refused is not None:
        said = f"is refused: {report.unknown_path_answer}" if report.unknown_path_refused else "**is answered**"
        yield f"A path that does not exist {said}."
    yield ""
    yield _HEADER
    yield "|" + " --- |" * (_HEADER.count("|") - 1)
    for finding in report.findings:
        yield _row(finding)
    if report.contradicted:
        yield ""
        yield "Contradicted:"
        yield ""
        yield from (f"- {text}" for text in report.contradicted)


def _row(finding: Finding) -> str:
    cells = (
        f"`{finding.operation}`",
        finding.mark.value,
        f"**{finding.state.value}**" if finding.state is State.CONTRADICTED else finding.state.value,
        _SIGNS[finding.reached],
        _SIGNS[finding.signature_accepted],
        _SIGNS[finding.wrong_signature_refused],
        finding.envelope or "-",
        "; ".join(_seen(finding)) or "-",
    )
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def _seen(finding: Finding) -> Iterator[str]:
    if finding.reason:
        yield finding.reason
    if finding.fields:
        yield f"{finding.tally(FieldState.FOUND)} of {len(finding.fields)} fields"
    for state in (FieldState.OTHER_KIND, FieldState.OTHER_UNIT):
        for field in finding.fields:
            if field.state is state:
                yield f"`{field.path}` is {field.note} ({field.kind} in the catalogue, {field.mark.value})"
    for state in (FieldState.MISSING, FieldState.EMPTY):
        names = [f"`{field.path}`" for field in finding.fields if field.state is state]
        if names:
            yield f"{state.value}: {_some(names)}"
    if finding.others:
        yield f"not in the catalogue: {_some([f'`{name}`' for name in finding.others])}"


def _some(names: list[str]) -> str:
    left = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {left} more" if left > 0 else "")
