"""What other systems expect of an order, before or after it is seen. A plan never widens an account's limits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from worker.domain.money import CNY, MoneyError, fen_from_yuan, yuan_text

MAX_MISTAKES = 10
MAX_TEXT = 300
RECEIVER_FIELDS: Final = (
    "name", "country", "address", "city", "state", "district", "zip", "phone", "mobile", "email", "tax_id",
)  # fmt: skip
_RECEIVER_NEEDS = ("name", "country", "address")
_COUNTRY_CHARS = 2
_CURRENCY_CHARS = 3
_FREIGHT_TEXTS: Final = {"service_id": 100, "company": 100, "category": 100, "remark": 200}
_FREIGHT_NEEDS = ("service_id", "company", "category")


class PlanError(ValueError):
    """A plan that cannot be taken: one line per mistake, none of which shows what was sent."""

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__("; ".join(mistakes[:MAX_MISTAKES]))
        self.mistakes = mistakes


class Freight(msgspec.Struct, frozen=True):
    """The international service to book, and the most that it may cost.

    `max_price_minor`: minor units of `currency`; None: the account's rule.
    """

    service_id: str
    company: str
    category: str
    max_price_minor: int | None = None
    currency: str = CNY
    remark: str = ""


class Plan(msgspec.Struct, frozen=True):
    """One plan. None: nothing is expected, the account's rules decide.

    `planned_total` in minor units of CNY: what the price is judged against. `auto_pay` False: a person must approve.
    `cancel_reason`: the order is to be cancelled, for this reason. `receiver` holds personal data.
    """

    planned_total: int | None = None
    own_order_number: str | None = None
    auto_pay: bool | None = None
    cancel_reason: str | None = None
    receiver: dict[str, str] | None = None
    freight: Freight | None = None

    def __repr__(self) -> str:
        return f"Plan(planned_total={self.planned_total!r}, own_order_number={self.own_order_number!r}, ...)"


class StandingPlan(Plan, frozen=True):
    """The latest version of an order's plan, and who asked for it; version 0: nobody planned anything."""

    version: int = 0
    requested_by: str | None = None

    def __repr__(self) -> str:
        return f"StandingPlan(version={self.version})"


NO_PLAN: Final = StandingPlan()


class _Reader:
    """Takes fields out of a document and remembers what is wrong with them."""

    def __init__(self, document: Mapping[str, Any], path: str, known: tuple[str, ...], mistakes: list[str]) -> None:
        self._document = document
        self._path = path
        self._mistakes = mistakes
        for name in document:
            if name not in known:
                shown = name if name.isascii() and name.isidentifier() and len(name) <= 40 else "(unprintable)"  # noqa: PLR2004 - of a name of theirs, for people
                self.wrong(shown, f"there is no such field; expected {', '.join(known)}")

    def wrong(self, name: str, expected: str) -> None:
        self._mistakes.append(f"{self._path}{name}: {expected}")

    def text(self, name: str, longest: int = MAX_TEXT, *, needed: bool = False) -> str | None:
        value = self._document.get(name)
        if value is None and not needed:
            return None
        if not isinstance(value, str) or not value.strip() or len(value) > longest or not value.isprintable():
            self.wrong(name, f"expected 1 to {longest} printable characters as text")
            return None
        return value.strip()

    def yuan(self, name: str) -> int | None:
        value = self._document.get(name)
        if value is None:
            return None
        try:
            if not isinstance(value, str):
                raise MoneyError("not text")  # noqa: TRY301 - one way out
            amount = fen_from_yuan(value, name)
        except MoneyError:
            amount = -1
        if amount < 0:
            self.wrong(name, 'expected an amount as text, such as "123.45": not below zero, at most two decimals')
            return None
        return amount

    def boolean(self, name: str) -> bool | None:
        value = self._document.get(name)
        if value is not None and not isinstance(value, bool):
            self.wrong(name, "expected true, false or null")
            return None
        return value

    def object(self, name: str, read: Callable[[Mapping[str, Any], list[str]], Any]) -> Any:
        value = self._document.get(name)
        if value is None:
            return None
        if not isinstance(value, Mapping):
            self.wrong(name, "expected an object or null")
            return None
        return read(value, self._mistakes)


def read_plan(document: object) -> Plan:
    """Return the plan that a JSON document says. Raises PlanError with everything that is wrong with it."""
    if not isinstance(document, Mapping):
        raise PlanError(["(whole): expected a JSON object"])
    mistakes: list[str] = []
    known = ("planned_total", "own_order_number", "auto_pay", "cancel_reason", "receiver", "freight")
    reader = _Reader(document, "", known, mistakes)
    plan = Plan(
        reader.yuan("planned_total"),
        reader.text("own_order_number", 64),
        reader.boolean("auto_pay"),
        reader.text("cancel_reason", 200),
        reader.object("receiver", _receiver),
        reader.object("freight", _freight),
    )
    if plan.planned_total == 0:
        reader.wrong("planned_total", "expected more than zero; leave it out if nothing is planned")
    if mistakes:
        raise PlanError(mistakes)
    return plan


def written(plan: Plan) -> dict[str, Any]:
    """Return the document of a plan: what `read_plan` reads as the same plan."""
    document: dict[str, Any] = {
        "planned_total": None if plan.planned_total is None else yuan_text(plan.planned_total),
        "own_order_number": plan.own_order_number,
        "auto_pay": plan.auto_pay,
        "cancel_reason": plan.cancel_reason,
        "receiver": plan.receiver,
        "freight": None,
    }
    if plan.freight is not None:
        document["freight"] = {
            "service_id": plan.freight.service_id,
            "company": plan.freight.company,
            "category": plan.freight.category,
            "max_price": None if plan.freight.max_price_minor is None else yuan_text(plan.freight.max_price_minor),
            "currency": plan.freight.currency,
            "remark": plan.freight.remark or None,
        }
    return document


def _receiver(document: Mapping[str, Any], mistakes: list[str]) -> dict[str, str]:
    reader = _Reader(document, "receiver.", RECEIVER_FIELDS, mistakes)
    found = {name: reader.text(name, needed=name in _RECEIVER_NEEDS) for name in RECEIVER_FIELDS}
    country = found["country"]
    if country is not None and not (len(country) == _COUNTRY_CHARS and country.isascii() and country.isupper()):
        reader.wrong("country", "expected two capital letters (ISO 3166-1), such as US")
    return {name: value for name, value in found.items() if value is not None}


def _freight(document: Mapping[str, Any], mistakes: list[str]) -> Freight:
    reader = _Reader(document, "freight.", (*_FREIGHT_TEXTS, "max_price", "currency"), mistakes)
    texts = {name: reader.text(name, most, needed=name in _FREIGHT_NEEDS) for name, most in _FREIGHT_TEXTS.items()}
    currency = reader.text("currency", 3) or CNY
    if not (len(currency) == _CURRENCY_CHARS and currency.isascii() and currency.isupper()):
        reader.wrong("currency", "expected three capital letters (ISO 4217), such as CNY")
    return Freight(
        texts["service_id"] or "",
        texts["company"] or "",
        texts["category"] or "",
        reader.yuan("max_price"),
        currency,
        texts["remark"] or "",
    )
