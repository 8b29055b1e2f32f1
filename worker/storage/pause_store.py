"""The kill switch: an open pause stops the effects that it covers, in all processes, once it is committed."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec
from sqlalchemy import RowMapping, select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from worker.domain.effect_alerts import stopped_cause
from worker.domain.operators import Actor, RefusalKind, RefusedError, Role, require, stated
from worker.domain.policy import CHANGES
from worker.storage import alert_store, audit_store
from worker.storage.engine import transaction
from worker.storage.follow_up_claims import IS_PAUSED
from worker.storage.tables import pauses
from worker.storage.wakeup import Work, notify

_OPEN = text(
    """
    INSERT INTO pauses (account, effect, reason, actor, automatic)
    VALUES (:account, :effect, :reason, :actor, :automatic)
    ON CONFLICT (coalesce(account, ''), coalesce(effect, '')) WHERE lifted_at IS NULL DO NOTHING RETURNING id
    """
)
_FIND = text(
    """
    SELECT id FROM pauses WHERE lifted_at IS NULL AND account IS NOT DISTINCT FROM CAST(:account AS text)
        AND effect IS NOT DISTINCT FROM CAST(:effect AS text)
    """
)
_COVERS = text(
    f"SELECT {IS_PAUSED.format(row='asked')} "  # noqa: S608 - a constant
    "FROM (SELECT CAST(:account AS text) AS account, CAST(:effect AS text) AS effect) AS asked"
)
_LIFT = text(
    """
    UPDATE pauses SET lifted_at = now(), lifted_by = :actor WHERE id = :id AND lifted_at IS NULL
    RETURNING account, effect, automatic
    """
)


class Scope(msgspec.Struct, frozen=True):
    """What a pause covers; None: all accounts, all effects."""

    account: str | None = None
    effect: str | None = None

    def __str__(self) -> str:
        return f"{self.effect or 'all effects'} of {self.account or 'all accounts'}"


class Paused(msgspec.Struct, frozen=True):
    """The pause that covers the scope now. `changed` False: it was there already."""

    id: int
    changed: bool


def known_account(scope: Scope, accounts: Collection[str]) -> None:
    """Raise RefusedError for an account that is not configured: a mistyped name would stop nothing."""
    if scope.account is not None and scope.account not in accounts:
        known = ", ".join(sorted(accounts))
        raise RefusedError(
            RefusalKind.NOT_FOUND, f"there is no account {scope.account!r} here; expected one of {known}"
        )


async def pause(engine: AsyncEngine, actor: Actor, scope: Scope, *, reason: str) -> Paused:
    """Stop effects at once. Raises RefusedError."""
    require(actor, "pause effects", Role.OPERATOR, Role.APPROVER)
    reason = stated(reason)
    if scope.effect is not None and scope.effect not in CHANGES:
        raise RefusedError(
            RefusalKind.INVALID, f"effect: expected one of {', '.join(CHANGES)}; reading is never paused"
        )
    async with transaction(engine) as connection:
        return await open_pause(connection, scope, actor=actor.name, reason=reason)


async def open_pause(
    connection: AsyncConnection, scope: Scope, *, actor: str, reason: str, automatic: bool = False
) -> Paused:
    """Open a pause in this transaction, unless the same scope is paused. `automatic`: the worker itself tripped it."""
    values = {"account": scope.account, "effect": scope.effect}
    opening = values | {"reason": reason, "actor": actor, "automatic": automatic}
    while (new := (await connection.execute(_OPEN, opening)).scalar_one_or_none()) is None:
        # Gone again only if somebody lifted it between the two statements: then it is opened after all.
        found = (await connection.execute(_FIND, values)).scalar_one_or_none()
        if found is not None:
            return Paused(found, changed=False)
    details = values | {"pause": new, "automatic": automatic}
    await audit_store.append(
        connection, actor=actor, action="pause", subject=_subject(scope), reason=reason, details=details
    )
    await notify(connection, Work.FOLLOW_UPS)
    return Paused(new, changed=True)


async def resume(engine: AsyncEngine, actor: Actor, pause_id: int, *, reason: str) -> Scope:
    """Lift a pause; return what it covered. Raises RefusedError."""
    require(actor, "resume effects", Role.OPERATOR)
    reason = stated(reason)
    async with transaction(engine) as connection:
        row = (await connection.execute(_LIFT, {"id": pause_id, "actor": actor.name})).one_or_none()
        if row is None:
            raise RefusedError(RefusalKind.NOT_FOUND, f"no open pause has the id {pause_id}; list the pauses")
        scope = Scope(row.account, row.effect)
        details = {"account": row.account, "effect": row.effect, "pause": pause_id, "automatic": row.automatic}
        await audit_store.append(
            connection, actor=actor.name, action="resume", subject=_subject(scope), reason=reason, details=details
        )
        if scope.account is not None and scope.effect is None:
            await alert_store.resolve_cause(connection, stopped_cause(scope.account))
        await notify(connection, Work.FOLLOW_UPS, Work.ALERTS)
        return scope


async def find_open(connection: AsyncConnection, scope: Scope) -> int | None:
    """Return the open pause of exactly this scope."""
    values = {"account": scope.account, "effect": scope.effect}
    found: int | None = (await connection.execute(_FIND, values)).scalar_one_or_none()
    return found


async def covers(connection: AsyncConnection, account: str, effect: str) -> bool:
    """Tell whether an open pause stops this effect of this account now."""
    return bool((await connection.execute(_COVERS, {"account": account, "effect": effect})).scalar_one())


async def list_pauses(
    connection: AsyncConnection, *, is_open: bool | None = None, before: int | None = None, limit: int
) -> Sequence[RowMapping]:
    """Return pauses by id, newest first. `is_open` None: open and lifted ones."""
    query = select(pauses).order_by(pauses.c.id.desc()).limit(limit)
    if is_open is not None:
        query = query.where(pauses.c.lifted_at.is_(None) if is_open else pauses.c.lifted_at.is_not(None))
    if before is not None:
        query = query.where(pauses.c.id < before)
    return (await connection.execute(query)).mappings().all()


def _subject(scope: Scope) -> str:
    return f"account:{scope.account or '*'}"
