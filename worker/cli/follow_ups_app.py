"""The commands below `ordersync follow-ups`."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import App, Parameter

app = App(
    name="follow-ups",
    help="What is done at the marketplaces: look at it; decide about it (needs ORDERSYNC_OPERATOR_TOKEN).",
)
StateName = Literal[
    "planned", "awaiting_approval", "sending", "awaiting_person", "unknown", "succeeded", "rejected", "cancelled"
]
_Many = Parameter(negative=())


@app.command(name="list")
def list_(
    *,
    waiting: bool = False,
    state: Annotated[list[StateName] | None, _Many] = None,
    effect: Annotated[list[str] | None, _Many] = None,
    account: str | None = None,
    order: str | None = None,
    before: int | None = None,
    limit: int = 50,
    json: bool = False,
) -> None:
    """List follow-ups, newest first.

    Parameters
    ----------
    waiting
        Only those that wait for people: awaiting_approval, awaiting_person, unknown.
    state
        Only those in this state (may be given several times).
    effect
        Only these effects: pay, cancel, ... (may be given several times).
    account
        Only those of this account.
    order
        Only those of this order: ACCOUNT/PLATFORM/ORDER_ID.
    before
        Only those older than this number: the next page.
    limit
        At most so many.
    json
        Print JSON.
    """
    from worker.cli import follow_ups

    states = [*(state or []), *(follow_ups.WAITING if waiting else ())]
    raise SystemExit(
        follow_ups.show_list(states, effect or [], account, order, before=before, limit=limit, as_json=json)
    )


@app.command
def show(follow_up: int, /, *, json: bool = False) -> None:
    """Show one follow-up: why it waits, attempts with evidence, approvals, who decided what.

    Parameters
    ----------
    follow_up
        Its number, as `list` shows it.
    json
        Print JSON.
    """
    from worker.cli import follow_ups

    raise SystemExit(follow_ups.show_one(follow_up, as_json=json))


@app.command
def approve(follow_up: int, /, *, reason: str, amount: str | None = None) -> None:
    """Approve what is awaiting_approval (role approver).

    Parameters
    ----------
    follow_up
        Its number.
    reason
        Why; it goes into the audit log.
    amount
        The amount as you saw it, in yuan, such as 123.45. If it has risen since, this is refused.
    """
    from worker.cli import follow_ups

    raise SystemExit(follow_ups.approve(follow_up, amount, reason))


@app.command
def reject(follow_up: int, /, *, reason: str) -> None:
    """End what is planned or awaiting_approval (role operator or approver).

    Parameters
    ----------
    follow_up
        Its number.
    reason
        Why; it goes into the audit log.
    """
    from worker.cli import follow_ups

    raise SystemExit(follow_ups.reject(follow_up, reason))


@app.command
def retry(follow_up: int, /, *, reason: str, checked: str | None = None) -> None:
    """Have what is rejected or cancelled (role operator) or unknown (role approver) tried again.

    Parameters
    ----------
    follow_up
        Its number.
    reason
        Why; it goes into the audit log.
    checked
        For an unknown: what you looked at on the marketplace that shows that it did not happen.
    """
    from worker.cli import follow_ups

    raise SystemExit(follow_ups.retry(follow_up, reason, checked))


@app.command
def resolve(follow_up: int, outcome: Literal["done", "not-done"], /, *, reason: str) -> None:
    """End what is unknown or awaiting_person by what you saw on the marketplace.

    Role operator or approver; only an approver says of an unknown that it did not happen.

    Parameters
    ----------
    follow_up
        Its number.
    outcome
        Whether it happened.
    reason
        What you saw; it goes into the audit log.
    """
    from worker.cli import follow_ups

    raise SystemExit(follow_ups.resolve(follow_up, reason, done=outcome == "done"))
