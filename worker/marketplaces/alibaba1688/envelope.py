"""The four shapes in which the open platform says how a call went (marketplace notes 1.5), judged in one place."""

from __future__ import annotations

from typing import Any

from worker.catalogue.operation import Operation
from worker.marketplaces.port import (
    MarketplaceError,
    RejectedError,
    RetryableError,
    ThrottledError,
    UnauthorisedError,
    UnreadableError,
)
from worker.marketplaces.values import as_object, text

NOT_SHIPPED_YET = "500_2"
_UNAUTHORISED = 401
_CODES = ("error_code", "errorCode", "code", "retCode")
_TEXTS = ("error_message", "errorMessage", "erroMsg", "errorMsg", "errorInfo", "message", "retMsg", "msg", "exception")
_FINE = frozenset({"0", "0000", "200", "success", "SUCCESS"})
_THROTTLED = frozenset({"gw.QosAppFrequencyLimit", "gw.QosRequestLimit"})
_UNSIGNED = frozenset({"gw.SignatureInvalid", "401"})
_MAX_SAID = 200


def opened(operation: Operation, status: int, answer: Any) -> dict[str, Any]:
    """Return the answer if it is a success.

    `success` is a boolean or its text, and may stand at the top or in `result`; an error code can come with HTTP 200,
    and "0000" is none.
    """
    whole = as_object(answer)
    if not whole:
        raise UnreadableError(f"{operation.name}: the answer is no JSON object")
    error = _failure(operation, status, whole) or _failure(operation, status, as_object(whole.get("result")))
    if error is None and status >= 400:  # noqa: PLR2004 - HTTP
        error = RejectedError(f"{operation.name}: HTTP {status}")
    if error is not None:
        raise error
    return whole


def inner(answer: dict[str, Any]) -> dict[str, Any]:
    """Return what stands in `result`, or in the `result` of that: the newer operations wrap twice."""
    outer = as_object(answer.get("result"))
    return as_object(outer.get("result")) or outer


def _failure(operation: Operation, status: int, block: dict[str, Any]) -> MarketplaceError | None:
    code = _first(block, _CODES)
    succeeded = _truth(block.get("success"))
    if succeeded is True or (succeeded is None and (code is None or code in _FINE)):
        return None
    said = f"{operation.name}: {code or 'refused'}, {(_first(block, _TEXTS) or '')[:_MAX_SAID]!r}"
    if code in _THROTTLED:
        return ThrottledError(said, code=code)
    if code in _UNSIGNED or status == _UNAUTHORISED or "Request is expired" in said:
        return UnauthorisedError(said, code=code)
    if code == "gw.APIACLDecline":
        advice = "this app has no permission for it; apply for the operation in the console"
        return RejectedError(f"{said}: {advice}", code=code)
    if status >= 500:  # noqa: PLR2004 - HTTP
        return RetryableError(said, code=code)
    return RejectedError(said, code=code)


def _first(block: dict[str, Any], names: tuple[str, ...]) -> str | None:
    return next((found for name in names if (found := text(block.get(name)))), None)


def _truth(value: Any) -> bool | None:
    if isinstance(value, bool):
        return value
    return {"true": True, "false": False}.get(str(value).lower()) if isinstance(value, str) else None
