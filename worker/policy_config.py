"""The rules of an account as they are configured: what may be done without a person, and up to what amount."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from worker.domain.clock import SECOND
from worker.domain.identity import Platform
from worker.domain.money import MoneyError, fen_from_yuan
from worker.domain.policy import Breakers, Policy, SecondAttempt


def _money(value: Any) -> int:
    if not isinstance(value, str):
        raise ValueError('expected an amount in quotes, such as "500.00" (a bare number is a float and may be inexact)')  # noqa: TRY004 - pydantic wants ValueError
    try:
        return fen_from_yuan(value, "amount")
    except MoneyError as error:
        raise ValueError(f'expected an amount in yuan such as "500.00" ({error})') from error


def _optional_money(value: Any) -> int | None:
    return None if value is None else _money(value)


def _share(value: Any) -> Decimal:
    if not isinstance(value, str):
        raise ValueError('expected a share in quotes, such as "0.02" for 2 %')  # noqa: TRY004 - pydantic wants ValueError
    try:
        share = Decimal(value)
    except ArithmeticError as error:
        raise ValueError('expected a share such as "0.02" for 2 %') from error
    if not share.is_finite() or not 0 <= share <= 1:
        raise ValueError('expected a share from "0" to "1", such as "0.02" for 2 %')
    return share


Money = Annotated[int, BeforeValidator(_money), Field(ge=0)]
OptionalMoney = Annotated[Annotated[int, Field(ge=0)] | None, BeforeValidator(_optional_money)]
Share = Annotated[Decimal, BeforeValidator(_share)]
_STRICT = ConfigDict(extra="forbid", hide_input_in_errors=True)


class SecondAttemptConfig(BaseModel):
    """When a call of which nobody knows whether it took effect may be made again (inferred, hence a choice)."""

    model_config = _STRICT

    attempts: Annotated[int, Field(ge=1, le=3)] = 1
    """All calls together; 1: never again by itself. 1688 itself allows three payments per order (documented)."""
    quiet_s: Annotated[float, Field(gt=0, le=604_800)] = 3_600.0
    """How long after the call reads must still show that nothing happened."""
    reads: Annotated[int, Field(ge=2, le=100)] = 4

    def to_rule(self) -> SecondAttempt:
        """Return the domain's rule."""
        return SecondAttempt(self.attempts, int(self.quiet_s * SECOND), self.reads)


class BreakersConfig(BaseModel):
    """When the account's effects are stopped by themselves."""

    model_config = _STRICT

    unknowns: Annotated[int, Field(ge=0, le=100_000)] = 10
    """So many unknown calls at once; 0: never."""
    hourly_factor: Annotated[int, Field(ge=0, le=10_000)] = 8
    """So many times the usual sum of an hour within one hour; 0: never."""
    hourly_floor: OptionalMoney = None
    """The hourly sum that never stops anything; not set: twenty times auto_pay_limit."""


class FreightReceiver(BaseModel):
    """Who gets the goods abroad. Personal: kept out of logs and errors."""

    model_config = _STRICT

    name: Annotated[str, Field(min_length=1, max_length=200)]
    country: Annotated[str, Field(pattern="^[A-Z]{2}$")]
    address: Annotated[str, Field(min_length=1, max_length=500)]
    city: Annotated[str, Field(max_length=200)] = ""
    state: Annotated[str, Field(max_length=200)] = ""
    zip: Annotated[str, Field(max_length=40)] = ""
    phone: Annotated[str, Field(max_length=40)] = ""
    mobile: Annotated[str, Field(max_length=40)] = ""
    email: Annotated[str, Field(max_length=200)] = ""
    tax_id: Annotated[str, Field(max_length=100)] = ""

    def __repr__(self) -> str:
        return "FreightReceiver(...)"


class FreightServiceConfig(BaseModel):
    """The service of an international carrier, as the warehouse names it."""

    model_config = _STRICT

    service_id: Annotated[str, Field(min_length=1, max_length=100)]
    company: Annotated[str, Field(min_length=1, max_length=200)]
    category: Annotated[str, Field(min_length=1, max_length=100)]


class PolicyConfig(BaseModel):
    """What may be done without a person."""

    model_config = _STRICT

    auto_pay: bool = False
    auto_pay_limit: Money = 0
    price_tolerance: Share = Decimal(0)
    four_eyes_above: OptionalMoney = None
    """Above this, two different people must approve what waits for approval, neither of them who asked for it."""
    daily_budget: OptionalMoney = None
    """The most that the account spends in a Beijing day, approved or not."""
    monthly_budget: OptionalMoney = None
    pay_margin_s: Annotated[float, Field(ge=0, le=86_400)] = 30.0
    """A payment is not begun when less than this is left of the time in which the order can be paid."""
    pay_taobao: bool = False
    """Inferred: that Taobao's callbacks, lists and details name one order by one id. If not, it could be paid twice."""
    find_substitutes: bool = False
    """Look for the same article elsewhere when a seller lacks goods or raises the price beyond the tolerance."""
    notify_warehouse: bool = False
    """Tell the warehouse which parcels come, once per change."""
    confirm_receipt: bool = False
    """Confirm the receipt once all goods were signed for; it releases the money."""
    confirm_after_s: Annotated[float, Field(ge=0, le=2_592_000)] = 86_400.0
    inspection_confirms: bool = False
    """Inferred: that the warehouse reports its inspections to us. Passed counts as signed for, an objection holds."""
    book_international: bool = False
    """Order the way abroad once the receipt is confirmed."""
    freight_limit: Money = 0
    freight_receiver: FreightReceiver | None = None
    freight_service: FreightServiceConfig | None = None
    second_attempt: SecondAttemptConfig = SecondAttemptConfig()
    breakers: BreakersConfig = BreakersConfig()

    @model_validator(mode="after")
    def _limits_fit(self) -> Self:
        if self.auto_pay and self.auto_pay_limit == 0:
            raise ValueError('auto_pay needs auto_pay_limit, the most to pay for one order, such as "500.00"')
        if self.book_international and self.freight_limit == 0:
            raise ValueError('book_international needs freight_limit, the most to pay for the freight, such as "80.00"')
        if (self.freight_receiver is None) != (self.freight_service is None):
            raise ValueError("freight_receiver and freight_service go together; expected both or none")
        return self

    def to_policy(self, platforms: frozenset[Platform]) -> Policy:
        """Return the domain's policy for an account that can call the marketplace about orders of `platforms`."""
        floor = self.breakers.hourly_floor
        payable = {Platform.ALIBABA_1688} | ({Platform.TAOBAO} if self.pay_taobao else set())
        return Policy(
            auto_pay=self.auto_pay,
            auto_pay_limit=self.auto_pay_limit,
            price_tolerance=self.price_tolerance,
            platforms=platforms,
            find_substitutes=self.find_substitutes,
            pay_platforms=frozenset(payable),
            pay_margin=int(self.pay_margin_s * SECOND),
            daily_budget=self.daily_budget,
            monthly_budget=self.monthly_budget,
            notify_warehouse=self.notify_warehouse,
            confirm_receipt=self.confirm_receipt,
            confirm_after=int(self.confirm_after_s * SECOND),
            inspection_confirms=self.inspection_confirms,
            book_international=self.book_international,
            freight_limit=self.freight_limit,
            has_freight_defaults=self.freight_receiver is not None,
            four_eyes_above=self.four_eyes_above,
            second_attempt=self.second_attempt.to_rule(),
            breakers=Breakers(
                self.breakers.unknowns,
                self.breakers.hourly_factor,
                20 * self.auto_pay_limit if floor is None else floor,
            ),
        )
