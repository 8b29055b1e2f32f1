"""Access as a FastAPI dependency."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Request, Response
from fastapi.security import HTTPBearer

from worker.domain.operators import Actor
from worker.operations.access import Access, Denied
from worker.operations.api.errors import ApiError

BEARER = HTTPBearer(
    auto_error=False,
    description="An operator's token, or ORDERSYNC_API_TOKEN to read; without the latter this machine may read.",
)
"""Says in the OpenAPI document how to log in; `Access` decides."""


def guarded(access: Access) -> Callable[[Request, Response], Awaitable[None]]:
    """Return the dependency that refuses whom `access` refuses, before anything else of the request is looked at."""

    async def guard(request: Request, response: Response) -> None:
        found = access.admit(request.client.host if request.client else None, request.headers.raw)
        if isinstance(found, Denied):
            headers = {"WWW-Authenticate": "Bearer"} if found.status == 401 else {}  # noqa: PLR2004 - HTTP's own
            raise ApiError(found.status, found.code, found.message, headers)
        request.state.actor = found
        response.headers["Cache-Control"] = "no-store"

    return guard


def _actor(request: Request) -> Actor:
    actor: Actor = request.state.actor
    return actor


Caller = Annotated[Actor, Depends(_actor)]
"""Who asks, for the routes of a guarded router."""
