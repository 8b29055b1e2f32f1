"""The routes of what wants a person: alerts, and dead letters by cause."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncEngine

from worker.domain.alerts import AlertKind, Severity
from worker.operations.api.errors import errors
from worker.operations.api.models import Record, words
from worker.operations.api.parameters import AlertsQuery, DeadLettersQuery
from worker.storage.read_alerts import dead_letter_groups, list_alerts
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


class DeadLetterGroup(BaseModel):
    """Messages that could not be applied, of one cause."""

    fingerprint: str
    letters: Annotated[int, Field(description="How many there are")]
    reason: Annotated[str, Field(description="Of the latest one")]
    first_at: datetime
    last_at: datetime
    last_record: Record


class DeadLetterGroups(BaseModel):
    """Dead letters by cause, the cause that came up last first."""

    groups: list[DeadLetterGroup]


def alerts_router(engine: AsyncEngine) -> APIRouter:
    """Return the routes of alerts and dead letters, read through `engine`."""
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

    @router.get("/dead-letters", summary="Show dead letters by cause", responses=errors(422, 503))
    async def show_dead_letters(query: Annotated[DeadLettersQuery, Query()]) -> DeadLetterGroups:
        async with reading(engine) as connection:
            found = await dead_letter_groups(connection, query.limit)
        return DeadLetterGroups(groups=[_group(row) for row in found])

    return router


def _alert(row: RowMapping) -> Alert:
    return Alert(**{**row, "id": str(row["id"])})


def _group(row: RowMapping) -> DeadLetterGroup:
    record = Record(topic=row["topic"], partition=row["partition"], offset=row["offset"])
    return DeadLetterGroup(**row, last_record=record)
