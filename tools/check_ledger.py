"""Generates docs/effect-ledger.md from the domain's table of steps, or says that the page differs from the table."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping

from tools.report import ROOT
from worker.domain.effects import CLEARED_STEPS, READ_TRANSITIONS, TRANSITIONS, EffectState

PAGE = ROOT / "docs" / "effect-ledger.md"
START, END = "[*]", "[*]"
_S = EffectState
WHY: Mapping[tuple[EffectState, EffectState], str] = {
    (_S.PLANNED, _S.AWAITING_APPROVAL): "beyond a limit, or a plan asks for it",
    (_S.PLANNED, _S.SENDING): "judged on a fresh read, within budget, not paused",
    (_S.PLANNED, _S.CANCELLED): "no longer called for",
    (_S.PLANNED, _S.REJECTED): "a person, or nothing here can do it",
    (_S.AWAITING_APPROVAL, _S.PLANNED): "approved, or back within the limits",
    (_S.AWAITING_APPROVAL, _S.CANCELLED): "no longer called for",
    (_S.AWAITING_APPROVAL, _S.REJECTED): "a person",
    (_S.SENDING, _S.SUCCEEDED): "a definite yes",
    (_S.SENDING, _S.UNKNOWN): "no definite answer, or its worker died",
    (_S.SENDING, _S.AWAITING_PERSON): "a link for a person to pay",
    (_S.SENDING, _S.REJECTED): "a definite no",
    (_S.SENDING, _S.PLANNED): "it certainly never left",
    (_S.AWAITING_PERSON, _S.SUCCEEDED): "a read or a person says done",
    (_S.AWAITING_PERSON, _S.CANCELLED): "the order closed, or a person",
    (_S.UNKNOWN, _S.SUCCEEDED): "a read or a person says done",
    (_S.UNKNOWN, _S.REJECTED): "it can no longer happen, or a person says not done",
    (_S.UNKNOWN, _S.PLANNED): "reads prove for long enough that it did not happen, or a person",
    (_S.REJECTED, _S.PLANNED): "a person's retry",
    (_S.CANCELLED, _S.PLANNED): "called for again before anything was sent, or a person's retry",
    (_S.CANCELLED, _S.AWAITING_APPROVAL): "called for again, and only with an approval",
}
"""Why each step is taken, for people. A step without a reason, or a reason without a step, fails the check."""
_INTRODUCTION = """# The states of an effect

Generated from `worker/domain/effects.py` by `python -m tools.check_ledger --write`; `make check` compares.

A trigger in the database refuses every other step, and
`tests/storage/test_state_guard.py` holds the trigger against the same table.

Steps marked **cleared** lead to another attempt: only together with what allowed it, which stays in the row
(`follow_ups.cleared`).
"""
_READS = """
## Safe reads

`refresh` and `find_substitutes` change nothing and may be planned again and again.
"""


def page() -> str:
    """Return the page's text. Raises ValueError if the reasons are not those of the table's steps."""
    steps = {(before, after) for before, afters in TRANSITIONS.items() for after in afters}
    if wrong := sorted(f"{before} -> {after}" for before, after in steps ^ WHY.keys()):
        raise ValueError(f"WHY in tools/check_ledger.py has to name exactly the steps of the table: {', '.join(wrong)}")
    lines = [_INTRODUCTION, *_diagram(TRANSITIONS, WHY), _READS, *_diagram(READ_TRANSITIONS, {})]
    return "\n".join(lines) + "\n"


def _diagram(
    table: Mapping[EffectState, frozenset[EffectState]], why: Mapping[tuple[EffectState, EffectState], str]
) -> Iterator[str]:
    yield "```mermaid"
    yield "stateDiagram-v2"
    yield f"    {START} --> {EffectState.PLANNED}"
    for before in EffectState:
        for after in sorted(table.get(before, frozenset()), key=list(EffectState).index):
            said = why.get((before, after), "")
            if why and (before, after) in CLEARED_STEPS:
                said = f"cleared - {said}"
            yield f"    {before} --> {after}{f': {said}' if said else ''}"
        if before in table and not table[before]:
            yield f"    {before} --> {END}"
    yield "```"


def main(arguments: list[str]) -> int:
    """Write the page (`--write`), or compare it; return the exit status."""
    expected = page()
    if "--write" in arguments:
        PAGE.write_text(expected, encoding="utf-8")
        print(f"{PAGE.relative_to(ROOT)}: {sum(map(len, TRANSITIONS.values()))} steps")
        return 0
    if not PAGE.exists() or PAGE.read_text(encoding="utf-8") != expected:
        print(f"{PAGE.relative_to(ROOT)} is out of date; run: python -m tools.check_ledger --write")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
