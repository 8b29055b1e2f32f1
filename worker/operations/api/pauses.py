"""The routes of the kill switch."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncEngine

from worker.operations.api.errors import errors
from worker.operations.api.guard import Caller
from worker.operations.api.ledger_models import Reason
from worker.operations.api.parameters import AccountName, PausesQuery, RowId
from worker.storage import pause_store
from worker.storage.pause_store import Scope, known_account
from worker.storage.read_store import reading, telling_away


class Pause(BaseModel):
    """What is or was stopped. null account or effect: all of them."""

    id: str
    account: str | None
    effect: str | None
    reason: str
    actor: str
    automatic: Annotated[bool, Field(description="The worker pulled the switch itself")]
    created_at: datetime
    lifted_at: datetime | None
    lifted_by: str | None


class PauseList(BaseModel):
    """One page of pauses, newest first."""

    pauses: list[Pause]
    earlier: Annotated[str | None, Field(description="Send it as `before` for the next page; null on the last one")]


class PauseBody(BaseModel):
    """What to stop. Without account and effect: everything that changes something at a marketplace."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    account: AccountName | None = None
    effect: Annotated[str | None, Field(max_length=40)] = None
    reason: Reason


class PauseAnswer(BaseModel):
    """The pause that covers this now."""

    id: str
    changed: Annotated[bool, Field(description="false: it was paused already")]


class ResumeAnswer(BaseModel):
    """What goes on."""

    account: str | None
    effect: str | None


def pauses_router(engine: AsyncEngine, accounts: Collection[str]) -> APIRouter:
    """Return the routes of pauses of the configured `accounts`."""
    router = APIRouter(prefix="/api/v1/pauses", tags=["operators"])

    @router.get("", summary="List what is and was paused, newest first", responses=errors(422, 503))
    async def show_pauses(query: Annotated[PausesQuery, Query()]) -> PauseList:
        before = None if query.before is None else int(query.before)
        async with reading(engine) as connection:
            found = await pause_store.list_pauses(connection, is_open=query.open, before=before, limit=query.limit + 1)
        shown = [Pause(**{**row, "id": str(row["id"])}) for row in found[: query.limit]]
        return PauseList(pauses=shown, earlier=shown[-1].id if len(found) > query.limit else None)

    @router.post("", summary="Stop effects at once, in all processes", responses=errors(404, 422, 503))
    async def pause(body: PauseBody, caller: Caller) -> PauseAnswer:
        """Stop effects (role operator or approver). Reading and reconciling go on; what was sent is followed up."""
        scope = Scope(body.account, body.effect)
        with telling_away():
            known_account(scope, accounts)
            done = await pause_store.pause(engine, caller, scope, reason=body.reason)
        return PauseAnswer(id=str(done.id), changed=done.changed)

    @router.delete("/{pause_id}", summary="Let effects go on", responses=errors(404, 422, 503))
    async def resume(pause_id: RowId, reason: Annotated[Reason, Query()], caller: Caller) -> ResumeAnswer:
        """Lift a pause (role operator)."""
        with telling_away():
            scope = await pause_store.resume(engine, caller, int(pause_id), reason=reason)
        return ResumeAnswer(account=scope.account, effect=scope.effect)

    return router
