"""Reads the summary that `ordersync demo --json` prints and says whether the demo kept its promises.

    ordersync demo --orders 60 --json | python -m tools.check_demo

The demo's own exit code says the same; this looks at the figures, so that a demo that checks nothing cannot pass.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from tools.report import finish

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FIGURES = (
    "orders",
    "converged",
    "callbacks_sent",
    "callbacks_lost",
    "duplicates",
    "payments_wanted",
    "payments_accepted",
    "double_payments",
    "dead_letters",
    "changes_published",
    "sequence_gaps",
    "alerts_opened",
    "seconds",
    "receipts_confirmed",
    "confirmed_during_refund",
    "confirmed_too_early",
    "bookings",
    "double_bookings",
    "warehouse_notices",
    "approvals",
    "over_budget_refused",
    "unknown_resolved",
    "spent_minor",
    "taken_minor",
    "follow_ups_stuck",
)
MUST_BE_ZERO = (
    "double_payments",
    "sequence_gaps",
    "double_bookings",
    "confirmed_during_refund",
    "confirmed_too_early",
    "follow_ups_stuck",
)
MUST_BE_POSITIVE = (
    "orders",
    "callbacks_sent",
    "payments_accepted",
    "changes_published",
    "receipts_confirmed",
    "bookings",
    "warehouse_notices",
)

OF_THE_WAREHOUSE = ("bookings", "warehouse_notices")
"""What only an API with a warehouse can do."""
WITHOUT_WAREHOUSE = ("alibaba1688",)


def check(summary: Mapping[str, Any], *, none_arrives: bool = False) -> Iterator[str]:
    """Yields each broken promise: a figure is missing, an order differs, money went out twice, a change is missing.

    `none_arrives`: the demo was asked to lose every callback, so one that was sent is a broken promise, too.
    """
    missing = [name for name in FIGURES if not isinstance(summary.get(name), int | float)]
    if missing:
        yield f"figures missing: {', '.join(missing)}"
        return
    if summary["converged"] != summary["orders"]:
        yield f"{summary['converged']} of {summary['orders']} orders agree with the marketplace"
    if summary["taken_minor"] > summary["spent_minor"]:
        yield f"the marketplace took {summary['taken_minor']} fen, the ledger knows of {summary['spent_minor']}"
    silent: tuple[str, ...] = ("callbacks_sent",) if none_arrives else ()
    silent += OF_THE_WAREHOUSE if summary.get("dialect") in WITHOUT_WAREHOUSE else ()
    for name in (*MUST_BE_ZERO, *silent):
        if summary[name] != 0:
            yield f"{name} is {summary[name]}, expected 0"
    for name in MUST_BE_POSITIVE:
        if name not in silent and summary[name] <= 0:
            yield f"{name} is {summary[name]}, so nothing was tried"


def main() -> int:
    """Checks the summary on standard input."""
    text = sys.stdin.read()
    try:
        summary = json.loads(text)
    except json.JSONDecodeError as error:
        return finish("check-demo", [f"not one JSON object: {error}"], "")
    if not isinstance(summary, dict):
        return finish("check-demo", ["not a JSON object"], "")
    verdict = f"{summary.get('converged')} orders converged in {summary.get('seconds')} s"
    return finish("check-demo", list(check(summary)), verdict)


if __name__ == "__main__":
    sys.exit(main())
