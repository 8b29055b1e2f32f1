"""The commands of the kill switch and of the audit log."""

from __future__ import annotations


def pause(*, reason: str, account: str | None = None, effect: str | None = None) -> None:
    """Stop effects at once, in all processes (role operator or approver); reading and reconciling go on.

    Parameters
    ----------
    reason
        Why; it goes into the audit log.
    account
        Only those of this account; default: all.
    effect
        Only this effect: pay, cancel, ...; default: all.
    """
    from worker.cli import switch

    raise SystemExit(switch.pause(account, effect, reason))


def resume(*, reason: str, account: str | None = None, effect: str | None = None) -> None:
    """Let effects go on (role operator). Lifts the pause that was opened with the same options.

    Parameters
    ----------
    reason
        Why; it goes into the audit log.
    account
        As it was given to `pause`.
    effect
        As it was given to `pause`.
    """
    from worker.cli import switch

    raise SystemExit(switch.resume(account, effect, reason))


def pauses(*, all: bool = False, limit: int = 50, json: bool = False) -> None:  # noqa: A002 - the option's name
    """List what is paused.

    Parameters
    ----------
    all
        Also what was resumed since.
    limit
        At most so many, the newest.
    json
        Print JSON.
    """
    from worker.cli import switch

    raise SystemExit(switch.show_pauses(everything=all, limit=limit, as_json=json))


def audit_log(
    *,
    subject: str | None = None,
    actor: str | None = None,
    before: int | None = None,
    limit: int = 50,
    json: bool = False,
) -> None:
    """List who did what, when and why, newest first.

    Parameters
    ----------
    subject
        Only about this: follow_up:12, plan:main/1688/123, account:main, ...
    actor
        Only by this person or system.
    before
        Only entries older than this number: the next page.
    limit
        At most so many.
    json
        Print JSON.
    """
    from worker.cli import switch

    raise SystemExit(switch.show_audit_log(subject, actor, before=before, limit=limit, as_json=json))
