"""Errors as callers see them: one shape, a code for programs and a sentence for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from worker.domain.operators import RefusalKind, RefusedError
from worker.storage.read_store import DatabaseAwayError

RETRY_AFTER_S = 5
MAX_MISTAKES_SHOWN = 5
MAX_MESSAGE_CHARS = 500
_log = structlog.get_logger()


class ErrorDetail(BaseModel):
    """What went wrong: `code` stays the same between versions, `message` is for people."""

    code: str
    message: str


class ErrorBody(BaseModel):
    """The body of every answer that is an error."""

    error: ErrorDetail


class ApiError(Exception):
    """Ends a request with this status."""

    def __init__(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})


_REFUSALS = {
    RefusalKind.NOT_FOUND: 404,
    RefusalKind.FORBIDDEN: 403,
    RefusalKind.CONFLICT: 409,
    RefusalKind.INVALID: 422,
}
_CODES = {RefusalKind.INVALID: "invalid_request"}
_MEANINGS = {
    400: "The cursor cannot be used",
    401: "The token is missing or wrong",
    403: "Your roles do not allow it, or no token is configured and only this machine is served",
    404: "There is no such thing here",
    409: "Not as things stand now; the message says what to do",
    422: "A parameter is unknown or out of range",
    503: "The database does not answer; Retry-After says when to come again",
}


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return what OpenAPI says about these errors and the ones that every guarded route has."""
    return {status: {"model": ErrorBody, "description": _MEANINGS[status]} for status in sorted({*statuses, 401, 403})}


def install_error_handlers(api: FastAPI) -> None:
    """Give every error of `api` the one shape."""

    @api.exception_handler(ApiError)
    async def ours(_request: Request, error: ApiError) -> JSONResponse:
        return _answer(error.status, error.code, error.message, error.headers)

    @api.exception_handler(RefusedError)
    async def refused(_request: Request, error: RefusedError) -> JSONResponse:
        return _answer(_REFUSALS[error.kind], _CODES.get(error.kind, error.kind.value), str(error))

    @api.exception_handler(RequestValidationError)
    async def invalid(_request: Request, error: RequestValidationError) -> JSONResponse:
        return _answer(422, "invalid_request", _mistakes(error.errors()))

    @api.exception_handler(HTTPException)
    async def http(_request: Request, error: HTTPException) -> JSONResponse:
        phrase = HTTPStatus(error.status_code).phrase
        return _answer(error.status_code, phrase.lower().replace(" ", "_"), str(error.detail), error.headers)

    @api.exception_handler(DatabaseAwayError)
    async def away(_request: Request, error: DatabaseAwayError) -> JSONResponse:
        _log.warning("the read api has no database", reason=str(error))
        message = "the database does not answer; try again later"
        return _answer(503, "database_unavailable", message, {"Retry-After": str(RETRY_AFTER_S)})

    @api.exception_handler(Exception)
    async def bug(request: Request, error: Exception) -> JSONResponse:
        _log.error("the read api failed", path=request.url.path, error=type(error).__name__)
        return _answer(500, "internal", "this is a fault of ours; it has been logged")


def _answer(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    body = ErrorBody(error=ErrorDetail(code=code, message=message[:MAX_MESSAGE_CHARS]))
    return JSONResponse(body.model_dump(), status, dict(headers or {}))


def _mistakes(found: Sequence[Any]) -> str:
    """Return which parameter is wrong and what is expected of it; what was sent is not repeated."""
    return "; ".join(f"{mistake['loc'][-1]}: {mistake['msg']}" for mistake in found[:MAX_MISTAKES_SHOWN])
