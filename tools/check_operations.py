"""Generates docs/operations-of-the-apis.md from the catalogue, or says that the page is not what the catalogue says."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import groupby

from tools.report import ROOT
from worker.catalogue.called import CALLED
from worker.catalogue.messages import messages_of
from worker.catalogue.operation import Area, Dialect, EffectClass, Operation
from worker.catalogue.tables import OPERATIONS, operations_of

PAGE = ROOT / "docs" / "operations-of-the-apis.md"
_TITLES = {
    Dialect.PANDAPON: "PandaPon OpenAPI (`pandapon`)",
    Dialect.XPORT: "Xport / KA (`xport`)",
    Dialect.ALIBABA1688: "1688 open platform (`alibaba1688`)",
}
_EFFECTS = {
    EffectClass.SAFE_READ: "read",
    EffectClass.EFFECT: "effect",
    EffectClass.IRREVERSIBLE_EFFECT: "**irreversible**",
}
_INTRODUCTION = """# Operations of the APIs

Generated from `worker/catalogue` by `python -m tools.check_operations --write`; CI compares.

Every operation of the marketplaces' menus, with how sure we are that it is there and where. **State**: *called* by the
worker; *ready*: its path is known and it can be called, nothing here does so yet; *refuses*: nobody knows its path, so
it refuses to run until the account gives one (`paths = { "name" = "/..." }`). Only reads are ever tried again.

Below each API stand the messages that it pushes, and what becomes of them: a status, price, refund or logistics fact,
or a dead letter that is kept for a person. What a live API really does is told by `ordersync conformance` (see
[operations](operations.md)).
"""


def page() -> str:
    """Return the page's text."""
    return "\n".join([_INTRODUCTION, _summary(), *(line for dialect in Dialect for line in _dialect(dialect))]) + "\n"


def state_of(operation: Operation) -> str:
    """Return what becomes of a call of this operation here."""
    if not operation.paths:
        return "refuses"
    return "called" if operation.name in CALLED[operation.dialect] else "ready"


def _summary() -> str:
    lines = ["| API | operations | called | ready | refuse: path unknown |", "| --- | --- | --- | --- | --- |"]
    for dialect in Dialect:
        states = [state_of(operation) for operation in operations_of(dialect)]
        counts = [len(states), *(states.count(state) for state in ("called", "ready", "refuses"))]
        lines.append(f"| {_TITLES[dialect]} | " + " | ".join(map(str, counts)) + " |")
    return "\n".join(lines)


def _dialect(dialect: Dialect) -> Iterator[str]:
    yield f"\n## {_TITLES[dialect]}"
    order = list(Area)
    operations = sorted(operations_of(dialect), key=lambda operation: order.index(operation.area))
    for area, rows in groupby(operations, key=lambda operation: operation.area):
        yield f"\n### {area.value.replace('_', ' ').capitalize()}\n"
        yield "| operation | in the manual | method and path | does | mark | state | source |"
        yield "| --- | --- | --- | --- | --- | --- | --- |"
        for row in rows:
            yield _row(row)
    yield from _messages(dialect)


def _messages(dialect: Dialect) -> Iterator[str]:
    yield "\n### Messages that are pushed\n"
    yield "| message | platform | becomes | mark | source | note |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for message in messages_of(dialect):
        becomes = "kept for a person" if message.tells == "none" else message.tells
        cells = (f"`{message.type}`", message.platform, becomes, message.mark.value, message.source, message.note)
        yield "| " + " | ".join(cells) + " |"


def _row(operation: Operation) -> str:
    paths = "<br>".join(f"`{path}`" for path in operation.paths.values()) or "unknown"
    cells = (
        f"`{operation.name}`",
        operation.menu,
        f"{operation.method} {paths}",
        _EFFECTS[operation.effect],
        operation.mark.value,
        state_of(operation),
        operation.source,
    )
    return "| " + " | ".join(cells) + " |"


def main(arguments: list[str]) -> int:
    """Write the page (`--write`), or compare it; return the exit status."""
    expected = page()
    if "--write" in arguments:
        PAGE.write_text(expected, encoding="utf-8")
        print(f"{PAGE.relative_to(ROOT)}: {len(OPERATIONS)} operations")
        return 0
    if not PAGE.exists() or PAGE.read_text(encoding="utf-8") != expected:
        print(f"{PAGE.relative_to(ROOT)} is out of date; run: python -m tools.check_operations --write")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
