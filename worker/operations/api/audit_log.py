"""The route of the audit log."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncEngine

from worker.operations.api.errors import errors
from worker.operations.api.ledger_models import AuditEntry, AuditPage
from worker.operations.api.parameters import AuditQuery
from worker.storage.audit_store import entries
from worker.storage.read_store import reading


def audit_log_router(engine: AsyncEngine) -> APIRouter:
    """Return the route of the audit log, read through `engine`."""
    router = APIRouter(prefix="/api/v1", tags=["operators"])

    @router.get("/audit-log", summary="List who did what and why, newest first", responses=errors(422, 503))
    async def show_audit_log(query: Annotated[AuditQuery, Query()]) -> AuditPage:
        """List entries. The log is only ever appended to: the database refuses everything else."""
        before = None if query.before is None else int(query.before)
        async with reading(engine) as connection:
            found = await entries(
                connection, subject=query.subject, actor=query.actor, before=before, limit=query.limit + 1
            )
        shown = [audit_entry(row) for row in found[: query.limit]]
        return AuditPage(entries=shown, earlier=shown[-1].id if len(found) > query.limit else None)

    return router


def audit_entry(row: RowMapping) -> AuditEntry:
    """Return an entry as the API shows it."""
    return AuditEntry(**{**row, "id": str(row["id"])})
