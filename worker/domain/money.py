"""Money as integer minor units. Conversion happens once, at the field, and never through a float."""

from __future__ import annotations

from decimal import Context, Decimal, Inexact, InvalidOperation
from typing import Final

CNY = "CNY"
MINOR_PER_YUAN = 100
MAX_MINOR = 10**13
"""One hundred thousand million yuan: beyond it a field is broken, not an order dear."""

_EXACT: Final = Context(prec=40, traps=[Inexact, InvalidOperation])
"""Refuses to round: the default context would make `1.00…01` yuan, with 30 zeros between, exactly 100 fen."""


class MoneyError(ValueError):
    """An amount that cannot be read exactly. Says what came and what is expected."""


def fen_from_yuan(value: object, field: str = "amount") -> int:
    """Return the fen of a yuan amount given as Decimal, int or text; at most two decimals.

    Raises MoneyError for anything else, floats included: a float has already lost what we must not lose.
    """
    amount = _decimal(value, field, "yuan", MAX_MINOR // MINOR_PER_YUAN)
    try:
        return int(_EXACT.to_integral_exact(_EXACT.multiply(amount, MINOR_PER_YUAN)))
    except Inexact as error:
        raise MoneyError(f"{field}: {_shown(value)} has a fraction of a fen") from error


def fen_from_fen(value: object, field: str = "amount") -> int:
    """Return the fen of an integer fen amount given as int, whole Decimal or text; raises MoneyError otherwise."""
    amount = _decimal(value, field, "fen", MAX_MINOR)
    try:
        return int(_EXACT.to_integral_exact(amount))
    except Inexact as error:
        raise MoneyError(f"{field}: {_shown(value)} is not a whole number of fen") from error


def yuan_text(minor: int) -> str:
    """Return fen as yuan text for people, e.g. 1234 → `12.34`."""
    sign = "-" if minor < 0 else ""
    return f"{sign}{abs(minor) // MINOR_PER_YUAN}.{abs(minor) % MINOR_PER_YUAN:02d}"


def _decimal(value: object, field: str, unit: str, limit: int) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, Decimal | int | str):
        raise MoneyError(f"{field}: {_shown(value)} is not an amount in {unit}")
    try:
        # Python's grouping of digits, as in 1_000, is no marketplace's
        amount = Decimal(value.strip().replace("_", "?")) if isinstance(value, str) else Decimal(value)
    except InvalidOperation as error:
        raise MoneyError(f"{field}: {_shown(value)} is not an amount in {unit}") from error
    # copy_abs and comparisons round nothing and overflow nowhere
    if not amount.is_finite() or amount.copy_abs() > limit:
        raise MoneyError(f"{field}: {_shown(value)} is out of range")
    return amount


def _shown(value: object) -> str:
    if isinstance(value, int) and value.bit_length() > 200:  # noqa: PLR2004 - Python refuses to print thousands of digits
        return f"an integer of {value.bit_length()} bits"
    return repr(value)[:60]
