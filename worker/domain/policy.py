"""What an account allows to be done with its orders, and the effects there are. Pure: no calls, no clock."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Final

import msgspec

from worker.domain.clock import DAY, HOUR, SECOND, Millis
from worker.domain.identity import Platform


class Effect(StrEnum):
    """What we do at a marketplace. `refresh` and `find_substitutes` are safe reads; the others change something."""

    REFRESH = "refresh"
    FIND_SUBSTITUTES = "find_substitutes"
    """Look for articles that could stand in for a line's; the purpose is the line's id."""
    PAY = "pay"
    UPDATE_DOMESTIC_LOGISTICS = "update_domestic_logistics"
    """Tell the warehouse which parcels come; the purpose is a digest of the parcels."""
    CONFIRM_RECEIPT = "confirm_receipt"
    """Releases the money to the seller."""
    BOOK_INTERNATIONAL = "book_international"
    """Order the way abroad; the purpose is a digest of the set of parcels."""
    CANCEL = "cancel"


READS: Final = frozenset({Effect.REFRESH, Effect.FIND_SUBSTITUTES})
CHANGES: Final = tuple(effect for effect in Effect if effect not in READS)
"""The effects that the ledger writes down before they are sent, in the order of an order's life."""


class SecondAttempt(msgspec.Struct, frozen=True):
    """When a call of which nobody knows whether it took effect may be made again.

    Inferred, hence configurable: after `reads` fresh reads that all show that nothing happened, the last of them asked
    at least `quiet` after the call, and at most `attempts` calls in all. One attempt: never by itself.
    """

    attempts: int = 1
    quiet: Millis = HOUR
    reads: int = 4


class Breakers(msgspec.Struct, frozen=True):
    """When the account's effects are stopped by themselves. None or 0: never."""

    unknowns: int = 10
    """So many calls at once of which nobody knows whether they took effect."""
    hourly_factor: int = 8
    """So many times the usual sum of an hour (mean of the last seven days) spent within one hour …"""
    hourly_floor: int = 0
    """… but not below this sum (minor units)."""


class Policy(msgspec.Struct, frozen=True):
    """The account's rules. Amounts in minor units, `price_tolerance` a share (0.02 = 2 %).

    `platforms`: whose orders we can call the marketplace about; of others callbacks are recorded, and the order stays
    unconfirmed. `pay_platforms`: whose orders may be paid (Taobao's callbacks and lists may name one order by different
    ids, so paying those has to be switched on). `daily_budget`, `monthly_budget`: of the account, in Beijing days and
    months; None: none. `confirm_after`: how long after the goods were signed for the receipt is confirmed.
    `inspection_confirms`: what the warehouse inspected and passed counts as signed for, and an objection holds.
    """

    auto_pay: bool = False
    auto_pay_limit: int = 0
    price_tolerance: Decimal = Decimal(0)
    platforms: frozenset[Platform] = frozenset({Platform.ALIBABA_1688})
    find_substitutes: bool = False
    pay_platforms: frozenset[Platform] = frozenset({Platform.ALIBABA_1688})
    pay_margin: Millis = 30 * SECOND
    """A payment is not begun when less than this is left of the time in which the order can be paid."""
    daily_budget: int | None = None
    monthly_budget: int | None = None
    notify_warehouse: bool = False
    confirm_receipt: bool = False
    confirm_after: Millis = DAY
    inspection_confirms: bool = False
    book_international: bool = False
    freight_limit: int = 0
    has_freight_defaults: bool = False
    """The account itself names a receiver and a freight service."""
    four_eyes_above: int | None = None
    """Minor units; above it an approval takes two people. None: one is always enough."""
    second_attempt: SecondAttempt = SecondAttempt()
    breakers: Breakers = Breakers()


class Wanted(msgspec.Struct, frozen=True):
    """One follow-up that the order calls for. Unique by (order, effect, purpose); `purpose` of a payment is its phase.

    `not_before`: for a refresh, the instant after which the read must be asked; for others, when it is due. `hold` says
    why a person must approve.
    """

    effect: Effect
    purpose: str
    not_before: Millis = 0
    amount: int | None = None
    hold: str | None = None


class Verdict(StrEnum):
    """Whether an effect may go out now."""

    PROCEED = "proceed"
    HOLD = "hold"
    DONE = "done"
    NOT_WANTED = "not_wanted"
    WAIT = "wait"


class Decision(msgspec.Struct, frozen=True):
    """The verdict, why, and the amount it is about (minor units; None where the effect has none)."""

    verdict: Verdict
    reason: str
    amount: int | None = None


def first_that_holds(*rules: tuple[bool, Verdict, str]) -> Decision | None:
    """Return the decision of the first rule (holds, verdict, reason) that holds, None if none does."""
    return next((Decision(verdict, reason) for holds, verdict, reason in rules if holds), None)


SYNC: Final = "sync"
FULL_PAYMENT: Final = "full"
WHOLE_ORDER: Final = "order"
