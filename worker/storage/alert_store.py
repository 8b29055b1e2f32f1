"""Alerts as rows: one per open cause. Opening and resolving each write one notice for people and programs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from worker.domain.alerts import CONDITION_KINDS, Alert, AlertKind
from worker.domain.dead_letters import LetterState
from worker.domain.identity import OrderKey
from worker.storage.bulk import as_params, rows_source
from worker.storage.order_rows import json_text, plain
from worker.storage.tables import alerts

_COLUMNS = ("cause", "kind", "severity", "order_ref", "account", "order_key", "title", "details", "occurrences")
_OPEN = text(
    f"""
    WITH fresh AS ({rows_source(alerts, _COLUMNS)}), opened AS (
        INSERT INTO alerts ({", ".join(_COLUMNS)}) SELECT {", ".join(_COLUMNS)} FROM fresh
        ON CONFLICT (cause) WHERE resolved_at IS NULL DO UPDATE SET
            title = excluded.title, details = excluded.details, last_seen_at = now(),
            occurrences = alerts.occurrences + excluded.occurrences
        WHERE alerts.kind = '{AlertKind.DEAD_LETTERS}' OR alerts.title <> excluded.title
            OR alerts.details <> excluded.details
        RETURNING id, (xmax = 0) AS is_new)
    INSERT INTO alert_notices (alert_id, action) SELECT id, 'opened' FROM opened WHERE is_new
    """  # noqa: S608 - names are ours
)
_NOTICE_RESOLVED = "INSERT INTO alert_notices (alert_id, action) SELECT id, 'resolved' FROM done"
_RESOLVE_CONDITIONS = text(
    f"""
    WITH done AS (
        UPDATE alerts SET resolved_at = now() WHERE resolved_at IS NULL AND (
            (order_ref = ANY(CAST(:refs AS bigint[])) AND kind = ANY(CAST(:kinds AS text[]))
                AND cause <> ALL(CAST(:causes AS text[])))
            OR (order_ref = ANY(CAST(:final_refs AS bigint[]))
                AND kind IN ('{AlertKind.STATUS_CORRECTED}', '{AlertKind.DRIFT}')))
        RETURNING id)
    {_NOTICE_RESOLVED}
    """  # noqa: S608 - names are ours
)
_RESOLVE_CAUSE = text(
    f"""
    WITH done AS (UPDATE alerts SET resolved_at = now() WHERE resolved_at IS NULL AND cause = :cause RETURNING id)
    {_NOTICE_RESOLVED}
    """  # noqa: S608 - names are ours
)
_RESOLVE_OTHERS = text(
    f"""
    WITH done AS (
        UPDATE alerts SET resolved_at = now()
        WHERE resolved_at IS NULL AND kind = :kind AND cause <> ALL(CAST(:causes AS text[]))
        RETURNING id)
    {_NOTICE_RESOLVED}
    """  # noqa: S608 - names are ours
)
_LOCK_OPEN = text("SELECT cause FROM alerts WHERE resolved_at IS NULL AND kind = :kind ORDER BY id FOR NO KEY UPDATE")
_RESOLVE_SETTLED_LETTERS = text(
    f"""
    WITH done AS (
        UPDATE alerts SET resolved_at = now()
        WHERE resolved_at IS NULL AND cause = ANY(CAST(:causes AS text[])) AND NOT EXISTS (
            SELECT FROM dead_letters l WHERE l.fingerprint = split_part(alerts.cause, ':', 2)
                AND l.state IN ('{LetterState.OPEN}', '{LetterState.REPLAYING}'))
        RETURNING id)
    {_NOTICE_RESOLVED}
    """  # noqa: S608 - names are ours
)
# An alert about a follow-up lasts as long as the state that it tells of, whichever way that ended. What is over budget
# is still claimed between its refusal, which opens the alert, and the moment at which its row says so.
_RESOLVE_OUTLIVED = text(
    f"""
    WITH tells AS (SELECT * FROM (VALUES ('payment_unknown', 'unknown'), ('effect_unknown', 'unknown'),
            ('payment_needs_person', 'awaiting_person'), ('effect_rejected', 'rejected'),
            ('approval_waiting', 'awaiting_approval'), ('effect_waiting', 'planned'),
            ('budget_exhausted', 'planned')) AS t(kind, state)),
    done AS (
        UPDATE alerts a SET resolved_at = now() FROM tells t
        WHERE a.resolved_at IS NULL AND a.kind = t.kind AND a.order_ref IS NOT NULL AND NOT EXISTS (
            SELECT 1 FROM follow_ups f WHERE f.order_ref = a.order_ref
                AND (f.state = t.state OR t.kind = 'effect_waiting' AND f.state = 'sending')
                AND f.effect = coalesce(a.details->>'effect', 'pay')
                AND (t.kind <> 'effect_waiting' OR f.failures >= 1))
            OR a.resolved_at IS NULL AND a.kind = 'budget_exhausted' AND a.kind = t.kind AND NOT EXISTS (
            SELECT 1 FROM follow_ups f WHERE f.account = a.details->>'account' AND f.state = t.state
                AND (f.budget_refusals > 0 OR f.claimed_until > now() AND f.effect IN ('pay', 'book_international')))
        RETURNING a.id)
    {_NOTICE_RESOLVED}
    """  # noqa: S608 - names are ours
)
# Alerts of payments carry no effect in their details, those of other effects do.
_RESOLVE_EFFECT = text(
    f"""
    WITH done AS (
        UPDATE alerts SET resolved_at = now() WHERE resolved_at IS NULL AND order_ref = :order_ref
            AND kind = ANY(CAST(:kinds AS text[])) AND coalesce(details->>'effect', 'pay') = :effect
        RETURNING id)
    {_NOTICE_RESOLVED}
    """  # noqa: S608 - names are ours
)
_OPEN_CAUSES = text(
    """
    SELECT cause, severity, title, occurrences, opened_at FROM alerts WHERE resolved_at IS NULL ORDER BY id LIMIT :limit
    """
)
_KINDS = sorted(kind.value for kind in CONDITION_KINDS)


async def open_alerts(
    connection: AsyncConnection, opened: Iterable[Alert], refs: Mapping[OrderKey, int], times: Mapping[str, int]
) -> None:
    """Open the alerts whose cause is not open yet; refresh the others' text. `times`: occurrences by cause, else 1."""
    by_cause = {alert.cause: alert for alert in opened}
    rows = [
        (
            plain(alert.cause),
            alert.kind.value,
            alert.severity.value,
            refs.get(alert.key) if alert.key else None,
            alert.key.account if alert.key else None,
            str(alert.key) if alert.key else None,
            plain(alert.title),
            json_text(alert.details),
            times.get(alert.cause, 1),
        )
        for _, alert in sorted(by_cause.items())
    ]
    if rows:
        await connection.execute(_OPEN, as_params(_COLUMNS, rows))


async def resolve_conditions(
    connection: AsyncConnection, refs: Collection[int], causes: Iterable[str], final_refs: Collection[int]
) -> None:
    """Resolve conditions of these orders that no longer hold, and corrections and drift of finished orders."""
    if refs:
        await connection.execute(
            _RESOLVE_CONDITIONS,
            {"refs": list(refs), "kinds": _KINDS, "causes": list(causes), "final_refs": list(final_refs)},
        )


async def resolve_cause(connection: AsyncConnection, cause: str) -> bool:
    """Resolve the open alert of this cause; False if there is none."""
    return (await connection.execute(_RESOLVE_CAUSE, {"cause": cause})).rowcount > 0


async def resolve_others(connection: AsyncConnection, kind: AlertKind, causes: Iterable[str]) -> None:
    """Resolve the open alerts of a kind whose cause is none of these: they no longer hold."""
    await connection.execute(_RESOLVE_OTHERS, {"kind": kind.value, "causes": list(causes)})


async def lock_open(connection: AsyncConnection, kind: AlertKind) -> list[str]:
    """Lock the open alerts of a kind until the end of the transaction; return their causes."""
    return list((await connection.execute(_LOCK_OPEN, {"kind": kind.value})).scalars())


async def resolve_settled_letters(connection: AsyncConnection, causes: Collection[str]) -> None:
    """Resolve alerts of dead letters, locked before, none of whose letters waits any more."""
    await connection.execute(_RESOLVE_SETTLED_LETTERS, {"causes": list(causes)})


async def resolve_outlived(connection: AsyncConnection) -> int:
    """Resolve the alerts about follow-ups that have left the state that the alert tells of; return how many."""
    return (await connection.execute(_RESOLVE_OUTLIVED)).rowcount


async def resolve_effect(
    connection: AsyncConnection, order_ref: int, effect: str, kinds: Collection[AlertKind]
) -> None:
    """Resolve the open alerts of these kinds about one effect of an order."""
    values = {"order_ref": order_ref, "effect": effect, "kinds": sorted(kind.value for kind in kinds)}
    await connection.execute(_RESOLVE_EFFECT, values)


async def open_causes(connection: AsyncConnection, limit: int) -> list[Mapping[str, Any]]:
    """Return open alerts, the oldest first."""
    return [dict(row) for row in (await connection.execute(_OPEN_CAUSES, {"limit": limit})).mappings()]


# On each way, Kafka and people, "resolved" waits until "opened" has gone: told the other way round, it would stay open.
_PENDING = text(
    """
    SELECT n.id, n.action, n.attempts, n.published_at IS NOT NULL AS published, n.notified_at IS NOT NULL AS notified,
        before.unpublished AS hold_publishing, before.unnotified AS hold_notifying,
        a.id AS alert_id, a.cause, a.kind, a.severity, a.account, a.order_key, a.title, a.details, a.occurrences,
        a.opened_at, a.resolved_at
    FROM alert_notices n JOIN alerts a ON a.id = n.alert_id CROSS JOIN LATERAL (
        SELECT coalesce(bool_or(e.published_at IS NULL), false) AS unpublished,
            coalesce(bool_or(e.notified_at IS NULL), false) AS unnotified
        FROM alert_notices e WHERE e.alert_id = n.alert_id AND e.id < n.id) AS before
    WHERE n.due_at <= now() AND (n.published_at IS NULL AND NOT before.unpublished
        OR n.notified_at IS NULL AND NOT before.unnotified)
        AND (n.published_at IS NULL OR n.notified_at IS NULL)
    ORDER BY n.id LIMIT :limit FOR UPDATE OF n SKIP LOCKED
    """
)
_DONE = text(
    """
    UPDATE alert_notices SET
        published_at = coalesce(published_at, CASE WHEN :published THEN now() END),
        notified_at = coalesce(notified_at, CASE WHEN :notified THEN now() END),
        attempts = attempts + 1, due_at = :due_at
    WHERE id = :id
    """
)


async def pending_notices(connection: AsyncConnection, limit: int) -> list[Mapping[str, Any]]:
    """Lock and return the oldest notices that are due."""
    result = await connection.execute(_PENDING, {"limit": limit})
    return [dict(row) for row in result.mappings()]


async def mark_notice(
    connection: AsyncConnection, notice_id: int, *, published: bool, notified: bool, due_at: datetime
) -> None:
    """Record what of a notice went out; the rest is tried again at `due_at`."""
    values = {"id": notice_id, "published": published, "notified": notified, "due_at": due_at}
    await connection.execute(_DONE, values)
