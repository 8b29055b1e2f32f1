"""Access as a FastAPI dependency."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import Request, Response
from fastapi.security import HTTPBearer

from worker.operations.access import Access
from worker.operations.api.errors import ApiError

BEARER = HTTPBearer(auto_error=False, description="ORDERSYNC_API_TOKEN. Without one, only the same machine is served.")
"""Says in the OpenAPI document how to log in; `Access` decides."""


def guarded(access: Access) -> Callable[[Request, Response], Awaitable[None]]:
    """Return the dependency that refuses whom `access` refuses, before anything else of the request is looked at."""

    async def guard(request: Request, response: Response) -> None:
        denied = access.check(request.client.host if request.client else None, request.headers.raw)
        if denied is not None:
            headers = {"WWW-Authenticate": "Bearer"} if denied.status == 401 else {}  # noqa: PLR2004 - HTTP's own
            raise ApiError(denied.status, denied.code, denied.message, headers)
        response.headers["Cache-Control"] = "no-store"

    return guard
