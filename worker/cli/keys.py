"""Orders and amounts as people type them."""

from __future__ import annotations

from worker.domain.identity import OrderKey, Platform, valid_account_name, valid_order_id
from worker.domain.money import MoneyError, fen_from_yuan
from worker.domain.operators import RefusalKind, RefusedError


def order_key(text: str) -> OrderKey:
    """Return the order of `ACCOUNT/PLATFORM/ORDER_ID`. Raises RefusedError."""
    account, _, rest = text.partition("/")
    platform, _, order_id = rest.partition("/")
    if not (valid_account_name(account) and platform in set(Platform) and valid_order_id(order_id)):
        raise RefusedError(
            RefusalKind.INVALID, "the order: expected ACCOUNT/PLATFORM/ORDER_ID, such as main/1688/123456789"
        )
    return OrderKey(account, Platform(platform), order_id)


def amount_of(text: str) -> int:
    """Return the fen of an amount in yuan. Raises RefusedError."""
    try:
        return fen_from_yuan(text, "amount")
    except MoneyError as error:
        raise RefusedError(RefusalKind.INVALID, f"{error}; expected yuan, such as 123.45") from error
