"""The commands below `ordersync plans`."""

from __future__ import annotations

from pathlib import Path

from cyclopts import App

app = App(name="plans", help="What is expected of an order, before or after it is seen.")


@app.command
def show(order: str, /, *, json: bool = False) -> None:
    """Show an order's plan. Whom the goods go to is shown to operators and approvers alone.

    Parameters
    ----------
    order
        ACCOUNT/PLATFORM/ORDER_ID.
    json
        Print JSON.
    """
    from worker.cli import plans

    raise SystemExit(plans.show(order, as_json=json))


@app.command
def put(order: str, file: Path, /, *, reason: str) -> None:
    """Make this the order's plan (role operator). The same plan again changes nothing.

    Parameters
    ----------
    order
        ACCOUNT/PLATFORM/ORDER_ID.
    file
        The plan as JSON, as for PUT /api/v1/plans; - reads it from the standard input.
    reason
        Why; it goes into the audit log.
    """
    from worker.cli import plans

    raise SystemExit(plans.put(order, file, reason))
