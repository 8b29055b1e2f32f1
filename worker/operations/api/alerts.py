"""The routes of what wants a person: alerts."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncEngine

from worker.domain.alerts import AlertKind, Severity
from worker.operations.api.errors import errors
from worker.operations.api.models import words
from worker.operations.api.parameters import AlertsQuery
from worker.storage.read_alerts import list_alerts
from worker.storage.read_store import reading


class Alert(BaseModel):
    """Something that a person should know; one per cause for as long as it is open."""

    id: str
    cause: str
    kind: Annotated[str, words(AlertKind)]
    severity: Annotated[str, words(Severity)]
    account: str | None
    order_key: Annotated[str | None, Field(description="`account/platform/order_id`")]
    title: str
    details: dict[str, Any]
    occurrences: int
    opened_at: datetime
    last_seen_at: datetime
    resolved_at: datetime | None


class AlertList(BaseModel):
    """One page of alerts, newest first."""

    alerts: list[Alert]
    earlier: Annotated[str | None, Field(description="Send it as `before` for the next page; null on the last one")]


def alerts_router(engine: AsyncEngine) -> APIRouter:
    """Return the routes of alerts, read through `engine`."""
    router = APIRouter(prefix="/api/v1", tags=["alerts"])

    @router.get("/alerts", summary="List alerts, newest first", responses=errors(422, 503))
    async def show_alerts(query: Annotated[AlertsQuery, Query()]) -> AlertList:
        before = None if query.before is None else int(query.before)
        async with reading(engine) as connection:
            found = await list_alerts(
                connection, is_open=query.open, account=query.account, before=before, limit=query.limit + 1
            )
        shown = [_alert(row) for row in found[: query.limit]]
        return AlertList(alerts=shown, earlier=shown[-1].id if len(found) > query.limit else None)

    return router


def _alert(row: RowMapping) -> Alert:
    return Alert(**{**row, "id": str(row["id"])})
