"""The routes of the ledger: what is done at the marketplaces, and what people decide about it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncEngine

from worker.domain.money import CNY
from worker.domain.operators import RefusalKind, RefusedError
from worker.operations.api import ledger_models as models
from worker.operations.api.audit_log import audit_entry
from worker.operations.api.errors import errors
from worker.operations.api.guard import Caller
from worker.operations.api.models import Money
from worker.operations.api.parameters import FollowUpsQuery, RowId
from worker.storage import decision_store
from worker.storage.decision_rows import PolicyOf
from worker.storage.ledger_view import FollowUpDetail, LedgerFilter, list_follow_ups, show
from worker.storage.read_store import reading, telling_away

_DECISION_ERRORS = errors(404, 409, 422, 503)


def follow_ups_router(engine: AsyncEngine, policy_of: PolicyOf) -> APIRouter:
    """Return the routes of follow-ups, read and decided through `engine`."""
    router = APIRouter(prefix="/api/v1/follow-ups", tags=["follow-ups"])
    _add_reading(router, engine, policy_of)
    _add_deciding(router, engine, policy_of)
    return router


def _add_reading(router: APIRouter, engine: AsyncEngine, policy_of: PolicyOf) -> None:
    @router.get("", summary="List follow-ups, newest first", responses=errors(422, 503))
    async def list_the_ledger(query: Annotated[FollowUpsQuery, Query()]) -> models.LedgerPage:
        wanted = LedgerFilter(query.account, query.platform, query.order_id, tuple(query.state), tuple(query.effect))
        before = None if query.before is None else int(query.before)
        async with reading(engine) as connection:
            found = await list_follow_ups(connection, wanted, before=before, limit=query.limit + 1)
        shown = [models.LedgerEntry(**_head(row)) for row in found[: query.limit]]
        return models.LedgerPage(follow_ups=shown, earlier=shown[-1].id if len(found) > query.limit else None)

    @router.get(
        "/{follow_up_id}",
        summary="Show one follow-up: attempts, evidence, approvals, why it waits, who decided what",
        responses=errors(404, 422, 503),
    )
    async def show_follow_up(follow_up_id: RowId) -> models.LedgerDetail:
        async with reading(engine, one_snapshot=True) as connection:
            found = await show(connection, int(follow_up_id), policy_of)
        if found is None:
            raise RefusedError(RefusalKind.NOT_FOUND, f"there is no follow-up {follow_up_id}; list them")
        return _detail(found)


def _add_deciding(router: APIRouter, engine: AsyncEngine, policy_of: PolicyOf) -> None:
    @router.post("/{follow_up_id}/approve", summary="Approve up to the amount seen", responses=_DECISION_ERRORS)
    async def approve(follow_up_id: RowId, body: models.ApproveBody, caller: Caller) -> models.Decision:
        """Approve what is `awaiting_approval` (role approver).

        Above the account's `four_eyes_above` it takes two people, neither of them who asked for it.
        """
        with telling_away():
            return _decision(
                await decision_store.approve(
                    engine,
                    int(follow_up_id),
                    caller,
                    seen=body.amount_minor,
                    reason=body.reason,
                    policy_of=policy_of,
                )
            )

    @router.post("/{follow_up_id}/reject", summary="End what was not sent", responses=_DECISION_ERRORS)
    async def reject(follow_up_id: RowId, body: models.RejectBody, caller: Caller) -> models.Decision:
        """End what is `planned` or `awaiting_approval` (role operator or approver)."""
        with telling_away():
            return _decision(await decision_store.reject(engine, int(follow_up_id), caller, reason=body.reason))

    @router.post("/{follow_up_id}/retry", summary="Try again", responses=_DECISION_ERRORS)
    async def retry(follow_up_id: RowId, body: models.RetryBody, caller: Caller) -> models.Decision:
        """Plan again what is `rejected` or `cancelled` (role operator), or `unknown` (role approver).

        An unknown may have happened: say in `checked` what shows that it did not.
        """
        with telling_away():
            return _decision(
                await decision_store.retry(engine, int(follow_up_id), caller, reason=body.reason, checked=body.checked)
            )

    @router.post("/{follow_up_id}/resolve", summary="Say what happened", responses=_DECISION_ERRORS)
    async def resolve(follow_up_id: RowId, body: models.ResolveBody, caller: Caller) -> models.Decision:
        """End what is `unknown` or `awaiting_person` by what you saw.

        Role operator or approver; only an approver says of an unknown that it did not happen.
        """
        with telling_away():
            return _decision(
                await decision_store.resolve(engine, int(follow_up_id), caller, done=body.done, reason=body.reason)
            )


def _decision(decided: decision_store.Decided) -> models.Decision:
    return models.Decision(
        id=str(decided.id),
        state=decided.state,
        approved_minor=decided.approved_minor,
        missing_approvals=decided.missing,
        changed=decided.changed,
    )


def _head(row: RowMapping) -> dict[str, Any]:
    currency = row["currency"] or CNY
    return {
        **row,
        "id": str(row["id"]),
        "amount": _money(row["amount_minor"], currency),
        "approved": _money(row["approved_minor"], currency),
    }


def _detail(found: FollowUpDetail) -> models.LedgerDetail:
    currency = found.row["currency"] or CNY
    return models.LedgerDetail(
        **_head(found.row),
        waits=list(found.waits),
        missing_approvals=found.missing,
        attempt_log=[
            models.AttemptDetail(**row, amount=_money(row["amount_minor"], currency)) for row in found.attempts
        ],
        approvals=[
            models.ApprovalShown(**row, amount=_money(row["amount_minor"], currency)) for row in found.approvals
        ],
        audit_log=[audit_entry(row) for row in found.entries],
    )


def _money(minor: int | None, currency: str) -> Money | None:
    return None if minor is None else Money(minor=minor, currency=currency)
